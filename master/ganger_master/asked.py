"""This module decides what people ask for: tasks, their end, and how long they may wait. Pure."""

from __future__ import annotations

from ganger_core.domain.clock import Instant
from ganger_core.domain.errors import NotFound
from ganger_core.domain.states import AttemptEvent, TaskEvent, TaskState
from ganger_core.domain.task import Attempt, Outcome, OutcomeKind, StopOrder, Task
from ganger_master.changes import (
    Answer,
    Answered,
    Cancel,
    Change,
    Dequeue,
    Enqueue,
    Expire,
    Submit,
    Tell,
)
from ganger_master.moves import event_of, has_ended, move, put, step_attempt
from ganger_master.remembering import answer_of
from ganger_master.state import Rules, State


def submit(state: State, command: Submit, now: Instant) -> tuple[Change, Answer]:
    """New tasks, which wait."""
    known = answer_of(state.requests, command.request)
    if known is not None:
        return Change(), int(known)
    change = Change()
    first = state.next_task_id
    owner = command.request.owner
    for number, spec in enumerate(command.specs):
        task = Task(first + number, owner, spec, TaskState.PENDING, submitted_ms=now.wall_ms)
        change.tasks.append(task)
        change.effects.append(Enqueue(task))
        change.events.append(event_of(state, change, task, now))
    last = first + len(command.specs) - 1
    change.answered.append(Answered(command.request, str(first), now.wall_ms, first, last))
    return change, first


def cancel(state: State, rules: Rules, command: Cancel, now: Instant) -> tuple[Change, Answer]:
    """A waiting task ends, a live one is told to stop; one that is being stopped may be told to hurry."""
    known = answer_of(state.requests, command.request)
    if known is not None:
        return Change(), known
    task = state.tasks.get(command.task_id)
    if task is None:
        if command.ended is None:
            raise NotFound(f"there is no task {command.task_id}", field="task_id")
        return Change(answered=[_note(command, command.ended, now)]), command.ended.value
    change = Change()
    why = f"cancelled by {command.request.owner}" + (f": {command.reason}" if command.reason else "")
    if task.state is TaskState.PENDING:
        ended = Outcome(OutcomeKind.CANCELLED, message=why)
        task = move(task, TaskEvent.CANCELLED, reason=why, finished_ms=now.wall_ms, outcome=ended)
        change.effects.append(Dequeue(task.id))
        put(state, change, task, now)
    elif not task.is_final and not has_ended(state.attempts[task.id]):
        attempt = state.attempts[task.id]
        if task.state is TaskState.STOPPING:
            _hurry(change, rules, command, task, attempt)
        else:
            number, grace_s = command.signal or attempt.stop_signal, _grace(rules, command, task)
            attempt = step_attempt(attempt, AttemptEvent.STOP_ASKED, stop_signal=number, stop_grace_s=grace_s)
            task = move(task, TaskEvent.STOP_ASKED, reason=why)
            change.effects.append(Tell(attempt.worker_id, stop_order(task, attempt)))
            put(state, change, task, now, attempt)
    change.answered.append(_note(command, task.state, now))
    return change, task.state.value


def expire(state: State, command: Expire, now: Instant) -> tuple[Change, Answer]:
    """A task that waited beyond its limit ends, unless it has started before or waits no more."""
    task, attempt = state.tasks.get(command.task_id), state.attempts.get(command.task_id)
    if task is None or task.state is not TaskState.PENDING or (attempt and attempt.started_ms):
        return Change(), None
    limit_s = task.spec.limits.queue_s
    if not limit_s or now.wall_ms < task.submitted_ms + 1000 * limit_s:
        return Change(), None
    why = f"waited longer than its limit of {limit_s:g}s"
    ended = Outcome(OutcomeKind.EXPIRED, message=why)
    task = move(task, TaskEvent.EXPIRED, reason=why, finished_ms=now.wall_ms, outcome=ended)
    return put(state, Change(effects=[Dequeue(task.id)]), task, now), None


def stop_order(task: Task, attempt: Attempt) -> StopOrder:
    """What its worker is told of an attempt that is being stopped, at first and by every sync."""
    return StopOrder(attempt.ref, attempt.stop_grace_s, task.reason, attempt.stop_signal)


def _hurry(change: Change, rules: Rules, command: Cancel, task: Task, attempt: Attempt) -> None:
    """A shorter grace or another signal counts; a longer grace changes nothing."""
    grace_s = min(_grace(rules, command, task), attempt.stop_grace_s)
    number = command.signal or attempt.stop_signal
    if (grace_s, number) != (attempt.stop_grace_s, attempt.stop_signal):
        attempt = attempt._replace(stop_grace_s=grace_s, stop_signal=number)
        change.attempts.append(attempt)
        change.effects.append(Tell(attempt.worker_id, stop_order(task, attempt)))


def _grace(rules: Rules, command: Cancel, task: Task) -> float:
    return rules.grace_of(task.spec) if command.grace_s is None else command.grace_s


def _note(command: Cancel, state: TaskState, now: Instant) -> Answered:
    return Answered(command.request, state.value, now.wall_ms, command.task_id, command.task_id)
