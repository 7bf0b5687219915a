"""This module decides what becomes of an array: what its elements are, when it is over, when its rest is not run. Pure.

An array is a task that is never assigned; its elements are the tasks whose ids follow its own. An element gets a record
of its own with the first thing that happens to it, so that an array of any length costs one row to accept.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from ganger_core.domain.array import Items
from ganger_core.domain.clock import Instant
from ganger_core.domain.dependency import FAILED, Dependency, DependencyKind
from ganger_core.domain.states import TASK_FINAL, TaskState
from ganger_core.domain.task import Outcome, OutcomeKind, Task
from ganger_core.domain.waits import NO_WAITS, Waits
from ganger_master.aside import is_held_back
from ganger_master.changes import Change, CloseArray, Limit, SubmitArray
from ganger_master.ending import KIND_OF_UNBEGUN, Stopping, stop, withdraw_waiting
from ganger_master.lateness import latest_start_ms
from ganger_master.moves import first_waits, put
from ganger_master.state import Rules, State

_UNBEGUN = (TaskState.CANCELLED, TaskState.SKIPPED)  # what is no failure, and no success of the array either


def element(task: Task, position: int, items: Items | None) -> Task:
    """The element at this position of the array `task`, as it is while it has no record."""
    array = task.array
    assert array is not None, task
    index = array.indices.at(position)
    env = [
        ("GANGER_ARRAY_ID", str(task.id)),
        ("GANGER_ARRAY_INDEX", str(index)),
        ("GANGER_ARRAY_COUNT", str(len(array))),
    ]
    if items is not None:
        env.append(("GANGER_ARRAY_ITEM", items[position]))
    state, outcome, reason = array.closed or TaskState.PENDING, None, ""
    if array.closed is not None:
        outcome, reason = Outcome(KIND_OF_UNBEGUN[array.closed], message=task.reason), task.reason
    return Task(
        id=task.id + 1 + position,
        owner=task.owner,
        spec=replace(task.spec, env=(*task.spec.env, *env)),
        state=state,
        submitted_ms=task.submitted_ms,
        reason=reason,
        finished_ms=task.finished_ms if array.closed else 0,
        outcome=outcome,
        array_id=task.id,
        index=index,
        waits=NO_WAITS if array.closed else _waits_of(task, position),
    )


def _waits_of(array: Task, position: int) -> Waits:
    """What an element waits for by itself: where its array does so element by element, for those at its position."""
    each = [other for other in array.waits.after if other.kind is DependencyKind.EACH]
    return (
        Waits(after=tuple([Dependency(other.task_id + 1 + position) for other in each])) if each else NO_WAITS
    )


def find(state: State, task_id: int) -> Task | None:
    """The task, also an element that has no record yet; None when it is not in memory."""
    task = state.tasks.get(task_id)
    if task is not None:
        return task
    elements = state.arrays.of(task_id)
    if elements is None:
        return None
    position = task_id - elements.array_id - 1
    if elements.has_record(position):
        return None
    return element(state.tasks[elements.array_id], position, elements.items)


def in_line(state: State, task_id: int, now: Instant) -> Task | None:
    """The task, unless it waits for something else than capacity, or is too late."""
    task = find(state, task_id)
    if task is None or is_held_back(task.waits, now.wall_ms):
        return None
    if task.spec.deadline_ms and now.wall_ms >= latest_start_ms(task.spec):
        return None
    return None if is_held_back(all_waits(state, task)[1], now.wall_ms) else task


def all_waits(state: State, task: Task) -> tuple[Waits, Waits]:
    """What a task itself waits for, and what its array does."""
    array = state.tasks.get(task.array_id)
    return task.waits, array.waits if array else NO_WAITS


def room(state: State, array_id: int) -> int | None:
    """How many more elements of this array may have capacity; None when there is no limit."""
    array = state.tasks[array_id].array
    assert array is not None, array_id
    return max(0, array.max_parallel - state.lanes.running(array_id)) if array.max_parallel else None


def new_array(state: State, command: SubmitArray, now: Instant) -> Task:
    """A new array, which waits."""
    counts = ((TaskState.PENDING, len(command.array)),)
    return Task(
        state.next_task_id,
        command.request.owner,
        command.spec,
        TaskState.PENDING,
        submitted_ms=now.wall_ms,
        array=replace(command.array, counts=counts, closed=None, made=0),
        waits=first_waits(command.spec, command.request.owner),
    )


def close(
    state: State, rules: Rules, task: Task, how: TaskState, why: str, now: Instant, stopping: Stopping | None
) -> Change:
    """The rest of the array is not run: elements without a record become `how`.

    With `stopping` those with records are ended, too: what waits becomes `how`, what lives is stopped.
    """
    assert task.array is not None, task
    change = Change(effects=[CloseArray(task.id)])
    living = False
    for element_id in sorted(state.arrays.get(task.id).open) if stopping else ():
        assert stopping is not None
        each = state.tasks[element_id]
        if each.state is TaskState.PENDING:
            withdraw_waiting(state, change, each, how, why, now)
        else:
            living = True
            stop(state, rules, change, each, why, stopping, now)
    closed = task.array.closed or how
    task = replace(task, array=replace(task.array, closed=closed), reason=why, version=task.version + 1)
    if living and task.state is not TaskState.STOPPING:
        put(state, change, replace(task, state=TaskState.STOPPING), now)
    elif state.arrays.get(task.id).open:
        put(state, change, task, now)  # whoever waits for what never began hears of it now
    else:
        change.tasks.append(task)  # it is over, which `follow` tells
    return change


def follow(state: State, rules: Rules, array_id: int, now: Instant) -> Change:
    """What the last steps of its elements mean for an array."""
    task = state.tasks[array_id]
    if task.is_final:
        return Change()
    assert task.array is not None, task
    elements = state.arrays.get(array_id)
    counts = elements.counts(task.array.closed)
    failed = sum(counts[each] for each in FAILED)
    most = task.array.max_fails
    if task.array.closed is None and most is not None and failed > most and _going_on(counts):
        why = f"more than {most} of its elements failed"
        return close(state, rules, task, TaskState.CANCELLED, why, now, Stopping())
    wanted = _state_of(task, counts)
    started_ms = task.started_ms or (now.wall_ms if elements.begun else 0)
    if wanted is task.state:
        if started_ms == task.started_ms:
            return Change()
        return Change(tasks=[replace(task, started_ms=started_ms, version=task.version + 1)])
    array = replace(task.array, counts=tuple(sorted(counts.items())), made=elements.made)
    task = replace(task, state=wanted, array=array, started_ms=started_ms, version=task.version + 1)
    change = Change()
    if wanted in TASK_FINAL:
        outcome = _outcome(task, counts, elements.worst)
        reason = task.reason if array.closed else outcome.message
        task = replace(task, finished_ms=now.wall_ms, outcome=outcome, reason=reason)
        change.effects += [CloseArray(array_id), Limit(array_id)]
    return put(state, change, task, now)


def shown(task: Task, state: State) -> Task:
    """The array with the counts of the present moment."""
    if task.array is None or not state.arrays.is_live(task.id):
        return task
    counts = state.arrays.get(task.id).counts(task.array.closed)
    return replace(task, array=replace(task.array, counts=tuple(sorted(counts.items()))))


def _going_on(counts: Counter[TaskState]) -> bool:
    return any(n for each, n in counts.items() if each not in TASK_FINAL)


def _state_of(task: Task, counts: Counter[TaskState]) -> TaskState:
    waiting = counts[TaskState.PENDING]
    if _going_on(counts):
        if task.state is TaskState.STOPPING:
            return TaskState.STOPPING
        return TaskState.PENDING if waiting == counts.total() else TaskState.RUNNING
    if any(counts[each] for each in FAILED):
        return TaskState.FAILED
    return next((each for each in _UNBEGUN if counts[each]), TaskState.SUCCEEDED)


def _outcome(task: Task, counts: Counter[TaskState], worst: Outcome | None) -> Outcome:
    """How an array ended: as the worst of its elements, and how many failed."""
    assert task.array is not None, task
    count = len(task.array)
    failed = sum(counts[each] for each in FAILED)
    if not failed:
        for state in _UNBEGUN:
            if counts[state]:
                message = f"{counts[state]} of {count} elements were {state.value.lower()}"
                return Outcome(KIND_OF_UNBEGUN[state], message=message)
        return Outcome(OutcomeKind.OK, exit_code=0)
    message = f"{failed} of {count} elements failed"
    if worst is None:  # all that failed had no record
        return Outcome(KIND_OF_UNBEGUN[task.array.closed or TaskState.EXPIRED], message=message)
    return replace(worst, message=message)
