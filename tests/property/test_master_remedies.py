"""This module tests that what `why` offers helps: carried out on a real queue, first-fit places the task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from ganger_core.domain.array import Array, Indices
from ganger_core.domain.clock import Instant
from ganger_core.domain.cordon import Cordon
from ganger_core.domain.explanation import Change, ChangeKind, Remedy
from ganger_core.domain.placement import first_fit
from ganger_core.domain.plan import Fleet, Snapshot
from ganger_core.domain.resources import Resources
from ganger_core.domain.states import TaskState, WorkerState
from ganger_core.domain.task import Task, TaskSpec
from ganger_core.domain.waits import NO_WAITS, Waits
from ganger_master.ageing import MS_PER_HOUR, Ageing
from ganger_master.explaining.facts import Facts, WorkerLook
from ganger_master.explaining.remedies import remedies
from ganger_master.explaining.trial import FIRST_ID, LAST_ID, case_of, starts
from ganger_master.queue import BucketKey, TaskQueue

NOW_MS = 10 * MS_PER_HOUR
AGEING = Ageing(1.0, 3.0)
MIB = 2**20

requests = st.builds(
    Resources, st.sampled_from([100, 1000, 2000, 4000]), st.sampled_from([0, 64 * MIB, 512 * MIB]), st.just(1)
)
capacities = st.builds(
    Resources,
    st.sampled_from([1000, 2000, 4000, 8000]),
    st.sampled_from([128 * MIB, 1024 * MIB]),
    st.integers(1, 3),
)


@dataclass(frozen=True)
class Situation:
    """Tasks that wait, arrays with what runs of them, and workers."""

    tasks: tuple[Task, ...]
    arrays: dict[int, tuple[int, int]]  # by id: the limit, and how many run
    workers: tuple[WorkerLook, ...]

    def queue(self) -> TaskQueue:
        queue = TaskQueue(AGEING)
        queue.push(self.tasks, Instant(NOW_MS, 0.0))
        queue.bring_in_line(Instant(NOW_MS, 0.0))
        for array_id, (most, running) in self.arrays.items():
            queue.limit_array(array_id, max(0, most - running), most)
        return queue

    def first_fit(self, queue: TaskQueue) -> set[int]:
        """The ids of those that first-fit places on the workers that may get work."""
        usable = [worker for worker in sorted(self.workers, key=lambda each: each.id) if worker.takes_work]
        fleet = Fleet(tuple(each.id for each in usable), tuple(each.capacity for each in usable))
        free = tuple(worker.free for worker in usable)
        shapes = queue.heads(100_000, NOW_MS).shapes
        return {given.task_id for given in first_fit(Snapshot(fleet, free, shapes)).assignments}


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """A few of everything, so that everything gets in the way of everything."""
    tasks, arrays, task_id = [], {}, 1
    for _ in range(draw(st.integers(1, 5))):
        spec = TaskSpec(
            ("true",), resources=draw(requests), priority=draw(st.sampled_from([49, 50, 52, 100]))
        )
        array, elements = None, draw(st.sampled_from([0, 0, 0, 2, 4]))
        if elements:
            array = Array(Indices.first(elements))
            most = draw(st.integers(0, 3))
            arrays[task_id] = (most, draw(st.integers(0, most)))
        submitted_ms = task_id * draw(st.sampled_from([0, MS_PER_HOUR // 20]))
        waits = draw(
            st.sampled_from([*[NO_WAITS] * 4, Waits("bob"), Waits("", NOW_MS + 1), Waits("", NOW_MS)])
        )
        tasks.append(Task(task_id, "ann", spec, TaskState.PENDING, submitted_ms, array=array, waits=waits))
        task_id += elements + 1
    workers = []
    for number in range(draw(st.integers(0, 4))):
        capacity = draw(capacities)
        held = Resources(*[draw(st.sampled_from([0, amount // 2, amount])) for amount in capacity.amounts()])
        state = draw(st.sampled_from([WorkerState.UP, WorkerState.UP, *WorkerState]))
        rests_s = draw(st.sampled_from([0.0, 0.0, 5.0]))
        is_cordoned = state is WorkerState.CORDONED or (state is not WorkerState.UP and draw(st.booleans()))
        cordon = Cordon("ann", "", 0, drains=state is not WorkerState.CORDONED) if is_cordoned else None
        workers.append(
            WorkerLook(
                f"id-{number}", f"w{number}", state, capacity, capacity.minus(held), 0.0, rests_s, "", cordon
            )
        )
    return Situation(tuple(tasks), arrays, tuple(workers))


def facts_of(situation: Situation, task: Task, queue: TaskQueue, most: int) -> Facts:
    standing = queue.standing(BucketKey.of(task), 0 if task.array else task.id, NOW_MS, lambda _: most)
    assert standing is not None
    running = situation.arrays.get(standing.key.array_id, (0, 0))[1]
    waits = [(task.id, task.waits)] if not task.array else [(task.id + 1, NO_WAITS), (task.id, task.waits)]
    named = replace(task, array=None, id=standing.task_id)
    return Facts(named, standing, situation.workers, NOW_MS, waits=waits, running=running)


def carried_out(
    situation: Situation, task: Task, changes: Sequence[Change], new_id: str
) -> tuple[Situation, int]:
    """What the changes mean for real, and the id that is to be placed."""
    mine = task.id + 1 if task.array else task.id
    for change in changes:
        tasks, workers, arrays = list(situation.tasks), list(situation.workers), dict(situation.arrays)
        at = next(number for number, each in enumerate(tasks) if each.id == task.id)
        match change.kind:
            case ChangeKind.REQUEST:
                spec = replace(task.spec, resources=change.amounts._replace(slots=1))
                tasks.append(Task(1000, "ann", spec, TaskState.PENDING, NOW_MS))
                mine = 1000
                if not task.array:
                    del tasks[at]
            case ChangeKind.PRIORITY:
                tasks[at] = replace(tasks[at], spec=replace(task.spec, priority=change.number))
            case ChangeKind.MAX_PARALLEL:
                arrays[task.id] = (change.number, arrays[task.id][1])
            case ChangeKind.RELEASE:
                assert change.number == task.id
                tasks[at] = replace(tasks[at], waits=replace(task.waits, held_by=""))
            case ChangeKind.NEW_WORKER:
                workers.append(WorkerLook(new_id, "new", WorkerState.UP, change.amounts, change.amounts))
            case ChangeKind.WORKER_BACK | ChangeKind.RESUME_WORKER:
                at = next(n for n, each in enumerate(workers) if each.name == change.name)
                assert (change.kind is ChangeKind.RESUME_WORKER) == workers[at].may_be_resumed
                workers[at] = replace(workers[at], state=WorkerState.UP, rests_s=0.0, cordon=None)
        situation = Situation(tuple(tasks), arrays, tuple(workers))
    return situation, mine


def check(situation: Situation, task: Task, remedy: Remedy) -> None:
    for new_id in (FIRST_ID, LAST_ID, "id-2x"):
        after, mine = carried_out(situation, task, remedy.changes, new_id)
        queue = after.queue()
        if remedy.changes[-1].kind is ChangeKind.REQUEST and task.array:
            queue.remove([task.id + 1])  # the element itself is cancelled
        assert mine in after.first_fit(queue), remedy


ALL = 256  # more than wait in any bucket here


@given(situations(), st.sampled_from([1, 2, ALL]))
@settings(max_examples=200, deadline=None)
def test_every_change_that_is_named_lets_the_task_start(situation: Situation, most: int) -> None:
    queue = situation.queue()
    placed = situation.first_fit(queue)
    for task in situation.tasks:
        facts = facts_of(situation, task, queue, most)
        if most == ALL or starts(case_of(facts)):  # what was not looked at may only make it doubtful
            assert starts(case_of(facts)) == (facts.task.id in placed)
        for remedy in remedies(facts, case_of(facts)):
            check(situation, task, remedy)
