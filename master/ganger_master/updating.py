"""This module changes tasks that are not over: their priority and limits, whether they are held. Pure."""

from __future__ import annotations

from dataclasses import replace

from ganger_core.domain.clock import Instant
from ganger_core.domain.errors import Conflict
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import Task, TaskSpec
from ganger_master.arrays import find
from ganger_master.changes import Answer, Answered, Change, Enqueue, Limit, Tell, Update
from ganger_master.handing import ask_back
from ganger_master.moves import put, start_order
from ganger_master.remembering import answer_of
from ganger_master.state import State


def update(state: State, command: Update, now: Instant) -> tuple[Change, Answer]:
    """What is asked for is changed, all of it or nothing; what goes on goes on. Raises `Conflict`."""
    known = answer_of(state.requests, command.request)
    if known is not None:
        return Change(), known
    task = find(state, command.task_id)
    if task is None or task.is_final:
        raise Conflict(f"task {command.task_id} is over", field="task_id", reason="TASK_OVER")
    change = Change()
    if command.max_parallel is not None:
        task = _limit(state, change, task, command.max_parallel)
    task = _respecify(state, change, task, command)
    if command.held is not None and command.held != bool(task.waits.held_by):
        _hold(state, change, task, command.request.owner if command.held else "", now)
    change.answered.append(Answered(command.request, str(task.id), now.wall_ms, task.id, task.id))
    return change, str(task.id)


def is_in_force(state: State, task_id: int) -> bool:
    """Whether nothing starts against what was asked, whatever workers hold or orders are on their way."""
    task = state.tasks.get(task_id)
    if task is None or task.array is None or task.is_final:
        return True
    running, most = state.lanes.running(task_id), task.array.max_parallel
    if not task.waits.held_by and (not most or running <= most):
        return True
    lanes = state.lanes.of_array(task_id).values()
    return all(state.attempts[ref.task_id].started_ms for lane in lanes for ref in (*lane.full, *lane.behind))


def _limit(state: State, change: Change, task: Task, most: int) -> Task:
    """Another limit of how many elements run at the same time. What would go beyond a lower one is asked back."""
    if task.array is None:
        raise Conflict(
            f"task {task.label} is no array: max_parallel is a limit of arrays", field="max_parallel"
        )
    task = replace(task, array=replace(task.array, max_parallel=most), version=task.version + 1)
    change.tasks.append(task)
    change.effects.append(Limit(task.id))
    if 0 < most < state.lanes.running(task.id):
        _ask_back(state, change, task, f"{task.id} runs at most {most} at a time")
    return task


def _respecify(state: State, change: Change, task: Task, command: Update) -> Task:
    """Another priority, other limits. Of an array, for all elements that are not over."""
    spec = _changed(task.spec, command)
    if spec == task.spec:
        return task
    task = _with_spec(state, change, task, spec)
    if task.array is not None:
        for element_id in sorted(state.arrays.get(task.id).open):
            element = state.tasks[element_id]
            _with_spec(state, change, element, _changed(element.spec, command))
    return task


def _with_spec(state: State, change: Change, task: Task, spec: TaskSpec) -> Task:
    """It waits by what the spec says now; the worker of one that lives learns of another run limit."""
    if task.id not in state.tasks:
        change.tasks.append(task)  # an element gets its record
    limit_changes = spec.limits.run_s != task.spec.limits.run_s
    task = replace(task, spec=spec, version=task.version + 1)
    change.tasks.append(task)
    change.respecified.append(task.id)
    if task.array is not None or task.state is TaskState.PENDING:
        change.effects.append(Enqueue(task))
    elif limit_changes and task.state is not TaskState.STOPPING:
        attempt = state.attempts[task.id]
        if attempt.is_live:
            change.effects.append(Tell(attempt.worker_id, start_order(task, attempt)))
    return task


def _changed(spec: TaskSpec, command: Update) -> TaskSpec:
    limits = spec.limits
    limits = replace(
        limits,
        run_s=limits.run_s if command.run_s is None else command.run_s,
        queue_s=limits.queue_s if command.queue_s is None else command.queue_s,
    )
    if limits.warn_s >= limits.run_s:
        limits = replace(limits, warn_s=0.0, warn_signal=0)  # there is nothing to warn of
    return replace(
        spec,
        limits=limits,
        priority=spec.priority if command.priority is None else command.priority,
        deadline_ms=spec.deadline_ms if command.deadline_ms is None else command.deadline_ms,
    )


def _hold(state: State, change: Change, task: Task, held_by: str, now: Instant) -> None:
    """What waits is held, or let go on. Of an array, nothing more begins; what went behind others is asked back."""
    if task.array is None and task.state is not TaskState.PENDING:
        raise Conflict(
            f"task {task.label} is {task.state}: only what waits can be held or released",
            field="held",
            reason="NOT_WAITING",
        )
    if task.id not in state.tasks:
        change.tasks.append(task)  # an element gets its record
    reason = f"held by {held_by}" if held_by else "released"
    waits = replace(task.waits, held_by=held_by)
    task = replace(task, waits=waits, reason=reason, version=task.version + 1)
    change.effects.append(Enqueue(task))
    put(state, change, task, now)
    if held_by and task.array is not None:
        _ask_back(state, change, task, f"{task.id} is held by {held_by}")


def _ask_back(state: State, change: Change, task: Task, why: str) -> None:
    for lane in state.lanes.of_array(task.id).values():
        for ref in lane.behind:
            change.extend(ask_back(state.attempts[ref.task_id], why))
