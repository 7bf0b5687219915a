"""This module says what a way to run attempts must offer, and in which words it tells what happened.

All times are seconds on CLOCK_BOOTTIME of this host.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from ganger_core.domain.outputs import Outputs
from ganger_core.domain.task import AttemptRef, StartOrder


class Cause(StrEnum):
    """Why an attempt was told to stop. It is kept with the attempt, so that a restarted worker knows it too."""

    ORDER = "order"  # the master ordered it
    UNWANTED = "unwanted"  # the master does not count on it any more
    SHUTDOWN = "shutdown"  # the worker shuts down
    LEASE = "lease"  # its lease is over
    LIMIT = "limit"  # it ran longer than its run limit
    KEEPER = "keeper"  # its keeper died


@dataclass(frozen=True, slots=True)
class Launch:
    """Start this attempt; its lease is over at `deadline_s` unless that is extended. Infinity stands for no lease."""

    order: StartOrder
    deadline_s: float


@dataclass(frozen=True, slots=True)
class Stop:
    """End an attempt: `signal` to everything it started, SIGKILL `grace_s` later.

    Of several stops the first cause counts, and the grace that ends first; each signal is sent once.
    """

    ref: AttemptRef
    grace_s: float
    cause: Cause
    signal: int = signal.SIGTERM


@dataclass(frozen=True, slots=True)
class Started:
    """An attempt lives. `started_s` is None when nobody knows since when."""

    ref: AttemptRef
    started_s: float | None


@dataclass(frozen=True, slots=True)
class Exit:
    """An attempt is over: nothing of it lives, or `unkillable` names what lives on long after SIGKILL.

    Exactly one of `code`, `signal` and `launch` (125, 126 or 127, with `why`) says how; none of them when nobody
    saw it end. `cause` is why it was told to stop before it ended by itself, None when it was not; `limit_s` its
    run limit, if it had one; `outputs` what it published, if anything.
    """

    ref: AttemptRef
    started_s: float | None
    ended_s: float
    cause: Cause | None = None
    code: int | None = None
    signal: int | None = None
    launch: int | None = None
    why: str = ""
    limit_s: float | None = None
    unkillable: tuple[int, ...] = ()
    outputs: Outputs | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """An attempt was not started and never will be. `before` says that it, or a later one, was started before."""

    ref: AttemptRef
    before: bool
    why: str


class Listener(Protocol):
    """Who wants to know what becomes of attempts. Called on the executor's own thread."""

    def on_recovered(self, living: Sequence[Started], exits: Sequence[Exit]) -> None:
        """The whole of what the executor holds, after it began anew: what lives, what ended unacknowledged."""
        ...

    def on_news(self, started: Sequence[Started], exits: Sequence[Exit], refused: Sequence[Refused]) -> None:
        """These live; these are over, repeated by `on_recovered` until forgotten; these were not started."""
        ...


class Executor(Protocol):
    """A way to run attempts. Each call may be repeated; none waits for an attempt.

    What is lost on the way to an executor that just died is made up for after the next `on_recovered`.
    """

    def closed(self) -> str:
        """Why it can start nothing at present; empty when it can."""
        ...

    def prepare(self, order: StartOrder) -> None:
        """Make what the attempt needs before its start; raises OSError."""
        ...

    def start(self, launches: Sequence[Launch]) -> None:
        """Start prepared attempts."""
        ...

    def stop(self, stops: Sequence[Stop]) -> None:
        """End attempts."""
        ...

    def extend(self, deadlines: Iterable[tuple[AttemptRef, float]]) -> None:
        """Set new ends of leases; infinity for none."""
        ...

    def limit(self, limits: Iterable[tuple[AttemptRef, float]]) -> None:
        """Set other run limits, in seconds from the start; 0 for none."""
        ...

    def forget(self, refs: Sequence[AttemptRef]) -> None:
        """Nobody needs these ended attempts any more, nor their files."""
        ...
