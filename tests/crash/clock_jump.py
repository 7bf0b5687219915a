"""This module makes the wall clocks of master and worker jump by hours, which must change nothing but what people read.

The `libfaketime` library answers the processes' questions for the time of day with a time of ours; the clocks that
leases and waits count on are left alone, as on a host whose administrator sets the clock.
"""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

from crash.checkers import Finding
from crash.load import pause
from crash.row import Row
from crash.scene import BRISK, Scene
from ganger_worker.keeper import boottime
from testkit.processes import a_cluster

LEASE_S = 6.0
JUMPS_S = (3600, -3600, 7 * 86_400, -86_400, 0)  # from the true time
SEEN_AFTER_S = 0.9  # by then there were heartbeats and clean-ups with the new time
CLOSE_S = 60.0
TASKS = 6
LIBRARY = "libfaketime.so.1"


def library() -> Path | None:
    """Where libfaketime is; None where it is not installed."""
    for folder in ("/usr/lib", "/usr/local/lib"):
        for path in Path(folder).glob(f"**/faketime/{LIBRARY}"):
            return path
    return None


def missing() -> str:
    """What this machine lacks; nothing when it has the library."""
    return "" if library() else f"there is no {LIBRARY} (Debian: faketime)"


def clock_jump(trials: int, seed: int) -> Row:
    """Jumps of the time of day of the master and of the worker, with attempts running."""
    times_s: list[float] = []
    wrong: list[str] = []
    done: Counter[str] = Counter()
    with a_cluster() as cluster:
        clocks = {name: cluster.folder / f"{name}.clock" for name in ("master", "w1")}
        for path in clocks.values():
            path.write_text("+0")
        flags = ("--lease-s", str(LEASE_S), "--stop-grace-s", "2", *BRISK)
        cluster.start_master(*flags, env=_environment(clocks["master"]))
        cluster.start_planner("--log-level", "error")
        cluster.start_worker("w1", "--cpus", "16", "--slots", "16", env=_environment(clocks["w1"]))
        with cluster.client() as client:
            scene = Scene(cluster, client, seed)
            for number in range(trials):
                who = ("master", "w1")[number % 2]
                ids = [_some_task(scene) for _ in range(TASKS)]
                scene.await_starts(ids)
                jump_s = JUMPS_S[number // 2 % len(JUMPS_S)]
                clocks[who].write_text(f"{jump_s:+d}")
                jumped_s = boottime()
                done[who] += 1
                pause(SEEN_AFTER_S)
                ids += [scene.submit(0.05) for _ in range(TASKS)]
                client.wait(ids, 60)
                if who == "master":
                    ahead_s = client.status(ids[-1]).task.submitted_ms / 1000 - time.time()
                    if abs(ahead_s - jump_s) > CLOSE_S:
                        wrong.append(
                            f"the master's time is {ahead_s:.0f} s ahead, and not {jump_s} s as was set"
                        )
                times_s.append(boottime() - jumped_s)
                again = {s.task for s in scene.spans(ids) if s.token > 1}
                wrong += [
                    f"task {task} was started again after a jump of {who}'s clock" for task in sorted(again)
                ]
            if LIBRARY not in Path(f"/proc/{cluster.daemons['w1'].process.pid}/maps").read_text():
                wrong.append("the worker does not ask the library for the time")
            finding = scene.conclude() + Finding(len(scene.acks), tuple(wrong))
    return Row("clock-jump", seed, trials, done.total(), finding, times_s, {"jumps": dict(done)})


def _some_task(scene: Scene) -> int:
    return scene.submit(scene.rng.uniform(0.5, 2.5), code=scene.rng.randrange(120))


def _environment(clock: Path) -> dict[str, str]:
    """The environment of a process whose time of day is `clock`'s content ahead."""
    return {
        "LD_PRELOAD": str(library()),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # that cure for an old glibc makes timed waits spin
    }
