"""This module remembers how long the last attempts of each bucket ran, and says how many may be prefilled."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from math import ceil
from statistics import median

from ganger_master.queue import BucketKey

MOST_BEHIND = 32  # for each attempt that has capacity
LONG_MS = 1_000  # the median run time beyond which nothing goes behind
KEPT_RUNS = 15
KEPT_BUCKETS = 1_000


@dataclass(slots=True)
class _Runs:
    run_ms: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT_RUNS))
    trip_ms: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT_RUNS))


class RunTimes:
    """How long the last attempts of each bucket ran, and how long all around that took: a round trip. Milliseconds."""

    def __init__(self) -> None:
        self._runs: OrderedDict[BucketKey, _Runs] = OrderedDict()  # the one noted last at the end

    def note(self, key: BucketKey, run_ms: float, trip_ms: float | None) -> None:
        """An attempt of this bucket ran so long; `trip_ms` went by besides, None for one that was behind another."""
        runs = self._runs.setdefault(key, _Runs())
        self._runs.move_to_end(key)
        if len(self._runs) > KEPT_BUCKETS:
            self._runs.popitem(last=False)
        runs.run_ms.append(max(1.0, run_ms))  # shorter than the clock's grain
        if trip_ms is not None:
            runs.trip_ms.append(max(1.0, trip_ms))

    def depth(self, key: BucketKey) -> int:
        """How many attempts may be behind each that has capacity: twice as many as end during a round trip.

        None while that is unknown, or when attempts run so long that a round trip between them does not matter.
        """
        runs = self._runs.get(key)
        if runs is None or not runs.trip_ms:
            return 0
        run_ms = median(runs.run_ms)
        return 0 if run_ms > LONG_MS else min(MOST_BEHIND, ceil(2 * median(runs.trip_ms) / run_ms))
