"""This module holds every legal state and move of tasks, attempts and workers: one table each.

Everything that decides whether a move is legal lives here. The tables do not know who asks; a move
that is not in its table raises `IllegalMove`. The diagrams in ARCHITECTURE.md are printed from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar


class TaskState(StrEnum):
    """Where a task stands."""

    PENDING = "PENDING"  # accepted and durable, waiting for its turn, resources or a decision
    SCHEDULED = "SCHEDULED"  # a plan gave it a worker; the attempt is assigned, not yet accepted
    STARTING = "STARTING"  # the worker has it and prepares it
    RUNNING = "RUNNING"  # its process lives, or it has ended and its last log bytes are on their way
    STOPPING = "STOPPING"  # told to stop, not yet gone
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TIMED_OUT = "TIMED_OUT"  # stopped, because its run limit was over
    EXPIRED = "EXPIRED"  # never started, because its queue limit was over
    SKIPPED = "SKIPPED"  # never started, because what it was to run after did not end as it had to


class AttemptState(StrEnum):
    """Where one try of a task on one worker stands."""

    ASSIGNED = "ASSIGNED"  # written down for a worker
    STARTING = "STARTING"  # accepted by the worker
    RUNNING = "RUNNING"
    STOPPING = "STOPPING"  # the worker is told to stop it
    ENDED = "ENDED"  # its process is gone and how it ended is known
    REJECTED = "REJECTED"  # the worker refused it
    REVOKED = "REVOKED"  # taken back before it started
    LOST = "LOST"  # its worker, or every trace of it, is gone


class Liveness(StrEnum):
    """What a worker's own heartbeats say of it."""

    UP = "UP"
    DRAINING = "DRAINING"  # its daemon was told to end: it finishes what it has
    LOST = "LOST"  # silent too long: its free capacity does not count


class WorkerState(StrEnum):
    """How a worker stands, for people: read off its liveness and an operator's word, see `worker_state`."""

    UP = "UP"
    SUSPECT = "SUSPECT"  # late: gets no new work
    CORDONED = "CORDONED"  # an operator wants it to get no new work
    DRAINING = (
        "DRAINING"  # finishes what it has and gets no new work: an operator or its own daemon wants that
    )
    DRAINED = "DRAINED"  # the same, and nothing is left on it
    LOST = "LOST"


class TaskEvent(StrEnum):
    """What can happen to a task."""

    ASSIGNED = "assigned"
    WITHDRAWN = "withdrawn"  # revoked, rejected or expired before it started
    ACCEPTED = "accepted"
    STARTED = "started"
    STOP_ASKED = "stop_asked"
    RETRIED = "retried"  # its attempt failed, and it is tried again
    REQUEUED = "requeued"  # its attempt was lost, or stopped to empty its worker
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    EXPIRED = "expired"
    SKIPPED = "skipped"


class AttemptEvent(StrEnum):
    """What can happen to an attempt. Reports may jump forward: a short task is told in one message."""

    ACCEPTED = "accepted"
    STARTED = "started"
    STOP_ASKED = "stop_asked"
    ENDED = "ended"
    REJECTED = "rejected"
    REVOKED = "revoked"
    LOST = "lost"


class WorkerEvent(StrEnum):
    """What can happen to a worker."""

    REGISTERED = "registered"
    HEARTBEAT = "heartbeat"
    DRAINED = "drained"  # a heartbeat that says that it takes no new work
    SILENT = "silent"


S = TypeVar("S", bound=StrEnum)
E = TypeVar("E", bound=StrEnum)


class IllegalMove(Exception):
    """This state does not allow this event."""


_T, _TE, _A, _AE, _W, _WE = TaskState, TaskEvent, AttemptState, AttemptEvent, Liveness, WorkerEvent

