"""This module cuts the network between the master and one of two workers, in one direction or both, and heals it.

A cut shorter than the lease must change nothing: what runs goes on, what ends meanwhile is told later. A longer one
must end the attempts beyond it by their lease before others begin.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from crash.checkers import Finding, overlaps
from crash.load import pause
from crash.netns import PORT, Cable, a_cable
from crash.row import Row
from crash.scene import BRISK, Scene
from ganger_worker.keeper import TICK_S, boottime
from ganger_worker.keeper_attempts import LEASE_GRACE_S
from ganger_worker.lease_watch import EVERY_S, PATIENCE_S
from testkit.processes import Cluster, a_cluster
from testkit.waiting import wait_until
from testkit.worker_daemon import holder_of

LEASE_S = 6.0
SHORT_S = 1.5  # of a cut that ends long before the lease does
SLOTS = 6  # tasks at the same time, on each of the two workers
ENDS_AMID, LIVES_ON = 1.0, 5.0  # how long tasks run that end during a short cut, and that outlive it
SLACK_S = 2.0  # what a busy machine may add to the end of a lease


def partition(trials: int, seed: int) -> Row:
    """Cuts to the master, to the worker and both ways in turn, each first shorter, then longer than the lease."""
    times_s: list[float] = []
    done: Counter[str] = Counter()
    finding = Finding()
    with a_cable() as cable, a_cluster() as cluster:
        _start(cluster, cable)
        with cluster.client() as client:
            scene = Scene(cluster, client, seed)
            ways = {"to-master": (cable.near,), "to-worker": (cable.far,), "both": (cable.near, cable.far)}
            for number in range(trials):
                way = list(ways)[number // 2 % len(ways)]
                if number % 2:
                    finding += _longer(scene, cable, ways[way], times_s)
                else:
                    finding += _shorter(scene, cable, ways[way])
                done[f"{way}, {'longer' if number % 2 else 'shorter'}"] += 1
                _await_both(scene)
            finding += scene.conclude()
            overlap = overlaps(scene.spans())[1]
    more: Mapping[str, object] = {
        "cuts": dict(done),
        "requeued": len(times_s),
        "overlap_ms": round(overlap * 1000),
        "lease_s": LEASE_S,
    }
    return Row("partition", seed, trials, done.total(), finding, times_s, more)


def keeper_freeze(trials: int, seed: int) -> Row:
    """SIGSTOP of the keeper beyond a cut that is longer than the lease: its worker ends the attempts instead."""
    times_s: list[float] = []
    finding = Finding()
    with a_cable() as cable, a_cluster() as cluster:
        _start(cluster, cable)
        lock = cluster.folder / "far" / "workers" / "far" / "keeper.lock"
        with cluster.client() as client:
            scene = Scene(cluster, client, seed)
            for _ in range(trials):
                with _stopped_later(holder_of(lock)) as stop:
                    finding += _longer(scene, cable, (cable.near, cable.far), times_s, stop)
                _await_both(scene)
            finding += scene.conclude()
            overlap = overlaps(scene.spans())[1]
    more = {"requeued": len(times_s), "overlap_ms": round(overlap * 1000), "lease_s": LEASE_S}
    return Row("keeper-freeze", seed, trials, trials, finding, times_s, more)


def _start(cluster: Cluster, cable: Cable) -> None:
    master_flags = ("--listen", f"127.0.0.1:{PORT}", "--lease-s", str(LEASE_S), "--stop-grace-s", "2", *BRISK)
    cluster.start_master(*master_flags, prefix=cable.run_in(cable.near))
    cluster.start_planner("--log-level", "error")
    size = ("--cpus", str(SLOTS), "--slots", str(SLOTS))
    cluster.start_worker("near", *size)
    far_flags = ("--master", f"127.0.0.1:{PORT}", "--token-file", str(cluster.folder / "token"))
    own_folder = ("--state-dir", str(cluster.folder / "far"))
    cluster.start_worker("far", *size, *far_flags, *own_folder, prefix=cable.run_in(cable.far))


def _shorter(scene: Scene, cable: Cable, sides: Sequence[str]) -> Finding:
    """Every task must have one attempt alone, and its own exit code (which `conclude` checks)."""
    lengths = [ENDS_AMID, LIVES_ON] * SLOTS
    ids = [scene.submit(length, code=scene.rng.randrange(120)) for length in lengths]
    scene.await_starts(ids)
    cable.cut(*sides)
    pause(SHORT_S)
    cable.heal()
    scene.client.wait(ids, 60)
    starts = Counter(span.task for span in scene.spans(ids))
    again = [f"task {task} was started {count} times" for task, count in starts.items() if count > 1]
    return Finding(len(ids), tuple(again))


@contextmanager
def _stopped_later(pid: int) -> Iterator[Callable[[], None]]:
    """What stops this process; it goes on afterwards."""
    try:
        yield lambda: os.kill(pid, signal.SIGSTOP)
    finally:
        os.kill(pid, signal.SIGCONT)


def _longer(
    scene: Scene,
    cable: Cable,
    sides: Sequence[str],
    times_s: list[float],
    stop_keeper: Callable[[], None] | None = None,
) -> Finding:
    """What was beyond the cut ends with its lease, and only then begins on the other side."""
    most_s = LEASE_S + TICK_S + SLACK_S
    ids = [scene.submit(300.0, 0.2) for _ in range(2 * SLOTS)]
    scene.await_starts(ids)
    beyond = [ref.task_id for w in scene.client.workers() if w.profile.name == "far" for ref in w.attempts]
    if stop_keeper:
        stop_keeper()
        most_s += LEASE_GRACE_S + PATIENCE_S + EVERY_S
    cable.cut(*sides)
    cut_s = boottime()
    for task in set(ids) - set(beyond):
        scene.client.cancel(task)
        scene.codes.pop(task)
    scene.await_starts(beyond, token=2, timeout_s=90)
    cable.heal()
    scene.client.wait(ids, 60)
    lived = {span.task: span.end_s - cut_s for span in scene.spans(beyond, token=1)}
    times_s += lived.values()
    late = [
        f"the attempt of task {task} beyond the cut lived {span_s:.1f} s"
        for task, span_s in lived.items()
        if span_s > most_s
    ]
    return Finding(len(beyond), tuple(late))


def _await_both(scene: Scene) -> None:
    wait_until(
        lambda: [w.state for w in scene.client.workers()] == ["UP", "UP"], 60, "both workers are up again"
    )
