"""This module decides what people ask for: tasks, their end, and how long they may wait. Pure."""

from __future__ import annotations

from ganger_core.domain.clock import Instant
from ganger_core.domain.errors import NotFound
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import Task
from ganger_master.arrays import close, find, new_array
from ganger_master.changes import (
    Answer,
    Answered,
    Cancel,
    Change,
    Enqueue,
    Expire,
    Limit,
    Submit,
    SubmitArray,
    Update,
)
from ganger_master.ending import Stopping, stop, withdraw_waiting
from ganger_master.lateness import why_late
from ganger_master.moves import event_of, first_waits
from ganger_master.remembering import answer_of
from ganger_master.settling import begin_waiting, with_ids
from ganger_master.state import Rules, State
from ganger_master.updating import update

Asked = Submit | SubmitArray | Update | Cancel


def answer(state: State, rules: Rules, command: Asked, now: Instant) -> tuple[Change, Answer]:
    """What somebody's request does."""
    match command:
        case Submit():
            return submit(state, command, now)
        case SubmitArray():
            return submit_array(state, command, now)
        case Update():
            return update(state, command, now)
        case Cancel():
            return cancel(state, rules, command, now)


def submit(state: State, command: Submit, now: Instant) -> tuple[Change, Answer]:
    """New tasks, which wait."""
    known = answer_of(state.requests, command.request)
    if known is not None:
        return Change(), int(known)
    change = Change()
    first = state.next_task_id
    owner = command.request.owner
    ids = range(first, first + len(command.specs))
    for number, asked in enumerate(command.specs):
        spec = with_ids(asked, first)
        waits = first_waits(spec, owner)
        task = Task(first + number, owner, spec, TaskState.PENDING, submitted_ms=now.wall_ms, waits=waits)
        if spec.after:
            task = begin_waiting(state, change, task, command.known, ids)
        change.tasks.append(task)
        change.effects.append(Enqueue(task))
        change.events.append(event_of(state, change, task, now))
    last = first + len(command.specs) - 1
    change.answered.append(Answered(command.request, str(first), now.wall_ms, first, last))
    return change, first


def submit_array(state: State, command: SubmitArray, now: Instant) -> tuple[Change, Answer]:
    """A new array, which waits."""
    known = answer_of(state.requests, command.request)
    if known is not None:
        return Change(), int(known)
    change = Change()
    task = begin_waiting(state, change, new_array(state, command, now), command.known, states=command.states)
    change.tasks.append(task)
    change.effects += [Enqueue(task), Limit(task.id)]
    if command.items is not None:
        change.items.append(command.items)
    change.events.append(event_of(state, change, task, now))
    last = task.id + len(command.array)
    change.answered.append(Answered(command.request, str(task.id), now.wall_ms, task.id, last))
    return change, task.id


def cancel(state: State, rules: Rules, command: Cancel, now: Instant) -> tuple[Change, Answer]:
    """A waiting task ends, a live one is told to stop; one that is being stopped may be told to hurry.

    Of an array, that is done to all elements.
    """
    known = answer_of(state.requests, command.request)
    if known is not None:
        return Change(), known
    task = find(state, command.task_id)
    if task is None:
        if command.ended is None:
            raise NotFound(f"there is no task {command.task_id}", field="task_id")
        return Change(answered=[_note(command, command.ended, now)]), command.ended.value
    change, how = Change(), Stopping(command.signal, command.grace_s)
    why = f"cancelled by {command.request.owner}" + (f": {command.reason}" if command.reason else "")
    after = task.state
    if task.array is not None and not task.is_final:
        change = close(state, rules, task, TaskState.CANCELLED, why, now, how)
        going_on = any(each.state is TaskState.STOPPING for each in change.tasks)
        after = TaskState.STOPPING if going_on or task.state is TaskState.STOPPING else TaskState.CANCELLED
    elif task.state is TaskState.PENDING:
        if task.id not in state.tasks:
            change.tasks.append(task)  # an element gets its record
        after = withdraw_waiting(state, change, task, TaskState.CANCELLED, why, now).state
    elif not task.is_final:
        after = stop(state, rules, change, task, why, how, now).state
    change.answered.append(_note(command, after, now))
    return change, after.value


def expire(state: State, rules: Rules, command: Expire, now: Instant) -> tuple[Change, Answer]:
    """A task that waited for too long ends. Of an array, those elements end that were never begun."""
    task, attempt = state.tasks.get(command.task_id), state.attempts.get(command.task_id)
    if task is None or task.is_final:
        return Change(), None
    has_started = bool(task.failures or task.crashes or (attempt and attempt.started_ms))
    why = why_late(task, has_started, now.wall_ms)
    if not why:
        return Change(), None
    if task.array is not None:
        if task.array.closed is not None:
            return Change(), None
        return close(state, rules, task, TaskState.EXPIRED, why, now, None), None
    if task.state is not TaskState.PENDING:
        return Change(), None
    change = Change()
    withdraw_waiting(state, change, task, TaskState.EXPIRED, why, now)
    return change, None


def _note(command: Cancel, state: TaskState, now: Instant) -> Answered:
    return Answered(command.request, state.value, now.wall_ms, command.task_id, command.task_id)