TASK_MOVES: Mapping[TaskState, Mapping[TaskEvent, TaskState]] = {
    _T.PENDING: {
        _TE.ASSIGNED: _T.SCHEDULED,
        _TE.CANCELLED: _T.CANCELLED,
        _TE.EXPIRED: _T.EXPIRED,
        _TE.SKIPPED: _T.SKIPPED,
        _TE.FAILED: _T.FAILED,  # for want of what it was to run after, where that is its failure
    },
    _T.SCHEDULED: {
        _TE.WITHDRAWN: _T.PENDING,
        _TE.REQUEUED: _T.PENDING,
        _TE.RETRIED: _T.PENDING,
        _TE.ACCEPTED: _T.STARTING,
        _TE.STARTED: _T.RUNNING,
        _TE.STOP_ASKED: _T.STOPPING,
        _TE.SUCCEEDED: _T.SUCCEEDED,
        _TE.FAILED: _T.FAILED,
        _TE.CANCELLED: _T.CANCELLED,
        _TE.TIMED_OUT: _T.TIMED_OUT,
    },
    _T.STARTING: {
        _TE.WITHDRAWN: _T.PENDING,
        _TE.REQUEUED: _T.PENDING,
        _TE.RETRIED: _T.PENDING,
        _TE.STARTED: _T.RUNNING,
        _TE.STOP_ASKED: _T.STOPPING,
        _TE.SUCCEEDED: _T.SUCCEEDED,
        _TE.FAILED: _T.FAILED,
        _TE.TIMED_OUT: _T.TIMED_OUT,
    },
    _T.RUNNING: {
        _TE.REQUEUED: _T.PENDING,
        _TE.RETRIED: _T.PENDING,
        _TE.STOP_ASKED: _T.STOPPING,
        _TE.SUCCEEDED: _T.SUCCEEDED,
        _TE.FAILED: _T.FAILED,
        _TE.TIMED_OUT: _T.TIMED_OUT,
    },
    # What is stopped only to empty its worker waits again.
    _T.STOPPING: {
        _TE.WITHDRAWN: _T.PENDING,
        _TE.REQUEUED: _T.PENDING,
        _TE.RETRIED: _T.PENDING,
        _TE.SUCCEEDED: _T.SUCCEEDED,
        _TE.FAILED: _T.FAILED,
        _TE.CANCELLED: _T.CANCELLED,
        _TE.TIMED_OUT: _T.TIMED_OUT,
    },
    _T.SUCCEEDED: {},
    _T.FAILED: {},
    _T.CANCELLED: {},
    _T.TIMED_OUT: {},
    _T.EXPIRED: {},
    _T.SKIPPED: {},
}

_GONE = {_AE.ENDED: _A.ENDED, _AE.LOST: _A.LOST}
ATTEMPT_MOVES: Mapping[AttemptState, Mapping[AttemptEvent, AttemptState]] = {
    _A.ASSIGNED: {
        _AE.ACCEPTED: _A.STARTING,
        _AE.STARTED: _A.RUNNING,
        _AE.STOP_ASKED: _A.STOPPING,
        _AE.REJECTED: _A.REJECTED,
        _AE.REVOKED: _A.REVOKED,
        **_GONE,
    },
    _A.STARTING: {
        _AE.STARTED: _A.RUNNING,
        _AE.STOP_ASKED: _A.STOPPING,
        _AE.REJECTED: _A.REJECTED,
        _AE.REVOKED: _A.REVOKED,
        **_GONE,
    },
    _A.RUNNING: {_AE.STOP_ASKED: _A.STOPPING, **_GONE},
    # A worker may refuse or give back what it was told to stop before it ever started.
    _A.STOPPING: {_AE.REJECTED: _A.REJECTED, _AE.REVOKED: _A.REVOKED, **_GONE},
    _A.ENDED: {},
    _A.REJECTED: {},
    _A.REVOKED: {},
    _A.LOST: {},
}

_SEEN = {_WE.REGISTERED: _W.UP, _WE.HEARTBEAT: _W.UP, _WE.DRAINED: _W.DRAINING}
WORKER_MOVES: Mapping[Liveness, Mapping[WorkerEvent, Liveness]] = {
    _W.UP: {**_SEEN, _WE.SILENT: _W.LOST},
    _W.DRAINING: {**_SEEN, _WE.SILENT: _W.LOST},
    _W.LOST: _SEEN,
}

TASK_FINAL = frozenset(state for state, moves in TASK_MOVES.items() if not moves)
ATTEMPT_FINAL = frozenset(state for state, moves in ATTEMPT_MOVES.items() if not moves)


def advance(table: Mapping[S, Mapping[E, S]], state: S, event: E) -> S:
    """The state after `event`; raises `IllegalMove` when the table does not allow it."""
    try:
        return table[state][event]
    except KeyError:
        raise IllegalMove(f"{type(state).__name__} {state} does not allow {event}") from None


def worker_state(liveness: Liveness, *, late: bool, cordoned: bool, drains: bool, empty: bool) -> WorkerState:
    """How a worker stands: what cannot be relied on comes first, an operator's word last.

    `drains` says that an operator wants it to be empty; `empty` that no attempt is left on it.
    """
    if liveness is Liveness.LOST:
        return WorkerState.LOST
    if late and liveness is Liveness.UP:
        return WorkerState.SUSPECT
    if drains or liveness is Liveness.DRAINING:
        return WorkerState.DRAINED if empty else WorkerState.DRAINING
    return WorkerState.CORDONED if cordoned else WorkerState.UP


def diagram(table: Mapping[S, Mapping[E, S]]) -> str:
    """The table as a Mermaid state diagram, one line per pair of states."""
    lines = ["stateDiagram-v2"]
    for state, moves in table.items():
        targets: dict[S, list[str]] = {}
        for event, target in moves.items():
            targets.setdefault(target, []).append(event.value)
        lines += [f"    {state} --> {target}: {', '.join(events)}" for target, events in targets.items()]
        if not moves:
            lines.append(f"    {state} --> [*]")
    return "\n".join(lines)
