"""This module tells the time, as two readings that must never be mixed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Instant:
    """One moment, read on two clocks.

    `wall_ms` is Unix time in milliseconds, for display and records only. `steady_s` is seconds on
    `CLOCK_BOOTTIME` of this host: it goes on during suspend and never jumps; every duration,
    time-out and lease is a difference of two `steady_s` of the same host.
    """

    wall_ms: int
    steady_s: float


class Clock(Protocol):
    """Where the present moment comes from."""

    def now(self) -> Instant:
        """The present moment."""
        ...


class SystemClock:
    """The host's clocks."""

    def now(self) -> Instant:
        """Read both clocks of this host."""
        return Instant(wall_ms=time.time_ns() // 1_000_000, steady_s=time.clock_gettime(time.CLOCK_BOOTTIME))


class ManualClock:
    """A clock that moves only when told: for tests and simulations."""

    def __init__(self, wall_ms: int = 1_700_000_000_000, steady_s: float = 1_000.0) -> None:
        self._now = Instant(wall_ms, steady_s)

    def now(self) -> Instant:
        """The moment last set."""
        return self._now

    def advance(self, seconds: float) -> Instant:
        """Move both clocks forward by `seconds` and return the new moment."""
        self._now = Instant(self._now.wall_ms + round(seconds * 1000), self._now.steady_s + seconds)
        return self._now
