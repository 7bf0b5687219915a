"""This module compares the queue with a plain sort, over random pushes, removals, parking, freeing and waiting."""

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
    """The model is a dict of waiting tasks, the set of parked buckets, and whether the scheduler has to look."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = TaskQueue()
        self.waiting: dict[int, Task] = {}
        self.known: dict[int, Task] = {}
        self.parked: set[BucketKey] = set()
        self.woken = False

    @rule(owner=st.sampled_from("ab"), cpus=st.integers(1, 3), priority=st.sampled_from([10, 50, 90]))
    def submit(self, owner: str, cpus: int, priority: int) -> None:
        task = a_task(len(self.known) + 1, owner, cpus, priority)
        self.known[task.id] = self.waiting[task.id] = task
        self.queue.push([task])
        self.woken = True

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
        self.woken = True

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def park(self, data: st.DataObject) -> None:
        key = BucketKey.of(self.waiting[data.draw(st.sampled_from(sorted(self.waiting)))])
        self.queue.park([(key, "no room")], self.queue.heads(1).generation)
        self.parked.add(key)
        self.woken |= any(BucketKey.of(task) not in self.parked for task in self.waiting.values())

    @rule()
    def park_all(self) -> None:
        """Nothing at all can start; what was pushed since the scheduler looked is looked at all the same."""
        self.queue.park([], self.queue.heads(1).generation, lambda key: "no room")
        if not self.woken:
            self.parked |= {BucketKey.of(task) for task in self.waiting.values()}
        self.woken |= any(BucketKey.of(task) not in self.parked for task in self.waiting.values())

    @precondition(lambda self: self.waiting)
    @rule()
    def park_by_a_plan_that_took_too_long(self) -> None:
        """Capacity came free while it was made: its reasons are old, nothing is parked."""
        heads = self.queue.heads(10_000)
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
