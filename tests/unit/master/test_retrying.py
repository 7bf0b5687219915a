"""This module checks when a task that ended badly is tried again: a table of causes, and a master in one thread."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ganger_core.domain.array import Array, Indices
from ganger_core.domain.clock import ManualClock
from ganger_core.domain.retry import Retry
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import AttemptRef, Limits, Outcome, OutcomeKind, Report, ReportKind, Task
from ganger_core.domain.waits import NO_WAITS
from ganger_master.changes import SettleLog
from ganger_master.moves import awaiting_logs
from ganger_master.retrying import MOST_FAULTS, Cause, backoff_s, retried_for
from testkit.builders import a_spec, a_worker, ended, lost, started
from testkit.one_thread import OneThreadMaster

WORKER = a_worker("w1", cpus=1)
PENDING, RUNNING, FAILED = TaskState.PENDING, TaskState.RUNNING, TaskState.FAILED
TWICE = Retry(limit=2, backoff_s=0)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def master(tmp_path: Path, clock: ManualClock) -> OneThreadMaster:
    master = OneThreadMaster(tmp_path, clock)
    master.register(WORKER)
    return master


def a_task(retry: Retry = TWICE, **others: object) -> Task:
    spec = replace(a_spec(), retry=retry)
    return replace(Task(7, "ann", spec, RUNNING, submitted_ms=0), **others)  # type: ignore[arg-type]


def exited(code: int) -> Outcome:
    return Outcome(OutcomeKind.EXIT_NONZERO, code)


def launch(code: int) -> Outcome:
    return Outcome(OutcomeKind.LAUNCH_FAILED, code)


KILLED = Outcome(OutcomeKind.SIGNALLED, 139, 11)
TIMED_OUT = Outcome(OutcomeKind.TIMED_OUT, 143, 15)


@pytest.mark.parametrize(
    ("task", "outcome", "cause"),
    [
        (a_task(), exited(1), Cause.TASK),
        (a_task(), KILLED, Cause.TASK),
        (a_task(), launch(127), Cause.TASK),
        (a_task(failures=1), exited(1), Cause.TASK),
        (a_task(failures=2), exited(1), None),
        (a_task(Retry()), exited(1), None),
        (a_task(Retry(1, on=(75, 139))), exited(75), Cause.TASK),
        (a_task(Retry(1, on=(75, 139))), KILLED, Cause.TASK),
        (a_task(Retry(1, on=(75, 139))), exited(1), None),
        (a_task(Retry(1, never_on=(2,))), exited(2), None),
        (a_task(Retry(1, never_on=(2,))), exited(1), Cause.TASK),
        (a_task(), TIMED_OUT, None),
        (a_task(Retry(1, on_timeout=True)), TIMED_OUT, Cause.TASK),
        (a_task(Retry(1, on_timeout=True)), exited(1), None),
        (a_task(Retry(1, on=(1,), on_timeout=True)), exited(1), Cause.TASK),
        (a_task(Retry()), launch(125), Cause.WORKER),
        (a_task(Retry(), faults=MOST_FAULTS), launch(125), None),
        (a_task(faults=MOST_FAULTS), launch(125), None),  # not even by the user's own budget
        (a_task(), Outcome(OutcomeKind.CANCELLED, 143, 15), None),
        (a_task(), Outcome(OutcomeKind.UNKILLABLE), None),
        (a_task(), Outcome(OutcomeKind.LOST), None),
    ],
)
def test_each_cause_has_its_own_count(task: Task, outcome: Outcome, cause: Cause | None) -> None:
    assert retried_for(task, outcome) is cause


def test_the_backoff_doubles_up_to_ten_minutes_and_is_spread_out() -> None:
    def longest(failures: int) -> float:
        task = a_task(Retry(99, backoff_s=10.0), failures=failures)
        waits = [backoff_s(task, token) for token in range(1, 400)]
        assert min(waits) < 0.05 * max(waits)
        assert waits == [backoff_s(task, token) for token in range(1, 400)]
        return max(waits)

    assert [round(longest(n)) for n in (1, 2, 3, 7, 90)] == pytest.approx([10, 20, 40, 600, 600], rel=0.02)


def test_a_failed_task_is_tried_again_in_its_old_place_and_ends_when_its_budget_is_used(
    master: OneThreadMaster,
) -> None:
    first = master.submit(replace(a_spec(), retry=TWICE))
    for token in (1, 2, 3):
        behind = master.submit(a_spec(cpus=0.5))
        assert master.run_cycle().assigned == 1
        assert master.deliver(WORKER)[0] == AttemptRef(first, token)
        ref = AttemptRef(first, token)
        master.report(WORKER, started(ref), ended(ref, 3))
        assert master.task(behind).state is PENDING
        if token < 3:
            task = master.task(first)
            assert (task.state, task.failures, task.started_ms, task.finished_ms) == (PENDING, token, 0, 0)
            assert f"retry {token} of 2" in task.reason
            assert task.outcome is None
    over = master.task(first)
    assert (over.state, over.failures, over.outcome) == (FAILED, 2, exited(3))
    assert [event.state for event in master.events if event.task_id == first].count(FAILED) == 1


def test_it_waits_before_it_is_tried_again_and_a_restarted_master_knows(
    master: OneThreadMaster, tmp_path: Path, clock: ManualClock
) -> None:
    task_id = master.submit(replace(a_spec(), retry=Retry(1, (3, 9), (4,), True, 60.0)))
    master.run_cycle()
    master.report(WORKER, ended(AttemptRef(task_id, 1), 3))
    wait_s = backoff_s(master.task(task_id), 1)
    master.kill()
    again = OneThreadMaster(tmp_path, clock)
    again.register(WORKER)
    task = again.task(task_id)
    assert (task.failures, task.spec.retry) == (1, Retry(1, (3, 9), (4,), True, 60.0))
    assert again.run_cycle().assigned == 0
    clock.advance(wait_s - 0.01)
    assert again.run_cycle().assigned == 0
    clock.advance(0.02)
    assert again.run_cycle().assigned == 1
    assert again.task(task_id).waits == NO_WAITS


def test_the_end_waits_for_the_log_and_so_does_the_next_try(
    master: OneThreadMaster, clock: ManualClock
) -> None:
    task_id = master.submit(replace(a_spec(), retry=TWICE))
    master.run_cycle()
    master.report(WORKER, ended(AttemptRef(task_id, 1), 3), log_complete=False)
    assert master.task(task_id).state is not PENDING
    for _ in range(2):
        master.cleanup.run_once(clock.now())
        clock.advance(31)
    assert (master.task(task_id).state, master.task(task_id).failures) == (PENDING, 1)
    assert master.engine.look(awaiting_logs) == []
    assert master.engine.awaiting_log(AttemptRef(task_id, 1)) is None
    master.apply(SettleLog(AttemptRef(task_id, 1), incomplete=False))  # it crossed the other's way
    assert master.task(task_id).state is PENDING


def test_what_is_being_cancelled_is_not_tried_again(master: OneThreadMaster) -> None:
    task_id = master.submit(replace(a_spec(), retry=TWICE))
    master.run_cycle()
    master.report(WORKER, started(AttemptRef(task_id, 1)))
    master.cancel(task_id)
    master.report(WORKER, ended(AttemptRef(task_id, 1), 3))
    assert master.task(task_id).state is FAILED


def test_what_no_worker_could_start_costs_nothing_of_the_budget(master: OneThreadMaster) -> None:
    task_id = master.submit(replace(a_spec(), retry=Retry(1, backoff_s=0)))
    for token in range(1, 5):
        assert master.run_cycle().assigned == 1
        outcome = Outcome(OutcomeKind.LAUNCH_FAILED, 125, message="could not be started: no space on w1")
        master.report(WORKER, Report(AttemptRef(task_id, token), ReportKind.ENDED, outcome=outcome))
    task = master.task(task_id)
    assert (task.state, task.faults, task.failures) == (FAILED, 3, 0)


def test_a_lost_worker_costs_nothing_of_the_budget(master: OneThreadMaster) -> None:
    task_id = master.submit(replace(a_spec(), retry=TWICE))
    master.run_cycle()
    master.report(WORKER, started(AttemptRef(task_id, 1)), lost(AttemptRef(task_id, 1)))
    task = master.task(task_id)
    assert (task.state, task.crashes, task.failures) == (PENDING, 1, 0)


def test_an_element_that_is_tried_again_has_not_failed(master: OneThreadMaster) -> None:
    array_id = master.submit_array(
        replace(a_spec(), retry=Retry(1, backoff_s=0)), Array(Indices.parse("0-1"), 1, max_fails=0)
    )
    element = array_id + 1
    master.run_cycle()
    master.report(WORKER, ended(AttemptRef(element, 1), 3))
    array = master.task(array_id).array
    assert array is not None
    assert dict(array.counts) == {PENDING: 2}
    master.run_cycle()
    master.report(WORKER, ended(AttemptRef(element, 2), 3))
    assert master.task(element).state is FAILED
    array = master.task(array_id).array
    assert array is not None
    assert array.closed is TaskState.CANCELLED  # more than none failed: the rest is not run


def test_a_run_limit_that_is_over_is_a_failure_like_others_if_that_is_wanted(master: OneThreadMaster) -> None:
    spec = replace(a_spec(), limits=Limits(run_s=5), retry=Retry(1, on_timeout=True, backoff_s=0))
    task_id = master.submit(spec)
    for token, state in ((1, PENDING), (2, TaskState.TIMED_OUT)):
        master.run_cycle()
        outcome = Outcome(OutcomeKind.TIMED_OUT, 143, 15, "ran longer than its limit of 5s")
        master.report(WORKER, Report(AttemptRef(task_id, token), ReportKind.ENDED, outcome=outcome))
        assert master.task(task_id).state is state
