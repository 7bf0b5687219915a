"""This module feeds the checker of concurrent histories: what is right passes, each planted violation is found."""

from __future__ import annotations

from math import inf
from random import Random

import pytest

from ganger_core.domain.states import TaskState
from testkit.linearize import Op, Read, check, explains, reach

PENDING, SCHEDULED, RUNNING = TaskState.PENDING, TaskState.SCHEDULED, TaskState.RUNNING
STOPPING, SUCCEEDED, CANCELLED = TaskState.STOPPING, TaskState.SUCCEEDED, TaskState.CANCELLED


def submit(called: float, returned: float, label: str = "a") -> Op:
    return Op("submit", called, returned, label)


def read(called: float, returned: float, state: TaskState | None, version: int = 1, label: str = "a") -> Op:
    return Op("read", called, returned, None if state is None else Read(state, version, label))


def cancel(called: float, returned: float, state: TaskState | None) -> Op:
    return Op("cancel", called, returned, state)


RIGHT = {
    "one after another": [
        submit(0, 1),
        read(2, 3, PENDING),
        cancel(4, 5, CANCELLED),
        read(6, 7, CANCELLED, 2),
    ],
    "read before it was there": [read(0, 1, None), submit(2, 3)],
    "a read and a submit at once, either way": [submit(0, 3), read(1, 2, None), read(1, 2, PENDING)],
    "two reads at once that overtake each other": [
        submit(0, 1),
        read(2, 5, RUNNING, 3),
        read(2, 5, SCHEDULED, 2),
    ],
    "it is lost and waits again": [submit(0, 1), read(2, 3, RUNNING, 3), read(4, 5, PENDING, 4)],
    "a cancel that finds it over": [submit(0, 1), read(2, 3, RUNNING, 3), cancel(4, 5, SUCCEEDED)],
    "a cancel of what runs": [submit(0, 1), cancel(2, 3, STOPPING), read(4, 5, CANCELLED, 5)],
    "a cancel that came too late to stop it": [
        submit(0, 1),
        cancel(2, 3, STOPPING),
        read(4, 5, SUCCEEDED, 5),
    ],
    "a submit without an answer that was carried out": [submit(0, inf), read(2, 3, PENDING)],
    "a submit without an answer that was not": [submit(0, inf), read(2, 3, None)],
    "a cancel without an answer, seen only later": [
        submit(0, 1),
        cancel(2, inf, None),
        read(3, 4, PENDING),
        read(5, 6, CANCELLED, 2),
    ],
    "a read amid a cancel": [
        submit(0, 1),
        cancel(2, 9, STOPPING),
        read(3, 4, STOPPING, 4),
        read(3, 4, RUNNING, 3),
    ],
    "a repeated submission": [submit(0, 1), submit(2, 3), read(4, 5, PENDING)],
}

WRONG = {
    "a read goes back": [submit(0, 1), read(2, 3, RUNNING, 3), read(4, 5, SCHEDULED, 2)],
    "a read goes back to nothing": [submit(0, 1), read(2, 3, PENDING), read(4, 5, None)],
    "a cancel was acknowledged and then not seen": [
        submit(0, 1),
        cancel(2, 3, CANCELLED),
        read(4, 5, PENDING),
    ],
    "a stop was acknowledged and then not seen": [
        submit(0, 1),
        cancel(2, 3, STOPPING),
        read(4, 5, RUNNING, 9),
    ],
    "a submit was acknowledged and is not there": [submit(0, 1), read(2, 3, None)],
    "a cancel of what was acknowledged finds nothing": [submit(0, 1), cancel(2, 3, None)],
    "an end is taken back": [submit(0, 1), read(2, 3, SUCCEEDED, 4), read(4, 5, RUNNING, 5)],
    "one version, two states": [submit(0, 1), read(2, 3, SCHEDULED, 2), read(4, 5, RUNNING, 2)],
    "cancelled by nobody": [submit(0, 1), read(2, 3, CANCELLED, 2)],
    "stopped before anybody asked": [submit(0, 1), read(2, 3, STOPPING, 3), cancel(4, 5, STOPPING)],
    "read before it was submitted": [read(0, 1, PENDING), submit(2, 3)],
    "the id of another": [submit(0, 1, "a"), submit(2, 3, "b")],
    "read as another": [submit(0, 1), read(2, 3, PENDING, 1, "b")],
    "a waiting task that a cancel left waiting": [submit(0, 1), cancel(2, 3, PENDING)],
    "a jump over what the table forbids": [submit(0, 1), read(2, 3, SUCCEEDED, 2)],
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_history_that_some_order_explains_is_right(name: str) -> None:
    assert check((1, op) for op in RIGHT[name]) == []


@pytest.mark.parametrize("name", WRONG)
def test_a_planted_violation_is_found(name: str) -> None:
    (told,) = check((7, op) for op in WRONG[name])
    assert told.startswith("no order explains task 7")


@pytest.mark.parametrize("name", WRONG)
def test_at_the_same_time_nearly_everything_is_possible(name: str) -> None:
    """Overlapping, an order is found unless the answers contradict each other in any order."""
    at_once = [Op(op.kind, 0, 9, op.answer) for op in WRONG[name]]
    never = {
        "an end is taken back",
        "one version, two states",
        "cancelled by nobody",
        "the id of another",
        "read as another",
        "a waiting task that a cancel left waiting",
        "a jump over what the table forbids",
    }
    assert explains(at_once) == (name not in never)


def test_one_label_is_one_task() -> None:
    assert check([(1, submit(0, 1)), (2, submit(2, 3))]) == ["a was submitted once and became [1, 2]"]


def test_what_is_told_is_the_shortest_part() -> None:
    noise = [read(t, t + 0.5, PENDING) for t in range(2, 9)]
    (told,) = check((1, op) for op in [submit(0, 1), *noise, read(10, 11, RUNNING, 3), read(12, 13, PENDING)])
    assert told.count("client") == 3


def test_only_a_cancel_stops() -> None:
    assert STOPPING not in reach(PENDING, 12)
    assert CANCELLED not in reach(RUNNING, 12)
    assert reach(STOPPING, 1) == {STOPPING, SUCCEEDED, TaskState.FAILED, TaskState.TIMED_OUT, CANCELLED}


@pytest.mark.parametrize("seed", range(40))
def test_what_a_true_task_answers_is_always_right(seed: int) -> None:
    """A task lives its life; calls take effect at one moment each, and take time before and after it."""
    rng = Random(seed)  # noqa: S311
    state: TaskState | None = None
    version, ops = 0, []
    for moment in range(30):
        begins, ends = moment - rng.random() * 4, moment + rng.random() * 4
        kind = rng.choice(("read", "read", "cancel", "move", "submit"))
        if kind == "submit":
            if state is None:
                state, version = PENDING, 1
            ops.append(submit(begins, ends))
        elif kind == "read":
            ops.append(read(begins, ends, state, version))
        elif kind == "cancel":
            if state in (PENDING, SCHEDULED, RUNNING):
                state, version = (CANCELLED if state is PENDING else STOPPING), version + 1
            ops.append(cancel(begins, ends, state))
        elif state is not None and (onward := sorted(reach(state, 1) - {state})):
            state, version = rng.choice(onward), version + 1
    assert explains(ops)
