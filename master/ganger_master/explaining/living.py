"""This module explains why a live task is where it is, and what becomes of it with its worker. Pure."""

from __future__ import annotations

from ganger_core.domain.explanation import IfLost, Living
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import Attempt, OnWorkerLost, Task
from ganger_master.explaining.facts import WorkerLook
from ganger_master.losing import MOST_CRASHES
from ganger_master.plan_notes import Placed


def explain_living(
    task: Task,
    attempt: Attempt,
    worker: WorkerLook | None,
    lease_s: float | None,
    behind: str,
    placed: Placed,
) -> Living:
    """Where it is, with what is left of its lease (None without one), whom it waits behind, and how it was placed."""
    return Living(
        worker=None if worker is None else worker.state,
        silent_s=0.0 if worker is None else worker.silent_s,
        lease_s=lease_s if attempt.lease_s else None,
        if_lost=if_lost(task, attempt),
        behind=behind,
        went_behind=placed.went_behind,
        waited_for=str(placed.waited_for),
    )


def if_lost(task: Task, attempt: Attempt) -> IfLost:
    """What becomes of the task when its worker is lost now; see `losing`."""
    if task.state is TaskState.STOPPING and not attempt.drained:
        return IfLost.CANCELLED
    if not attempt.lease_s:
        return IfLost.WAIT
    if attempt.drained:
        return IfLost.REQUEUE  # stopped to empty its worker, which costs it nothing
    if task.spec.on_worker_lost is OnWorkerLost.FAIL:
        return IfLost.FAIL
    if attempt.started_ms and task.crashes + 1 >= MOST_CRASHES:
        return IfLost.CRASHED_TOO_OFTEN
    return IfLost.REQUEUE
