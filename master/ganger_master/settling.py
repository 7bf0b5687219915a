"""This module decides what becomes of tasks that are to run after others, as these begin and end. Pure.

What a task waits for is judged once that is over, so after all its attempts. The engine notes every task that changes
(`note`), and lets those that wait for it hear of that one by one (`settle_next`): in the same step where they are few,
else in parts, so that one end never holds the others up. A loaded state begins with what nobody was told yet (`load`).
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Container, Mapping
from dataclasses import replace
from types import MappingProxyType

from ganger_core.domain.clock import Instant
from ganger_core.domain.dependency import DependencyKind, OnDependencyFailure, Verdict, judge
from ganger_core.domain.errors import NotFound, Unavailable
from ganger_core.domain.states import TASK_FINAL, TaskState
from ganger_core.domain.task import Outcome, OutcomeKind, Task, TaskSpec
from ganger_core.domain.waits import NO_WAITS
from ganger_master.arrays import all_waits, close, element, find, shown
from ganger_master.changes import Change, Enqueue
from ganger_master.dependents import Due, Scan
from ganger_master.elements import ElementStates
from ganger_master.ending import Stopping, withdraw_waiting
from ganger_master.moves import put
from ganger_master.reasons import how_it_ended, why_aside
from ganger_master.state import Rules, State

SCANNED_AT_ONCE = 100  # elements that are looked at in one step
NO_STATES: Mapping[int, ElementStates] = MappingProxyType({})

_FOR_IT = {OnDependencyFailure.SKIP: "was skipped for it", OnDependencyFailure.FAIL: "failed for it"}
_SAID = re.compile(rf"; [0-9.]+ (?:{'|'.join(_FOR_IT.values())})\Z")


def upstream_of(state: State, known: Mapping[int, Task], task_id: int) -> Task:
    """The task that is to be waited for; `known` are those that are in the store alone. Raises `NotFound`."""
    task = find(state, task_id)
    if task is not None:
        return shown(task, state)
    stored = known.get(task_id)
    if stored is None:
        raise NotFound(why_unknown(state.next_task_id, task_id), field="after")
    if not stored.is_final:
        raise Unavailable(f"task {task_id}, which is to be waited for, has just ended; ask again")
    return stored


def why_unknown(next_task_id: int, task_id: int) -> str:
    """Why there is nothing to wait for."""
    if task_id >= next_task_id:
        return f"after: there is no task {task_id}"
    return f"after: there is no task {task_id} of yours: it is forgotten, as what ended is after a while, or never was"


def with_ids(spec: TaskSpec, first: int) -> TaskSpec:
    """The spec with the ids of those that it names by their place in the call whose first task gets this id."""
    if all(each.task_id > 0 for each in spec.after):
        return spec
    after = [
        each if each.task_id > 0 else each._replace(task_id=first - 1 - each.task_id) for each in spec.after
    ]
    return replace(spec, after=tuple(dict.fromkeys(after)))


def begin_waiting(
    state: State,
    change: Change,
    task: Task,
    known: Mapping[int, Task],
    new: Container[int] = (),
    states: Mapping[int, ElementStates] = NO_STATES,
) -> Task:
    """The new task with what it still has to wait for, such as `new` ones; `change` notes what it is to hear of."""
    left = []
    for each in task.spec.after:
        if each.task_id in new:
            left.append(each)
            continue
        upstream = upstream_of(state, known, each.task_id)
        if each.kind is DependencyKind.EACH:
            if upstream.state is not TaskState.SUCCEEDED:
                left.append(each)
                change.due.append(Scan(task.id, upstream, _states_of(state, states, upstream)))
            continue
        begun = has_begun(upstream)
        verdict = judge(each.kind, upstream.state, begun)
        if verdict is not Verdict.MET:
            left.append(each)
        if verdict is Verdict.NEVER:
            change.due.append(Due(upstream, begun, deque([task.id])))
    return replace(task, waits=replace(task.waits, after=tuple(left))) if left else task


def _states_of(state: State, stored: Mapping[int, ElementStates], array: Task) -> ElementStates:
    if state.arrays.is_live(array.id):
        return state.arrays.get(array.id).states
    found = stored.get(array.id)
    if found is None:
        raise Unavailable(f"array {array.id}, which is to be waited for, has just ended; ask again")
    return found


def has_begun(task: Task) -> bool:
    """Whether its present try has a process or had one; of an array, whether an element has."""
    return bool(task.started_ms)


def note(state: State, task: Task) -> None:
    """This is the task now, in the state already: whoever waits for it may have to hear of it."""
    dependents = state.dependents
    if task.waits.after:
        _note_waits(state, task)
    elif task.spec.after:
        dependents.waits(task.id, task.waits)
    if not dependents:
        return
    if task.id in dependents:
        if task.is_final:
            dependents.over(task, has_begun(task))
        elif task.array is None and task.started_ms:
            dependents.begun(task)
    if task.array_id in dependents:
        if task.started_ms:
            dependents.begun(state.tasks[task.array_id])
        if task.is_final:
            dependents.element_over(task)
    if task.array is not None and task.array.closed is not None:
        _note_closed(state, task)


def _note_waits(state: State, task: Task) -> None:
    going_on = not task.is_final and (task.array is None or task.array.closed is None)
    state.dependents.waits(task.id, task.waits if going_on else NO_WAITS)
    for each in task.waits.after if going_on else ():
        elements = state.arrays.of(each.task_id)
        if elements is not None:
            state.dependents.is_element(each.task_id, elements.array_id)


def _note_closed(state: State, array: Task) -> None:
    """Elements without a record end with the rest of their array, unmentioned."""
    for element_id in state.dependents.elements(array.id):
        found = find(state, element_id)
        if found is not None and found.is_final:
            state.dependents.over(found, has_begun(found))
    for task_id in () if array.is_final else state.dependents.each(array.id):
        state.dependents.due.append(Scan(task_id, array, state.arrays.get(array.id).states))


def load(state: State, stored: Callable[[int], Task | None], states: Callable[[Task], ElementStates]) -> None:
    """Fill the dependents of a loaded state; what is over already is due.

    `stored` reads a task that is over, and `states` how the elements of an array stood that is over.
    """
    for task in [each for each in state.tasks.values() if each.waits.after]:
        _note_waits(state, task)
    for task_id in state.dependents.upstreams():
        task = shown(find(state, task_id) or stored(task_id) or _forgotten(task_id), state)
        for waiting in state.dependents.each(task_id) if task.array is not None else ():
            live = state.arrays.is_live(task_id)
            stand = state.arrays.get(task_id).states if live else states(task)
            state.dependents.due.append(Scan(waiting, task, stand))
        if task.is_final:
            state.dependents.over(task, has_begun(task))
        elif has_begun(task):
            state.dependents.begun(task)


def _forgotten(task_id: int) -> Task:
    """What is over, and was forgotten since: an array that waited for it element by element may go on for long."""
    ended = Outcome(OutcomeKind.LOST, message="it is forgotten")
    return Task(
        task_id, "", TaskSpec(("",)), TaskState.FAILED, submitted_ms=0, reason=ended.message, outcome=ended
    )


def is_due(state: State) -> bool:
    """Whether some of those that wait are still to hear of something."""
    return bool(state.dependents.due)


def settle_next(state: State, rules: Rules, now: Instant) -> Change:
    """The next of those that are due hears of what it waited for; some must be."""
    due = state.dependents.due[0]
    if isinstance(due, Scan):
        return _scan(state, rules, due, now)
    task_id = state.dependents.take(due)
    task = state.tasks.get(task_id)
    if due.each and task is not None:
        task = find(state, task_id + due.upstream.id - due.upstream.array_id)
    return _tell(state, rules, task, due, now)


def _tell(state: State, rules: Rules, task: Task | None, due: Due, now: Instant) -> Change:
    if task is None or task.is_final or all(each.task_id != due.upstream.id for each in task.waits.after):
        return Change()
    change = Change()
    if task.id not in state.tasks:
        change.tasks.append(task)  # an element gets its record
    return _settle(state, rules, change, task, due, now)


def _scan(state: State, rules: Rules, scan: Scan, now: Instant) -> Change:
    """The next element that is over is told to the one that is after it."""
    array, states = scan.upstream, scan.states
    assert array.array is not None, array
    waiting = state.tasks.get(scan.task_id)
    if waiting is None or waiting.is_final:
        scan.position = len(states)
    last = min(len(states), scan.position + SCANNED_AT_ONCE)
    while scan.position < last:
        position = scan.position
        scan.position += 1
        stands = states[position] or array.array.closed
        if stands in TASK_FINAL:
            over = state.tasks.get(array.id + 1 + position) or element(array, position, None)
            if over.state is not stands:  # its record is in the store alone
                over = replace(over, state=stands, outcome=None, reason="")
            due = Due(over, True, deque())
            return _tell(state, rules, find(state, scan.task_id + 1 + position), due, now)
    if last == len(states):
        state.dependents.due.popleft()
    return Change()


def _settle(state: State, rules: Rules, change: Change, task: Task, due: Due, now: Instant) -> Change:
    upstream, policy = due.upstream, task.spec.on_dependency_failure
    left, never = [], False
    for each in task.waits.after:
        verdict = Verdict.WAITS
        if each.task_id == upstream.id:
            verdict = judge(each.kind, upstream.state, due.has_begun)
        if verdict is Verdict.WAITS:
            left.append(each)
        never = never or verdict is Verdict.NEVER
    if never and policy in _FOR_IT:
        return _give_up(state, rules, change, task, upstream, now)
    is_free = all(each.kind is DependencyKind.EACH for each in left)
    waits, reason = replace(task.waits, after=tuple(left)), task.reason
    if never and policy is OnDependencyFailure.HOLD:
        reason = f"{root(upstream)}; {task.label} is held for it"
        waits = replace(
            waits, held_by=waits.held_by or f"dependency {upstream.label}, which is {upstream.state}"
        )
    elif never:
        reason = f"{root(upstream)}; {task.label} runs all the same"
    elif is_free:
        reason = f"waited for {upstream.label}, which {'is over' if upstream.is_final else 'has begun'}"
    if tuple(left) == task.waits.after:
        return Change()
    task = replace(task, waits=waits, reason=reason, version=task.version + 1)
    is_new = bool(change.tasks)
    if is_new or never or is_free:
        change.effects.append(Enqueue(task))
    if never or is_free:
        return put(state, change, task, now)
    change.tasks.append(task)  # one less to wait for, which is no news to those who watch
    return change


def _give_up(state: State, rules: Rules, change: Change, task: Task, upstream: Task, now: Instant) -> Change:
    """What it waits for cannot come any more: it never runs; of an array, no element does."""
    policy = task.spec.on_dependency_failure
    why = f"{root(upstream)}; {task.label} {_FOR_IT[policy]}"
    how = TaskState.SKIPPED if policy is OnDependencyFailure.SKIP else TaskState.FAILED
    if task.array is not None:
        return close(state, rules, task, how, why, now, Stopping())
    withdraw_waiting(state, change, task, how, why, now)
    return change


def why_it_waits(state: State, task_id: int) -> str:
    """What a waiting task waits for beside capacity, with how that stands; empty for nothing."""

    def standing(upstream_id: int) -> str:
        upstream = find(state, upstream_id)
        return f"{upstream.label} ({upstream.state})" if upstream else ""

    task = find(state, task_id)
    if task is None:
        return ""
    own, arrays = all_waits(state, task)
    return why_aside(own, arrays, standing)


def root(task: Task) -> str:
    """What went wrong first, as a sentence: of a task that did not run for it, that and not the task itself."""
    if _SAID.search(task.reason):
        return _SAID.sub("", task.reason)
    name = f'{task.label} "{task.spec.name}"' if task.spec.name else task.label
    return f"{name} {how_it_ended(task)}"
