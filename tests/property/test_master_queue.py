"""This module compares the queue with a plain sort, over random pushes, removals, parking, freeing and waiting."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import inf

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ganger_core.domain.array import Array, Indices
from ganger_core.domain.clock import Instant
from ganger_core.domain.resources import Resources
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import Task, TaskSpec
from ganger_core.domain.waits import NO_WAITS, Waits
from ganger_master.ageing import Ageing
from ganger_master.queue import BucketKey, TaskQueue, most_behind


def a_task(task_id: int, owner: str, cpus: int, priority: int, at_ms: int, array_id: int = 0) -> Task:
    spec = TaskSpec(("true",), resources=Resources(cpus * 1000, 0, 1), priority=priority)
    return Task(task_id, owner, spec, TaskState.PENDING, submitted_ms=at_ms, array_id=array_id)


LATER = st.sampled_from([0, 1, 600, 3_600])  # seconds


class QueueMachine(RuleBasedStateMachine):
    """The model is a dict of waiting tasks, the set of parked buckets, and whether the scheduler has to look.

    An element of an array waits like any task, whether or not it ever had a record.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ageing = Ageing(per_hour=10.0, most=45.0)
        self.queue = TaskQueue(self.ageing)
        self.now_ms = 1_000
        self.waiting: dict[int, Task] = {}
        self.known: dict[int, Task] = {}
        self.parked: set[BucketKey] = set()
        self.woken = False
        self.next_id = 1
        self.untouched: dict[int, set[int]] = {}  # by array: elements that wait and have no record
        self.rooms: dict[int, tuple[int, int]] = {}
        self.pauses: dict[int, float] = {}  # by task in the queue, until when it pauses or paused
        self.aside: dict[int, float] = {}  # tasks and arrays that wait for something else, each until when

    def now(self) -> Instant:
        return Instant(self.now_ms, self.now_ms / 1000)

    def in_bucket(self) -> list[Task]:
        return [task for task in self.waiting.values() if task.id not in self.aside]

    def in_line(self) -> list[Task]:
        return [task for task in self.in_bucket() if task.array_id not in self.aside]

    @precondition(lambda self: self.waiting)
    @rule(data=st.data(), later_s=LATER, pause_s=LATER, held=st.booleans(), whole=st.booleans())
    def wait_for_something_else(
        self, data: st.DataObject, later_s: int, pause_s: int, held: bool, whole: bool
    ) -> None:
        """Somebody holds a task, or it may not start before a moment, or that is over; it pauses as it was to."""
        until_ms = self.now_ms + 1_000 * later_s if later_s else 0
        waits = Waits("ann" if held else "", until_ms, pause_s)
        task = data.draw(st.sampled_from(sorted(self.waiting.values(), key=lambda task: task.id)))
        self.woken = True
        if whole and task.array_id in self.untouched:
            array = a_task(task.array_id, "a", 1, task.spec.priority, task.submitted_ms)
            self.queue.push([replace(array, array=Array(Indices.first(6)), waits=waits)], self.now())
            self.note_aside(array.id, waits)
            return
        if task.id in self.untouched.get(task.array_id, ()):
            self.untouched[task.array_id].remove(task.id)  # it has a record now
            self.pauses[task.id] = self.now_ms + 1_000 * pause_s
        self.queue.push([replace(task, waits=waits)], self.now())
        if task.id not in self.aside:
            del self.waiting[task.id]
            self.forget_bucket(task)
            self.waiting[task.id] = task
        self.note_aside(task.id, replace(waits, pause_s=(self.pauses.get(task.id, 0) - self.now_ms) / 1_000))

    def note_aside(self, number: int, waits: Waits) -> None:
        self.aside.pop(number, None)
        until_ms = max(waits.until_ms, self.now_ms + 1_000 * waits.pause_s)
        if waits != NO_WAITS:  # for a moment at least, also when it is over
            self.aside[number] = inf if waits.held_by else until_ms

    @rule(
        priority=st.sampled_from([10, 50, 90]),
        count=st.integers(1, 6),
        room=st.none() | st.tuples(st.integers(0, 3), st.integers(1, 3)),
    )
    def submit_array(self, priority: int, count: int, room: tuple[int, int] | None) -> None:
        array_id = self.next_id
        self.next_id += count + 1
        task = replace(a_task(array_id, "a", 1, priority, self.now_ms), array=Array(Indices.first(count)))
        elements = [
            a_task(array_id + n, "a", 1, priority, self.now_ms, array_id) for n in range(1, count + 1)
        ]
        self.known.update((each.id, each) for each in elements)
        self.waiting.update((each.id, each) for each in elements)
        self.untouched[array_id] = {each.id for each in elements}
        self.queue.push([task], self.now())
        self.woken = True
        if room:
            self.set_room(array_id, *room)

    @precondition(lambda self: self.untouched)
    @rule(data=st.data(), left=st.integers(0, 3), most=st.integers(0, 3))
    def limit(self, data: st.DataObject, left: int, most: int) -> None:
        self.set_room(data.draw(st.sampled_from(sorted(self.untouched))), left, most)

    def set_room(self, array_id: int, left: int, most: int) -> None:
        before = self.rooms.pop(array_id, None)
        self.queue.limit_array(array_id, left, most)
        if most:
            self.rooms[array_id] = (left, most)
        self.woken |= before is not None and (not most or left > before[0])

    @precondition(lambda self: self.untouched)
    @rule(data=st.data())
    def close_array(self, data: st.DataObject) -> None:
        array_id = data.draw(st.sampled_from(sorted(self.untouched)))
        self.queue.close_array(array_id)
        gone = self.untouched.pop(array_id)
        for task_id in gone:
            self.forget_bucket(self.waiting.pop(task_id))

    @rule(owner=st.sampled_from("ab"), cpus=st.integers(1, 3), priority=st.sampled_from([10, 50, 90]))
    def submit(self, owner: str, cpus: int, priority: int) -> None:
        task = a_task(self.next_id, owner, cpus, priority, self.now_ms)
        self.next_id += 1
        self.known[task.id] = self.waiting[task.id] = task
        self.queue.push([task], self.now())
        self.woken = True

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def take_out(self, data: st.DataObject) -> None:
        task_id = data.draw(st.sampled_from(sorted(self.waiting)))
        task = self.waiting.pop(task_id)
        self.untouched.get(task.array_id, set()).discard(task_id)
        self.aside.pop(task_id, None)
        self.pauses.pop(task_id, None)
        self.queue.remove([task_id])
        self.forget_bucket(task)

    def forget_bucket(self, gone: Task) -> None:
        """An empty bucket is forgotten with its reason."""
        key = BucketKey.of(gone)
        if all(BucketKey.of(task) != key for task in self.in_bucket()):
            self.parked.discard(key)

    @precondition(lambda self: len(self.known) > len(self.waiting))
    @rule(data=st.data())
    def come_back(self, data: st.DataObject) -> None:
        task_id = data.draw(st.sampled_from(sorted(self.known.keys() - self.waiting.keys())))
        self.waiting[task_id] = self.known[task_id]
        self.queue.push([self.known[task_id]], self.now())
        self.woken = True

    @precondition(lambda self: self.in_bucket())
    @rule(data=st.data())
    def park(self, data: st.DataObject) -> None:
        key = BucketKey.of(self.waiting[data.draw(st.sampled_from(sorted(t.id for t in self.in_bucket())))])
        self.queue.park([(key, "no room")], self.queue.heads(1, self.now_ms).generation)
        self.parked.add(key)
        self.woken |= any(BucketKey.of(task) not in self.parked for task in self.in_line())

    @rule()
    def park_all(self) -> None:
        """Nothing at all can start; what was pushed since the scheduler looked is looked at all the same."""
        self.queue.park([], self.queue.heads(1, self.now_ms).generation, lambda key: "no room")
        if not self.woken:
            self.parked |= {BucketKey.of(task) for task in self.in_line()}
        self.woken |= any(BucketKey.of(task) not in self.parked for task in self.in_line())

    @precondition(lambda self: self.waiting)
    @rule()
    def park_by_a_plan_that_took_too_long(self) -> None:
        """Capacity came free while it was made: its reasons are old, nothing is parked."""
        heads = self.queue.heads(10_000, self.now_ms)
        self.free()
        self.queue.park([(key, "no room") for key in heads.keys], heads.generation)

    @rule()
    def free(self) -> None:
        self.queue.unpark_all()
        self.parked.clear()
        self.woken = True

    @rule()
    def wait(self) -> None:
        """The scheduler looks: at once if it was woken, else its wait was in vain and everything is planned again."""
        self.queue.wait_for_work(0.0)
        if not self.woken:
            self.parked.clear()
        self.woken = False

    @rule(hours=st.floats(0, 3))
    def time_goes_by(self, hours: float) -> None:
        self.now_ms += round(hours * 3_600_000)

    @rule(limit=st.integers(0, 6))
    def some_heads(self, limit: int) -> None:
        self.check(limit)

    @invariant()
    def all_heads(self) -> None:
        self.check(10_000)

    def check(self, limit: int) -> None:
        self.queue.bring_in_line(self.now())
        self.aside = {number: until for number, until in self.aside.items() if until > self.now_ms}
        plain = sorted(self.in_line(), key=lambda task: self.ageing.rank_of(task, self.now_ms))
        plannable: list[int] = []
        limited: dict[int, list[int]] = {}
        seen: Counter[int] = Counter()
        for task in plain:
            left, most = self.rooms.get(task.array_id, (10_000, 0))
            seen[task.array_id] += 1
            if seen[task.array_id] > left:
                limited.setdefault(task.array_id, []).append(task.id)
            elif BucketKey.of(task) not in self.parked:
                plannable.append(task.id)
        heads = self.queue.heads(limit, self.now_ms)
        assert [task_id for shape in heads.shapes for task_id in shape.task_ids] == plannable[:limit]
        for key, shape in zip(heads.keys, heads.shapes, strict=True):
            assert {BucketKey.of(self.waiting[task_id]) for task_id in shape.task_ids} == {key}
            assert (shape.request, shape.priority) == (key.request, key.priority)
        assert [[rank.task_id for rank in ranks] for ranks in heads.ranks] == [
            list(shape.task_ids) for shape in heads.shapes
        ]
        assert {key.array_id: [rank.task_id for rank in ranks] for key, ranks in heads.limited} == {
            array_id: ids[: most_behind(self.rooms[array_id][1])] for array_id, ids in limited.items()
        }
        for task in self.in_bucket():
            parked = "no room" if BucketKey.of(task) in self.parked else ""
            left, most = self.rooms.get(task.array_id, (1, 0))
            reason = parked if left else f"array {task.array_id} runs at most {most} at a time"
            if task.array_id not in self.aside:
                assert self.queue.reason(task.id) == reason
        for task_id in self.waiting.keys() & self.aside.keys():
            assert self.queue.reason(task_id).startswith(("held by ann", "not before", "failed and is tried"))
        assert len(self.queue) == len(self.waiting)


TestQueue = QueueMachine.TestCase
