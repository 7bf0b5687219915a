"""This module checks that an order which was long on its way starts nothing that is over."""

from __future__ import annotations

from ganger_core.domain.states import AttemptState
from ganger_core.domain.task import AttemptRef, OrderBatch, ReportKind, StartOrder
from ganger_worker.decisions import Tell, settle
from ganger_worker.executors.base import Launch
from testkit.builders import a_spec

LEASE_S = 60.0


def order(token: int, state: AttemptState = AttemptState.ASSIGNED) -> OrderBatch:
    """A sync with one attempt of task 1."""
    return OrderBatch(2, True, (StartOrder(AttemptRef(1, token), a_spec(), LEASE_S, state),))


def test_what_was_rejected_and_forgotten_is_not_started_by_an_order_that_was_on_its_way() -> None:
    # Refused by the keeper, reported, acknowledged, forgotten; now the sync from before comes in.
    again = settle(order(1), {}, lease_from_s=165, over={1: 1})
    assert [(action.ref, action.kind) for action in again if isinstance(action, Tell)] == [
        (AttemptRef(1, 1), ReportKind.LOST)
    ]
    assert not any(isinstance(action, Launch) for action in again)


def test_a_newer_attempt_of_the_task_is_started() -> None:
    actions = settle(order(2), {}, lease_from_s=165, over={1: 1})
    assert [action.order.ref for action in actions if isinstance(action, Launch)] == [AttemptRef(1, 2)]
