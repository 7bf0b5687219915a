"""This module checks what happens where one wish meets another: a cancel, a drain or an update amid tries."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ganger_core.domain.array import Array, Indices
from ganger_core.domain.clock import ManualClock
from ganger_core.domain.dependency import Dependency, DependencyKind, OnDependencyFailure
from ganger_core.domain.retry import Retry
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import AttemptRef, Limits, Report, ReportKind
from ganger_master.changes import Evict, Request, SettleLog, Update
from ganger_master.retrying import backoff_s
from testkit.builders import a_spec, a_worker, ended, started
from testkit.one_thread import OneThreadMaster

WORKER = a_worker("w1", cpus=1)
PENDING, STOPPING, FAILED = TaskState.PENDING, TaskState.STOPPING, TaskState.FAILED
SKIPPED = TaskState.SKIPPED
AGAIN = replace(a_spec(), retry=Retry(limit=2, backoff_s=0))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def master(tmp_path: Path, clock: ManualClock) -> OneThreadMaster:
    master = OneThreadMaster(tmp_path, clock)
    master.register(WORKER)
    return master


def update(master: OneThreadMaster, task_id: int, **asked: int) -> None:
    master.apply(Update(Request("bob", f"u{master.engine.position()}", ""), task_id, **asked))  # type: ignore[arg-type]


def run_next(master: OneThreadMaster, task_id: int, token: int = 1) -> AttemptRef:
    """The task begins."""
    assert master.run_cycle().assigned == 1
    assert master.deliver(WORKER)[0] == AttemptRef(task_id, token)
    master.report(WORKER, started(AttemptRef(task_id, token)))
    return AttemptRef(task_id, token)


@pytest.mark.parametrize("is_array", [False, True])
def test_what_is_cancelled_while_the_log_of_a_failed_try_is_on_its_way_is_not_tried_again(
    master: OneThreadMaster, tmp_path: Path, clock: ManualClock, is_array: bool
) -> None:
    named = master.submit_array(AGAIN, Array(Indices.parse("0"))) if is_array else master.submit(AGAIN)
    ref = run_next(master, named + is_array)
    master.report(WORKER, ended(ref, 3), log_complete=False)
    assert master.cancel(named) == STOPPING
    master.kill()
    again = OneThreadMaster(tmp_path, clock)
    assert (again.task(ref.task_id).state, again.task(named).state) == (STOPPING, STOPPING)
    again.apply(SettleLog(ref, incomplete=False))
    assert (again.task(ref.task_id).state, again.task(named).state) == (FAILED, FAILED)


@pytest.mark.parametrize("log_complete", [False, True])
def test_a_drained_try_that_failed_by_itself_is_followed_by_the_next(
    master: OneThreadMaster, log_complete: bool
) -> None:
    task_id = master.submit(AGAIN)
    ref = run_next(master, task_id)
    master.apply(Evict(ref, "w1 is being drained"))
    master.report(WORKER, ended(ref, 3), log_complete=log_complete)
    master.apply(SettleLog(ref, incomplete=False))
    assert (master.task(task_id).state, master.task(task_id).failures) == (PENDING, 1)
    run_next(master, task_id, 2)


def test_a_pause_goes_on_whatever_is_changed_meanwhile_and_is_not_made_twice(
    master: OneThreadMaster, clock: ManualClock
) -> None:
    task_id = master.submit(replace(a_spec(), retry=Retry(1, backoff_s=60.0)))
    master.report(WORKER, ended(run_next(master, task_id), 3))
    wait_s = backoff_s(master.task(task_id), 1)
    clock.advance(wait_s - 1)
    update(master, task_id, priority=60)
    update(master, task_id, held=True)
    assert master.run_cycle().assigned == 0
    update(master, task_id, held=False)
    clock.advance(0.9)
    assert master.run_cycle().assigned == 0
    other = master.submit(a_spec(priority=90))
    clock.advance(0.2)
    run_next(master, other)
    master.report(WORKER, ended(AttemptRef(other, 1)))
    update(master, task_id, priority=70)  # it is in line
    run_next(master, task_id, 2)


def test_a_queue_limit_counts_until_the_first_start_also_where_a_later_try_did_not_start(
    master: OneThreadMaster, clock: ManualClock
) -> None:
    task_id = master.submit(replace(AGAIN, limits=Limits(queue_s=60)))
    master.report(WORKER, ended(run_next(master, task_id), 3))
    assert master.run_cycle().assigned == 1
    assert master.deliver(WORKER) == [AttemptRef(task_id, 2)]
    clock.advance(61)
    master.report(WORKER, Report(AttemptRef(task_id, 2), ReportKind.REJECTED, message="full"))
    master.run_cycle()
    assert master.task(task_id).state is PENDING


def test_an_array_that_failed_for_another_has_not_begun_whoever_asks_and_when(
    master: OneThreadMaster,
) -> None:
    fails, start = OnDependencyFailure.FAIL, DependencyKind.START
    first = master.submit(a_spec())
    spec = replace(a_spec(), after=(Dependency(first, DependencyKind.FAIL),), on_dependency_failure=fails)
    array_id = master.submit_array(spec, Array(Indices.parse("0-2")))
    update(master, array_id + 1, priority=60)  # it has a record
    early = master.submit(replace(a_spec(), after=(Dependency(array_id, start),)))
    master.report(WORKER, ended(run_next(master, first)))
    assert [master.task(each).state for each in (array_id, array_id + 1, early)] == [FAILED, FAILED, SKIPPED]
    late = master.submit(replace(a_spec(), after=(Dependency(array_id, start),)))
    assert master.task(late).state is SKIPPED


def test_an_array_of_which_one_failed_by_itself_and_another_for_others_has_begun(
    master: OneThreadMaster,
) -> None:
    array, fails = Array(Indices.parse("0-1")), OnDependencyFailure.FAIL
    first = master.submit_array(a_spec(priority=60), array)
    spec = replace(a_spec(), after=(Dependency(first, DependencyKind.EACH),), on_dependency_failure=fails)
    second = master.submit_array(spec, array)
    master.report(WORKER, ended(run_next(master, first + 1), 4))
    master.report(WORKER, ended(run_next(master, first + 2)))
    master.report(WORKER, ended(run_next(master, second + 2), 3))
    over = master.task(second)
    assert over.outcome is not None
    assert (over.state, over.outcome.exit_code) == (FAILED, 3)
    late = master.submit(replace(a_spec(), after=(Dependency(second, DependencyKind.START),)))
    run_next(master, late)
