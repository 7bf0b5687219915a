"""This module changes tasks that are not over: whether they are held, and how many elements of an array run. Pure."""

from __future__ import annotations

from dataclasses import replace

from ganger_core.domain.clock import Instant
from ganger_core.domain.errors import Conflict
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import Task
from ganger_master.arrays import find
from ganger_master.changes import Answer, Answered, Change, Enqueue, Limit, Update
from ganger_master.handing import ask_back
from ganger_master.moves import put
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
