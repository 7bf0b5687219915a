"""This module checks changes of priority and limits, on a master in one thread."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ganger_core.domain.array import Array, Indices
from ganger_core.domain.clock import ManualClock
from ganger_core.domain.errors import Conflict
from ganger_core.domain.retry import Retry
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import AttemptRef, Limits, StartOrder, TaskSpec
from ganger_master.changes import Request, Update
from ganger_master.lateness import late_moments, why_late
from testkit.builders import a_spec, a_worker, ended, started
from testkit.one_thread import OneThreadMaster

WORKER = a_worker("w1", cpus=1)
PENDING, EXPIRED = TaskState.PENDING, TaskState.EXPIRED


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def master(tmp_path: Path, clock: ManualClock) -> OneThreadMaster:
    master = OneThreadMaster(tmp_path, clock)
    master.register(WORKER)
    return master


def update(master: OneThreadMaster, task_id: int, **asked: float) -> None:
    request = Request("bob", f"u{task_id}-{master.engine.position()}-{asked}", "")
    master.apply(Update(request, task_id, **asked))  # type: ignore[arg-type]


def limited(**limits: float) -> TaskSpec:
    return replace(a_spec(), limits=Limits(**limits))


def an_array() -> Array:
    return Array(Indices.parse("0-3"))


def started_next(master: OneThreadMaster) -> int:
    """The task that the worker's one CPU goes to."""
    master.run_cycle()
    (ref,) = master.deliver(WORKER)
    return ref.task_id


def test_a_new_priority_is_a_new_place_in_the_queue(master: OneThreadMaster) -> None:
    first = master.submit(a_spec(), a_spec(cpus=0.9), a_spec(cpus=0.8))
    update(master, first + 2, priority=80)
    assert started_next(master) == first + 2
    assert len(master.queue) == 2


def test_a_new_priority_of_an_array_counts_for_what_has_records_and_what_has_none(
    master: OneThreadMaster, tmp_path: Path, clock: ManualClock
) -> None:
    array_id = master.submit_array(a_spec(), an_array())
    other = master.submit(a_spec(cpus=0.9, priority=60))
    update(master, array_id + 2, queue_s=500.0)  # has a record now
    update(master, array_id, priority=70)
    assert master.task(array_id + 2).spec.priority == 70
    assert master.task(array_id + 4).spec.priority == 70
    assert len(master.queue) == 5
    master.kill()
    again = OneThreadMaster(tmp_path, clock)
    again.register(WORKER)
    assert [again.task(array_id + n).spec.priority for n in range(5)] == [70] * 5
    assert again.task(array_id + 2).spec.limits.queue_s == 500
    assert started_next(again) == array_id + 1
    update(again, array_id, priority=10)
    assert len(again.queue) == 4
    again.report(WORKER, ended(AttemptRef(array_id + 1, 1)))
    assert started_next(again) == other


def test_the_worker_of_what_runs_learns_of_its_new_run_limit(master: OneThreadMaster) -> None:
    task_id = master.submit(limited(run_s=60.0, warn_s=5.0, warn_signal=10))
    master.run_cycle()
    master.deliver(WORKER)
    master.report(WORKER, started(AttemptRef(task_id, 1)))
    update(master, task_id, run_s=120.0, priority=90)
    ((_, order),) = master.orders
    assert isinstance(order, StartOrder)
    assert (order.ref.token, order.spec.limits.run_s, order.spec.limits.warn_s) == (1, 120.0, 5.0)
    assert master.engine.desired(WORKER.id)[1] == (order,)  # so does a sync
    master.orders.clear()
    update(master, task_id, priority=10)
    assert master.orders == []
    update(master, task_id, run_s=0.0)
    assert master.task(task_id).spec.limits == Limits()


def test_what_is_over_cannot_be_changed(master: OneThreadMaster) -> None:
    task_id = master.submit(a_spec())
    master.cancel(task_id)
    with pytest.raises(Conflict, match="is over"):
        update(master, task_id, priority=1)


def test_a_queue_limit_that_is_raised_counts_and_a_lower_one_too(
    master: OneThreadMaster, clock: ManualClock
) -> None:
    first = master.submit(
        replace(limited(queue_s=10.0), hold=True), replace(limited(queue_s=99.0), hold=True)
    )
    update(master, first, queue_s=50.0)
    update(master, first + 1, queue_s=20.0)
    clock.advance(30)
    master.run_cycle()
    assert [master.task(first + n).state for n in (0, 1)] == [PENDING, EXPIRED]
    clock.advance(30)
    master.run_cycle()
    assert master.task(first).state is EXPIRED


def test_nothing_begins_that_could_not_be_over_by_its_deadline(
    master: OneThreadMaster, clock: ManualClock
) -> None:
    deadline_ms = clock.now().wall_ms + 100_000
    first = master.submit(
        replace(limited(run_s=60.0), deadline_ms=deadline_ms, hold=True),
        replace(a_spec(cpus=0.5), deadline_ms=deadline_ms, hold=True),
        replace(a_spec(cpus=0.4), deadline_ms=deadline_ms),
    )
    array_id = master.submit_array(replace(a_spec(), deadline_ms=deadline_ms, hold=True), an_array())
    clock.advance(40)
    master.register(WORKER)  # else it counts as lost by now
    assert started_next(master) == first + 2
    late = master.task(first)
    assert (late.state, late.reason) == (EXPIRED, "could not be over by its deadline any more")
    clock.advance(60)
    master.run_cycle()
    states = [master.task(task_id).state for task_id in (first + 1, first + 2, array_id)]
    assert states == [EXPIRED, TaskState.SCHEDULED, TaskState.FAILED]  # of an array as of a failure


def test_a_task_that_failed_is_not_tried_again_after_its_deadline(
    master: OneThreadMaster, clock: ManualClock
) -> None:
    spec = replace(a_spec(), deadline_ms=clock.now().wall_ms + 1_000, retry=Retry(3, backoff_s=0.0))
    task_id = master.submit(spec)
    assert started_next(master) == task_id
    clock.advance(2)
    master.report(WORKER, ended(AttemptRef(task_id, 1), 3))
    master.run_cycle()
    assert master.task(task_id).state is EXPIRED


@pytest.mark.parametrize(
    ("spec", "has_started", "now_ms", "why"),
    [
        (limited(queue_s=5.0), False, 5_999, ""),
        (limited(queue_s=5.0), False, 6_000, "waited longer than its limit of 5s"),
        (limited(queue_s=5.0), True, 6_000, ""),
        (replace(limited(run_s=3.0), deadline_ms=9_000), True, 5_999, ""),
        (
            replace(limited(run_s=3.0), deadline_ms=9_000),
            True,
            6_000,
            "could not be over by its deadline any more",
        ),
        (a_spec(), False, 10**15, ""),
    ],
)
def test_when_it_is_too_late(spec: TaskSpec, has_started: bool, now_ms: int, why: str) -> None:
    from ganger_core.domain.task import Task

    task = Task(1, "ann", spec, PENDING, submitted_ms=1_000)
    assert why_late(task, has_started, now_ms) == why
    assert all(moment in (6_000,) for moment in late_moments(task))
