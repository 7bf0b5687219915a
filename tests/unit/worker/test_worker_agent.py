"""This module tests how the agent carries decisions out, with an executor that only notes what it is asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest

from ganger_core.domain.resources import Resources
from ganger_core.domain.states import AttemptState
from ganger_core.domain.task import (
    AttemptRef,
    OrderBatch,
    ReportKind,
    RevokeOrder,
    StartOrder,
    StopOrder,
    TaskSpec,
)
from ganger_worker.agent import Agent
from ganger_worker.attempts import Told
from ganger_worker.executors.base import Cause, Exit, Launch, Refused, Started, Stop
from ganger_worker.executors.folders import AttemptFolders
from ganger_worker.keeper import boottime
from ganger_worker.reporter import Outbox
from ganger_worker.spool import Spools

REF = AttemptRef(1, 1)
LEASE_S = 300.0


class NotingExecutor:
    """Notes every call. `fails` makes the next preparation fail."""

    def __init__(self) -> None:
        self.started: list[Launch] = []
        self.stopped: list[Stop] = []
        self.extended: list[tuple[AttemptRef, float]] = []
        self.limits: list[tuple[AttemptRef, float]] = []
        self.forgotten: list[AttemptRef] = []
        self.fails = False
        self.hangs = ""

    def closed(self) -> str:
        return self.hangs

    def prepare(self, order: StartOrder) -> None:
        if self.fails:
            raise OSError(28, "No space left on device")

    def start(self, launches: Sequence[Launch]) -> None:
        self.started += launches

    def stop(self, stops: Sequence[Stop]) -> None:
        self.stopped += stops

    def extend(self, deadlines: Iterable[tuple[AttemptRef, float]]) -> None:
        self.extended += deadlines

    def limit(self, limits: Iterable[tuple[AttemptRef, float]]) -> None:
        self.limits += limits

    def forget(self, refs: Sequence[AttemptRef]) -> None:
        self.forgotten += refs


class Room:
    """An agent and what is around it."""

    def __init__(self, folder: Path) -> None:
        self.folders = AttemptFolders(str(folder))
        self.outbox = Outbox(lambda: boottime() + 1.0)  # nothing is too fresh to leave
        self.spools = Spools(self.folders)
        self.executor = NotingExecutor()
        self.agent = Agent("w1", self.outbox, self.spools)
        self.agent.connect(self.executor)
        self._seq = 0

    def order(self, *orders: StartOrder | StopOrder, sync: bool = False) -> None:
        self._seq += 1
        self.agent.carry_out(OrderBatch(self._seq, sync, orders), boottime())

    def told(self) -> list[Told]:
        return self.outbox.take(100)

    def kinds(self) -> list[ReportKind]:
        return [told.kind for told in self.told()]

    def acknowledge(self, refused: dict[AttemptRef, str] | None = None) -> None:
        batch = self.told()
        self.outbox.done(batch)
        self.agent.on_reported(batch, refused or {})


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def start(state: AttemptState = AttemptState.ASSIGNED, *, lease_s: float = LEASE_S) -> StartOrder:
    return StartOrder(REF, TaskSpec(("true",)), lease_s, state)


def ended(**how: object) -> Exit:
    return Exit(REF, boottime(), boottime(), **{"code": 0, **how})  # type: ignore[arg-type]


def test_from_order_to_oblivion(room: Room) -> None:
    room.order(start())
    assert [launch.order for launch in room.executor.started] == [start()]
    assert boottime() < room.executor.started[0].deadline_s <= boottime() + LEASE_S
    assert room.kinds() == [ReportKind.ACCEPTED]
    room.agent.on_news([Started(REF, boottime())], [], [])
    assert room.kinds() == [ReportKind.STARTED]
    room.acknowledge()
    assert room.agent.holding() == [REF]
    room.agent.on_news([], [ended()], [])
    assert room.kinds() == [ReportKind.ENDED]
    assert room.executor.forgotten == []
    room.acknowledge()
    assert room.executor.forgotten == [REF]
    assert room.agent.holding() == []
    assert room.agent.wait_over(0.0, reported=True)


def test_it_is_forgotten_only_when_its_output_is_stored_too(room: Room) -> None:
    room.order(start())
    room.folders.make(REF)
    Path(room.folders.place(REF), "stdout").write_bytes(b"x" * 100_000)
    room.agent.on_news([], [ended()], [])
    room.acknowledge()
    assert room.agent.holding() == [], "told as over"
    assert room.executor.forgotten == []
    assert not room.agent.wait_over(0.0, reported=True)
    room.agent.on_logs_stored([REF])
    room.agent.on_logs_stored([REF])
    assert room.executor.forgotten == [REF]


def test_output_stored_before_the_report_is_acknowledged(room: Room) -> None:
    room.order(start())
    room.folders.make(REF)
    Path(room.folders.place(REF), "stdout").write_bytes(b"x" * 100_000)
    room.agent.on_news([], [ended()], [])
    room.agent.on_logs_stored([REF])
    assert room.executor.forgotten == []
    room.acknowledge()
    assert room.executor.forgotten == [REF]


def test_a_second_start_message_that_is_refused_does_not_harm_what_the_first_one_started(room: Room) -> None:
    room.order(start())
    room.agent.on_recovered([], [])  # the executor's list was on its way: it is started once more
    assert len(room.executor.started) == 2
    room.agent.on_news([Started(REF, boottime())], [], [])
    room.agent.on_news([], [], [Refused(REF, before=True, why="was started before")])
    assert room.kinds() == [ReportKind.STARTED]
    room.agent.on_news([], [ended()], [])
    room.agent.on_news([], [], [Refused(REF, before=True, why="was started before")])
    assert room.kinds() == [ReportKind.ENDED]


@pytest.mark.parametrize(("before", "kind"), [(True, ReportKind.LOST), (False, ReportKind.REJECTED)])
def test_a_refused_start_is_told(room: Room, before: bool, kind: ReportKind) -> None:
    room.order(start())
    room.agent.on_news([], [], [Refused(REF, before, "why")])
    assert [(told.kind, told.message) for told in room.told()] == [(kind, "why")]
    room.acknowledge()
    assert room.executor.forgotten == [REF]


def test_without_a_folder_it_is_rejected_and_not_started(room: Room) -> None:
    room.executor.fails = True
    room.order(start())
    (told,) = room.told()
    assert told.kind is ReportKind.REJECTED
    assert told.message == "worker w1 cannot make its folder: [Errno 28] No space left on device"
    assert room.executor.started == []
    room.order(start())  # the same answer until it is acknowledged
    assert room.told() == [told]
    room.acknowledge()
    assert room.agent.holding() == []


def test_a_restarted_worker_adopts_and_learns_the_order_by_the_sync(room: Room) -> None:
    room.agent.on_recovered([Started(REF, boottime() - 50)], [])
    assert room.agent.recovered.is_set()
    (told,) = room.told()
    assert (told.kind, room.agent.holding()) == (ReportKind.STARTED, [REF])
    room.agent.renew([REF], 1_000.0)
    assert room.executor.extended == [], "nobody has said yet how long its lease is, or whether it has one"
    room.order(start(AttemptState.RUNNING), sync=True)
    assert [ref for ref, _ in room.executor.extended] == [REF]
    assert boottime() < room.executor.extended[0][1] <= boottime() + LEASE_S
    room.agent.renew([REF, AttemptRef(9, 9)], 2_000.0)
    assert room.executor.extended[1:] == [(REF, 2_000.0 + LEASE_S)]


def test_an_attempt_without_a_lease_is_not_renewed(room: Room) -> None:
    room.order(start(lease_s=0.0))
    assert [launch.deadline_s for launch in room.executor.started] == [inf]
    room.agent.on_news([Started(REF, boottime())], [], [])
    room.agent.renew([REF], 1_000.0)
    assert room.executor.extended == []


def test_a_later_order_takes_the_lease_away_and_gives_it_back(room: Room) -> None:
    room.order(start())
    room.agent.on_news([Started(REF, boottime())], [], [])
    room.order(start(AttemptState.RUNNING, lease_s=0.0))
    assert room.executor.extended == [(REF, inf)]
    room.agent.renew([REF], 1_000.0)
    assert room.executor.extended == [(REF, inf)]
    room.order(start(AttemptState.RUNNING))  # a master from a backup knows no better, and will act on it
    room.agent.renew([REF], 1_000.0)
    assert room.executor.extended[2:] == [(REF, 1_000.0 + LEASE_S)]
    assert room.kinds() == [ReportKind.STARTED]


def test_a_draining_worker_takes_nothing_new_and_keeps_what_it_has(room: Room) -> None:
    room.order(start())
    room.agent.draining.set()
    other = StartOrder(AttemptRef(2, 1), TaskSpec(("true",)), LEASE_S)
    room.order(other)
    assert [(told.ref, told.kind, told.message) for told in room.told()] == [
        (REF, ReportKind.ACCEPTED, ""),
        (other.ref, ReportKind.REJECTED, "worker w1 is draining"),
    ]
    assert [launch.order.ref for launch in room.executor.started] == [REF]
    room.agent.on_recovered([], [])  # what it had accepted is started, also by a new keeper
    assert [launch.order.ref for launch in room.executor.started] == [REF, REF]


def test_the_reason_of_a_stop_is_told_with_the_end(room: Room) -> None:
    room.order(start())
    room.agent.on_news([Started(REF, boottime())], [], [])
    room.order(StopOrder(REF, 30.0, "cancelled by ann"))
    room.order(StopOrder(REF, 10.0, "cancelled by bob"))
    assert [(stop.grace_s, stop.cause) for stop in room.executor.stopped] == [
        (30.0, Cause.ORDER),
        (10.0, Cause.ORDER),
    ]
    room.agent.on_recovered([Started(REF, boottime())], [])  # the keeper may have missed both
    assert [(stop.grace_s, stop.cause) for stop in room.executor.stopped[2:]] == [(10.0, Cause.ORDER)]
    room.agent.on_news([], [ended(code=None, signal=15, cause=Cause.ORDER)], [])
    (told,) = room.told()
    assert told.outcome is not None
    assert told.outcome.message == "cancelled by ann"


def test_a_stop_that_met_a_dead_executor_takes_the_attempt_back(room: Room) -> None:
    room.order(start())
    room.order(StopOrder(REF, 30.0, "cancelled"))
    room.agent.on_recovered([], [])
    assert len(room.executor.started) == 1
    assert room.kinds() == [ReportKind.REVOKED]


def test_what_the_executor_lost_is_told_and_its_output_dropped(room: Room) -> None:
    room.order(start())
    room.agent.on_news([Started(REF, boottime())], [], [])
    room.agent.on_recovered([], [])
    (told,) = room.told()
    assert (told.kind, told.message) == (ReportKind.LOST, "the keeper has no trace of it")
    assert room.spools.settled() == [REF]
    room.acknowledge()
    assert room.executor.forgotten == [REF]


def test_a_refused_report_stops_what_lives_and_forgets_what_is_over(room: Room) -> None:
    room.order(start())
    room.agent.on_news([Started(REF, boottime())], [], [])
    room.acknowledge({REF: "stale"})
    assert [stop.cause for stop in room.executor.stopped] == [Cause.UNWANTED]
    room.agent.on_news([], [ended(code=None, signal=15, cause=Cause.UNWANTED)], [])
    (told,) = room.told()
    assert (told.kind, told.message) == (ReportKind.LOST, "the master refused it: stale")
    room.acknowledge({REF: "stale"})
    assert room.executor.forgotten == [REF]


def test_a_stop_that_overtook_the_start_is_given_again(room: Room) -> None:
    room.order(start())
    room.acknowledge({REF: "stale"})  # by another thread, it may be before the start has left for the keeper
    assert len(room.executor.stopped) == 1
    room.agent.on_news([Started(REF, boottime())], [], [])
    assert [stop.cause for stop in room.executor.stopped[1:]] == [Cause.UNWANTED]
    room.agent.on_news([Started(REF, boottime())], [], [])
    assert len(room.executor.stopped) == 2


def test_an_exit_told_twice_is_reported_once(room: Room) -> None:
    room.order(start())
    room.agent.on_news([], [ended()], [])
    (told,) = room.told()
    room.agent.on_recovered([], [ended()])
    assert room.told() == [told]


def test_shutdown_stops_what_lives(room: Room) -> None:
    room.order(start())
    assert not room.agent.wait_over(0.0, reported=False)
    room.agent.stop(5.0)
    assert [(stop.grace_s, stop.cause) for stop in room.executor.stopped] == [(5.0, Cause.SHUTDOWN)]
    room.agent.on_news([], [ended(code=None, signal=15, cause=Cause.SHUTDOWN)], [])
    assert room.agent.wait_over(0.0, reported=False)
    assert not room.agent.wait_over(0.0, reported=True)
    (told,) = room.told()
    assert (told.kind, told.report(boottime()).orderly) == (ReportKind.LOST, True)


def test_a_worker_whose_executor_is_closed_refuses_with_its_words(room: Room) -> None:
    room.executor.hangs = "the keeper has not answered for 20 s"
    room.order(start())
    (told,) = room.told()
    assert (told.kind, told.message) == (ReportKind.REJECTED, "the keeper has not answered for 20 s")
    assert room.executor.started == []


SECOND, THIRD = AttemptRef(2, 1), AttemptRef(3, 1)
WHOLE, HALF = TaskSpec(("true",)).resources, Resources(500, 0, 1)


def behind(ref: AttemptRef, resources: Resources = WHOLE) -> StartOrder:
    return StartOrder(ref, TaskSpec(("true",), resources=resources), LEASE_S, behind=True)


def test_what_waits_behind_another_starts_when_that_is_over_and_its_report_says_so(room: Room) -> None:
    room.order(start(), behind(SECOND), behind(THIRD))
    room.agent.on_news([Started(REF, boottime())], [], [])
    assert room.kinds() == [ReportKind.STARTED], "nothing is told of what only waits"
    assert room.agent.holding() == [REF, SECOND, THIRD]
    room.acknowledge()
    room.agent.on_news([], [ended()], [])
    assert [launch.order.ref for launch in room.executor.started] == [REF, SECOND]
    assert {told.ref: (told.kind, told.handed_to) for told in room.told()} == {
        SECOND: (ReportKind.ACCEPTED, None),
        REF: (ReportKind.ENDED, SECOND),
    }
    room.agent.on_news([], [], [Refused(SECOND, False, "why")])
    assert [launch.order.ref for launch in room.executor.started] == [REF, SECOND, THIRD]
    room.agent.on_news([], [replace(ended(), ref=THIRD)], [])
    assert {told.ref: told.handed_to for told in room.told()} == {REF: SECOND, SECOND: THIRD, THIRD: None}


def test_only_one_that_asks_for_the_same_starts_with_what_another_had(room: Room) -> None:
    room.order(start(), behind(SECOND, HALF), behind(THIRD))
    room.agent.on_news([Started(REF, boottime())], [], [])
    room.agent.on_news([], [ended()], [])
    assert [launch.order.ref for launch in room.executor.started] == [REF, THIRD]
    room.order(StartOrder(SECOND, TaskSpec(("true",), resources=HALF), LEASE_S))
    assert [launch.order.ref for launch in room.executor.started] == [REF, THIRD, SECOND]


def test_the_lease_of_what_waits_counts_from_the_heartbeat_that_renewed_it(room: Room) -> None:
    room.order(start(), behind(SECOND), behind(THIRD))
    room.agent.on_news([Started(REF, boottime())], [], [])
    now_s = boottime() + 50.0
    room.agent.renew([REF, SECOND], now_s)
    assert [ref for ref, _ in room.executor.extended] == [REF], "the keeper does not know of it yet"
    room.agent.on_news([], [ended()], [])
    assert room.executor.started[-1].deadline_s == now_s + LEASE_S
    room.agent.on_news([], [replace(ended(), ref=SECOND)], [])
    assert room.executor.started[-1].deadline_s < now_s + LEASE_S, "THIRD was not renewed"


def test_what_waits_is_given_back_by_a_drain_a_stop_or_when_asked_for(room: Room) -> None:
    room.order(start(), behind(SECOND), behind(THIRD), behind(AttemptRef(4, 1)))
    room.agent.on_news([Started(REF, boottime())], [], [])
    room.order(StopOrder(SECOND, 1.0, "why"), RevokeOrder(THIRD), RevokeOrder(REF))
    room.agent.drain()
    assert {told.ref: told.kind for told in room.told()} == {
        REF: ReportKind.STARTED,
        SECOND: ReportKind.REVOKED,
        THIRD: ReportKind.REVOKED,
        AttemptRef(4, 1): ReportKind.REVOKED,
    }
    room.agent.on_news([], [ended()], [])
    assert [launch.order.ref for launch in room.executor.started] == [REF]


def test_what_cannot_be_prepared_leaves_its_capacity_to_the_next(room: Room) -> None:
    room.order(start(), behind(SECOND), behind(THIRD))
    room.agent.on_news([Started(REF, boottime())], [], [])
    room.acknowledge()
    room.executor.fails = True
    room.agent.on_news([], [ended()], [])
    assert {told.ref: (told.kind, told.handed_to) for told in room.told()} == {
        REF: (ReportKind.ENDED, SECOND),
        SECOND: (ReportKind.REJECTED, THIRD),
        THIRD: (ReportKind.REJECTED, None),
    }
    assert room.agent.wait_over(0.0, reported=False)
