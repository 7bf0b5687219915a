"""This module tests every pair of what a worker is told and what it holds."""

from __future__ import annotations

import signal

import pytest

from ganger_core.domain.states import AttemptState
from ganger_core.domain.task import (
    AttemptRef,
    Order,
    OrderBatch,
    Outcome,
    OutcomeKind,
    ReportKind,
    StartOrder,
    StopOrder,
    TaskSpec,
)
from ganger_worker.attempts import Held, Stage
from ganger_worker.decisions import Halt, Tell, TellAgain, clean, conclude, reconcile, settle
from ganger_worker.executors.base import Cause, Exit, Launch, Started, Stop

REF = AttemptRef(7, 2)
LEASE_FROM_S, LEASE_S = 990.0, 300.0
ASKED = StopOrder(REF, 30.0, "cancelled by ann")
STOP = Stop(REF, 30.0, Cause.ORDER)
UNWANTED = Stop(REF, 5.0, Cause.UNWANTED)


def asked(state: AttemptState) -> StartOrder:
    return StartOrder(REF, TaskSpec(("true",)), LEASE_S, state)


ASSIGNED, STARTING, RUNNING = map(asked, (AttemptState.ASSIGNED, AttemptState.STARTING, AttemptState.RUNNING))
LAUNCH = Launch(ASSIGNED, LEASE_FROM_S + LEASE_S)
NO_TRACE = Tell(REF, ReportKind.LOST, "this worker has no trace of it")
NOT_COUNTED = "the master does not count on it any more"

HELD: dict[str, Held | None] = {
    "nothing": None,
    "starting": Held(REF, Stage.STARTING, ASSIGNED),
    "running": Held(REF, Stage.RUNNING, ASSIGNED),
    "stopping": Held(REF, Stage.RUNNING, ASSIGNED, stop=STOP),
    "over": Held(REF, Stage.OVER, ASSIGNED),
}

# What the master sends, what the worker holds, what the worker does in an increment; and in a sync, where that differs.
TABLE: list[tuple[tuple[Order, ...], str, list[object]]] = [
    ((ASSIGNED,), "nothing", [LAUNCH]),
    ((ASSIGNED,), "starting", [TellAgain(REF, ASSIGNED)]),
    ((ASSIGNED,), "running", [TellAgain(REF, ASSIGNED)]),
    ((ASSIGNED,), "stopping", [TellAgain(REF, ASSIGNED)]),
    ((ASSIGNED,), "over", [TellAgain(REF, ASSIGNED)]),
    ((STARTING,), "nothing", [NO_TRACE]),
    ((STARTING,), "starting", [TellAgain(REF, STARTING)]),
    ((STARTING,), "running", [TellAgain(REF, STARTING)]),
    ((STARTING,), "stopping", [TellAgain(REF, STARTING)]),
    ((STARTING,), "over", [TellAgain(REF, STARTING)]),
    ((RUNNING,), "nothing", [NO_TRACE]),
    ((RUNNING,), "starting", [TellAgain(REF, RUNNING)]),
    ((RUNNING,), "running", [TellAgain(REF, RUNNING)]),
    ((RUNNING,), "stopping", [TellAgain(REF, RUNNING)]),
    ((RUNNING,), "over", [TellAgain(REF, RUNNING)]),
    ((ASKED,), "nothing", [NO_TRACE]),
    ((ASKED,), "starting", [Halt(STOP, ASKED.reason)]),
    ((ASKED,), "running", [Halt(STOP, ASKED.reason)]),
    ((ASKED,), "stopping", [Halt(STOP, ASKED.reason)]),
    ((ASKED,), "over", [TellAgain(REF)]),
    ((ASSIGNED, ASKED), "nothing", [Tell(REF, ReportKind.REVOKED, "stopped before it started")]),
    ((ASSIGNED, ASKED), "starting", [TellAgain(REF, ASSIGNED), Halt(STOP, ASKED.reason)]),
    ((ASSIGNED, ASKED), "running", [TellAgain(REF, ASSIGNED), Halt(STOP, ASKED.reason)]),
    ((ASSIGNED, ASKED), "stopping", [TellAgain(REF, ASSIGNED), Halt(STOP, ASKED.reason)]),
    ((ASSIGNED, ASKED), "over", [TellAgain(REF, ASSIGNED), TellAgain(REF)]),
    ((), "nothing", []),
    ((), "starting", []),
    ((), "running", []),
    ((), "stopping", []),
    ((), "over", []),
]
ONLY_IN_SYNC: dict[tuple[tuple[Order, ...], str], list[object]] = {
    ((), "starting"): [Halt(UNWANTED, NOT_COUNTED)],
    ((), "running"): [Halt(UNWANTED, NOT_COUNTED)],
}


