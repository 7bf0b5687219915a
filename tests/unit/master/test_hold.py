"""This module checks what is held, or may not start before a moment, on a master in one thread."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ganger_core.domain.array import Array, Indices
from ganger_core.domain.clock import ManualClock
from ganger_core.domain.errors import Conflict
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import AttemptRef, Limits, Report, ReportKind
from ganger_core.domain.waits import NO_WAITS, Waits
from ganger_master.arrays import in_line
from ganger_master.changes import Assign, Request, Update
from ganger_master.reasons import why_aside
from testkit.builders import a_spec, a_worker, ended, lost, started
from testkit.one_thread import OneThreadMaster

WORKER = a_worker("w1", cpus=4)
PENDING, CANCELLED, EXPIRED = TaskState.PENDING, TaskState.CANCELLED, TaskState.EXPIRED


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def master(tmp_path: Path, clock: ManualClock) -> OneThreadMaster:
    master = OneThreadMaster(tmp_path, clock)
    master.register(WORKER)
    return master


def cycle(master: OneThreadMaster) -> list[int]:
    """One cycle; returns the tasks that their worker is to start."""
    master.run_cycle()
    return [ref.task_id for ref in master.deliver(WORKER)]


def hold(master: OneThreadMaster, task_id: int, held: bool = True) -> None:
    request = Request("bob", f"h{task_id}-{master.engine.position()}", "")
    master.apply(Update(request, task_id, held=held))


def an_array(text: str = "0-5", most: int = 0) -> Array:
    return Array(Indices.parse(text), most)


def test_a_held_task_waits_until_it_is_released_and_keeps_its_place(master: OneThreadMaster) -> None:
    first = master.submit(a_spec(cpus=4), a_spec(cpus=4))
    hold(master, first)
    assert master.task(first).waits == Waits("bob")
    assert (master.events[-1].state, master.events[-1].reason) == (PENDING, "held by bob")
    assert cycle(master) == [first + 1]
    hold(master, first, False)
    third = master.submit(a_spec(cpus=4))
    master.report(WORKER, ended(AttemptRef(first + 1, 1)))
    assert cycle(master) == [first, third]
    assert [master.state.attempts[each].behind for each in (first, third)] == [False, True]
    assert master.task(first).waits == NO_WAITS


def test_a_task_may_be_submitted_held_and_a_restarted_master_knows(
    master: OneThreadMaster, tmp_path: Path, clock: ManualClock
) -> None:
    task_id = master.submit(replace(a_spec(), hold=True))
    array_id = master.submit_array(replace(a_spec(), hold=True), an_array())
    hold(master, array_id + 3, False)  # of an element alone
    hold(master, array_id + 4)
    master.kill()
    again = OneThreadMaster(tmp_path, clock)
    again.register(WORKER)
    assert cycle(again) == []
    assert (again.task(task_id).waits.held_by, len(again.queue)) == ("ann", 7)
    hold(again, task_id, False)
    hold(again, array_id, False)
    assert cycle(again) == [task_id, array_id + 1, array_id + 2, array_id + 3]


def test_a_task_does_not_start_before_its_moment(master: OneThreadMaster, clock: ManualClock) -> None:
    at_ms = clock.now().wall_ms + 5_000
    task_id = master.submit(replace(a_spec(), not_before_ms=at_ms))
    array_id = master.submit_array(replace(a_spec(), not_before_ms=at_ms), an_array("0-1"))
    assert cycle(master) == []
    clock.advance(4.999)
    assert cycle(master) == []
    clock.advance(0.001)
    assert cycle(master) == [task_id, array_id + 1, array_id + 2]


def test_an_array_that_is_held_begins_nothing_more(master: OneThreadMaster) -> None:
    array_id = master.submit_array(a_spec(), an_array("0-9", 2))
    assert cycle(master) == [array_id + 1, array_id + 2]
    hold(master, array_id)
    assert not master.engine.update_is_in_force(array_id)  # two are on their way
    master.report(WORKER, *(started(AttemptRef(array_id + n, 1)) for n in (1, 2)))
    assert master.engine.update_is_in_force(array_id)
    master.report(WORKER, ended(AttemptRef(array_id + 1, 1)), lost(AttemptRef(array_id + 2, 1)))
    assert cycle(master) == []  # also not again what was lost
    assert master.task(array_id).state is TaskState.RUNNING
    hold(master, array_id, False)
    assert cycle(master)[:2] == [array_id + 2, array_id + 3]  # the others are behind these


def test_what_is_behind_is_asked_back_when_its_array_is_held(
    master: OneThreadMaster, clock: ManualClock
) -> None:
    array_id = master.submit_array(a_spec(), an_array("0-99", 1))
    for number in range(1, 5):
        cycle(master)
        for ref in [AttemptRef(array_id + number, 1)]:
            clock.advance(0.02)
            master.report(WORKER, started(ref), ended(ref))
    cycle(master)
    (running,) = [ref for lane in master.state.lanes.of_array(array_id).values() for ref in lane.full]
    master.report(WORKER, started(running))
    cycle(master)
    behind = master.state.lanes.behind()
    assert behind
    hold(master, array_id)
    assert not master.engine.update_is_in_force(array_id)
    master.report(WORKER, *(Report(ref, ReportKind.REVOKED) for ref in behind))
    assert master.engine.update_is_in_force(array_id)
    assert cycle(master) == []


def test_one_that_was_held_since_it_was_planned_is_not_assigned(
    master: OneThreadMaster, clock: ManualClock
) -> None:
    task_id = master.submit(a_spec())
    hold(master, task_id)
    assert in_line(master.state, task_id, clock.now()) is None  # admission asks
    assert master.apply(Assign(task_id, WORKER.id, "w1", "planner")) is None
    assert master.task(task_id).state is PENDING


def test_what_is_held_can_be_cancelled_and_expires(master: OneThreadMaster, clock: ManualClock) -> None:
    first = master.submit(
        replace(a_spec(), hold=True), replace(a_spec(), hold=True, limits=Limits(queue_s=5))
    )
    master.cancel(first)
    clock.advance(6)
    master.cleanup.run_once(clock.now())
    assert [master.task(first + n).state for n in (0, 1)] == [CANCELLED, EXPIRED]
    assert len(master.queue) == 0


def test_only_what_waits_can_be_held(master: OneThreadMaster) -> None:
    task_id = master.submit(a_spec())
    cycle(master)
    with pytest.raises(Conflict, match=f"task {task_id} is SCHEDULED: only what waits can be held"):
        hold(master, task_id)
    master.report(WORKER, ended(AttemptRef(task_id, 1)))
    with pytest.raises(Conflict, match="is over"):
        hold(master, task_id, False)


def test_an_array_that_is_over_leaves_nothing_in_the_queue(master: OneThreadMaster) -> None:
    array_id = master.submit_array(replace(a_spec(), hold=True), an_array("0-2", 1))
    master.cancel(array_id)
    assert (master.queue._rooms, array_id in master.queue._aside) == ({}, False)


@pytest.mark.parametrize(
    ("own", "arrays", "words"),
    [
        (NO_WAITS, NO_WAITS, ""),
        (Waits("ann"), NO_WAITS, "held by ann: `ganger release` lets it go on"),
        (NO_WAITS, Waits("bob", 1), "held by bob: `ganger release` lets it go on"),
        (Waits(until_ms=1_001), Waits(until_ms=999), "not before 1970-01-01 00:00:01 UTC"),
    ],
)
def test_the_reason_is_what_it_waits_for(own: Waits, arrays: Waits, words: str) -> None:
    assert why_aside(own, arrays) == words
