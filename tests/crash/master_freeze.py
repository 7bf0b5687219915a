"""This module stops the master with SIGSTOP, for less and for more than the lease, and lets it go on.

A short stop must change nothing. During a long one the workers end what they cannot renew, and the master, which
wakes with leases that are over, must start nothing before that.
"""

from __future__ import annotations

import signal
from collections import Counter

from crash.checkers import Finding, overlaps
from crash.load import pause
from crash.row import Row
from crash.scene import a_scene
from ganger_master.cleanup import LEASE_MARGIN_S
from ganger_worker.keeper import boottime

LEASE_S = 4.0
SHORT_S = 1.0
TASKS = 6


def master_freeze(trials: int, seed: int) -> Row:
    """Stops shorter and longer than the lease in turn, with attempts running and others that wait."""
    times_s: list[float] = []
    wrong: list[str] = []
    with a_scene(seed, LEASE_S, cpus=TASKS) as scene:
        master = scene.cluster.daemons["master"]
        for number in range(trials):
            is_long = number % 2 == 1
            first_s = 300.0 if is_long else 3 * SHORT_S
            ids = [scene.submit(first_s, 0.2, code=scene.rng.randrange(120)) for _ in range(TASKS)]
            scene.await_starts(ids)
            waiting = [scene.submit(0.1, code=scene.rng.randrange(120)) for _ in range(TASKS)]
            pause(scene.rng.uniform(0.0, 0.3))  # anywhere between two heartbeats
            master.send(signal.SIGSTOP)
            pause(LEASE_S + LEASE_MARGIN_S + 1 if is_long else SHORT_S)
            master.send(signal.SIGCONT)
            awake_s = boottime()
            scene.client.wait([*ids, *waiting], 90)
            times_s.append(boottime() - awake_s)
            starts = Counter(span.task for span in scene.spans(ids))
            if not is_long:
                wrong += [
                    f"task {t} was started {n} times over a short stop" for t, n in starts.items() if n > 1
                ]
        finding = scene.conclude() + Finding(trials, tuple(wrong))
        overlap = overlaps(scene.spans())[1]
    more = {"overlap_ms": round(overlap * 1000), "lease_s": LEASE_S}
    return Row("master-freeze", seed, trials, trials, finding, times_s, more)
