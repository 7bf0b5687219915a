"""This module checks what waiting counts: as much for all, up to a cap, and never across it."""

from __future__ import annotations

from ganger_core.domain.states import TaskState
from ganger_core.domain.task import Task
from ganger_master.ageing import Ageing, Rank
from ganger_master.queue import LONG_AGO, TaskQueue
from testkit.builders import a_spec

HOUR_MS = 3_600_000
AGEING = Ageing(per_hour=2.0, most=10.0)


def waiting(task_id: int, priority: int, submitted_ms: int) -> Task:
    return Task(task_id, "ann", a_spec(priority=priority), TaskState.PENDING, submitted_ms)


def order(queue: TaskQueue, now_ms: int) -> list[int]:
    return [rank.task_id for ranks in queue.heads(10, now_ms).ranks for rank in ranks]


def test_an_hour_adds_what_was_set_up_to_the_cap() -> None:
    assert AGEING.rank(50, 0, 7, 0) == Rank(-50_000, 7)
    assert AGEING.rank(50, 0, 7, HOUR_MS) == Rank(-52_000, 7)
    assert AGEING.rank(50, 0, 7, 100 * HOUR_MS) == Rank(-60_000, 7)
    assert AGEING.rank(50, HOUR_MS, 7, 0) == Rank(-50_000, 7)  # the clock went back
    assert Ageing(0.0, 10.0).rank(50, 0, 7, HOUR_MS) == Rank(-50_000, 7)


def test_what_waits_comes_before_newer_tasks_of_a_little_more_priority() -> None:
    queue = TaskQueue(AGEING)
    queue.push(
        [waiting(1, 50, 0), waiting(2, 55, 0), waiting(3, 90, 0), waiting(4, 58, 4 * HOUR_MS)], LONG_AGO
    )
    assert order(queue, 0) == [3, 4, 2, 1]
    assert order(queue, 4 * HOUR_MS) == [3, 2, 1, 4]
    assert order(queue, 99 * HOUR_MS) == [3, 4, 2, 1]  # all are at the cap: priority alone counts
    queue.push([waiting(5, 59, 99 * HOUR_MS), waiting(6, 61, 99 * HOUR_MS)], LONG_AGO)
    assert order(queue, 99 * HOUR_MS) == [3, 4, 2, 6, 1, 5]
