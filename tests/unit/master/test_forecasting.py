"""This module checks dry runs on a whole master in one thread: all that they may say, and that nothing changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ganger_core.domain.array import Array, Indices
from ganger_core.domain.clock import ManualClock
from ganger_core.domain.errors import Unavailable
from ganger_core.domain.forecast import Demand, Outlook, Prospect, Share
from ganger_core.domain.plan import Plan, PlanOptions, Snapshot
from ganger_core.domain.task import TaskSpec
from ganger_master.ageing import Ageing, Rank
from ganger_master.forecasting import Forecaster
from ganger_master.locks import assert_none_held
from ganger_master.planning import Planning
from ganger_master.queue import TaskQueue
from testkit.builders import GIB, a_spec, a_worker
from testkit.one_thread import FirstFitPlanner, OneThreadMaster

W1, W2 = a_worker("w1", cpus=4), a_worker("w2", cpus=2)


class Watched(FirstFitPlanner):
    """The real first-fit, which keeps what it was asked; it may be dead."""

    def __init__(self) -> None:
        self.asked: list[Snapshot] = []
        self.is_dead = False

    def plan(self, snapshot: Snapshot, options: PlanOptions) -> Plan:
        assert_none_held("Plan")
        self.asked.append(snapshot)
        if self.is_dead:
            raise Unavailable("no planner answers")
        return super().plan(snapshot, options)


class Scene:
    """A master, and its forecaster."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.master = OneThreadMaster(folder, self.clock)
        self.planner = Watched()
        self.held = ""
        self.forecaster = Forecaster(
            self.master.queue,
            self.master.registry,
            Planning(self.planner, self.clock),
            self.clock,
            lambda now: self.held,
        )

    def of(self, *specs: TaskSpec | Demand, asides: tuple[str, ...] = ()) -> list[Outlook]:
        demands = [Demand(each) if isinstance(each, TaskSpec) else each for each in specs]
        forecast = self.forecaster.of_demands(demands, asides or ("",) * len(demands), "ann")
        return list(forecast.outlooks)

    def of_task(self, task_id: int) -> Outlook:
        forecast = self.forecaster.of_task(self.master.task(task_id))
        assert forecast is not None
        return forecast.outlooks[0]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    found = Scene(tmp_path)
    found.master.register(W1, W2)
    return found


def test_what_has_room_starts_where_the_plan_puts_it(scene: Scene) -> None:
    assert scene.of(a_spec(cpus=1)) == [Outlook(Prospect.STARTS, 1, (Share("w1", 1),))]
    assert scene.of(a_spec(cpus=4), a_spec(cpus=2), a_spec(cpus=1)) == [
        Outlook(Prospect.STARTS, 1, (Share("w1", 1),)),
        Outlook(Prospect.STARTS, 1, (Share("w2", 1),)),
        Outlook(Prospect.BEHIND, 1, ahead=2, reason="there is room, but 2 tasks come first"),
    ]


def test_of_many_as_many_start_as_have_room_and_may(scene: Scene) -> None:
    assert scene.of(Demand(a_spec(cpus=1), 100_000)) == [
        Outlook(Prospect.STARTS, 100_000, (Share("w1", 4), Share("w2", 2)), reason="the rest waits for room")
    ]
    assert scene.of(Demand(a_spec(cpus=1), 10, max_parallel=3)) == [
        Outlook(Prospect.STARTS, 10, (Share("w1", 3),), reason="no more of it may run at the same time")
    ]


def test_what_waits_comes_first_unless_its_priority_is_lower(scene: Scene) -> None:
    scene.master.submit(a_spec(cpus=4), a_spec(cpus=2))  # no cycle has looked at them yet
    assert scene.of(a_spec(cpus=1)) == [
        Outlook(Prospect.BEHIND, 1, ahead=2, reason="there is room, but 2 tasks come first")
    ]
    assert scene.of(a_spec(cpus=1, priority=51))[0].prospect is Prospect.STARTS


def test_no_room_says_who_is_short_of_what(scene: Scene) -> None:
    scene.master.submit(a_spec(cpus=3), a_spec(cpus=2))
    scene.master.run_cycle()
    (outlook,) = scene.of(a_spec(cpus=2))
    assert outlook == Outlook(
        Prospect.NO_ROOM,
        1,
        reason="waiting for capacity: 2 workers could run it, the nearest is short of 1 CPU",
    )


def test_what_is_larger_than_any_worker_never_starts(scene: Scene) -> None:
    (outlook,) = scene.of(a_spec(cpus=64, memory=GIB))
    assert outlook.prospect is Prospect.NEVER
    assert outlook.reason == (
        "asks for more than any worker has: needs 64 CPUs and 1GiB; the nearest is short of 60 CPUs"
    )


def test_a_worker_that_gets_nothing_new_may_run_it_one_day(scene: Scene) -> None:
    scene.clock.advance(20)  # both are late: no work for them now
    (outlook,) = scene.of(a_spec(cpus=4))
    assert (outlook.prospect, outlook.reason) == (Prospect.NO_ROOM, "no worker is connected")
    assert scene.of(a_spec(cpus=5))[0].prospect is Prospect.NEVER


