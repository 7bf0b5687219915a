"""This module tests the arithmetic of amounts, and what tasks, attempts and principals say of themselves."""

from __future__ import annotations

import dataclasses

import pytest

from ganger_core.domain.clock import Instant, ManualClock, SystemClock
from ganger_core.domain.principal import Principal, Role
from ganger_core.domain.resources import KINDS, Resources
from ganger_core.domain.states import ATTEMPT_FINAL, TASK_FINAL, AttemptState, TaskState
from ganger_core.domain.task import Attempt, AttemptRef, Task, TaskSpec


def test_amounts_stand_in_the_order_of_kinds() -> None:
    value = Resources(1, 2, 3)
    assert value.amounts() == tuple(getattr(value, kind) for kind in KINDS)


@pytest.mark.parametrize(
    ("need", "free", "fits", "missing"),
    [
        (Resources(1, 2, 3), Resources(1, 2, 3), True, Resources(0, 0, 0)),
        (Resources(0, 0, 0), Resources(0, 0, 0), True, Resources(0, 0, 0)),
        (Resources(2, 2, 3), Resources(1, 9, 9), False, Resources(1, 0, 0)),
        (Resources(1, 3, 3), Resources(9, 2, 9), False, Resources(0, 1, 0)),
        (Resources(1, 2, 4), Resources(9, 9, 3), False, Resources(0, 0, 1)),
        (Resources(0, 0, 0), Resources(-1, 0, 0), False, Resources(1, 0, 0)),
    ],
)
def test_a_request_fits_when_nothing_is_missing(
    need: Resources, free: Resources, fits: bool, missing: Resources
) -> None:
    assert need.fits(free) is fits
    assert need.missing(free) == missing


def test_sums_and_differences_go_kind_by_kind() -> None:
    assert Resources(1, 2, 3).plus(Resources(10, 20, 30)) == Resources(11, 22, 33)
    assert Resources(1, 2, 3).minus(Resources(10, 2, 1)) == Resources(-9, 0, 2)


@pytest.mark.parametrize("state", TaskState)
def test_a_task_knows_whether_it_is_final(state: TaskState) -> None:
    assert Task(1, "o", TaskSpec(("true",)), state, 0).is_final is (state in TASK_FINAL)


@pytest.mark.parametrize("state", AttemptState)
def test_an_attempt_is_live_until_it_is_final(state: AttemptState) -> None:
    attempt = Attempt(AttemptRef(4, 2), "id", "w", state, "planner", 0)
    assert attempt.is_live is (state not in ATTEMPT_FINAL)
    assert str(attempt.ref) == "4.2"


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("needed", Role)
def test_a_role_allows_itself_and_admin_allows_all(role: Role, needed: Role) -> None:
    assert Principal("ada", role).may(needed) is (role in (needed, Role.ADMIN))


def test_a_principal_owns_its_own_and_an_admin_everything() -> None:
    assert Principal("ada", Role.USER).owns("ada")
    assert not Principal("ada", Role.USER).owns("bob")
    assert Principal("root", Role.ADMIN).owns("bob")


def test_clocks() -> None:
    clock = ManualClock(wall_ms=5_000, steady_s=10.0)
    assert clock.advance(1.5) == clock.now() == Instant(6_500, 11.5)
    first, second = SystemClock().now(), SystemClock().now()
    assert first.steady_s <= second.steady_s
    assert dataclasses.astuple(first)[0] > 1_600_000_000_000
