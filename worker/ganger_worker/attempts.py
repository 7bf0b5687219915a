"""This module says what a worker knows of an attempt, and what it tells of one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ganger_core.domain.outputs import Outputs
from ganger_core.domain.task import AttemptRef, Outcome, Report, ReportKind, StartOrder
from ganger_worker.executors.base import Stop


class Stage(Enum):
    """How far an attempt is on this worker."""

    WAITING = "waiting"  # behind another, without capacity; nobody was told of it yet
    STARTING = "starting"  # accepted; the executor has not answered yet
    RUNNING = "running"
    OVER = "over"  # nothing of it lives, or it never started; the master may not know yet


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """One report, with times instead of ages: seconds on CLOCK_BOOTTIME.

    An end `can_wait` when its capacity is in use again, by one as urgent, and more is here to follow.
    """

    ref: AttemptRef
    kind: ReportKind
    at_s: float
    started_s: float | None = None
    message: str = ""
    outcome: Outcome | None = None
    stdout_bytes: int = 0
    stderr_bytes: int = 0
    stdout_tail: bytes = b""
    stderr_tail: bytes = b""
    orderly: bool = False
    handed_to: AttemptRef | None = None
    can_wait: bool = False
    outputs: Outputs | None = None

    @property
    def size(self) -> int:
        """About how many bytes of the attempt's own the report carries."""
        own = len(self.stdout_tail) + len(self.stderr_tail)
        return own if self.outputs is None else own + self.outputs.wire_bytes

    def report(self, now_s: float) -> Report:
        """The report as it is sent at `now_s`."""
        return Report(
            self.ref,
            self.kind,
            max(0.0, now_s - self.at_s),
            None if self.started_s is None else max(0.0, now_s - self.started_s),
            self.message,
            self.outcome,
            self.stdout_bytes,
            self.stderr_bytes,
            self.stdout_tail,
            self.stderr_tail,
            self.orderly,
            self.handed_to,
            self.outputs,
        )


@dataclass(slots=True)
class Held:
    """One attempt on this worker. `order` is unknown while a restarted worker waits for its first sync.

    The lease of one that waits counts from `lease_from_s`; the executor looks after the others'.
    `stop` is how it is to be stopped, by all the stops that it got, and `why` the first one's reason for people.
    Of one that is over, `final` is the last report; it is forgotten when the master has that (`reported`) and all
    its output (`stored`).
    """

    ref: AttemptRef
    stage: Stage
    order: StartOrder | None = None
    lease_from_s: float = 0.0
    started_s: float | None = None
    stop: Stop | None = None
    why: str = ""
    final: Told | None = None
    reported: bool = False
    stored: bool = False
