"""This module kills and stops the planner while tasks come in: work goes on by first-fit until the planner is back."""

from __future__ import annotations

import signal
from collections import Counter

from crash.checkers import Finding
from crash.load import pause
from crash.row import Row
from crash.scene import Scene, a_scene
from ganger_worker.keeper import boottime
from testkit.waiting import wait_until

LEASE_S = 60.0
BATCH = 4  # tasks handed in during each fault
PROBE_EVERY_S = 0.2  # a planner that failed twice is left alone for seconds
PLANNER_FLAGS = ("--log-level", "error")


def planner_faults(trials: int, seed: int) -> Row:
    """SIGKILL and SIGSTOP of the planner in turn, each while tasks come in."""
    times_s: list[float] = []
    wrong: list[str] = []
    faults = 0
    with a_scene(seed, LEASE_S, workers=2, master_flags=("--plan-deadline-s", "0.3")) as scene:
        planner = scene.cluster.daemons["planner"]
        for number in range(trials):
            before = [scene.submit(0.3) for _ in range(BATCH)]
            pause(scene.rng.uniform(0.0, 0.02))  # anywhere between submission, plan and start
            kill = number % 2 == 0
            if kill:
                planner.kill()
            else:
                planner.send(signal.SIGSTOP)
            faults += 1
            hit_s = boottime()
            ids = [scene.submit(0.05) for _ in range(BATCH)]
            scene.await_starts([*before, *ids])
            times_s.append(boottime() - hit_s)
            if "first-fit" not in _placed_by(scene, ids):
                wrong.append(
                    f"tasks {ids} were placed by {_placed_by(scene, ids)} while the planner was away"
                )
            if kill:
                planner = scene.cluster.start_planner(*PLANNER_FLAGS)
            else:
                planner.send(signal.SIGCONT)
            wait_until(lambda: _is_used(scene), 30, "the planner is used again")
        finding = scene.conclude() + Finding(trials, tuple(wrong))
        placed = _placed_by(scene, [ack.task_id for ack in scene.acks])
    return Row("planner-faults", seed, trials, faults, finding, times_s, {"placed_by": dict(placed)})


def _is_used(scene: Scene) -> bool:
    """Hand in one task more, after a while; whether the planner placed it."""
    pause(PROBE_EVERY_S)
    task = scene.submit(0.01)
    scene.await_starts([task])
    return "planner" in _placed_by(scene, [task])


def _placed_by(scene: Scene, ids: list[int]) -> Counter[str]:
    return Counter(a.planned_by for task in ids for a in scene.client.status(task).attempts)
