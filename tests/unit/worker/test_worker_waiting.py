"""This module tests the line of what waits behind others, and which ends its length lets wait."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganger_core.domain.resources import Resources
from ganger_core.domain.task import AttemptRef, OrderBatch, StartOrder, TaskSpec
from ganger_worker.agent import Agent
from ganger_worker.executors.base import Exit, Launch
from ganger_worker.executors.folders import AttemptFolders
from ganger_worker.keeper import boottime
from ganger_worker.reporter import Outbox
from ganger_worker.spool import Spools
from ganger_worker.waiting import Waiting

HALF = Resources(500, 0, 1)


def an_order(task_id: int, *, behind: bool = True, **spec: object) -> StartOrder:
    return StartOrder(AttemptRef(task_id, 1), TaskSpec(("true",), **spec), 30.0, behind=behind)  # type: ignore[arg-type]


def test_who_asks_for_the_same_waits_in_one_line() -> None:
    waiting = Waiting()
    for order in (an_order(1), an_order(2, resources=HALF), an_order(3)):
        waiting.add(order)
    assert waiting.everyone() == [AttemptRef(1, 1), AttemptRef(3, 1), AttemptRef(2, 1)]
    waiting.discard(an_order(1))
    waiting.discard(an_order(1))
    assert waiting.next_after(an_order(9)) == AttemptRef(3, 1)
    waiting.discard(an_order(3))
    assert waiting.next_after(an_order(9)) is None
    assert waiting.next_after(an_order(9, resources=HALF)) == AttemptRef(2, 1)


def test_a_line_suffices_until_half_of_it_is_gone() -> None:
    waiting = Waiting()
    orders = [an_order(task_id) for task_id in range(1, 5)]
    for order in orders:
        waiting.add(order)
    left = []
    for order in orders:
        waiting.discard(order)
        left.append(waiting.suffices(order))
    assert left == [True, False, False, False]
    waiting.add(an_order(5))
    assert waiting.suffices(an_order(9))


class IdleExecutor:
    """Does nothing of what it is asked."""

    def closed(self) -> str:
        return ""

    def prepare(self, order: StartOrder) -> None: ...

    def start(self, launches: list[Launch]) -> None: ...


@pytest.mark.parametrize(
    ("first", "second", "can_wait"), [(50, 50, True), (10, 50, True), (90, 50, False)], ids=str
)
def test_the_end_of_one_more_urgent_than_what_follows_cannot_wait(
    tmp_path: Path, first: int, second: int, can_wait: bool
) -> None:
    outbox, folders = Outbox(lambda: boottime() + 1.0), AttemptFolders(str(tmp_path))
    agent = Agent("w1", outbox, Spools(folders))
    agent.connect(IdleExecutor())  # type: ignore[arg-type]
    line = [an_order(task_id, priority=second) for task_id in range(2, 6)]
    agent.carry_out(OrderBatch(1, False, (an_order(1, behind=False, priority=first), *line)), boottime())
    agent.on_news([], [Exit(AttemptRef(1, 1), boottime(), boottime(), code=0)], [])
    agent.on_news([], [Exit(AttemptRef(2, 1), boottime(), boottime(), code=0)], [])
    assert [(told.ref.task_id, told.can_wait) for told in outbox.take(2)] == [(1, can_wait), (2, False)]
