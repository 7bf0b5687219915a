"""This module drives the path of a task in one thread on a manual clock, with a kill in the middle."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganger_core.domain.clock import ManualClock
from ganger_core.domain.errors import StaleAttempt
from ganger_core.domain.states import AttemptState, TaskState
from ganger_core.domain.task import AttemptRef, OutcomeKind
from ganger_master.cleanup import LEASE_MARGIN_S, LOG_PATIENCE_S
from testkit.builders import a_spec, a_worker, ended, lost, started
from testkit.one_thread import LEASE_S, OneThreadMaster


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def master(tmp_path: Path, clock: ManualClock) -> OneThreadMaster:
    return OneThreadMaster(tmp_path, clock)


def test_submit_plan_start_report_kill_recover(tmp_path: Path, clock: ManualClock) -> None:
    master = OneThreadMaster(tmp_path, clock)
    worker = a_worker(cpus=2)
    master.register(worker)
    first = master.submit(a_spec(), a_spec(), a_spec())
    assert first == 1

    assert master.run_cycle().assigned == 2
    assert master.deliver(worker) == [AttemptRef(1, 1), AttemptRef(2, 1)]
    master.report(worker, started(AttemptRef(1, 1)), started(AttemptRef(2, 1)))
    clock.advance(3)
    master.report(worker, ended(AttemptRef(1, 1), stdout=b"hi\n"))
    assert master.task(1).state is TaskState.SUCCEEDED
    assert master.run_cycle().assigned == 1  # the third takes the first one's place

    before = dict(master.state.tasks)
    seqs = [event.seq for event in master.events]
    master.kill()

    again = OneThreadMaster(tmp_path, clock)
    assert again.state.tasks == {2: before[2], 3: before[3]}
    assert again.state.next_task_id == 4
    assert again.registry.fleet(clock.now().steady_s)[0].worker_ids == ()  # lost until it registers again
    again.register(worker)
    again.report(worker, started(AttemptRef(3, 1)), ended(AttemptRef(2, 1), 7), ended(AttemptRef(3, 1)))
    assert again.task(2).state is TaskState.FAILED
    assert again.task(2).outcome is not None
    assert again.task(2).outcome.exit_code == 7
    assert again.task(3).state is TaskState.SUCCEEDED
    assert again.submit(a_spec()) == 4  # ids are never given twice
    seqs += [event.seq for event in again.events]
    assert seqs == list(range(1, len(seqs) + 1))
    free = again.registry.views(clock.now().steady_s)[0].free
    assert free == worker.capacity


def test_what_was_not_committed_never_happened(tmp_path: Path, clock: ManualClock) -> None:
    master = OneThreadMaster(tmp_path, clock)
    master.submit(a_spec(name="stays"))
    from ganger_master.changes import Request, Submit

    master.engine.apply([Submit(Request("ann", "late", ""), (a_spec(name="goes"),))], clock.now())
    assert [event.task_id for event in master.events] == [1]  # nothing of task 2 has left
    master.kill()
    again = OneThreadMaster(tmp_path, clock)
    assert set(again.state.tasks) == {1}


def test_a_repeated_request_gets_the_first_answer_also_after_a_kill(
    tmp_path: Path, clock: ManualClock
) -> None:
    master = OneThreadMaster(tmp_path, clock)
    assert master.submit(a_spec(), a_spec(), request_id="r1") == 1
    assert master.submit(a_spec(), a_spec(), request_id="r1") == 1
    master.kill()
    again = OneThreadMaster(tmp_path, clock)
    assert again.submit(a_spec(), a_spec(), request_id="r1") == 1
    assert len(again.state.tasks) == 2


def test_cancel_of_a_waiting_a_running_and_an_ended_task(master: OneThreadMaster) -> None:
    worker = a_worker(cpus=1)
    master.register(worker)
    master.submit(a_spec(), a_spec())
    master.run_cycle()
    (running,) = master.deliver(worker)
    master.report(worker, started(running))
    assert master.cancel(2, "not needed") == "CANCELLED"
    assert master.task(2).reason == "cancelled by ann: not needed"
    assert master.cancel(1) == "STOPPING"
    assert len(master.queue) == 0
    master.report(worker, ended(running))  # it had ended by itself before the stop came
    assert master.task(1).state is TaskState.SUCCEEDED
    assert master.cancel(1) == "SUCCEEDED"


def test_a_lost_attempt_waits_again_in_its_old_place_and_its_late_report_is_refused(
    master: OneThreadMaster,
) -> None:
    worker = a_worker(cpus=1)
    master.register(worker)
    master.submit(a_spec(), a_spec())
    master.run_cycle()
    master.deliver(worker)
    master.report(worker, started(AttemptRef(1, 1)), lost(AttemptRef(1, 1), "worker shut down"))
    assert master.task(1).state is TaskState.PENDING
    assert "worker shut down" in master.task(1).reason
    master.run_cycle()
    assert master.deliver(worker) == [AttemptRef(1, 2)]  # before task 2, with a higher token
    with pytest.raises(StaleAttempt):
        master.report(worker, ended(AttemptRef(1, 1)))
    assert master.task(1).state is TaskState.SCHEDULED


def test_an_untold_assignment_expires_and_a_told_one_only_with_its_lease(
    master: OneThreadMaster, clock: ManualClock
) -> None:
    worker = a_worker(cpus=2)
    master.register(worker)
    master.submit(a_spec())
    master.run_cycle()
    clock.advance(31)
    master.cleanup.run_once(clock.now())  # nobody took the order: withdrawn; the worker is lost by now
    assert master.task(1).state is TaskState.PENDING
    assert master.state.attempts[1].state is AttemptState.REVOKED

    master.register(worker)
    master.run_cycle()
    assert master.deliver(worker) == [AttemptRef(1, 2)]
    clock.advance(LEASE_S)
    master.cleanup.run_once(clock.now())
    assert master.task(1).state is TaskState.SCHEDULED  # told: the lease and its margin must pass
    clock.advance(LEASE_MARGIN_S + 1)
    master.cleanup.run_once(clock.now())
    assert master.task(1).state is TaskState.PENDING
    assert master.state.attempts[1].state is AttemptState.LOST


def test_a_task_is_final_only_when_its_log_is_whole_or_given_up(
    master: OneThreadMaster, clock: ManualClock
) -> None:
    worker = a_worker(cpus=1)
    master.register(worker)
    master.submit(a_spec(), a_spec())
    master.run_cycle()
    (ref,) = master.deliver(worker)
    master.report(worker, started(ref), ended(ref), log_complete=False)
    assert master.task(1).state is TaskState.RUNNING
    assert master.run_cycle().assigned == 1  # its capacity is free from the report on
    master.cleanup.run_once(clock.now())
    clock.advance(LOG_PATIENCE_S)
    master.cleanup.run_once(clock.now())
    assert master.task(1).state is TaskState.SUCCEEDED
    assert master.task(1).outcome is not None
    assert master.task(1).outcome.log_incomplete


def test_refused_and_revoked_attempts_wait_again(master: OneThreadMaster) -> None:
    from ganger_core.domain.task import Report, ReportKind

    worker = a_worker(cpus=1)
    master.register(worker)
    master.submit(a_spec())
    for token, kind in ((1, ReportKind.REJECTED), (2, ReportKind.REVOKED)):
        master.run_cycle()
        master.deliver(worker)
        master.report(worker, Report(AttemptRef(1, token), kind, message="no room"))
        assert master.task(1).state is TaskState.PENDING
        assert "no room" in master.task(1).reason
        master.clock.advance(1)  # one that refuses gets a rest


def test_a_cancelled_task_whose_worker_is_gone_ends_cancelled(master: OneThreadMaster) -> None:
    worker = a_worker(cpus=1)
    master.register(worker)
    master.submit(a_spec())
    master.run_cycle()
    (ref,) = master.deliver(worker)
    master.report(worker, started(ref))
    master.cancel(1)
    master.report(worker, lost(ref))
    assert master.task(1).state is TaskState.CANCELLED
    assert master.task(1).outcome is not None
    assert master.task(1).outcome.kind is OutcomeKind.CANCELLED
