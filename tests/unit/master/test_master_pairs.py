"""This module checks every pair of what the master knows of an attempt and what its worker has at a sync.

Both sides are the real ones: the master's orders go to the worker's decisions, whose report goes to the master.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from ganger_core.domain.clock import ManualClock
from ganger_core.domain.errors import StaleAttempt
from ganger_core.domain.states import AttemptState, TaskState
from ganger_core.domain.task import (
    AttemptRef,
    OnWorkerLost,
    OrderBatch,
    Outcome,
    OutcomeKind,
    Report,
    ReportKind,
    StartOrder,
)
from ganger_master.changes import Forget, LoseAttempt
from ganger_worker.attempts import Held, Stage
from ganger_worker.decisions import settle
from testkit.builders import a_spec, a_worker, ended, lost, started
from testkit.one_thread import OneThreadMaster

REF = AttemptRef(1, 1)
WORKER = a_worker("w1", cpus=1)
POLICIES = (OnWorkerLost.BY_AGE, OnWorkerLost.REQUEUE, OnWorkerLost.WAIT, OnWorkerLost.FAIL)
HOLDS = {
    "nothing": None,
    "waits": Held(REF, Stage.STARTING),
    "runs": Held(REF, Stage.RUNNING),
    "ended": Held(REF, Stage.OVER),
}

# What the master knows, what the worker has: the order, what the worker does, what it reports; then the
# attempt and its task (AGAIN: waits again, or failed if it was to fail so). A dash is nothing; a report in brackets
# is refused and changes nothing.
TABLE = """
assigned nothing : start Launch    STARTED   RUNNING  RUNNING
assigned waits   : start TellAgain ACCEPTED  STARTING STARTING
assigned runs    : start TellAgain STARTED   RUNNING  RUNNING
assigned ended   : start TellAgain ENDED     ENDED    SUCCEEDED
starting nothing : start Tell      LOST      LOST     AGAIN
starting waits   : start TellAgain ACCEPTED  STARTING STARTING
starting runs    : start TellAgain STARTED   RUNNING  RUNNING
starting ended   : start TellAgain ENDED     ENDED    SUCCEEDED
running  nothing : start Tell      LOST      LOST     AGAIN
running  waits   : start TellAgain ACCEPTED  RUNNING  RUNNING
running  runs    : start TellAgain STARTED   RUNNING  RUNNING
running  ended   : start TellAgain ENDED     ENDED    SUCCEEDED
stopping nothing : stop  Tell      LOST      LOST     CANCELLED
stopping waits   : stop  Halt      REVOKED   REVOKED  CANCELLED
stopping runs    : stop  Halt      STOPPED   ENDED    CANCELLED
stopping ended   : stop  TellAgain ENDED     ENDED    SUCCEEDED
ended    nothing : -     -         -         SAME     SAME
ended    waits   : -     Halt      (LOST)    SAME     SAME
ended    runs    : -     Halt      (LOST)    SAME     SAME
ended    ended   : -     -         (ENDED)   SAME     SAME
final    nothing : -     -         -         SAME     SAME
final    waits   : -     Halt      (LOST)    SAME     SAME
final    runs    : -     Halt      (LOST)    SAME     SAME
final    ended   : -     -         (ENDED)   SAME     SAME
lost     nothing : -     -         -         SAME     SAME
lost     waits   : -     Halt      (LOST)    SAME     SAME
lost     runs    : -     Halt      (LOST)    SAME     SAME
lost     ended   : -     -         (ENDED)   SAME     SAME
rejected nothing : -     -         -         SAME     SAME
rejected waits   : -     Halt      (LOST)    SAME     SAME
rejected runs    : -     Halt      (LOST)    SAME     SAME
rejected ended   : -     -         (ENDED)   SAME     SAME
revoked  nothing : -     -         -         SAME     SAME
revoked  waits   : -     Halt      (LOST)    SAME     SAME
revoked  runs    : -     Halt      (LOST)    SAME     SAME
revoked  ended   : -     -         (ENDED)   SAME     SAME
newer    nothing : -     -         -         SAME     SAME
newer    waits   : -     Halt      (LOST)    SAME     SAME
newer    runs    : -     Halt      (LOST)    SAME     SAME
newer    ended   : -     -         (ENDED)   SAME     SAME
unknown  nothing : -     -         -         SAME     SAME
unknown  waits   : -     Halt      (LOST)    SAME     SAME
unknown  runs    : -     Halt      (LOST)    SAME     SAME
unknown  ended   : -     -         (ENDED)   SAME     SAME
"""
KNOWN = (*(state.value.lower() for state in AttemptState), "final", "newer", "unknown")
ROWS = [
    (left.split(), right.split()) for left, _, right in (r.partition(":") for r in TABLE.split("\n") if r)
]

CASES = [
    pytest.param(pair, expected, policy, id=f"{'-'.join(pair)}-{policy}")
    for pair, expected in ROWS
    for policy in POLICIES
    if (pair[0], policy) != ("newer", OnWorkerLost.FAIL)  # one that failed has no further attempt
]


def bring_to(master: OneThreadMaster, known: str) -> None:
    """Let the master come to know this of attempt 1.1."""
    accepted = Report(REF, ReportKind.ACCEPTED)
    if known == "assigned":
        return
    if known == "starting":
        master.report(WORKER, accepted)
    elif known in ("rejected", "revoked"):
        master.report(WORKER, Report(REF, ReportKind(known.upper()), message="no"))
    else:
        master.report(WORKER, accepted, started(REF))
    if known == "stopping":
        master.cancel(1)
    elif known in ("ended", "final", "unknown"):
        master.report(WORKER, ended(REF), log_complete=known != "ended")
        if known == "unknown":
            master.apply(Forget(task_ids=(1,)))
    elif known in ("lost", "newer"):
        master.apply(LoseAttempt(REF, "it was silent beyond the lease"))
        if known == "newer":
            master.clock.advance(31)
            master.registry.sweep(master.clock.now().steady_s)  # so that it goes to another
            master.register(a_worker("w2", cpus=1))
            master.run_cycle()


def the_report(said: str) -> Report:
    match said:
        case "STARTED":
            return started(REF)
        case "ENDED":
            return ended(REF)
        case "STOPPED":
            outcome = Outcome(OutcomeKind.CANCELLED, 143, 15)
            return Report(REF, ReportKind.ENDED, started_age_s=1.0, outcome=outcome)
        case "LOST":
            return lost(REF)
        case _:
            return Report(REF, ReportKind(said))


def test_the_table_has_every_pair_once() -> None:
    pairs = [tuple(left) for left, _ in ROWS]
    assert sorted(pairs) == sorted(itertools.product(KNOWN, HOLDS))


@pytest.mark.parametrize(("pair", "expected", "policy"), CASES)
def test_a_sync_settles_this_pair(
    tmp_path: Path, pair: list[str], expected: list[str], policy: OnWorkerLost
) -> None:
    known, holds = pair
    order, does, said, attempt_then, task_then = expected
    clock = ManualClock()
    master = OneThreadMaster(tmp_path, clock)
    master.register(WORKER)
    master.submit(replace(a_spec(), on_worker_lost=policy))
    master.run_cycle()
    master.deliver(WORKER)
    bring_to(master, known)
    before = (master.state.attempts.get(1), master.state.tasks.get(1))

    orders = master.engine.telling(WORKER.id, master.engine.desired(WORKER.id)[1], clock.now())
    assert ["start" if isinstance(o, StartOrder) else "stop" for o in orders] == (
        [] if order == "-" else [order]
    )
    held = HOLDS[holds]
    actions = settle(OrderBatch(1, True, orders), {} if held is None else {REF: held}, 0.0)
    assert [type(action).__name__ for action in actions] == ([] if does == "-" else [does])

    if said.startswith("("):
        with pytest.raises(StaleAttempt):
            master.report(WORKER, the_report(said.strip("()")))
    elif said != "-":
        master.report(WORKER, the_report(said))
    if task_then == "SAME":
        assert (master.state.attempts.get(1), master.state.tasks.get(1)) == before
    else:
        wanted = TaskState.FAILED if policy is OnWorkerLost.FAIL else TaskState.PENDING
        assert master.state.attempts[1].state is AttemptState(attempt_then)
        assert master.task(1).state is (wanted if task_then == "AGAIN" else TaskState(task_then))
    live = {a.ref for a in master.state.attempts.values() if a.is_live and a.worker_id == WORKER.id}
    assert {ref for ref, _ in master.registry.held(WORKER.id)} == live
    master.kill()
