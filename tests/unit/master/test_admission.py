"""This module checks that admission refuses every kind of wrong assignment with its reason."""

from __future__ import annotations

import pytest

from ganger_core.domain.plan import Assignment, Fleet, Plan
from ganger_core.domain.resources import Resources
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import Task, TaskSpec
from ganger_master.admission import Unadmitted, admit

ONE, TWO = Resources(1000, 0, 1), Resources(2000, 0, 2)
NO_LIMIT = {}.get
FLEET = Fleet(("a", "b"), (TWO, TWO))


def a_task(task_id: int, state: TaskState = TaskState.PENDING) -> Task:
    return Task(task_id, "ann", TaskSpec(("true",), resources=ONE), state, submitted_ms=0)


def a_plan(*assignments: Assignment) -> Plan:
    return Plan(assignments, (), 0, 0, "test", 0, 0, "")


TASKS = {1: a_task(1), 2: a_task(2), 3: a_task(3), 4: a_task(4, TaskState.RUNNING)}


@pytest.mark.parametrize(
    ("assignment", "reason"),
    [
        (Assignment(1, 2), Unadmitted.UNKNOWN_WORKER),
        (Assignment(1, -1), Unadmitted.UNKNOWN_WORKER),
        (Assignment(4, 0), Unadmitted.NOT_WAITING),
        (Assignment(9, 0), Unadmitted.NOT_WAITING),
        (Assignment(1, 1), Unadmitted.WORKER_GONE),
    ],
)
def test_a_wrong_assignment_is_refused_and_the_others_stand(
    assignment: Assignment, reason: Unadmitted
) -> None:
    good = Assignment(2, 0)
    admitted = admit(a_plan(assignment, good), FLEET, TASKS.get, NO_LIMIT, Fleet(("a",), (TWO,)), (TWO,))
    assert admitted.accepted == ((2, "a"),)
    assert admitted.refused == ((assignment, reason),)


def test_a_task_assigned_twice_goes_once() -> None:
    admitted = admit(
        a_plan(Assignment(1, 0), Assignment(1, 1)), FLEET, TASKS.get, NO_LIMIT, FLEET, (TWO, TWO)
    )
    assert admitted.accepted == ((1, "a"),)
    assert [reason for _, reason in admitted.refused] == [Unadmitted.ASSIGNED_TWICE]


def test_capacity_is_counted_down_assignment_by_assignment() -> None:
    plan = a_plan(Assignment(1, 0), Assignment(2, 0), Assignment(3, 0))
    admitted = admit(plan, FLEET, TASKS.get, NO_LIMIT, FLEET, (TWO, TWO))
    assert admitted.accepted == ((1, "a"), (2, "a"))
    assert [reason for _, reason in admitted.refused] == [Unadmitted.NO_CAPACITY]


def test_workers_are_found_by_id_not_by_place() -> None:
    now = Fleet(("b", "a"), (TWO, TWO))
    admitted = admit(a_plan(Assignment(1, 0)), FLEET, TASKS.get, NO_LIMIT, now, (Resources(), TWO))
    assert admitted.accepted == ((1, "a"),)
