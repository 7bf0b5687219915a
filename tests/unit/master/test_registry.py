"""This module checks the registry: liveness by age, reservations, leases, and that capacity always adds up."""

from __future__ import annotations

import pytest

from ganger_core.domain.resources import Resources
from ganger_core.domain.states import AttemptState, WorkerState
from ganger_core.domain.task import Attempt, AttemptRef, WorkerUsage
from ganger_master.changes import Effect, Release, Rest
from ganger_master.registry import LONGEST_REST_S, Reservation, WorkerRegistry
from testkit.builders import a_worker

REF = AttemptRef(1, 1)
ONE_CPU = Resources(1000, 0, 1)
OVER = Attempt(REF, "id-w1", "w1", AttemptState.ENDED, "planner", 0)


@pytest.fixture
def registry() -> WorkerRegistry:
    registry = WorkerRegistry(suspect_after_s=15, lost_after_s=30)
    registry.register(a_worker("w1", cpus=2), now_s=100)
    return registry


def carry_out(registry: WorkerRegistry, *effects: Effect, now_s: float = 100.0) -> list[AttemptRef]:
    """Returns who is over."""
    return [attempt.ref for attempt, _ in registry.carry_out(effects, now_s, reservation_s=30)]


def states(registry: WorkerRegistry, now_s: float) -> list[WorkerState]:
    return [view.state for view in registry.views(now_s)]


def test_a_silent_worker_is_suspect_then_lost_then_up_again(registry: WorkerRegistry) -> None:
    assert states(registry, 115) == [WorkerState.UP]
    assert states(registry, 116) == [WorkerState.SUSPECT]
    assert registry.fleet(116)[0].worker_ids == ()  # no new work already, and nothing swept yet
    assert registry.sweep(130) == []
    assert [profile.name for profile in registry.sweep(131)] == ["w1"]
    assert registry.sweep(132) == []  # told once
    assert states(registry, 132) == [WorkerState.LOST]
    renewed, was_lost = registry.heartbeat("id-w1", WorkerUsage(), [], 140)
    assert (renewed, was_lost) == ([], True)
    assert states(registry, 140) == [WorkerState.UP]


def test_capacity_is_held_and_given_back_once(registry: WorkerRegistry) -> None:
    registry.reserve(REF, Reservation("id-w1", ONE_CPU, expires_s=130, lease_from_s=100, lease_s=300))
    assert registry.fleet(100)[1] == (a_worker(cpus=1, slots=15).capacity,)
    carry_out(registry, Release(OVER))
    assert registry.fleet(100)[1] == (a_worker(cpus=2).capacity,)
    with pytest.raises(KeyError):
        carry_out(registry, Release(OVER))


def test_what_is_held_stays_held_over_a_new_registration(registry: WorkerRegistry) -> None:
    registry.reserve(REF, Reservation("id-w1", ONE_CPU, expires_s=130, lease_from_s=100, lease_s=300))
    registry.register(a_worker("w1", cpus=4, incarnation=2), now_s=101)
    assert registry.fleet(101)[1] == (a_worker(cpus=3, slots=15).capacity,)
    assert registry.incarnation("id-w1") == 2


def test_an_order_that_left_keeps_its_reservation_until_the_lease_is_over(registry: WorkerRegistry) -> None:
    registry.reserve(REF, Reservation("id-w1", ONE_CPU, expires_s=130, lease_from_s=100, lease_s=300))
    assert registry.overdue(131, margin_s=0) == ([REF], [])
    assert registry.mark_told("id-w1", [REF, AttemptRef(9, 9)], 131) == [REF]
    assert registry.overdue(132, margin_s=0) == ([], [])
    assert registry.overdue(432, margin_s=0) == ([], [REF])
    assert registry.heartbeat("id-w1", WorkerUsage(), [REF, AttemptRef(9, 9)], 433)[0] == [REF]
    assert registry.overdue(434, margin_s=0) == ([], [])


def test_a_worker_remembered_from_before_a_restart_is_lost_until_it_registers(
    registry: WorkerRegistry,
) -> None:
    registry.register(a_worker("w2"), 100, remembered=True)
    assert states(registry, 100) == [WorkerState.UP, WorkerState.LOST]
    assert registry.incarnation("id-w2") is None  # its calls are answered: register again
    registry.register(a_worker("w2"), 101)
    assert registry.incarnation("id-w2") == 1
    assert registry.fleet(101)[0].worker_ids == ("id-w1", "id-w2")


def test_what_was_told_may_start_on_any_later_heartbeat_so_its_lease_waits_for_the_last(
    registry: WorkerRegistry,
) -> None:
    registry.reserve(REF, Reservation("id-w1", ONE_CPU, expires_s=130, lease_from_s=100, lease_s=300))
    registry.mark_told("id-w1", [REF], 100)
    assert (
        registry.heartbeat("id-w1", WorkerUsage(), [], 350)[0] == []
    )  # it does not hold it: no lease to renew
    assert registry.overdue(410, margin_s=0) == (
        [],
        [],
    )  # but the order on its way counts from that heartbeat
    assert registry.overdue(651, margin_s=0) == ([], [REF])


def test_what_is_told_again_may_start_only_then_so_its_lease_counts_anew(registry: WorkerRegistry) -> None:
    registry.reserve(REF, Reservation("id-w1", ONE_CPU, expires_s=130, lease_from_s=100, lease_s=300))
    registry.mark_told("id-w1", [REF], 100)
    registry.mark_told("id-w1", [REF], 390)
    assert registry.overdue(410, margin_s=0) == ([], [])


def test_what_was_not_told_waits_for_no_heartbeat(registry: WorkerRegistry) -> None:
    registry.reserve(REF, Reservation("id-w1", ONE_CPU, expires_s=130, lease_from_s=100, lease_s=300))
    registry.heartbeat("id-w1", WorkerUsage(), [], 125)
    assert registry.overdue(131, margin_s=0) == ([REF], [])


def rest_after_refusal(registry: WorkerRegistry, now_s: float) -> float:
    """Refuse at `now_s`; how many whole seconds pass until the worker may get work."""
    registry.heartbeat("id-w1", WorkerUsage(), [], now_s)
    carry_out(registry, Rest("id-w1", "disk full"), now_s=now_s)
    assert registry.resting(now_s) == [("w1", "disk full")]
    seconds = 0
    while registry.fleet(now_s + seconds)[0].worker_ids == ():
        registry.heartbeat("id-w1", WorkerUsage(), [], now_s + seconds)
        seconds += 1
    assert registry.resting(now_s + seconds) == []
    return seconds


def test_a_worker_that_refuses_rests_ever_longer_until_it_refused_nothing_for_long(
    registry: WorkerRegistry,
) -> None:
    now_s, rests = 100.0, []
    for _ in range(9):
        rests.append(rest_after_refusal(registry, now_s))
        now_s += rests[-1]
    assert rests == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert rest_after_refusal(registry, now_s + LONGEST_REST_S) == 1


def test_what_a_worker_refuses_while_it_rests_counts_once(registry: WorkerRegistry) -> None:
    for _ in range(5):
        carry_out(registry, Rest("id-w1", "disk full"))
    assert rest_after_refusal(registry, 101) == 2


def test_a_new_start_of_a_worker_does_not_rest(registry: WorkerRegistry) -> None:
    carry_out(registry, Rest("id-w1", "draining"))
    registry.register(a_worker("w1", cpus=2, incarnation=2), now_s=100)
    assert registry.fleet(100)[0].worker_ids == ("id-w1",)
