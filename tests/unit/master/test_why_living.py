"""This module asks a real master, driven by hand, why tasks run where they run, and what it knows after a restart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ganger_core.domain.clock import ManualClock
from ganger_core.domain.explanation import IfLost, Verdict
from ganger_core.domain.states import WorkerState
from ganger_core.domain.task import (
    Limits,
    OnWorkerLost,
)
from testkit.asked_why import beat, lines, run
from testkit.builders import a_spec, a_worker, ended, lost
from testkit.one_thread import OneThreadMaster


@pytest.fixture
def master(tmp_path: Path) -> OneThreadMaster:
    return OneThreadMaster(tmp_path, ManualClock())


def test_a_running_task_says_why_it_is_there(master: OneThreadMaster) -> None:
    worker = a_worker("w1", cpus=1)
    master.register(worker)
    master.submit(a_spec(), replace(a_spec(), limits=Limits(run_s=3600)))
    (first,) = run(master, worker)
    master.clock.advance(5)
    beat(master, worker)
    master.report(worker, ended(first))
    run(master, worker)
    master.clock.advance(10)
    living = master.why(2).living
    assert living is not None
    assert living.waited_for == "waiting for capacity: 1 worker could run it, the nearest is short of 1 CPU"
    assert (living.worker, living.lease_s, living.if_lost) == (WorkerState.UP, 290.0, IfLost.REQUEUE)
    assert lines(master, 2)[:5] == [
        "task 2 is RUNNING on w1 for 10s.",
        "Placed on w1 by the planner at 22:13:25, 5.0s after it was submitted.",
        "Before that it waited: waiting for capacity: 1 worker could run it, the nearest is short of 1 CPU.",
        "Its run limit is 1h00m: 59m50s left.",
        "Its lease lasts 4m50s without a further sign of its worker; w1 was heard of 10s ago.",
    ]


@pytest.mark.parametrize(
    ("policy", "after"),
    [
        (OnWorkerLost.WAIT, IfLost.WAIT),
        (OnWorkerLost.FAIL, IfLost.FAIL),
        (OnWorkerLost.REQUEUE, IfLost.REQUEUE),
    ],
)
def test_what_becomes_of_it_with_its_worker(
    master: OneThreadMaster, policy: OnWorkerLost, after: IfLost
) -> None:
    worker = a_worker("w1", cpus=1)
    master.register(worker)
    master.submit(replace(a_spec(), on_worker_lost=policy))
    run(master, worker)
    living = master.why(1).living
    assert living is not None
    assert living.if_lost is after
    assert (living.lease_s is None) == (policy is OnWorkerLost.WAIT)


def test_the_third_crash_would_end_it_and_a_stop_cancels_it(master: OneThreadMaster) -> None:
    worker = a_worker("w1", cpus=1)
    master.register(worker)
    master.submit(a_spec())
    for _ in range(2):
        (ref,) = run(master, worker)
        master.report(worker, lost(ref, "its keeper died"))
    run(master, worker)
    living = master.why(1).living
    assert living is not None
    assert living.if_lost is IfLost.CRASHED_TOO_OFTEN
    master.cancel(1, "enough")
    living = master.why(1).living
    assert living is not None
    assert living.if_lost is IfLost.CANCELLED
    assert "It is being stopped: cancelled by ann: enough; SIGKILL comes 30s after the signal." in lines(
        master, 1
    )


def test_what_is_next_on_a_worker_is_said(master: OneThreadMaster) -> None:
    worker = a_worker("w1", cpus=1)
    master.register(worker)
    master.submit(*[a_spec()] * 8)
    (first,) = run(master, worker)
    master.clock.advance(0.01)
    master.report(
        worker, ended(first)
    )  # so it is known how long they take: the next one gets others behind it
    master.run_cycle()
    behind = next(a for a in master.state.attempts.values() if a.behind)
    living = master.why(behind.ref.task_id).living
    assert living is not None
    assert (living.behind, living.went_behind) == ("2", "2")
    assert "It has no room of its own yet: it starts on w1 as soon as 2 is over." in lines(master, 3)
    assert "  3 is next on w1, behind 2" in lines(master, 5)


def test_a_restarted_master_claims_nothing_that_it_does_not_know(tmp_path: Path) -> None:
    clock = ManualClock()
    master, worker = OneThreadMaster(tmp_path, clock), a_worker("w1", cpus=1)
    master.register(worker)
    master.submit(a_spec(), a_spec())
    run(master, worker)
    master.kill()
    again = OneThreadMaster(tmp_path, clock)
    waiting, living = again.why(2).waiting, again.why(1).living
    assert waiting is not None
    assert waiting.plan is None
    assert [group.verdicts for group in waiting.groups] == [(Verdict.LOST, Verdict.BUSY)]
    assert living is not None
    assert (living.worker, living.waited_for, living.went_behind) == (WorkerState.LOST, "", "")
    assert lines(again, 1)[0] == "task 1 is RUNNING on w1 for 0.0s."
    assert not any(line.startswith("Plan") for line in lines(again, 2))
