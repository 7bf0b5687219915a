"""This module tests where a waiting task stands among the others, against a plain sort of all that wait."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ganger_core.domain.array import Array, Indices
from ganger_core.domain.clock import Instant
from ganger_core.domain.resources import Resources
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import Task, TaskSpec
from ganger_core.domain.waits import NO_WAITS, Waits
from ganger_master.ageing import MS_PER_HOUR, Ageing, Rank
from ganger_master.queue import BucketKey, TaskQueue

NOW_MS = 10 * MS_PER_HOUR
AGEING = Ageing(1.0, 2.0)


@st.composite
def lots(draw: st.DrawFn) -> list[Task]:
    """Tasks and arrays in the order of their submission, some of which wait for something else."""
    tasks, task_id, submitted_ms = [], 1, 0
    for _ in range(draw(st.integers(1, 8))):
        submitted_ms += draw(st.sampled_from([0, MS_PER_HOUR // 2, MS_PER_HOUR]))
        spec = TaskSpec(
            ("true",),
            resources=Resources(draw(st.sampled_from([1000, 2000])), 0, 1),
            priority=draw(st.sampled_from([49, 50, 51])),
        )
        elements = draw(st.sampled_from([0, 0, 3]))
        array = Array(Indices.first(elements)) if elements else None
        waits = draw(st.sampled_from([NO_WAITS, NO_WAITS, Waits("bob")]))
        tasks.append(Task(task_id, "ann", spec, TaskState.PENDING, submitted_ms, array=array, waits=waits))
        task_id += elements + 1
    return tasks


def members(task: Task) -> list[int]:
    return [task.id + 1 + position for position in range(len(task.array))] if task.array else [task.id]


@given(lots(), st.data())
@settings(max_examples=100, deadline=None)
def test_a_task_stands_where_a_plain_sort_puts_it(tasks: list[Task], data: st.DataObject) -> None:
    queue = TaskQueue(AGEING)
    queue.push(tasks, Instant(NOW_MS, 0.0))
    gone = data.draw(st.sets(st.sampled_from([each for task in tasks for each in members(task)]), max_size=4))
    queue.remove(gone)
    ranks: dict[BucketKey, list[Rank]] = {}
    for task in tasks:
        if not task.waits.held_by:
            found = [each for each in members(task) if each not in gone]
            ranks.setdefault(BucketKey.of(task), []).extend(
                AGEING.rank(task.spec.priority, task.submitted_ms, each, NOW_MS) for each in found
            )
    for task in tasks:
        for mine in members(task):
            standing = queue.standing(BucketKey.of(task), mine, NOW_MS, lambda _: 2)
            if mine in gone:
                assert standing is None
                continue
            assert standing is not None
            rank = AGEING.rank(task.spec.priority, task.submitted_ms, mine, NOW_MS)
            assert standing.rank == rank
            assert standing.in_line == (not task.waits.held_by or task.array is not None)
            for key, look in standing.buckets.items():
                if key.array_id and key == standing.key and task.waits.held_by:
                    continue  # its own array, held as a whole
                plain = sorted(ranks.get(key, []))
                assert (look.waiting, look.ahead) == (len(plain), sum(each < rank for each in plain))
                assert look.first == tuple(plain[:2])
            assert {key for key, plain in ranks.items() if plain} <= set(standing.buckets)


def test_the_first_of_a_bucket_is_the_next_of_its_array() -> None:
    queue = TaskQueue(AGEING)
    spec = TaskSpec(("true",))
    task = Task(5, "ann", spec, TaskState.PENDING, 0, array=Array(Indices.first(3)))
    queue.push([task], Instant(NOW_MS, 0.0))
    queue.remove([6])
    standing = queue.standing(BucketKey("ann", spec.resources, spec.priority, 5), 0, NOW_MS, lambda _: 9)
    assert standing is not None
    assert (standing.task_id, standing.own.waiting, standing.own.ahead) == (7, 2, 0)
    queue.remove([7, 8])
    assert queue.standing(BucketKey("ann", spec.resources, spec.priority, 5), 0, NOW_MS, lambda _: 9) is None
