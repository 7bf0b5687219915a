"""This module checks who goes behind whom, and where capacity goes when an attempt with others behind it is over."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ganger_core.domain.clock import ManualClock
from ganger_core.domain.cordon import Cordon
from ganger_core.domain.errors import Unavailable
from ganger_core.domain.plan import Plan, PlanOptions, Snapshot
from ganger_core.domain.resources import Resources
from ganger_core.domain.states import AttemptState, TaskState
from ganger_core.domain.task import AttemptRef, Report, ReportKind, RevokeOrder, StartOrder, WorkerUsage
from ganger_master.changes import Request
from ganger_master.cycle import MIN_RUNS
from ganger_master.fencing import cordoning, fencing
from ganger_master.handing import is_asked_back
from ganger_master.prefill import OVERDUE_MS, RECENT_MS
from ganger_master.queue import BucketKey
from ganger_master.run_times import KEPT_BUCKETS, LONG_MS, MOST_BEHIND, RunTimes
from testkit.builders import a_spec, a_worker, ended, lost, started
from testkit.one_thread import LEASE_S, FirstFitPlanner, OneThreadMaster

WORKER = a_worker("w1", cpus=1)
KEY = BucketKey("ann", Resources(1000, 0, 1), 50)
TRIP_S = 0.01


@pytest.fixture
def master(tmp_path: Path) -> OneThreadMaster:
    """One CPU, and one task has run for 10 ms there, after 10 ms on its way: two may be behind another."""
    master = OneThreadMaster(tmp_path, ManualClock())
    master.register(WORKER)
    master.submit(a_spec())
    master.run_cycle()
    (ref,) = master.deliver(WORKER)
    master.clock.advance(2 * TRIP_S)
    master.report(WORKER, short(ref))
    return master


def short(ref: AttemptRef) -> Report:
    return replace(ended(ref), started_age_s=0.01)


def behind(master: OneThreadMaster) -> list[AttemptRef]:
    return [a.ref for a in master.state.attempts.values() if a.is_live and a.behind]


def with_capacity(master: OneThreadMaster) -> list[AttemptRef]:
    """The live attempts that have capacity; what they have is what the registry holds."""
    full = [a.ref for a in master.state.attempts.values() if a.is_live and not a.behind]
    free = master.registry.views(master.clock.now().steady_s)[0].free
    requests = [master.task(ref.task_id).spec.resources.cpu_milli for ref in full]
    assert free.cpu_milli == WORKER.capacity.cpu_milli - sum(requests)
    return full


def orders(master: OneThreadMaster) -> list[tuple[str, AttemptRef]]:
    """What the worker is told next, in words."""
    words = []
    for _, order in master.orders:
        match order:
            case StartOrder(behind=True):
                words.append(("behind", order.ref))
            case StartOrder():
                words.append(("start", order.ref))
            case RevokeOrder():
                words.append(("give back", order.ref))
    master.deliver(WORKER)
    return words


def three(master: OneThreadMaster) -> tuple[AttemptRef, AttemptRef, AttemptRef]:
    """One attempt that runs and two that are behind it."""
    master.submit(a_spec(), a_spec(), a_spec(), a_spec())
    result = master.run_cycle()
    first, second, third = (AttemptRef(task_id, 1) for task_id in (2, 3, 4))
    assert (result.assigned, result.behind) == (1, 2)
    assert orders(master) == [("start", first), ("behind", second), ("behind", third)]
    assert (with_capacity(master), behind(master)) == ([first], [second, third])
    assert master.task(5).state is TaskState.PENDING
    return first, second, third


@pytest.mark.parametrize(
    ("runs_ms", "trips_ms", "depth"),
    [
        ([], [], 0),
        ([5], [], 0),
        ([10], [10], 2),
        ([10, 10, 500], [10, 20, 10], 2),
        ([0.1], [30], MOST_BEHIND),
        ([LONG_MS], [30], 1),
        ([LONG_MS + 1], [30], 0),
    ],
)
def test_as_many_go_behind_as_end_during_a_round_trip_and_back(
    runs_ms: list[float], trips_ms: list[float], depth: int
) -> None:
    run_times = RunTimes()
    for number, run_ms in enumerate(runs_ms):
        run_times.note(KEY, run_ms, trips_ms[number] if number < len(trips_ms) else None)
    assert run_times.depth(KEY) == depth
    assert run_times.depth(KEY._replace(owner="bob")) == 0


def test_run_times_of_buckets_that_were_not_used_for_long_are_forgotten() -> None:
    run_times = RunTimes()
    for priority in range(KEPT_BUCKETS + 1):
        run_times.note(KEY._replace(priority=priority), 10, 10)
    assert [run_times.depth(KEY._replace(priority=p)) for p in (0, 1, KEPT_BUCKETS)] == [0, 2, 2]


def test_who_is_behind_gets_the_capacity_by_the_worker_s_word(master: OneThreadMaster) -> None:
    first, second, third = three(master)
    master.report(WORKER, replace(short(first), handed_to=third))
    assert (with_capacity(master), behind(master)) == ([third], [second])
    assert orders(master) == []
    assert master.run_cycle().behind == 1
    assert behind(master) == [second, AttemptRef(5, 1)]


def test_without_the_worker_s_word_the_first_gets_it_and_is_told(master: OneThreadMaster) -> None:
    first, second, third = three(master)
    master.report(WORKER, short(first))
    assert (with_capacity(master), behind(master)) == ([second], [third])
    assert orders(master) == [("start", second)]


def test_one_that_has_started_goes_before(master: OneThreadMaster) -> None:
    """A restarted worker tells what runs, and does not know of what it had handed over."""
    first, second, third = three(master)
    master.report(WORKER, started(third))
    assert (with_capacity(master), behind(master)) == ([first], [second, third])
    master.report(WORKER, lost(first))
    assert (with_capacity(master), behind(master)) == ([third], [second])
    assert orders(master) == []


def test_a_lane_is_filled_again_once_half_of_it_is_over(master: OneThreadMaster) -> None:
    """Until then nobody looks: orders leave in batches, and a full lane costs no cycle."""
    for _ in range(5):
        master.state.run_times.note(KEY, 10, 20)  # four may be behind one
    master.submit(*[a_spec()] * 8)
    result = master.run_cycle()
    assert (result.assigned, result.behind) == (1, 4)
    refs = [AttemptRef(task_id, 1) for task_id in range(2, 7)]
    orders(master)
    master.queue.wait_for_work(0)
    master.report(WORKER, replace(short(refs[0]), handed_to=refs[1]))
    assert not master.queue._woken
    assert master.run_cycle().behind == 0
    master.report(WORKER, replace(short(refs[1]), handed_to=refs[2]))
    assert master.queue._woken
    assert master.run_cycle().behind == 2
    assert behind(master) == [*refs[3:], AttemptRef(7, 1), AttemptRef(8, 1)]


def test_where_nothing_fits_nobody_is_asked_and_whoever_planned_the_one_before_is_named(
    master: OneThreadMaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Snapshot] = []

    def planner(_: FirstFitPlanner, snapshot: Snapshot, options: PlanOptions) -> Plan:
        asked.append(snapshot)
        raise Unavailable("no planner here")

    monkeypatch.setattr(FirstFitPlanner, "plan", planner)
    first, second, third = three(master)
    assert [master.state.attempts[ref.task_id].planned_by for ref in (first, second, third)] == [
        "first-fit"
    ] * 3
    assert len(asked) == 1
    monkeypatch.undo()
    master.report(WORKER, replace(short(first), handed_to=second))
    result = master.run_cycle()
    assert (result.behind, result.planned_by) == (1, "")
    assert master.state.attempts[5].planned_by == "first-fit"
    master.submit(a_spec(cpus=2))
    master.run_cycle()
    assert master.queue.reason(6).startswith("asks for more than any worker has"), (
        "it has its reason all the same"
    )


@pytest.mark.parametrize("kind", [ReportKind.REJECTED, ReportKind.REVOKED, ReportKind.LOST])
def test_what_is_behind_has_nothing_to_leave(master: OneThreadMaster, kind: ReportKind) -> None:
    first, second, third = three(master)
    master.report(WORKER, Report(second, kind))
    assert (with_capacity(master), behind(master)) == ([first], [third])
    assert master.task(3).state is TaskState.PENDING
    assert master.task(3).crashes == 0


def test_a_cancelled_one_is_stopped_and_passes_on_what_it_got_meanwhile(master: OneThreadMaster) -> None:
    first, second, third = three(master)
    master.cancel(3)
    master.deliver(WORKER)
    master.report(WORKER, replace(short(first), handed_to=second))
    assert (with_capacity(master), behind(master)) == ([second], [third])
    master.report(WORKER, Report(second, ReportKind.REVOKED))
    assert master.task(3).state is TaskState.CANCELLED
    assert (with_capacity(master), behind(master)) == ([third], [])
    assert orders(master) == [("start", third)]


def test_a_higher_rank_gets_what_comes_free_next(master: OneThreadMaster) -> None:
    first, second, third = three(master)
    master.submit(a_spec(priority=60))
    assert master.run_cycle().behind == 0
    assert orders(master) == [("give back", second), ("give back", third)]
    assert master.run_cycle().behind == 0, "nothing goes behind while a higher rank waits"
    assert orders(master) == [], "each is asked for once"
    master.report(WORKER, *(Report(ref, ReportKind.REVOKED) for ref in (second, third)), short(first))
    master.run_cycle()
    assert (with_capacity(master), behind(master)) == (
        [AttemptRef(6, 1)],
        [AttemptRef(3, 2), AttemptRef(4, 2)],
    )


def test_a_higher_rank_that_could_not_run_there_is_in_nobody_s_way(master: OneThreadMaster) -> None:
    master.submit(a_spec(priority=60, cpus=2))
    three_of = [AttemptRef(task_id, 1) for task_id in (3, 4, 5)]
    master.submit(a_spec(), a_spec(), a_spec())
    assert master.run_cycle().behind == 2
    assert [ref for _, ref in orders(master)] == three_of


def test_many_that_can_run_nowhere_keep_nobody_from_going_behind(master: OneThreadMaster) -> None:
    master.submit(a_spec())
    assert master.run_cycle().assigned == 1
    master.submit(*[a_spec(priority=60, cpus=2 + number) for number in range(2 * MIN_RUNS)])
    master.submit(a_spec(), a_spec())
    went = []
    while master.queue._woken:
        master.queue.wait_for_work(0)
        went.append(master.run_cycle().behind)
    assert went == [0, 2]
    assert master.queue.reason(2 * MIN_RUNS).startswith("asks for more than any worker has")


def test_ranks_hold_over_all_that_an_earlier_look_left_out(master: OneThreadMaster) -> None:
    """More tasks of a higher rank wait than one cycle looks at, and each could run where the lane is."""
    master.submit(a_spec())
    assert master.run_cycle().assigned == 1
    master.submit(*[a_spec(priority=60, cpus=0.5 + number / 100) for number in range(2 * MIN_RUNS)])
    master.submit(a_spec(), a_spec())
    went = []
    while master.queue._woken:
        master.queue.wait_for_work(0)
        went.append(master.run_cycle().behind)
    assert went == [0, 0]
    master.state.run_times.note(KEY._replace(priority=70), 10, 10)
    master.submit(a_spec(priority=70))
    master.queue.wait_for_work(0)
    assert master.run_cycle().behind == 1, "it ranks above all of these"


def test_nothing_goes_behind_what_has_run_for_long(master: OneThreadMaster) -> None:
    master.submit(a_spec())
    master.run_cycle()
    master.clock.advance((RECENT_MS + 1) / 1000)
    master.registry.heartbeat(WORKER.id, WorkerUsage(), [], master.clock.now().steady_s)
    master.submit(a_spec())
    assert master.run_cycle().behind == 0


def test_what_is_behind_for_too_long_is_asked_for_once(master: OneThreadMaster) -> None:
    _, second, third = three(master)
    master.clock.advance(OVERDUE_MS / 1000)
    master.cleanup.run_once(master.clock.now())
    master.commit()
    assert orders(master) == []
    master.clock.advance(0.001)
    for _ in range(2):
        master.cleanup.run_once(master.clock.now())
        master.commit()
    assert orders(master) == [("give back", second), ("give back", third)]


def test_a_restarted_master_knows_who_is_behind_whom(master: OneThreadMaster) -> None:
    first, second, third = three(master)
    master.kill()
    again = OneThreadMaster(master.path.parent, master.clock)
    again.register(WORKER)
    assert (with_capacity(again), behind(again)) == ([first], [second, third])
    _, desired = again.engine.desired(WORKER.id)
    assert [(order.ref, isinstance(order, StartOrder) and order.behind) for order in desired] == [
        (first, False),
        (second, True),
        (third, True),
    ]
    again.report(WORKER, short(first))
    assert with_capacity(again) == [second]


@pytest.mark.parametrize("fenced", [True, False])
def test_a_worker_that_is_gone_leaves_nothing_behind(master: OneThreadMaster, fenced: bool) -> None:
    three(master)
    master.clock.advance(31 if fenced else LEASE_S + 16)
    if fenced:
        master.cleanup.run_once(master.clock.now())
        commands = fencing(master.registry, WORKER, Request("ann", "f", ""))
        master.apply(*commands)
    else:
        master.cleanup.run_once(master.clock.now())
        master.commit()
    assert [a for a in master.state.attempts.values() if a.is_live] == []
    assert {a.state for a in master.state.attempts.values() if a.ref.task_id > 1} == {AttemptState.LOST}
    master.register(WORKER)
    assert with_capacity(master) == []


def test_what_fits_nowhere_is_looked_at_once_however_many_shapes_wait(tmp_path: Path) -> None:
    master = OneThreadMaster(tmp_path, ManualClock())
    master.register(a_worker("w1", cpus=100, slots=2))
    master.run_cycle()  # which welcomes the worker
    master.submit(*[a_spec(cpus=90 + number) for number in range(2 * MIN_RUNS)])
    master.submit(a_spec(cpus=10, priority=40))
    master.queue.wait_for_work(0)
    assert master.run_cycle().assigned == 1
    why = "waiting for capacity: 1 worker could run it, the nearest is short of 81 CPUs"
    assert master.queue.reason(2) == why
    assert master.queue.reason(2 * MIN_RUNS).startswith("asks for more than any worker has: needs 121 CPUs")
    assert not master.queue.reason(2 * MIN_RUNS + 1), "it fits"
    master.queue.wait_for_work(0)
    assert (master.run_cycle().assigned, master.queue._woken) == (1, False)


def test_what_is_behind_others_on_a_cordoned_worker_is_asked_back(master: OneThreadMaster) -> None:
    first, second, third = three(master)
    master.deliver(WORKER)
    request = Request("ann", "c", "")
    master.engine.apply_with(
        lambda _: cordoning(master.registry, [WORKER], request, Cordon("ann", "", 0)), master.clock.now()
    )
    master.commit()
    assert orders(master) == [("give back", second), ("give back", third)]
    assert is_asked_back(master.state.attempts[second.task_id])
    master.report(WORKER, short(first))  # by a worker that was started again, and handed nothing over
    assert (orders(master), with_capacity(master)) == ([], [])
    revoked = [Report(ref, ReportKind.REVOKED) for ref in (second, third)]
    master.report(WORKER, *revoked)
    assert (with_capacity(master), behind(master)) == ([], [])
    result = master.run_cycle()
    assert (result.assigned, result.behind) == (0, 0)  # nothing goes there again
