"""This module tests what a worker makes of what its executor says: what it holds, and how attempts ended."""

from __future__ import annotations

import signal

import pytest

from ganger_core.domain.task import AttemptRef, Outcome, OutcomeKind, ReportKind, StartOrder, TaskSpec
from ganger_worker.attempts import Held, Stage
from ganger_worker.decisions import Halt, Tell, clean, conclude, reconcile, sterner
from ganger_worker.executors.base import Cause, Exit, Launch, Started, Stop

REF = AttemptRef(7, 2)
LEASE_FROM_S, LEASE_S = 990.0, 300.0
STOP = Stop(REF, 30.0, Cause.ORDER)
ASSIGNED = StartOrder(REF, TaskSpec(("true",)), LEASE_S)
LAUNCH = Launch(ASSIGNED, LEASE_FROM_S + LEASE_S)


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
        (
            {"signal": 9, "cause": Cause.LIMIT, "limit_s": 90.0},
            Outcome(
                OutcomeKind.TIMED_OUT, exit_code=137, signal=9, message="ran longer than its limit of 90s"
            ),
        ),
        (
            {"code": 0, "cause": Cause.LIMIT, "limit_s": 1_234_567.5},
            Outcome(OutcomeKind.TIMED_OUT, exit_code=0, message="ran longer than its limit of 1234567.5s"),
        ),
        (
            {"cause": Cause.ORDER, "unkillable": (17, 18)},
            Outcome(OutcomeKind.UNKILLABLE, message="still alive on worker w1 long after SIGKILL: 17, 18"),
        ),
        (
            {"code": 0, "unkillable": (17,)},
            Outcome(
                OutcomeKind.UNKILLABLE,
                exit_code=0,
                message="still alive on worker w1 long after SIGKILL: 17",
            ),
        ),
        (
            {"cause": Cause.LEASE, "unkillable": (17,)},
            Outcome(OutcomeKind.UNKILLABLE, message="still alive on worker w1 long after SIGKILL: 17"),
        ),
    ],
)
def test_how_an_exit_is_told(how: dict[str, object], outcome: Outcome) -> None:
    end = conclude(Exit(REF, 1.0, 2.0, **how), "why", "w1")  # type: ignore[arg-type]
    assert (end.kind, end.message, end.outcome) == (ReportKind.ENDED, "", outcome)


@pytest.mark.parametrize(
    ("cause", "message", "orderly"),
    [
        (Cause.SHUTDOWN, "worker shut down", True),
        (Cause.LEASE, "its lease was over", True),
        (Cause.KEEPER, "its keeper died", False),
        (Cause.UNWANTED, "the master does not count on it any more", True),
    ],
)
def test_what_was_stopped_by_ourselves_is_lost(cause: Cause, message: str, orderly: bool) -> None:
    end = conclude(Exit(REF, 1.0, 2.0, cause, signal=15), "", "w1")
    assert (end.kind, end.message, end.outcome) == (ReportKind.LOST, message, None)
    assert end.orderly is orderly


def test_every_cause_has_a_meaning() -> None:
    ends = {cause: conclude(Exit(REF, 1.0, 2.0, cause, code=0), "", "w1") for cause in Cause}
    assert all(end.kind is ReportKind.LOST or end.outcome != OK for end in ends.values())


OK = Outcome(OutcomeKind.OK, exit_code=0)


def test_several_stops_are_one() -> None:
    assert sterner(None, STOP) == STOP
    later = Stop(REF, 5.0, Cause.SHUTDOWN, signal.SIGINT)
    assert sterner(STOP, later) == Stop(REF, 5.0, Cause.ORDER, signal.SIGINT)
    assert sterner(later, STOP) == Stop(REF, 5.0, Cause.SHUTDOWN, signal.SIGTERM)


def test_messages_can_be_sent_and_stored() -> None:
    assert clean("a\0b\udcffc") == "a?b?c"
    assert len(clean("x" * 5_000)) == 1_000