def test_without_any_worker_nothing_is_said_to_be_too_large(tmp_path: Path) -> None:
    (outlook,) = Scene(tmp_path).of(a_spec(cpus=64))
    assert outlook == Outlook(Prospect.NO_ROOM, 1, reason="no worker is connected")


def test_what_waits_for_something_else_takes_no_room(scene: Scene) -> None:
    later, now = scene.of(a_spec(cpus=4), a_spec(cpus=4), asides=("held by ann", ""))
    assert later == Outlook(Prospect.LATER, 1, reason="held by ann")
    assert now.prospect is Prospect.STARTS


def test_a_deadline_that_cannot_be_kept_is_never(scene: Scene) -> None:
    spec = replace(a_spec(), deadline_ms=scene.clock.now().wall_ms - 1)
    assert scene.of(spec) == [Outlook(Prospect.NEVER, 1, reason="it could not be over by its deadline")]


def test_nothing_starts_while_the_whole_master_holds_back(scene: Scene) -> None:
    scene.held = "the backup was restored"
    assert scene.of(a_spec()) == [Outlook(Prospect.NO_ROOM, 1, reason="the backup was restored")]


def test_a_waiting_task_is_looked_at_in_its_place(scene: Scene) -> None:
    first = scene.master.submit(a_spec(cpus=4), a_spec(cpus=4), a_spec(cpus=64), replace(a_spec(), hold=True))
    assert scene.of_task(first).shares == (Share("w1", 1),)
    assert scene.of_task(first + 1).prospect is Prospect.BEHIND
    assert scene.of_task(first + 1).ahead == 1
    assert scene.of_task(first + 2).prospect is Prospect.NEVER
    assert scene.of_task(first + 3) == Outlook(
        Prospect.LATER, 1, reason="held by ann: `ganger release` lets it go on"
    )
    scene.master.run_cycle()
    assert scene.of_task(first + 1).prospect is Prospect.NO_ROOM
    assert scene.forecaster.of_task(scene.master.task(first)) is None


def test_a_waiting_array_is_looked_at_as_a_whole(scene: Scene) -> None:
    array_id = scene.master.submit_array(a_spec(cpus=1), Array(Indices.first(50), max_parallel=3))
    assert scene.of_task(array_id) == Outlook(
        Prospect.STARTS, 50, (Share("w1", 3),), reason="no more of it may run at the same time"
    )
    assert scene.of_task(array_id + 7).prospect is Prospect.STARTS
    scene.master.run_cycle()
    assert scene.of_task(array_id) == Outlook(
        Prospect.LATER, 47, reason=f"array {array_id} runs at most 3 at a time"
    )
    # It runs as many as it may: none of the others stands before somebody.
    (other,) = scene.of(a_spec(cpus=3))
    assert (other.prospect, other.ahead) == (Prospect.NO_ROOM, 0)


def test_a_dry_run_changes_nothing(scene: Scene) -> None:
    scene.master.submit(a_spec(cpus=4), a_spec(cpus=4))
    before = len(scene.master.queue), scene.master.registry.views(0), list(scene.master.events)
    scene.of(*[a_spec(cpus=1)] * 5)
    scene.of_task(2)
    assert before == (len(scene.master.queue), scene.master.registry.views(0), list(scene.master.events))
    assert scene.master.run_cycle().assigned == 1
    ids = [task_id for shape in scene.planner.asked[0].shapes for task_id in shape.task_ids]
    assert len(ids) == len(set(ids)) == 7


def test_a_dead_planner_is_said_and_first_fit_plans(scene: Scene) -> None:
    scene.planner.is_dead = True
    forecast = scene.forecaster.of_demands([Demand(a_spec())], [""], "ann")
    assert (forecast.planned_by, forecast.why_not_planner) == ("first-fit", "no planner answers")
    assert forecast.outlooks[0].prospect is Prospect.STARTS
    assert forecast.workers == 2


def test_who_comes_first_is_counted(tmp_path: Path) -> None:
    master = OneThreadMaster(tmp_path, ManualClock())
    master.submit(*[a_spec(priority=50)] * 3, *[a_spec(priority=60)] * 2)
    master.submit_array(a_spec(priority=55), Array(Indices.first(900_000)))
    now = master.clock.now().wall_ms
    assert master.queue.ahead(Rank(-61_000, 2**62 + 1), now) == 0
    assert master.queue.ahead(Rank(-60_000, 2**62 + 1), now) == 2
    assert master.queue.ahead(Rank(-60_000, 5), now) == 1
    assert master.queue.ahead(Rank(-50_000, 2), now) == 900_003
    assert master.queue.ahead(Rank(-50_000, 2**62 + 1), now) == 900_005
    master.submit_array(a_spec(priority=70), Array(Indices.first(100), max_parallel=3))
    assert master.queue.ahead(Rank(-60_000, 2**62 + 1), now) == 5


def test_age_counts_for_who_comes_first(tmp_path: Path) -> None:
    master = OneThreadMaster(tmp_path, ManualClock())
    master.queue = TaskQueue(Ageing(per_hour=1.0, most=20.0))
    master.submit(a_spec(priority=50))
    master.queue.push([master.task(1)], master.clock.now())
    new = Rank(-55_000, 2**62 + 1)
    now = master.clock.now().wall_ms
    assert master.queue.ahead(new, now) == 0
    assert master.queue.ahead(new, now + 6 * 3_600_000) == 1
