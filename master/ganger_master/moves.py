"""This module advances tasks and attempts and notes what came of it: every step of the others is made of these. Pure.

Which move is legal is in `ganger_core.domain.states`.
"""

from __future__ import annotations

from typing import Any

from ganger_core.domain.clock import Instant
from ganger_core.domain.errors import StaleAttempt
from ganger_core.domain.states import (
    ATTEMPT_MOVES,
    TASK_FINAL,
    TASK_MOVES,
    AttemptEvent,
    AttemptState,
    TaskEvent,
    TaskState,
    advance,
)
from ganger_core.domain.task import Attempt, AttemptRef, Event, Outcome, StartOrder, Task, TaskSpec
from ganger_core.domain.waits import NO_WAITS, Waits
from ganger_master.changes import Change
from ganger_master.state import State


def move(
    task: Task,
    event: TaskEvent,
    *,
    reason: str | None = None,
    token: int | None = None,
    started_ms: int | None = None,
    finished_ms: int | None = None,
    outcome: Outcome | None = None,
    crashes: int | None = None,
    waits: Waits | None = None,
) -> Task:
    """The task after `event`; what is not given stays."""
    return Task(
        id=task.id,
        owner=task.owner,
        spec=task.spec,
        state=advance(TASK_MOVES, task.state, event),
        submitted_ms=task.submitted_ms,
        version=task.version + 1,
        reason=task.reason if reason is None else reason,
        token=task.token if token is None else token,
        started_ms=task.started_ms if started_ms is None else started_ms,
        finished_ms=task.finished_ms if finished_ms is None else finished_ms,
        outcome=task.outcome if outcome is None else outcome,
        crashes=task.crashes if crashes is None else crashes,
        array_id=task.array_id,
        index=task.index,
        waits=task.waits if waits is None else waits,
        failures=task.failures,
        faults=task.faults,
    )


def first_waits(spec: TaskSpec, owner: str) -> Waits:
    """What a new task waits for beside capacity."""
    if not spec.hold and not spec.not_before_ms:
        return NO_WAITS  # the same one for most
    return Waits(owner if spec.hold else "", spec.not_before_ms)


def step_attempt(attempt: Attempt, event: AttemptEvent, **others: Any) -> Attempt:
    """The attempt after `event`, with these other fields changed as well."""
    return attempt._replace(state=advance(ATTEMPT_MOVES, attempt.state, event), **others)


def put(state: State, change: Change, task: Task, now: Instant, attempt: Attempt | None = None) -> Change:
    """The change with the task as it is now, its attempt if that moved as well, and the event that tells of it."""
    change.tasks.append(task)
    if attempt is not None:
        change.attempts.append(attempt)
    change.events.append(event_of(state, change, task, now, attempt))
    return change


def event_of(state: State, change: Change, task: Task, now: Instant, attempt: Attempt | None = None) -> Event:
    """The event that tells of this task; its number follows those that the change has already."""
    return Event(
        seq=state.next_seq + len(change.events),
        at_ms=now.wall_ms,
        task_id=task.id,
        owner=task.owner,
        state=task.state,
        token=attempt.ref.token if attempt else 0,
        worker_name=attempt.worker_name if attempt else "",
        reason=task.reason,
        outcome=task.outcome if task.state in TASK_FINAL else None,
    )


def start_order(task: Task, attempt: Attempt) -> StartOrder:
    """What its worker is told of an attempt that should live, at first and by every sync."""
    return StartOrder(attempt.ref, task.spec, attempt.lease_s, attempt.state, attempt.behind, task.array_id)


def current(state: State, ref: AttemptRef, worker_id: str) -> tuple[Task, Attempt]:
    """The attempt with its task; raises `StaleAttempt` unless it is the task's newest and this worker's."""
    task, attempt = state.tasks.get(ref.task_id), state.attempts.get(ref.task_id)
    if task is None or attempt is None or attempt.ref != ref:
        newest = f"; the newest is {attempt.ref}" if attempt else ""
        raise StaleAttempt(f"attempt {ref} is not the task's current one{newest}")
    if attempt.worker_id != worker_id:
        raise StaleAttempt(f"attempt {ref} is not this worker's")
    return task, attempt


def live(state: State, ref: AttemptRef) -> tuple[Task, Attempt] | None:
    """The attempt with its task while it lives, else None."""
    task, attempt = state.tasks.get(ref.task_id), state.attempts.get(ref.task_id)
    if task is None or attempt is None or attempt.ref != ref or not attempt.is_live:
        return None
    return task, attempt


def has_ended(attempt: Attempt) -> bool:
    """Whether its worker told its outcome; its task may still wait for the rest of its log."""
    return attempt.state is AttemptState.ENDED


def awaits_log(task: Task | None, attempt: Attempt | None) -> bool:
    """Whether the attempt is over, and its task is not yet what that makes it: the rest of its log is on its way."""
    if task is None or attempt is None or task.is_final or task.state is TaskState.PENDING:
        return False
    return has_ended(attempt)


def awaiting_logs(state: State) -> list[Attempt]:
    """Every ended attempt whose task waits for the rest of its log."""
    return [each for each in state.attempts.values() if awaits_log(state.tasks[each.ref.task_id], each)]


def ago(now: Instant, age_s: float) -> int:
    """The wall-clock moment that was `age_s` ago, in Unix milliseconds."""
    return now.wall_ms - round(age_s * 1000)
