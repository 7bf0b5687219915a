"""This module is what the keeper knows of one attempt, and when something is to be done about it.

It is part of the keeper: standard library only, one thread. All times are seconds on CLOCK_BOOTTIME.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf

from ganger_worker.keeper_process import Key

LEASE_GRACE_S = 5.0  # between TERM and KILL when a lease is over
KILL_AGAIN_S = 0.1  # the first repetition of a KILL that left somebody alive; it doubles


@dataclass(slots=True, eq=False)
class Attempt:
    """One attempt of the keeper, from its start until nothing of it lives."""

    key: Key
    deadline: float
    limit: float | None = None  # how long the main process may run
    limit_grace: float = 0.0
    warn: float | None = None  # how long before its limit is over it is warned
    warn_signal: int = signal.SIGTERM
    warned: bool = False
    session: int = 0
    started: float | None = None
    how: Mapping[str, object] | None = None  # how the main process ended; None while it lives
    ended: float = 0.0
    cause: str = ""  # why it was told to stop, empty when it was not
    signals: set[int] = field(default_factory=set)  # that it got to stop by
    kill_at: float = inf
    kill_again_s: float = KILL_AGAIN_S
    killed: float = inf  # when it got its first KILL
    unkillable: bool = False  # told as over; what lives of it is still killed

    @property
    def limit_at(self) -> float:
        """When its run limit is over."""
        return inf if self.limit is None or self.started is None else self.started + self.limit

    @property
    def warn_at(self) -> float:
        """When it is to be warned of its limit, once."""
        return inf if self.warn is None or self.warned else self.limit_at - self.warn

    @property
    def is_left_alone(self) -> bool:
        """Whether its main process lives and nobody has told it to stop."""
        return self.how is None and not self.cause

    @property
    def next_change(self) -> float:
        """When something is to be done about it, its lease aside."""
        return min(self.kill_at, self.limit_at, self.warn_at) if self.is_left_alone else self.kill_at

    def must_stop(self, now: float) -> str:
        """Why it may not go on, or nothing when it may, or is stopping in time."""
        if now >= self.deadline and self.killed == inf and self.kill_at > self.deadline + LEASE_GRACE_S:
            return "lease"
        return "limit" if now >= self.limit_at and self.is_left_alone else ""
