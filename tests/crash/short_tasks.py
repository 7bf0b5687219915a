"""This module kills a worker, its keeper and the master in turn while short tasks wait behind those that run."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Mapping

from crash.checkers import Finding, never_more_at_once
from crash.row import Row
from crash.scene import BRISK, Scene, a_scene
from ganger_core.domain.states import TaskState
from ganger_worker.keeper import boottime
from testkit.waiting import wait_until
from testkit.worker_daemon import holder_of

CPUS = 3
TASKS = 60
STARTED = 15  # of them, when something is killed
LEASE_S = 60.0


def short_tasks(trials: int, seed: int) -> Row:
    """A kill amid a burst of short tasks; each runs, never more at once than there are CPUs."""
    times_s: list[float] = []
    killed: Counter[str] = Counter()
    with a_scene(seed, LEASE_S, cpus=CPUS) as scene:
        _burst(scene, 4)  # how long they take is known from here on
        for number in range(trials):
            what = list(KILLS)[number % len(KILLS)]
            ids = [_short(scene) for _ in range(TASKS)]
            wait_until(lambda: len(scene.spans(ids)) >= STARTED, 60, f"{STARTED} have started")  # noqa: B023
            KILLS[what](scene)
            killed_s = boottime()
            killed[what] += 1
            scene.client.wait(ids, 120)
            times_s.append(boottime() - killed_s)
        finding = scene.conclude()
        behind = _went_behind(scene)
        if not behind:
            finding += Finding(1, ("no task went behind another",))
        finding += never_more_at_once(scene.spans(), CPUS)
    more = {"killed": dict(killed), "tasks": len(scene.acks), "behind": behind}
    return Row("short-tasks", seed, trials, killed.total(), finding, times_s, more)


def _short(scene: Scene) -> int:
    return scene.submit(scene.rng.uniform(0.0, 0.05), 0.01, code=scene.rng.choice((0, 0, 7)))


def _burst(scene: Scene, count: int) -> None:
    scene.client.wait([_short(scene) for _ in range(count)], 60)


def _kill_worker(scene: Scene) -> None:
    scene.cluster.daemons["w1"].kill()
    cpus = str(CPUS)
    scene.cluster.spawn("w1", "ganger_worker", "--name", "w1", "--cpus", cpus, "--slots", cpus)


def _kill_keeper(scene: Scene) -> None:
    os.kill(holder_of(scene.cluster.folder / "workers" / "w1" / "keeper.lock"), signal.SIGKILL)


def _kill_master(scene: Scene) -> None:
    scene.cluster.daemons["master"].kill()
    scene.cluster.start_master("--lease-s", str(LEASE_S), "--stop-grace-s", "2", *BRISK)


KILLS: Mapping[str, Callable[[Scene], None]] = {
    "worker": _kill_worker,
    "keeper": _kill_keeper,
    "master": _kill_master,
}


def _went_behind(scene: Scene) -> int:
    """How many assignments put a task behind others, by the feed."""
    count, last = 0, {ack.task_id for ack in scene.acks}
    for event in scene.client.events():
        count += event.state is TaskState.SCHEDULED and "next on" in event.reason
        if event.outcome is not None:
            last.discard(event.task_id)
            if not last:
                break
    return count
