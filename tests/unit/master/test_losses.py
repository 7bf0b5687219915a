"""This module checks what becomes of tasks whose worker is lost: leases, policies, ageing, crashes, fences."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ganger_core.domain.clock import ManualClock
from ganger_core.domain.errors import AlreadyExists, Conflict, NotFound
from ganger_core.domain.states import AttemptState, TaskState
from ganger_core.domain.task import (
    AttemptRef,
    Limits,
    OnWorkerLost,
    OutcomeKind,
    Report,
    ReportKind,
    StartOrder,
    TaskSpec,
)
from ganger_master.changes import Fence, Request
from ganger_master.cleanup import LEASE_MARGIN_S
from ganger_master.fencing import fencing, find_worker
from ganger_master.losing import MOST_CRASHES
from ganger_master.state import AGES_AFTER_S
from testkit.builders import a_spec, a_worker, lost, started
from testkit.one_thread import LEASE_S, OneThreadMaster

WORKER = a_worker("w1", cpus=8)
REQUEST = Request("ann", "f1", "fence w1")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def master(tmp_path: Path, clock: ManualClock) -> OneThreadMaster:
    return OneThreadMaster(tmp_path, clock)


def when_lost(policy: OnWorkerLost, lost_after_s: float | None = None) -> TaskSpec:
    return replace(a_spec(), on_worker_lost=policy, limits=Limits(lost_after_s=lost_after_s))


def running(master: OneThreadMaster, *specs: TaskSpec) -> list[AttemptRef]:
    master.register(WORKER)
    master.submit(*specs)
    master.run_cycle()
    refs = master.deliver(WORKER)
    master.report(WORKER, *map(started, refs))
    return refs


def sweep_after(master: OneThreadMaster, seconds: float) -> None:
    master.clock.advance(seconds)
    master.cleanup.run_once(master.clock.now())
    master.commit()


def fence(master: OneThreadMaster, request: Request = REQUEST) -> object:
    applied = master.engine.apply_with(
        lambda _: fencing(master.registry, WORKER, request), master.clock.now()
    )
    master.commit()
    answer = applied.answers[-1]
    if isinstance(answer, Exception):
        raise answer
    return answer


def test_each_policy_does_what_it_says_once_the_lease_is_over(master: OneThreadMaster) -> None:
    running(master, *(when_lost(policy) for policy in OnWorkerLost))
    by_policy = {task.spec.on_worker_lost: task.id for task in master.state.tasks.values()}
    leases = {policy: master.state.attempts[task_id].lease_s for policy, task_id in by_policy.items()}
    assert leases == {
        OnWorkerLost.BY_AGE: LEASE_S,
        OnWorkerLost.REQUEUE: LEASE_S,
        OnWorkerLost.FAIL: LEASE_S,
        OnWorkerLost.WAIT: 0.0,
    }
    sweep_after(master, LEASE_S + LEASE_MARGIN_S)
    assert {task.state for task in master.state.tasks.values()} == {TaskState.RUNNING}
    sweep_after(master, 1)
    assert {policy: master.task(task_id).state for policy, task_id in by_policy.items()} == {
        OnWorkerLost.BY_AGE: TaskState.PENDING,
        OnWorkerLost.REQUEUE: TaskState.PENDING,
        OnWorkerLost.FAIL: TaskState.FAILED,
        OnWorkerLost.WAIT: TaskState.RUNNING,
    }
    failed = master.task(by_policy[OnWorkerLost.FAIL])
    assert failed.outcome is not None
    assert failed.outcome.kind is OutcomeKind.LOST
    assert "was to fail when its worker is lost" in failed.reason
    assert "silent beyond the lease" in failed.reason
    assert len(master.queue) == 2


def test_a_lease_of_its_own_counts_instead_of_the_clusters(master: OneThreadMaster) -> None:
    running(master, when_lost(OnWorkerLost.REQUEUE, 20.0), when_lost(OnWorkerLost.REQUEUE, 1000.0))
    orders = master.engine.desired(WORKER.id)[1]
    assert [order.lease_s for order in orders if isinstance(order, StartOrder)] == [20.0, 1000.0]
    sweep_after(master, 20 + LEASE_MARGIN_S + 1)
    assert [master.task(n).state for n in (1, 2)] == [TaskState.PENDING, TaskState.RUNNING]
    sweep_after(master, LEASE_S + LEASE_MARGIN_S)
    assert master.task(2).state is TaskState.RUNNING


def test_after_a_restart_leases_begin_anew_each_with_its_own_length(
    tmp_path: Path, clock: ManualClock
) -> None:
    master = OneThreadMaster(tmp_path, clock)
    running(master, when_lost(OnWorkerLost.REQUEUE, 20.0), when_lost(OnWorkerLost.WAIT), a_spec())
    clock.advance(30)
    master.kill()
    again = OneThreadMaster(tmp_path, clock)
    sweep_after(again, 20 + LEASE_MARGIN_S)
    assert again.task(1).state is TaskState.RUNNING
    sweep_after(again, 1)
    assert again.task(1).state is TaskState.PENDING
    sweep_after(again, LEASE_S + LEASE_MARGIN_S)
    assert [again.task(n).state for n in (2, 3)] == [TaskState.RUNNING, TaskState.PENDING]
    again.kill()


def test_a_confirmed_stop_requeues_at_once_and_a_task_that_is_to_fail_fails(master: OneThreadMaster) -> None:
    refs = running(master, *(when_lost(policy) for policy in OnWorkerLost))
    master.report(WORKER, *(lost(ref, "its keeper died") for ref in refs))
    states = {task.spec.on_worker_lost: task.state for task in master.state.tasks.values()}
    assert states.pop(OnWorkerLost.FAIL) is TaskState.FAILED
    assert set(states.values()) == {TaskState.PENDING}


def test_a_task_that_has_run_for_an_hour_loses_its_lease_on_disk_before_its_worker_is_told(
    tmp_path: Path, clock: ManualClock
) -> None:
    master = OneThreadMaster(tmp_path, clock)
    (ref, *_) = running(master, a_spec(), when_lost(OnWorkerLost.REQUEUE))
    master.orders.clear()
    for passed_s in (AGES_AFTER_S - 1, 1):
        clock.advance(passed_s)
        master.register(WORKER)
        held = [ref for ref, _ in master.registry.held(WORKER.id)]
        master.registry.heartbeat(WORKER.id, master.registry.views(0)[0].usage, held, clock.now().steady_s)
        master.cleanup.run_once(clock.now())
        if passed_s > 1:
            assert master.state.attempts[1].lease_s == LEASE_S
    assert master.orders == []  # not before it is on disk
    master.commit()
    assert master.orders == [(WORKER.id, StartOrder(ref, a_spec(), 0.0, AttemptState.RUNNING))]
    assert master.state.attempts[2].lease_s == LEASE_S
    sweep_after(master, 10 * LEASE_S)
    assert [master.task(n).state for n in (1, 2)] == [TaskState.RUNNING, TaskState.PENDING]
    master.kill()
    again = OneThreadMaster(tmp_path, clock)
    sweep_after(again, 10 * LEASE_S)
    assert again.task(1).state is TaskState.RUNNING
    assert again.engine.waits_for(1) == "w1"
    again.kill()


def test_a_task_that_is_lost_three_times_while_it_ran_fails(master: OneThreadMaster) -> None:
    master.register(WORKER)
    master.submit(a_spec())
    for number in range(1, MOST_CRASHES + 1):
        assert master.task(1).state is TaskState.PENDING
        master.run_cycle()
        (ref,) = master.deliver(WORKER)
        assert ref.token == number
        master.report(WORKER, started(ref), lost(ref, "its keeper died"))
        assert master.task(1).crashes == number
    task = master.task(1)
    assert task.state is TaskState.FAILED
    assert task.outcome is not None
    assert task.outcome.kind is OutcomeKind.LOST
    assert "lost 3 times while it ran" in task.outcome.message


def test_what_never_started_or_was_stopped_in_order_is_no_crash(master: OneThreadMaster) -> None:
    master.register(WORKER)
    master.submit(a_spec())
    for number in range(1, 9):
        master.run_cycle()
        (ref,) = master.deliver(WORKER)
        if number % 2:
            master.report(WORKER, lost(ref))
        else:
            report = Report(ref, ReportKind.LOST, started_age_s=1.0, message="shut down", orderly=True)
            master.report(WORKER, started(ref), report)
        assert (master.task(1).state, master.task(1).crashes) == (TaskState.PENDING, 0)
    master.run_cycle()
    (ref,) = master.deliver(WORKER)
    master.report(WORKER, Report(ref, ReportKind.LOST, started_age_s=1.0))  # its start was never told
    assert master.task(1).crashes == 1


def test_a_fence_gives_up_what_the_lost_worker_had_and_only_then(master: OneThreadMaster) -> None:
    running(master, *(when_lost(policy) for policy in OnWorkerLost), a_spec())
    master.cancel(5)
    master.registry.heartbeat(WORKER.id, master.registry.views(0)[0].usage, [], master.clock.now().steady_s)
    with pytest.raises(Conflict, match="not lost: drain it or stop it"):
        fence(master)
    assert {task.state for task in master.state.tasks.values()} == {TaskState.RUNNING, TaskState.STOPPING}
    sweep_after(master, 31)
    assert fence(master) == 5
    states = {task.spec.on_worker_lost: task.state for task in master.state.tasks.values() if task.id < 5}
    assert states.pop(OnWorkerLost.FAIL) is TaskState.FAILED
    assert set(states.values()) == {TaskState.PENDING}
    assert master.task(5).state is TaskState.CANCELLED
    assert {task.crashes for task in master.state.tasks.values()} == {1}
    assert [event.seq for event in master.events] == list(range(1, len(master.events) + 1))
    assert master.registry.incarnation(WORKER.id) is None  # whatever it says now, it must register first
    assert master.registry.held(WORKER.id) == []
    assert master.engine.desired(WORKER.id)[1] == ()  # so its first sync ends what it still holds


def test_a_fence_is_answered_again_as_before_also_after_a_restart(tmp_path: Path, clock: ManualClock) -> None:
    master = OneThreadMaster(tmp_path, clock)
    running(master, when_lost(OnWorkerLost.WAIT))
    sweep_after(master, 31)
    assert fence(master) == 1
    master.kill()
    again = OneThreadMaster(tmp_path, clock)
    assert again.engine.stored_answer(REQUEST) == "1"
    assert again.apply(Fence(REQUEST, WORKER.id, "w1", (AttemptRef(1, 1),))) == 1
    assert again.task(1).state is TaskState.PENDING
    with pytest.raises(AlreadyExists):
        again.engine.stored_answer(replace(REQUEST, digest="of another"))
    again.kill()


def test_an_order_that_has_not_left_is_taken_back_by_a_fence_even_where_a_loss_would_fail(
    master: OneThreadMaster,
) -> None:
    master.register(WORKER)
    master.submit(when_lost(OnWorkerLost.FAIL))
    master.run_cycle()
    master.clock.advance(31)
    master.registry.sweep(master.clock.now().steady_s)
    assert fence(master) == 0
    assert master.state.attempts[1].state is AttemptState.REVOKED
    assert master.task(1).state is TaskState.PENDING


def test_a_worker_is_found_by_its_id_or_its_name(master: OneThreadMaster) -> None:
    first, second = a_worker("w1"), replace(a_worker("w1"), id="id-other")
    master.register(first, second, a_worker("w2"))
    views = master.registry.views(0)
    assert find_worker(views, "id-other") == second
    assert find_worker(views, "w2").id == "id-w2"
    with pytest.raises(NotFound):
        find_worker(views, "w3")
    with pytest.raises(Conflict, match="name one by its id"):
        find_worker(views, "w1")
    master.clock.advance(31)
    master.register(second)
    master.registry.sweep(master.clock.now().steady_s)
    assert find_worker(master.registry.views(0), "w1") == first


def test_a_drained_worker_gets_no_new_work_until_it_registers_or_says_otherwise(
    master: OneThreadMaster,
) -> None:
    master.register(WORKER)
    now_s = master.clock.now().steady_s
    usage = master.registry.views(now_s)[0].usage
    assert master.registry.heartbeat(WORKER.id, usage, [], now_s, draining=True) == ([], False)
    assert [view.state.value for view in master.registry.views(now_s)] == ["DRAINED"]
    master.submit(a_spec())
    assert master.run_cycle().assigned == 0
    assert master.registry.heartbeat(WORKER.id, usage, [], now_s) == (
        [],
        True,
    )  # the queue is to be looked at
    master.registry.heartbeat(WORKER.id, usage, [], now_s, draining=True)
    master.register(WORKER)
    assert master.run_cycle().assigned == 1


def rejected(ref: AttemptRef) -> Report:
    return Report(ref, ReportKind.REJECTED, message="disk full")


def test_a_worker_that_refuses_is_not_asked_again_at_once(master: OneThreadMaster) -> None:
    master.register(WORKER)
    master.submit(a_spec())
    master.run_cycle()
    for token in range(1, 4):
        (ref,) = master.deliver(WORKER)
        assert ref == AttemptRef(1, token)
        master.report(WORKER, rejected(ref))
        master.clock.advance(2 ** (token - 1) - 0.1)
        assert master.run_cycle().assigned == 0
        assert master.queue.reason(1) == (
            "worker w1 refused what it was given last and is asked again within a minute: disk full"
        )
        master.clock.advance(0.1)
        master.submit(a_spec(cpus=99))  # whatever wakes the scheduler
        assert master.run_cycle().assigned == 1


def test_another_worker_gets_what_one_refuses(master: OneThreadMaster) -> None:
    other = a_worker("w2", cpus=8)
    master.register(WORKER, other)
    master.submit(a_spec())
    master.run_cycle()
    (ref,) = master.deliver(WORKER)
    master.report(WORKER, rejected(ref))
    assert master.run_cycle().assigned == 1
    assert master.deliver(other) == [AttemptRef(1, 2)]