@pytest.mark.parametrize("sync", [False, True], ids=["increment", "sync"])
@pytest.mark.parametrize(("orders", "held", "actions"), TABLE)
def test_settle(orders: tuple[Order, ...], held: str, actions: list[object], sync: bool) -> None:
    mine = HELD[held]
    table = {} if mine is None else {REF: mine}
    expected = ONLY_IN_SYNC.get((orders, held), actions) if sync else actions
    assert settle(OrderBatch(1, sync, orders), table, LEASE_FROM_S) == expected


def test_the_table_is_complete() -> None:
    orders = {row[0] for row in TABLE}
    assert {(row[0], row[1]) for row in TABLE} == {(o, h) for o in orders for h in HELD}


RECONCILED: list[tuple[str, str, list[object]]] = [
    ("nothing", "starting", [LAUNCH]),
    ("nothing", "running", [Tell(REF, ReportKind.LOST, "the keeper has no trace of it")]),
    ("nothing", "to stop", [Tell(REF, ReportKind.REVOKED, "stopped before it started")]),
    ("nothing", "over", []),
    ("nothing", "adopted", [Tell(REF, ReportKind.LOST, "the keeper has no trace of it")]),
    ("alive", "starting", []),
    ("alive", "running", []),
    ("alive", "to stop", [Halt(STOP, "why")]),
    ("alive", "over", []),
    ("alive", "adopted", []),
    ("ended", "starting", []),
    ("ended", "running", []),
    ("ended", "to stop", []),
    ("ended", "over", []),
    ("ended", "adopted", []),
]


@pytest.mark.parametrize(("keeper", "held", "actions"), RECONCILED)
def test_reconcile(keeper: str, held: str, actions: list[object]) -> None:
    mine = {
        "starting": Held(REF, Stage.STARTING, ASSIGNED),
        "running": Held(REF, Stage.RUNNING, ASSIGNED),
        "to stop": Held(REF, Stage.STARTING, ASSIGNED, stop=STOP, why="why"),
        "over": Held(REF, Stage.OVER, ASSIGNED),
        "adopted": Held(REF, Stage.STARTING),
    }[held]
    living = [Started(REF, 5.0)] if keeper == "alive" else []
    exits = [Exit(REF, 5.0, 6.0, code=0)] if keeper == "ended" else []
    assert reconcile(living, exits, {REF: mine}, LEASE_FROM_S) == actions


@pytest.mark.parametrize(
    ("how", "outcome"),
    [
        ({"code": 0}, Outcome(OutcomeKind.OK, exit_code=0)),
        ({"code": 7}, Outcome(OutcomeKind.EXIT_NONZERO, exit_code=7, message="exited with code 7")),
        (
            {"signal": 11},
            Outcome(OutcomeKind.SIGNALLED, exit_code=139, signal=11, message="killed by SIGSEGV"),
        ),
        (
            {"signal": 40},
            Outcome(OutcomeKind.SIGNALLED, exit_code=168, signal=40, message="killed by signal 40"),
        ),
        (
            {"launch": 127, "why": "foo: command not found"},
            Outcome(OutcomeKind.LAUNCH_FAILED, exit_code=127, message="foo: command not found on worker w1"),
        ),
        ({"code": 0, "cause": Cause.ORDER}, Outcome(OutcomeKind.CANCELLED, exit_code=0, message="why")),
        (
            {"signal": 15, "cause": Cause.ORDER},
            Outcome(OutcomeKind.CANCELLED, exit_code=143, signal=signal.SIGTERM, message="why"),
        ),
    ],
)
def test_how_an_exit_is_told(how: dict[str, object], outcome: Outcome) -> None:
    end = conclude(Exit(REF, 1.0, 2.0, **how), "why", "w1")  # type: ignore[arg-type]
    assert (end.kind, end.message, end.outcome) == (ReportKind.ENDED, "", outcome)


@pytest.mark.parametrize(
    ("cause", "message"),
    [
        (Cause.SHUTDOWN, "worker shut down"),
        (Cause.LEASE, "its lease was over"),
        (Cause.KEEPER, "its keeper died"),
        (Cause.UNWANTED, NOT_COUNTED),
    ],
)
def test_what_was_stopped_by_ourselves_is_lost(cause: Cause, message: str) -> None:
    end = conclude(Exit(REF, 1.0, 2.0, cause, signal=15), "", "w1")
    assert (end.kind, end.message, end.outcome) == (ReportKind.LOST, message, None)


def test_messages_can_be_sent_and_stored() -> None:
    assert clean("a\0b\udcffc") == "a?b?c"
    assert len(clean("x" * 5_000)) == 1_000
