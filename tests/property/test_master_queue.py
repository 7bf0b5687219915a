"""This module compares the queue with a plain sort, over random pushes, removals, parking and freeing."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ganger_core.domain.resources import Resources
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import Task, TaskSpec
from ganger_master.queue import BucketKey, TaskQueue


def a_task(task_id: int, owner: str, cpus: int, priority: int) -> Task:
    spec = TaskSpec(("true",), resources=Resources(cpus * 1000, 0, 1), priority=priority)
    return Task(task_id, owner, spec, TaskState.PENDING, submitted_ms=0)


class QueueMachine(RuleBasedStateMachine):
    """The model is a dict of waiting tasks and the set of parked buckets."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = TaskQueue()
        self.waiting: dict[int, Task] = {}
        self.known: dict[int, Task] = {}
        self.parked: set[BucketKey] = set()

    @rule(owner=st.sampled_from("ab"), cpus=st.integers(1, 3), priority=st.sampled_from([10, 50, 90]))
    def submit(self, owner: str, cpus: int, priority: int) -> None:
        task = a_task(len(self.known) + 1, owner, cpus, priority)
        self.known[task.id] = self.waiting[task.id] = task
        self.queue.push([task])

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def take_out(self, data: st.DataObject) -> None:
        task_id = data.draw(st.sampled_from(sorted(self.waiting)))
        key = BucketKey.of(self.waiting.pop(task_id))
        self.queue.remove([task_id])
        if all(BucketKey.of(task) != key for task in self.waiting.values()):
            self.parked.discard(key)  # an empty bucket is forgotten with its reason

    @precondition(lambda self: len(self.known) > len(self.waiting))
    @rule(data=st.data())
    def come_back(self, data: st.DataObject) -> None:
        task_id = data.draw(st.sampled_from(sorted(self.known.keys() - self.waiting.keys())))
        self.waiting[task_id] = self.known[task_id]
        self.queue.push([self.known[task_id]])

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def park(self, data: st.DataObject) -> None:
        key = BucketKey.of(self.waiting[data.draw(st.sampled_from(sorted(self.waiting)))])
        self.queue.park([(key, "no room")], self.queue.heads(1).generation)
        self.parked.add(key)

    @rule()
    def free(self) -> None:
        self.queue.unpark_all()
        self.parked.clear()

    @rule(limit=st.integers(0, 6))
    def some_heads(self, limit: int) -> None:
        self.check(limit)

    @invariant()
    def all_heads(self) -> None:
        self.check(10_000)

    def check(self, limit: int) -> None:
        plain = sorted(
            (task for task in self.waiting.values() if BucketKey.of(task) not in self.parked),
            key=lambda task: (-task.spec.priority, task.id),
        )
        heads = self.queue.heads(limit)
        assert [task_id for shape in heads.shapes for task_id in shape.task_ids] == [t.id for t in plain][
            :limit
        ]
        for key, shape in zip(heads.keys, heads.shapes, strict=True):
            assert {BucketKey.of(self.waiting[task_id]) for task_id in shape.task_ids} == {key}
            assert (shape.request, shape.priority) == (key.request, key.priority)
        for task in self.waiting.values():
            assert self.queue.reason(task.id) == ("no room" if BucketKey.of(task) in self.parked else "")
        assert len(self.queue) == len(self.waiting)


TestQueue = QueueMachine.TestCase
