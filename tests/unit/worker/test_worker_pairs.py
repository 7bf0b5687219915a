"""This module tests every pair of what the master says of an attempt and what the worker holds of it."""

from __future__ import annotations

import itertools
import signal
from math import inf

import pytest

from ganger_core.domain.states import AttemptState
from ganger_core.domain.task import (
    AttemptRef,
    Order,
    OrderBatch,
    ReportKind,
    RevokeOrder,
    StartOrder,
    StopOrder,
    TaskSpec,
)
from ganger_worker.attempts import Held, Stage
from ganger_worker.decisions import UNWANTED as NOT_COUNTED_ON
from ganger_worker.decisions import Action, Halt, Tell, TellAgain, Wait, settle
from ganger_worker.executors.base import Cause, Launch, Stop

REF = AttemptRef(7, 2)
LEASE_FROM_S, LEASE_S = 990.0, 300.0
SPEC = TaskSpec(("true",))
STATES = (AttemptState.ASSIGNED, AttemptState.STARTING, AttemptState.RUNNING)
DRAINING = "worker w1 is draining"
ENDS = {LEASE_S: LEASE_FROM_S + LEASE_S, 0.0: inf}

LEASED = {state: StartOrder(REF, SPEC, LEASE_S, state) for state in STATES}
ENDLESS = {state: StartOrder(REF, SPEC, 0.0, state) for state in STATES}
BEHIND = StartOrder(REF, SPEC, LEASE_S, behind=True)
ASKED_BACK = RevokeOrder(REF)
ASKED = StopOrder(REF, 30.0, "cancelled by ann")
ASKED_OTHERWISE = StopOrder(REF, 0.0, "cancelled by bob", signal.SIGINT)
ASKED_OF_OLD = StopOrder(REF, 30.0, "cancelled by ann", 0)  # by a master that knows of no other signal

STOP = Stop(REF, 30.0, Cause.ORDER, signal.SIGTERM)
STOP_OTHERWISE = Stop(REF, 0.0, Cause.ORDER, signal.SIGINT)
UNWANTED = Halt(Stop(REF, 5.0, Cause.UNWANTED), NOT_COUNTED_ON)
NO_TRACE = Tell(REF, ReportKind.LOST, "this worker has no trace of it")
FORGOTTEN = Tell(REF, ReportKind.LOST, "it was over here before this order came")
REVOKED = Tell(REF, ReportKind.REVOKED, "stopped before it started")
GIVEN_BACK = Tell(REF, ReportKind.REVOKED, "given back")
REJECTED = Tell(REF, ReportKind.REJECTED, DRAINING)

WAIT = Wait(BEHIND, LEASE_FROM_S)
ORDER = LEASED[AttemptState.ASSIGNED]
HELD: dict[str, Held | None] = {
    "nothing": None,
    "over and forgotten": None,
    "waiting": Held(REF, Stage.WAITING, BEHIND),
    "starting": Held(REF, Stage.STARTING, ORDER),
    "running": Held(REF, Stage.RUNNING, ORDER),
    "running without a lease": Held(REF, Stage.RUNNING, ENDLESS[AttemptState.RUNNING]),
    "adopted": Held(REF, Stage.RUNNING),  # by a restarted worker, which does not know its order
    "stopping": Held(REF, Stage.RUNNING, ORDER, stop=STOP),
    "over": Held(REF, Stage.OVER, ORDER),
}
ABSENT = ("nothing", "over and forgotten")
ALIVE = ("starting", "running", "running without a lease", "adopted", "stopping")


def every(held: tuple[str, ...], actions: list[Action]) -> dict[str, list[Action]]:
    return dict.fromkeys(held, actions)


def start(order: StartOrder) -> dict[str, list[Action]]:
    """What a start alone makes a worker do, by what it holds, when it drains not."""
    fresh: Action = Launch(order, ENDS[order.lease_s]) if order.state is AttemptState.ASSIGNED else NO_TRACE
    return {
        "nothing": [fresh],
        "over and forgotten": [FORGOTTEN],
        "waiting": [Launch(order, ENDS[order.lease_s])],
        **every(ALIVE, [TellAgain(REF, order, ENDS[order.lease_s])]),
        "over": [TellAgain(REF, order)],
    }


