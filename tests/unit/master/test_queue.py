"""This module checks how the queue blocks, wakes and parks."""

from __future__ import annotations

import threading
from dataclasses import replace

from ganger_core.domain.clock import Instant
from ganger_core.domain.resources import Resources
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import Task, TaskSpec
from ganger_core.domain.waits import Waits
from ganger_master.queue import LONG_AGO, BucketKey, TaskQueue
from testkit.waiting import wait_until


def a_task(task_id: int, cpus: int = 1) -> Task:
    spec = TaskSpec(("true",), resources=Resources(cpus * 1000, 0, 1))
    return Task(task_id, "ann", spec, TaskState.PENDING, submitted_ms=0)


def ids(queue: TaskQueue) -> list[int]:
    return [task_id for shape in queue.heads(100, 0).shapes for task_id in shape.task_ids]


def test_what_is_due_ends_the_wait_of_the_scheduler() -> None:
    queue = TaskQueue()
    queue.push(
        [replace(a_task(1), waits=Waits(until_ms=50)), replace(a_task(2), waits=Waits("ann"))], LONG_AGO
    )
    queue.wait_for_work(60)
    assert ids(queue) == []
    queue.park([], queue.heads(1, 0).generation, lambda key: "no room")
    queue.wait_for_work(60, Instant(49, 0.0))  # a thousandth of a second
    assert ids(queue) == []
    queue.bring_in_line(Instant(50, 0.0))
    assert ids(queue) == [1]


def test_a_pause_is_not_made_longer_by_a_wall_clock_that_is_set_back() -> None:
    queue = TaskQueue()
    queue.push([replace(a_task(1), waits=Waits(until_ms=1_000, pause_s=5.0))], Instant(9_000, 0.0))
    queue.bring_in_line(Instant(9_000, 4.9))
    assert ids(queue) == []
    queue.bring_in_line(Instant(500, 5.0))  # but the moment that somebody named is not over then
    assert ids(queue) == []
    assert queue._aside.due_in_s(Instant(500, 5.0)) == 0.5
    queue.bring_in_line(Instant(1_000, 5.5))
    assert ids(queue) == [1]


def test_a_push_wakes_the_waiting_scheduler() -> None:
    queue = TaskQueue()
    woken = threading.Event()

    def wait() -> None:
        queue.wait_for_work(60)
        woken.set()

    thread = threading.Thread(target=wait, name="scheduler")
    thread.start()
    wait_until(lambda: queue._work._waiters, what="the scheduler waits")  # type: ignore[attr-defined]
    assert not woken.is_set()
    queue.push([a_task(1)], LONG_AGO)
    assert woken.wait(10)
    thread.join()


def test_work_pushed_before_the_wait_is_not_missed() -> None:
    queue = TaskQueue()
    queue.push([a_task(1)], LONG_AGO)
    queue.wait_for_work(60)  # returns at once
    assert ids(queue) == [1]


def test_a_wait_in_vain_looks_at_parked_tasks_again() -> None:
    queue = TaskQueue()
    queue.push([a_task(1)], LONG_AGO)
    queue.wait_for_work(60)
    queue.park([(BucketKey.of(a_task(1)), "no room")], queue.heads(1, 0).generation)
    assert ids(queue) == []
    queue.wait_for_work(0.01)
    assert ids(queue) == [1]


def test_a_parked_shape_does_not_hide_the_rest_and_wakes_the_scheduler_for_it() -> None:
    queue = TaskQueue()
    queue.push([a_task(1, cpus=64), a_task(2)], LONG_AGO)
    queue.wait_for_work(60)
    queue.park([(BucketKey.of(a_task(1, cpus=64)), "too large")], queue.heads(1, 0).generation)
    queue.wait_for_work(60)  # returns at once: task 2 is left to plan
    assert ids(queue) == [2]
    assert queue.reason(1) == "too large"


def test_reasons_from_before_capacity_came_free_do_not_park() -> None:
    queue = TaskQueue()
    queue.push([a_task(1)], LONG_AGO)
    generation = queue.heads(1, 0).generation
    queue.unpark_all()  # while the plan was made
    queue.park([(BucketKey.of(a_task(1)), "no room")], generation)
    assert ids(queue) == [1]


def test_where_nothing_at_all_can_start_the_rest_is_left_out_too_unless_something_came() -> None:
    queue = TaskQueue()
    queue.push([a_task(1), a_task(2, cpus=2), a_task(3, cpus=3)], LONG_AGO)
    parked = [(BucketKey.of(a_task(1)), "looked at")]

    def rest(key: BucketKey) -> str:
        return f"asks for {key.request.cpu_milli}"

    queue.park(parked, queue.heads(1, 0).generation, rest)  # the scheduler has not looked since the push
    assert ids(queue) == [2, 3]
    queue.wait_for_work(0)
    queue.park(parked, queue.heads(1, 0).generation, rest)
    assert ids(queue) == []
    assert not queue._woken
    assert [queue.reason(task_id) for task_id in (1, 2, 3)] == ["looked at", "asks for 2000", "asks for 3000"]
    queue.unpark_all()
    assert ids(queue) == [1, 2, 3]


def test_heads_are_of_so_many_runs_and_long_runs_are_not_cut() -> None:
    queue = TaskQueue()
    queue.push([a_task(1), a_task(2), a_task(3, cpus=2), a_task(4, cpus=2), a_task(5), a_task(6)], LONG_AGO)
    assert [shape.task_ids for shape in queue.heads(100, 0, 2).shapes] == [(1, 2), (3, 4)]
    assert [shape.task_ids for shape in queue.heads(3, 0, 2).shapes] == [(1, 2), (3,)]
    assert [shape.task_ids for shape in queue.heads(100, 0, 3).shapes] == [(1, 2), (3, 4), (5, 6)]
