"""This module checks a plan against the present: the planner proposes, admission disposes. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from ganger_core.domain.plan import Assignment, Fleet, Plan
from ganger_core.domain.resources import Resources
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import Task


class Unadmitted(StrEnum):
    """Why an assignment was not carried out."""

    UNKNOWN_WORKER = "UNKNOWN_WORKER"  # the plan names a worker that the snapshot does not have
    NOT_WAITING = "NOT_WAITING"  # the task was cancelled or placed since
    ASSIGNED_TWICE = "ASSIGNED_TWICE"
    WORKER_GONE = "WORKER_GONE"  # late, lost or gone since the snapshot
    NO_CAPACITY = "NO_CAPACITY"  # it does not fit what the worker has left now
    ARRAY_LIMIT = "ARRAY_LIMIT"  # its array runs as many elements as it may


@dataclass(frozen=True, slots=True)
class Admitted:
    """The assignments to carry out (task id, worker id), and the others with their reasons."""

    accepted: tuple[tuple[int, str], ...]
    refused: tuple[tuple[Assignment, Unadmitted], ...]


def admit(
    plan: Plan,
    planned_for: Fleet,
    task_of: Callable[[int], Task | None],
    room_of: Callable[[int], int | None],
    fleet: Fleet,
    free: tuple[Resources, ...],
) -> Admitted:
    """Check each assignment in order; `fleet` and `free` are the workers as of now, `planned_for` the plan's.

    `room_of` says how many more elements of an array may run, None where that has no limit.
    """
    left = dict(zip(fleet.worker_ids, free, strict=True))
    taken: Counter[int] = Counter()  # of each array
    accepted: dict[int, str] = {}
    refused: list[tuple[Assignment, Unadmitted]] = []
    for assignment in plan.assignments:
        task = task_of(assignment.task_id)
        reason = _refusal(assignment, planned_for, task, accepted, left)
        if reason is None and task is not None and task.array_id:
            room = room_of(task.array_id)
            if room is not None and taken[task.array_id] >= room:
                reason = Unadmitted.ARRAY_LIMIT
            taken[task.array_id] += 1
        if reason is not None:
            refused.append((assignment, reason))
            continue
        worker_id = planned_for.worker_ids[assignment.worker]
        assert task is not None
        left[worker_id] = left[worker_id].minus(task.spec.resources)
        accepted[assignment.task_id] = worker_id
    return Admitted(tuple(accepted.items()), tuple(refused))


def _refusal(
    assignment: Assignment,
    planned_for: Fleet,
    task: Task | None,
    accepted: dict[int, str],
    left: dict[str, Resources],
) -> Unadmitted | None:
    if not 0 <= assignment.worker < len(planned_for.worker_ids):
        return Unadmitted.UNKNOWN_WORKER
    if assignment.task_id in accepted:
        return Unadmitted.ASSIGNED_TWICE
    if task is None or task.state is not TaskState.PENDING:
        return Unadmitted.NOT_WAITING
    worker_id = planned_for.worker_ids[assignment.worker]
    if worker_id not in left:
        return Unadmitted.WORKER_GONE
    if not task.spec.resources.fits(left[worker_id]):
        return Unadmitted.NO_CAPACITY
    return None