def stop(order: StopOrder, halt: Stop) -> dict[str, list[Action]]:
    """What a stop alone makes it do."""
    return {
        **every(ABSENT, [NO_TRACE]),
        "waiting": [REVOKED],
        **every(ALIVE, [Halt(halt, order.reason)]),
        "over": [TellAgain(REF)],
    }


# What the master says, in an increment and unless it drains, by what the worker holds.
TABLE: dict[tuple[Order, ...], dict[str, list[Action]]] = {
    **{(order,): start(order) for order in (*LEASED.values(), *ENDLESS.values())},
    (ASKED,): stop(ASKED, STOP),
    (ASKED_OTHERWISE,): stop(ASKED_OTHERWISE, STOP_OTHERWISE),
    (ASKED_OF_OLD,): stop(ASKED_OF_OLD, STOP),
    (ORDER, ASKED): {
        "nothing": [REVOKED],
        "over and forgotten": [FORGOTTEN, REVOKED],
        "waiting": [REVOKED],
        **every(ALIVE, [TellAgain(REF, ORDER, ENDS[LEASE_S]), Halt(STOP, ASKED.reason)]),
        "over": [TellAgain(REF, ORDER), TellAgain(REF)],
    },
    (BEHIND,): {**start(BEHIND), "nothing": [WAIT], "waiting": []},
    (BEHIND, ORDER): {
        "nothing": [WAIT, Launch(ORDER, ENDS[LEASE_S])],
        "over and forgotten": [FORGOTTEN, FORGOTTEN],
        "waiting": [Launch(ORDER, ENDS[LEASE_S])],
        **every(ALIVE, [TellAgain(REF, order, ENDS[LEASE_S]) for order in (BEHIND, ORDER)]),
        "over": [TellAgain(REF, BEHIND), TellAgain(REF, ORDER)],
    },
    (ASKED_BACK,): {**every(tuple(HELD), []), "waiting": [GIVEN_BACK]},
    (BEHIND, ASKED_BACK, ORDER): {
        "nothing": [WAIT, GIVEN_BACK],
        "over and forgotten": [FORGOTTEN, GIVEN_BACK],
        "waiting": [GIVEN_BACK],
        **every(ALIVE, [TellAgain(REF, order, ENDS[LEASE_S]) for order in (BEHIND, ORDER)]),
        "over": [TellAgain(REF, BEHIND), TellAgain(REF, ORDER)],
    },
    (): every(tuple(HELD), []),
}
IN_SYNC: dict[tuple[tuple[Order, ...], str], list[Action]] = {
    ((), held): [UNWANTED] for held in ALIVE if held != "stopping"
} | {((), "waiting"): [Tell(REF, ReportKind.REVOKED, NOT_COUNTED_ON)]}
DRAINED: dict[tuple[tuple[Order, ...], str], list[Action]] = {
    ((order,), "nothing"): [REJECTED]
    for order in (LEASED[AttemptState.ASSIGNED], ENDLESS[AttemptState.ASSIGNED], BEHIND)
} | {
    ((BEHIND, ORDER), "nothing"): [REJECTED, REJECTED],
    ((BEHIND, ASKED_BACK, ORDER), "nothing"): [REJECTED, GIVEN_BACK],
}


@pytest.mark.parametrize("held", HELD)
@pytest.mark.parametrize("orders", TABLE)
def test_every_pair(orders: tuple[Order, ...], held: str) -> None:
    mine = HELD[held]
    table = {} if mine is None else {REF: mine}
    over = {REF.task_id: REF.token} if held == "over and forgotten" else {}
    for sync, closed in itertools.product((False, True), ("", DRAINING)):
        if sync and ASKED_BACK in orders:
            continue  # no sync asks for one back
        expected = TABLE[orders][held]
        expected = IN_SYNC.get((orders, held), expected) if sync else expected
        expected = DRAINED.get((orders, held), expected) if closed else expected
        assert settle(OrderBatch(1, sync, orders), table, LEASE_FROM_S, over, closed) == expected


def test_the_table_is_complete() -> None:
    said = {
        (order.state, order.lease_s) for orders in TABLE for order in orders if isinstance(order, StartOrder)
    }
    assert said == {(state, lease) for state in STATES for lease in (LEASE_S, 0.0)}
    assert all(row.keys() == HELD.keys() for row in TABLE.values())
    assert {held.stage for held in HELD.values() if held} == set(Stage)
