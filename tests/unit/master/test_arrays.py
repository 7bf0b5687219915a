"""This module checks what becomes of arrays and their elements, on a master in one thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ganger_core.domain.array import Array, Indices, Items
from ganger_core.domain.clock import ManualClock
from ganger_core.domain.errors import Conflict
from ganger_core.domain.states import AttemptState, TaskState
from ganger_core.domain.task import (
    AttemptRef,
    Limits,
    OutcomeKind,
    Report,
    ReportKind,
    RevokeOrder,
    StartOrder,
    StopOrder,
)
from ganger_master.changes import Request, Update
from ganger_master.cycle import Cycle
from ganger_master.planning import Planning
from ganger_master.restored import RestoreHold
from testkit.builders import a_spec, a_worker, ended, started
from testkit.one_thread import FirstFitPlanner, OneThreadMaster

WORKER = a_worker("w1", cpus=4)
PENDING, SCHEDULED, RUNNING = TaskState.PENDING, TaskState.SCHEDULED, TaskState.RUNNING
SUCCEEDED, FAILED, CANCELLED = TaskState.SUCCEEDED, TaskState.FAILED, TaskState.CANCELLED


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def master(tmp_path: Path, clock: ManualClock) -> OneThreadMaster:
    return OneThreadMaster(tmp_path, clock)


def an_array(text: str = "0-9", most: int = 0, fails: int | None = None) -> Array:
    return Array(Indices.parse(text), most, fails)


def with_worker(master: OneThreadMaster) -> OneThreadMaster:
    master.register(WORKER)
    return master


def cycle(master: OneThreadMaster) -> list[AttemptRef]:
    """One cycle; returns the attempts that their worker is to start."""
    master.run_cycle()
    return master.deliver(WORKER)


def update(master: OneThreadMaster, array_id: int, most: int) -> None:
    master.apply(Update(Request("ann", f"u{array_id}-{most}", ""), array_id, most))


def counts(master: OneThreadMaster, array_id: int) -> dict[TaskState, int]:
    array = master.task(array_id).array
    assert array is not None
    return dict(array.counts)


def rows(master: OneThreadMaster) -> list[int]:
    found = master._db.execute("SELECT id FROM tasks WHERE array_id > 0 ORDER BY id")
    return [task_id for (task_id,) in found]


def start_all(master: OneThreadMaster, refs: Sequence[AttemptRef]) -> None:
    master.report(WORKER, *map(started, refs))


def end_all(master: OneThreadMaster, refs: Sequence[AttemptRef], code: int = 0) -> None:
    master.report(WORKER, *(ended(ref, code) for ref in refs))


def with_capacity(master: OneThreadMaster, array_id: int) -> list[AttemptRef]:
    return [ref for lane in master.state.lanes.of_array(array_id).values() for ref in lane.full]


def warmed(master: OneThreadMaster, clock: ManualClock, array_id: int) -> list[AttemptRef]:
    """Short elements have run, so that others go behind; returns those that run now."""
    cycle(master)
    for _ in range(3):
        clock.advance(0.02)
        refs = with_capacity(master, array_id)
        start_all(master, refs)
        end_all(master, refs)
        cycle(master)
    running = with_capacity(master, array_id)
    start_all(master, running)
    assert master.state.lanes.behind()
    return running


def test_an_array_of_any_length_is_one_row_until_its_elements_begin(master: OneThreadMaster) -> None:
    array_id = master.submit_array(a_spec(), an_array("0-999999"))
    assert rows(master) == []
    assert len(master.queue) == 1_000_000
    refs = cycle(with_worker(master))
    assert [ref.task_id for ref in refs] == rows(master) == [array_id + n for n in (1, 2, 3, 4)]
    assert counts(master, array_id) == {PENDING: 999_996, SCHEDULED: 4}
    assert master.submit(a_spec()) == array_id + 1_000_001


def test_an_element_knows_its_array_index_and_item(master: OneThreadMaster) -> None:
    items = Items.of(["one", "zwei\n", ""])
    array = replace(an_array("5,7-9:2"), items=items.digest)
    array_id = master.submit_array(replace(a_spec(), env=(("A", "1"),)), array, items)
    second = master.task(array_id + 2)
    assert (second.array_id, second.index, second.label, second.state) == (
        array_id,
        7,
        f"{array_id}.7",
        PENDING,
    )
    assert second.spec.env == (
        ("A", "1"),
        ("GANGER_ARRAY_ID", str(array_id)),
        ("GANGER_ARRAY_INDEX", "7"),
        ("GANGER_ARRAY_COUNT", "3"),
        ("GANGER_ARRAY_ITEM", "zwei\n"),
    )
    assert master.engine.see(array_id + 4) is None


def test_never_more_elements_have_capacity_than_the_limit(
    master: OneThreadMaster, clock: ManualClock
) -> None:
    array_id = master.submit_array(a_spec(), an_array(most=2))
    first = cycle(with_worker(master))
    assert [ref.task_id for ref in first] == [array_id + 1, array_id + 2]
    assert cycle(master) == []
    assert master.queue.reason(array_id + 5) == f"array {array_id} runs at most 2 at a time"
    start_all(master, first)
    clock.advance(5)
    end_all(master, first[:1])
    assert [ref.task_id for ref in cycle(master)] == [array_id + 3]
    update(master, array_id, 4)
    assert [ref.task_id for ref in cycle(master)] == [array_id + 4, array_id + 5]
    update(master, array_id, 1)
    end_all(master, first[1:])
    assert cycle(master) == []
    update(master, array_id, 0)
    assert len(cycle(master)) == 1  # the worker has four CPUs


def test_a_limit_leaves_the_capacity_to_others(master: OneThreadMaster) -> None:
    array_id = master.submit_array(a_spec(), an_array(most=1))
    other = master.submit(a_spec(priority=10))
    assert [ref.task_id for ref in cycle(with_worker(master))] == [array_id + 1, other]


def test_elements_go_behind_elements_of_their_array_alone(
    master: OneThreadMaster, clock: ManualClock
) -> None:
    array_id = master.submit_array(a_spec(), an_array("0-99", most=2))
    master.submit(a_spec())
    running = warmed(with_worker(master), clock, array_id)
    assert len(running) <= 2
    behind = master.state.lanes.behind()
    assert behind
    assert {master.task(ref.task_id).array_id for ref in behind} == {array_id}
    assert master.state.lanes.running(array_id) == 2


def test_nothing_goes_behind_while_a_restore_holds_assignments_back(
    master: OneThreadMaster, clock: ManualClock
) -> None:
    array_id = master.submit_array(a_spec(), an_array("0-199", most=2))
    warmed(with_worker(master), clock, array_id)
    behind = master.state.lanes.behind()
    for ref in behind:  # the lane is empty again, and may be filled
        master.report(WORKER, Report(ref, ReportKind.REVOKED))
    hold = RestoreHold(master.engine, clock.now().steady_s + 100)
    planning = Planning(FirstFitPlanner(), clock)
    held = Cycle(master.engine, master.queue, master.registry, planning, clock, hold)
    assert held.run_once().behind == 0
    assert master.run_cycle().behind > 0  # without the hold


def test_the_scheduler_rests_while_an_array_is_at_its_limit_and_no_worker_is_there(
    master: OneThreadMaster, clock: ManualClock
) -> None:
    master.submit_array(a_spec(), an_array("0-9", most=1))
    start_all(master, cycle(with_worker(master)))
    clock.advance(40)  # the worker is silent
    for _ in range(3):
        master.queue.wait_for_work(0)
        master.run_cycle()
    assert not master.queue._woken


def test_a_lower_limit_is_in_force_when_nothing_can_start_beyond_it(
    master: OneThreadMaster, clock: ManualClock
) -> None:
    array_id = master.submit_array(a_spec(), an_array("0-99", most=3))
    running = warmed(with_worker(master), clock, array_id)
    behind = master.state.lanes.behind()
    master.orders.clear()
    update(master, array_id, 1)
    asked = [order.ref for _, order in master.orders if isinstance(order, RevokeOrder)]
    assert sorted(asked) == sorted(behind)
    assert not master.engine.update_is_in_force(array_id)
    end_all(master, running[:1])  # nothing takes its place
    assert master.state.lanes.running(array_id) == 2
    desired = master.engine.desired(WORKER.id)[1]
    assert {order.ref for order in desired if isinstance(order, RevokeOrder)} == set(behind)  # told again
    master.report(WORKER, *(Report(ref, ReportKind.REVOKED) for ref in behind))
    assert master.engine.update_is_in_force(array_id)
    assert cycle(master) == []


def test_a_lower_limit_is_not_in_force_while_a_start_is_on_its_way(master: OneThreadMaster) -> None:
    array_id = master.submit_array(a_spec(), an_array(most=2))
    refs = cycle(with_worker(master))
    update(master, array_id, 1)
    assert not master.engine.update_is_in_force(array_id)
    start_all(master, refs)
    assert master.engine.update_is_in_force(array_id)


def test_what_was_started_meanwhile_keeps_its_place_beyond_a_lower_limit(
    master: OneThreadMaster, clock: ManualClock
) -> None:
    array_id = master.submit_array(a_spec(), an_array("0-99", most=2))
    running = warmed(with_worker(master), clock, array_id)
    (first, *_) = master.state.lanes.behind()
    update(master, array_id, 1)
    master.report(WORKER, replace(ended(running[0]), handed_to=first), started(first))
    assert master.state.attempts[first.task_id].state is AttemptState.RUNNING
    assert master.state.lanes.running(array_id) == 2


def test_an_array_runs_until_all_are_over_and_ends_as_they_did(master: OneThreadMaster) -> None:
    array_id = master.submit_array(a_spec(), an_array("0-3"))
    assert master.task(array_id).state is PENDING
    refs = cycle(with_worker(master))
    assert master.task(array_id).state is RUNNING
    start_all(master, refs)
    end_all(master, refs[:2])
    end_all(master, refs[2:3], code=3)
    assert master.task(array_id).state is RUNNING
    end_all(master, refs[3:], code=9)
    over = master.task(array_id)
    assert over.state is FAILED
    assert over.outcome is not None
    assert (over.outcome.exit_code, over.outcome.message) == (9, "2 of 4 elements failed")
    assert counts(master, array_id) == {SUCCEEDED: 2, FAILED: 2}
    assert over.finished_ms
    mine = [event.state for event in master.events if event.task_id == array_id]
    assert mine == [PENDING, RUNNING, FAILED]


def test_an_array_all_of_which_succeed_succeeds(master: OneThreadMaster) -> None:
    array_id = master.submit_array(a_spec(), an_array("0-1"))
    refs = cycle(with_worker(master))
    end_all(master, refs)
    over = master.task(array_id)
    assert (over.state, over.outcome and over.outcome.exit_code) == (SUCCEEDED, 0)
    assert len(master.queue) == 0


def test_an_element_cancelled_before_its_turn_gets_a_record_and_never_runs(master: OneThreadMaster) -> None:
    array_id = master.submit_array(a_spec(), an_array("0-9"))
    assert master.cancel(array_id + 3) == "CANCELLED"
    assert rows(master) == [array_id + 3]
    refs = cycle(with_worker(master))
    assert [ref.task_id - array_id for ref in refs] == [1, 2, 4, 5]
    assert counts(master, array_id)[CANCELLED] == 1


def test_a_cancelled_array_stops_what_lives_and_begins_nothing(master: OneThreadMaster) -> None:
    array_id = master.submit_array(a_spec(), an_array("0-9"))
    refs = cycle(with_worker(master))
    start_all(master, refs)
    master.orders.clear()
    assert master.cancel(array_id, "enough") == "STOPPING"
    assert {order.ref for _, order in master.orders if isinstance(order, StopOrder)} == set(refs)
    assert master.task(array_id + 9).state is CANCELLED
    assert master.task(array_id + 9).reason == "cancelled by ann: enough"
    assert rows(master) == [ref.task_id for ref in refs]
    assert cycle(master) == []
    stopped = [
        replace(ended(ref), outcome=replace(ended(ref).outcome, kind=OutcomeKind.CANCELLED)) for ref in refs
    ]  # type: ignore[type-var]
    master.report(WORKER, *stopped)
    over = master.task(array_id)
    assert (over.state, over.reason) == (CANCELLED, "cancelled by ann: enough")
    assert counts(master, array_id) == {CANCELLED: 10}


def test_an_array_cancelled_before_anything_began_is_over_at_once(master: OneThreadMaster) -> None:
    array_id = master.submit_array(a_spec(), an_array("0-9"))
    assert master.cancel(array_id) == "CANCELLED"
    assert master.task(array_id).state is CANCELLED
    assert len(master.queue) == 0
    assert cycle(with_worker(master)) == []


def test_too_many_failures_stop_the_rest(master: OneThreadMaster) -> None:
    array_id = master.submit_array(a_spec(), an_array("0-9", fails=1))
    refs = cycle(with_worker(master))
    start_all(master, refs)
    end_all(master, refs[:1], code=1)
    assert master.task(array_id).state is RUNNING
    end_all(master, refs[1:2], code=1)
    assert master.task(array_id).state is TaskState.STOPPING
    assert master.task(array_id).reason == "more than 1 of its elements failed"
    end_all(master, refs[2:])
    assert master.task(array_id).state is FAILED
    assert counts(master, array_id) == {FAILED: 2, SUCCEEDED: 2, CANCELLED: 6}


def test_what_never_began_expires_with_its_array(master: OneThreadMaster, clock: ManualClock) -> None:
    spec = replace(a_spec(), limits=Limits(queue_s=60.0))
    array_id = master.submit_array(spec, an_array("0-5"))
    refs = cycle(with_worker(master))
    start_all(master, refs)
    clock.advance(61)
    master.cleanup.run_once(clock.now())
    master.commit()
    assert counts(master, array_id) == {RUNNING: 4, TaskState.EXPIRED: 2}
    end_all(master, refs)
    assert master.task(array_id).state is FAILED
    assert len(master.queue) == 0


def test_a_restarted_master_goes_on_where_the_records_end(
    master: OneThreadMaster, tmp_path: Path, clock: ManualClock
) -> None:
    items = Items.of(f"item {n}" for n in range(10))
    array = replace(an_array("0-9", most=3), items=items.digest)
    array_id = master.submit_array(a_spec(), array, items)
    refs = cycle(with_worker(master))
    start_all(master, refs)
    end_all(master, refs[:1], code=2)
    master.cancel(array_id + 8)
    before = master.task(array_id)
    master.kill()
    again = OneThreadMaster(tmp_path, clock)
    assert again.task(array_id) == before
    assert len(again.queue) == 6
    again.register(WORKER)
    assert [ref.task_id - array_id for ref in cycle(again)] == [4]
    assert again.task(array_id + 6).spec.env[-1] == ("GANGER_ARRAY_ITEM", "item 5")


def test_only_an_array_that_goes_on_has_a_limit_to_change(master: OneThreadMaster) -> None:
    plain, array_id = master.submit(a_spec()), master.submit_array(a_spec(), an_array())
    with pytest.raises(Conflict, match="is no array"):
        update(master, plain, 2)
    master.cancel(array_id)
    with pytest.raises(Conflict, match="is over"):
        update(master, array_id, 2)


def test_orders_name_the_array(master: OneThreadMaster) -> None:
    array_id = master.submit_array(a_spec(), an_array())
    with_worker(master).run_cycle()
    orders = [order for _, order in master.orders if isinstance(order, StartOrder)]
    assert {order.lane for order in orders} == {(a_spec().resources, array_id)}
