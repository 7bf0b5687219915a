"""This module checks queue limits, run limits and how a task is told to stop, on a master in one thread."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ganger_core.domain.clock import ManualClock
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import (
    AttemptRef,
    Limits,
    OnWorkerLost,
    Outcome,
    OutcomeKind,
    Report,
    ReportKind,
    StopOrder,
    TaskSpec,
)
from ganger_master.lateness import OUTDATED_KEPT
from ganger_master.queue import LONG_AGO, TaskQueue
from ganger_master.store.rows import spec_from_json, spec_to_json
from testkit.builders import a_spec, a_worker, lost, started
from testkit.one_thread import OneThreadMaster

WORKER = a_worker("w1", cpus=1)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def master(tmp_path: Path, clock: ManualClock) -> OneThreadMaster:
    return OneThreadMaster(tmp_path, clock)


def limited(**limits: float) -> TaskSpec:
    return replace(a_spec(), limits=Limits(**limits))


def sweep_after(master: OneThreadMaster, seconds: float) -> None:
    master.clock.advance(seconds)
    master.cleanup.run_once(master.clock.now())
    master.commit()


def running(master: OneThreadMaster, spec: TaskSpec) -> AttemptRef:
    master.register(WORKER)
    master.submit(spec)
    master.run_cycle()
    (ref,) = master.deliver(WORKER)
    master.report(WORKER, started(ref))
    return ref


def ended_as(ref: AttemptRef, kind: OutcomeKind, message: str) -> Report:
    return Report(ref, ReportKind.ENDED, started_age_s=1.0, outcome=Outcome(kind, 143, 15, message))


def test_a_task_that_waits_beyond_its_limit_expires(master: OneThreadMaster) -> None:
    master.submit(limited(queue_s=90.0), limited(queue_s=200.0), a_spec())
    sweep_after(master, 89)
    assert master.task(1).state is TaskState.PENDING
    sweep_after(master, 1)
    task = master.task(1)
    assert (task.state, task.reason) == (TaskState.EXPIRED, "waited longer than its limit of 90s")
    assert task.outcome == Outcome(OutcomeKind.EXPIRED, message=task.reason)
    assert [master.task(n).state for n in (2, 3)] == [TaskState.PENDING] * 2
    assert len(master.queue) == 2
    assert master.events[-1].state is TaskState.EXPIRED


def test_a_queue_limit_that_was_over_while_the_master_was_down_counts_at_its_start(
    tmp_path: Path, clock: ManualClock
) -> None:
    master = OneThreadMaster(tmp_path, clock)
    master.submit(limited(queue_s=90.0))
    master.kill()
    clock.advance(91)
    again = OneThreadMaster(tmp_path, clock)
    assert again.task(1).state is TaskState.EXPIRED
    assert len(again.queue) == 0
    again.commit()
    again.kill()


def test_a_task_that_was_given_back_unstarted_expires_and_one_that_ran_does_not(
    master: OneThreadMaster,
) -> None:
    ref = running(master, limited(queue_s=90.0))
    sweep_after(master, 10)
    master.report(WORKER, lost(ref))
    master.submit(limited(queue_s=60.0))
    master.run_cycle()
    (again,) = master.deliver(WORKER)
    sweep_after(master, 100)
    master.report(WORKER, started(again), lost(again))
    assert again.task_id == 1
    sweep_after(master, 0)
    assert [master.task(n).state for n in (1, 2)] == [TaskState.PENDING, TaskState.EXPIRED]

    master.submit(limited(queue_s=60.0))
    master.cancel(1)
    master.register(WORKER)
    master.run_cycle()
    (ref,) = master.deliver(WORKER)
    assert ref.task_id == 3
    sweep_after(master, 100)
    assert master.task(3).state is TaskState.SCHEDULED  # it does not wait
    master.report(WORKER, Report(ref, ReportKind.REJECTED, message="worker w1 is draining"))
    sweep_after(master, 0)
    assert master.task(3).state is TaskState.EXPIRED


def test_only_tasks_with_a_limit_are_looked_at_and_outdated_entries_go() -> None:
    from ganger_core.domain.task import Task

    def waiting(task_id: int, spec: TaskSpec) -> Task:
        return Task(task_id, "ann", spec, TaskState.PENDING, submitted_ms=1000)

    queue = TaskQueue()
    queue.push((waiting(n, a_spec()) for n in range(1, 5_000)), LONG_AGO)
    assert queue._late._heap == []
    far, near = limited(queue_s=1e6), limited(queue_s=60.0)
    queue.push([waiting(9_000, near)], LONG_AGO)
    for _ in range(5 * OUTDATED_KEPT):  # scheduled and given back again and again
        queue.push([waiting(9_001, far)], LONG_AGO)
        queue.remove([9_001])
    assert len(queue._late._heap) <= OUTDATED_KEPT + 3
    queue.push([waiting(9_001, far)], LONG_AGO)
    assert queue.take_late(60_999) == []
    assert queue.take_late(61_000) == [9_000]
    assert queue.take_late(61_000) == []
    queue.remove([9_000])
    queue.push([waiting(9_000, near)], LONG_AGO)
    assert queue.take_late(61_000) == [9_000]  # it waits again
    assert queue.take_late(2 * 10**9) == [9_001]


@pytest.mark.parametrize(
    ("spec", "kind", "state"),
    [
        (limited(run_s=90.0), OutcomeKind.TIMED_OUT, TaskState.TIMED_OUT),
        (a_spec(), OutcomeKind.TIMED_OUT, TaskState.FAILED),  # nobody set a limit
        (limited(run_s=90.0), OutcomeKind.UNKILLABLE, TaskState.FAILED),
        (a_spec(), OutcomeKind.CANCELLED, TaskState.FAILED),  # nobody asked for it
    ],
)
@pytest.mark.parametrize("is_stopping", [False, True])
def test_how_a_stopped_attempt_ends_its_task(
    master: OneThreadMaster, spec: TaskSpec, kind: OutcomeKind, state: TaskState, is_stopping: bool
) -> None:
    ref = running(master, spec)
    if is_stopping:
        master.cancel(1)
    master.report(WORKER, ended_as(ref, kind, "why it ended"))
    task = master.task(1)
    if is_stopping and kind is OutcomeKind.CANCELLED:
        state = TaskState.CANCELLED
    assert task.state is state
    assert task.outcome is not None
    assert task.outcome.kind is kind
    assert (task.reason == "why it ended") is (state is not TaskState.CANCELLED)
    assert master.registry.held(WORKER.id) == []
    assert len(master.queue) == 0  # never run again by itself


def told_to_stop(master: OneThreadMaster) -> list[tuple[float, int]]:
    found = [order for _, order in master.orders if isinstance(order, StopOrder)]
    master.orders.clear()
    (repeated,) = (o for o in master.engine.desired(WORKER.id)[1] if isinstance(o, StopOrder))
    assert repeated.reason == "cancelled by ann: enough"
    if found:
        assert repeated == found[-1]
    return [(order.grace_s, order.signal) for order in found]


def test_a_stop_may_be_hurried_and_never_slowed(tmp_path: Path, clock: ManualClock) -> None:
    master = OneThreadMaster(tmp_path, clock)
    running(master, limited(grace_s=20.0))
    master.cancel(1, "enough", signal=2)
    assert told_to_stop(master) == [(20.0, 2)]
    for options in ({}, {"grace_s": 60.0}, {"signal": 2}, {"grace_s": 20.0, "signal": 2}):
        assert master.cancel(1, "again", **options) == "STOPPING"
        assert told_to_stop(master) == []
    master.cancel(1, signal=10)
    assert told_to_stop(master) == [(20.0, 10)]
    master.cancel(1, grace_s=5.0)
    assert told_to_stop(master) == [(5.0, 10)]
    master.cancel(1, grace_s=0.0)
    assert told_to_stop(master) == [(0.0, 10)]
    master.kill()
    again = OneThreadMaster(tmp_path, clock)
    (order,) = again.engine.desired(WORKER.id)[1]
    assert order == StopOrder(AttemptRef(1, 1), 0.0, "cancelled by ann: enough", 10)
    again.kill()


@pytest.mark.parametrize(
    ("spec", "options", "told"),
    [
        (a_spec(), {}, (30.0, 15)),  # the master's setting
        (limited(grace_s=3.0), {}, (3.0, 15)),
        (limited(grace_s=3.0), {"grace_s": 8.0, "signal": 12}, (8.0, 12)),
        (limited(grace_s=0.0), {}, (0.0, 15)),
    ],
)
def test_whose_grace_counts(
    master: OneThreadMaster, spec: TaskSpec, options: dict[str, float], told: tuple[float, int]
) -> None:
    running(master, spec)
    master.cancel(1, "enough", **options)  # type: ignore[arg-type]
    assert told_to_stop(master) == [told]


def test_a_spec_without_limits_is_written_as_it_always_was_and_an_old_one_is_read() -> None:
    old = '{"command":["true"],"env":[],"name":"","priority":50,"resources":[1000,0,1],"workdir":""}'  # as of 0.1
    assert spec_to_json(a_spec()) == old
    assert spec_from_json(old) == a_spec()
    full = replace(a_spec(), limits=Limits(1.5, 0.0, 0.0, None), on_worker_lost=OnWorkerLost.WAIT)
    assert spec_from_json(spec_to_json(full)) == full
