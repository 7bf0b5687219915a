"""This module says how much of everything a run measures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """Counts of a run; those of the class itself are a full one."""

    noops: int = 10_000
    sequential: int = 200  # one after another
    paused: int = 50  # the same, with pauses
    flood: int = 10_000  # waiting tasks that urgent ones must overtake
    urgent: int = 20
    distinct: int = 100_000  # tasks that share nothing
    arrays: int = 20  # of so many elements
    shallow: int = 1_000  # queue lengths to compare
    deep: int = 100_000
    warm: int = 200  # ends before the first reading
    window: int = 800  # ends between two readings
    windows: int = 3  # of which the median counts
    stored: int = 10_000  # tasks in the store of a master that is killed
    restarts: int = 5
    reruns: int = 5


FULL = Sizes()
QUICK = Sizes(
    noops=1_000,
    sequential=40,
    paused=10,
    flood=1_000,
    urgent=5,
    distinct=10_000,
    arrays=5,
    deep=10_000,
    windows=1,
    stored=1_000,
    restarts=2,
    reruns=2,
)
