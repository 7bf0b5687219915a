"""This module kills and stops workers and keepers with attempts running, and checks what becomes of the attempts."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

from crash.checkers import Finding, overlaps
from crash.load import pause
from crash.row import Row
from crash.scene import Scene, a_scene
from ganger_worker.keeper import TICK_S, boottime
from testkit.processes import Daemon
from testkit.waiting import wait_until
from testkit.worker_daemon import holder_of

EXITS, LIVING = 3, 2  # tasks of one trial that end while the worker is dead, and that outlive its restart
KILLED_KEEPER_LEASE_S = 60.0
AT_ONCE_S = 10.0  # a requeue later than this waited for something else than the confirmed stop
FREEZE_LEASE_S = 2.0
FLEET, SLOTS = 6, 4  # workers, and tasks on each, of the campaign that stops workers
SLACK_S = 2.0  # what a busy machine may add to the end of a lease


def worker_kill(trials: int, seed: int, *, lease_s: float = 20.0) -> Row:
    """SIGKILL of the worker; some attempts end while it is dead, others live on until it is back."""
    times_s, with_exit, kills, down = [], 0, 0, []
    with a_scene(seed, lease_s) as scene:
        rng = scene.rng
        for _ in range(trials):
            exits = [scene.submit(rng.uniform(0.5, 0.9), code=rng.randrange(120)) for _ in range(EXITS)]
            living = [scene.submit(rng.uniform(2.5, 6.0), code=rng.randrange(120)) for _ in range(LIVING)]
            scene.await_starts([*exits, *living])
            scene.cluster.daemons["w1"].kill()
            killed_s = boottime()
            kills += 1
            scene.await_ends(exits)
            back_s = boottime()
            down.append((killed_s, back_s))
            scene.cluster.spawn("w1", "ganger_worker", "--name", "w1", "--cpus", "64", "--slots", "64")
            scene.client.wait(exits, 60)
            times_s.append(boottime() - back_s)
            with_exit += sum(killed_s < s.end_s for s in scene.spans(exits))
        finding = scene.conclude()
        spans = scene.spans()
    adopted = sum(s.ended and any(s.start_s < a and s.end_s > b for a, b in down) for s in spans)
    starts = len(spans)
    if starts != len(scene.acks) and lease_s > 10:  # a short lease may end while the worker starts
        finding += Finding(1, (f"{len(scene.acks)} tasks started {starts} times: some were not adopted",))
    more: dict[str, object] = {
        "adopted_after_exit": with_exit,
        "adopted_alive": adopted,
        "tasks": len(scene.acks),
    }
    more |= {"task_starts": starts, "lease_s": lease_s}
    return Row("worker-kill", seed, trials, kills, finding, times_s, more)


def keeper_kill(trials: int, seed: int) -> Row:
    """SIGKILL of the keeper: its attempts are ended, reported as lost, and tried again at once."""
    times_s: list[float] = []
    kills, wrong = 0, []
    with a_scene(seed, KILLED_KEEPER_LEASE_S) as scene:
        lock = scene.cluster.folder / "workers" / "w1" / "keeper.lock"
        for _ in range(trials):
            ids = [scene.submit(120.0) for _ in range(4)]
            scene.await_starts(ids)
            os.kill(holder_of(lock), signal.SIGKILL)
            killed_s = boottime()
            kills += 1
            scene.await_starts(ids, token=2, timeout_s=60)
            again = {s.task: s.start_s - killed_s for s in scene.spans(ids, token=2)}
            times_s += again.values()
            wrong += [f"task {t} waited {s:.1f} s for its requeue" for t, s in again.items() if s > AT_ONCE_S]
            scene.client.wait(ids, 60)
            attempts = [scene.client.status(task).attempts[0] for task in ids]
            wrong += [f"{a.ref} is {a.state}, not LOST" for a in attempts if a.state != "LOST"]
        finding = scene.conclude() + Finding(2 * 4 * trials, tuple(wrong))
    return Row("keeper-kill", seed, trials, kills, finding, times_s, {"requeued": len(times_s)})


def worker_freeze(trials: int, seed: int, *, fleet: int = FLEET) -> Row:
    """SIGSTOP of workers beyond the lease: the keeper ends the attempts, others take over, late reports are refused.

    A trial stops all workers but one at once; every stop of a worker that had attempts is one fault.
    """
    times_s: list[float] = []
    stops = requeued = refused = 0
    gaps: list[float] = []
    wrong: list[str] = []
    with a_scene(seed, FREEZE_LEASE_S, fleet, SLOTS) as scene:
        master = scene.cluster.daemons["master"]
        while stops < trials:
            ids = [scene.submit(300.0, 0.2) for _ in range((fleet - 1) * SLOTS)]
            scene.await_starts(ids)
            victims = _busy(scene, ids, limit=min(fleet - 1, trials - stops))
            hit = [task for tasks in victims.values() for task in tasks]
            said, wanted = master.count("report refused"), master.count("report refused") + len(hit)
            pause(scene.rng.uniform(0.0, 0.3))  # anywhere between two heartbeats
            for name in victims:
                scene.cluster.daemons[name].send(signal.SIGSTOP)
            stopped_s = boottime()
            stops += len(victims)
            scene.await_starts(hit, token=2, timeout_s=60)
            for name in victims:
                scene.cluster.daemons[name].send(signal.SIGCONT)
            _await_refusals(master, wanted)
            refused += master.count("report refused") - said
            requeued += len(hit)
            first = {s.task: s for s in scene.spans(hit, token=1)}
            times_s += [first[task].end_s - stopped_s for task in hit]
            late = [t for t in hit if first[t].end_s > stopped_s + FREEZE_LEASE_S + TICK_S + SLACK_S]
            wrong += [f"an attempt of task {task} lived {times_s[-1]:.1f} s after the stop" for task in late]
            gaps += [s.start_s - first[s.task].end_s for s in scene.spans(hit, token=2)]
            for task in set(ids) - set(hit):
                scene.client.cancel(task)
                scene.codes.pop(task)
            for task in hit:
                scene.client.wait([task], 60)
            _await_up(scene, fleet)
        finding = scene.conclude() + Finding(len(times_s), tuple(wrong))
        overlap = overlaps(scene.spans())[1]
    more: dict[str, object] = {
        "requeued": requeued,
        "refused_reports": refused,
        "overlap_ms": round(overlap * 1000),
    }
    more |= {"least_gap_s": round(min(gaps, default=0.0), 2), "lease_s": FREEZE_LEASE_S}
    return Row("worker-freeze", seed, stops, stops, finding, times_s, more)


def _busy(scene: Scene, ids: Sequence[int], limit: int) -> dict[str, list[int]]:
    """Up to `limit` workers, chosen at random, that hold some of these tasks, with the tasks."""
    held: dict[str, list[int]] = {}
    for view in scene.client.workers():
        mine = [ref.task_id for ref in view.attempts if ref.task_id in ids]
        if mine:
            held[view.profile.name] = mine
    chosen = scene.rng.sample(sorted(held), min(limit, len(held)))
    return {name: held[name] for name in chosen}


def _await_refusals(master: Daemon, count: int) -> None:
    wait_until(lambda: master.count("report refused") >= count, 30, "late reports are refused")


def _await_up(scene: Scene, count: int) -> None:
    wait_until(
        lambda: sum(w.state == "UP" for w in scene.client.workers()) == count, 30, "all workers are up again"
    )
