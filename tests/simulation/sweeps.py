"""This module is the simulated people who submit arrays, change their limits, and cancel them or some elements."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from ganger_core.convert.task import array_to_proto, spec_to_proto
from ganger_core.domain.array import Array, Indices
from ganger_core.domain.dependency import DependencyKind
from ganger_core.domain.errors import Conflict, GangerError
from ganger_core.domain.resources import Resources
from ganger_core.domain.states import TASK_FINAL, TaskState
from ganger_core.domain.task import Task, TaskSpec
from ganger_core.wire.v1 import task_pb2
from ganger_master.state import State
from simulation.host import Program, Run
from simulation.violation import Violation
from simulation.virtual_loop import Process

if TYPE_CHECKING:
    from simulation.world import World

CALL_S = 10.0
STEP = 3  # between two indices

Cancel = Callable[[int], Awaitable[None]]
"""Cancels a task until that is acknowledged."""


class Sweeps:
    """Some arrays of one world. `cancelled` has the tokens of their elements when their cancel was acknowledged."""

    def __init__(self, world: World, proc: Process, over_s: float, cancel: Cancel) -> None:
        self._world = world
        self._rng = world.arrays_rng
        self._proc = proc
        self._cancel = cancel
        self._limits: dict[str, list[float]] = {}  # by label, all that may be in force
        self.waiting = self._rng.randint(1, 2) if world.has_arrays else 0
        self.acknowledged: dict[str, int] = {}
        self.cancelled: dict[int, dict[int, int]] = {}
        self.held: set[int] = set()  # arrays whose hold is in force
        cancels = self._rng.choice((0, 0.4))
        for number in range(self.waiting):
            proc.later(self._rng.random() * over_s, self._begin, f"a{number}", cancels)

    def may_begin(self, run: Run, task: Task, living: Sequence[int]) -> None:
        """An element begins, while these elements of its array live."""
        limit = max(self._limits[run.label])
        if len(living) >= limit:
            raise Violation(f"I10 {task.label} began while {len(living)} live; at most {limit:g} may")
        if task.index != run.index or task.index != STEP * (task.id - task.array_id - 1):
            raise Violation(f"I2 element {task.label} of array {task.array_id} runs as {run.index}")
        if task.array_id in self.held:
            raise Violation(f"I21 {task.label} began while its array was held")
        cancelled = self.cancelled.get(task.array_id)
        if cancelled is not None and run.token > cancelled.get(task.id, 0):
            raise Violation(f"I11 {task.label} began after the cancel of its array was acknowledged")

    def at_end(self) -> None:
        """An array that is over says of its elements what they say."""
        tasks = self._world.disk.tasks
        for task in [task for task in tasks.values() if task.array is not None]:
            array = task.array
            assert array is not None
            ids = range(task.id + 1, task.id + 1 + len(array))
            states = [tasks[each].state if each in tasks else array.closed for each in ids]
            counts = {state: states.count(state) for state in set(states)}
            if counts != dict(array.counts) or not counts.keys() <= TASK_FINAL:
                raise Violation(f"I18 array {task.id} says {array.counts}, its elements {counts}")

    def _begin(self, label: str, cancels: float) -> None:
        self._proc.spawn(self._one(label, cancels), label)

    async def _one(self, label: str, cancels: float) -> None:
        """Submit until it is acknowledged; then change the limit, and perhaps cancel."""
        rng, proc = self._rng, self._proc
        longest = rng.choice((0.01, 0.3, 0.3, 0.6, 20.0))
        program = Program(
            label, round(rng.random() * longest, 3) + 0.001, rng.choice((0, 0, 7)), cpu_milli=500
        )
        spec = TaskSpec(
            program.command(), resources=Resources(program.cpu_milli, 0, 1), priority=rng.choice((10, 50))
        )
        count, limit = rng.randint(3, 60), rng.choice((0, 1, 2, 4, 4))
        fails = rng.choice((None, None, 0, 2))
        array = Array(Indices((range(0, STEP * count, STEP),)), limit, fails)
        self._limits[label] = [limit or math.inf]
        task_id = await self._submit(label, spec, array)
        self.waiting -= 1
        for number in range(rng.choice((0, 2, 6))):
            await proc.sleep(rng.random() * rng.choice((0.3, 1, 20)))
            await self._update(label, task_id, rng.choice((0, 1, 2, 4)), f"{label}u{number}")
        if rng.random() < 0.3:
            await self._hold(task_id, label)
        if rng.random() < cancels:
            await proc.sleep(rng.random() * 10)
            await self._cancel(task_id + 1 + rng.randrange(count))
        if rng.random() < cancels:
            await proc.sleep(rng.random() * 10)
            await self._cancel(task_id)
            tokens = {t.id: t.token for t in self._world.disk.tasks.values() if t.array_id == task_id}
            self.cancelled[task_id] = tokens

    async def hand_in(self, label: str, spec: TaskSpec, count: int) -> int:
        """An array of others, with so many elements and without a limit, until it is acknowledged."""
        self._limits[label] = [math.inf]
        return await self._submit(label, spec, Array(Indices((range(0, STEP * count, STEP),))))

    async def _submit(self, label: str, spec: TaskSpec, array: Array) -> int:
        request = task_pb2.SubmitArrayRequest(
            request_id=label, spec=spec_to_proto(spec), array=array_to_proto(array)
        )
        answer = await self._until_answered("SubmitArray", request)
        stored = self._world.disk.tasks.get(answer.task_id)
        if stored is None or stored.array is None or stored.spec.command[1] != label:
            raise Violation(f"I1 {label} was acknowledged as array {answer.task_id}, which is not on disk")
        self.acknowledged[label] = stored.id
        return stored.id

    async def _update(self, label: str, task_id: int, limit: int, request_id: str) -> None:
        request = task_pb2.UpdateTaskRequest(request_id=request_id, task_id=task_id, max_parallel=limit)
        self._limits[label].append(limit or math.inf)
        try:
            answer = await self._until_answered("UpdateTask", request)
        except Conflict:
            return  # it is over
        self._world.trace("limit of %s is %d, %s", label, limit, answer.in_force)
        if answer.in_force:
            self._limits[label] = [limit or math.inf]

    async def _hold(self, task_id: int, label: str) -> None:
        """Hold the array for a while."""
        rng, proc = self._rng, self._proc
        await proc.sleep(rng.random() * rng.choice((0.3, 3, 20)))
        held = task_pb2.UpdateTaskRequest(request_id=f"{label}h", task_id=task_id, held=True)
        released = task_pb2.UpdateTaskRequest(request_id=f"{label}r", task_id=task_id, held=False)
        try:
            answer = await self._until_answered("UpdateTask", held)
            self._world.trace("%s is held, %s", label, answer.in_force)
            if answer.in_force:
                self.held.add(task_id)
            await proc.sleep(rng.random() * rng.choice((0.3, 3, 60)))
            self.held.discard(task_id)
            await self._until_answered("UpdateTask", released)
        except Conflict:
            self.held.discard(task_id)  # it is over

    async def _until_answered(self, method: str, request: Any) -> Any:
        while True:
            try:
                return await self._world.network.call(self._proc, method, request, CALL_S)
            except Conflict:
                raise
            except GangerError:
                await self._proc.sleep(0.1 + self._rng.random() * 3)


def add_up(state: State, queue: Any) -> None:
    """What the master remembers of arrays is what their elements say."""
    for array_id, elements in state.arrays._elements.items():
        mine = [task for task in state.tasks.values() if task.array_id == array_id]
        if elements.open != {task.id for task in mine if not task.is_final}:
            raise Violation(f"I12 of array {array_id} are open {elements.open}")
        running = [a for a in map(state.attempts.get, elements.open) if a and a.is_live and not a.behind]
        if len(running) != state.lanes.running(array_id):
            raise Violation(f"I12 of array {array_id} run {len(running)}: {state.lanes.running(array_id)}")
        closed = state.tasks[array_id].array.closed  # type: ignore[union-attr]
        waits = state.tasks[array_id].waits.after
        if closed or any(each.kind is DependencyKind.EACH for each in waits):  # those come with their records
            waiting = sum(task.state is TaskState.PENDING for task in mine)
        else:
            waiting = sum(task.state is TaskState.PENDING for task in mine) + elements.untouched
        queued = [len(bucket) for key, bucket in queue._buckets.items() if key.array_id == array_id]
        queued += [1 for task_id in queue._aside_since if queue._bucket_of[task_id].array_id == array_id]
        if sum(queued) != waiting:
            raise Violation(f"I12 of array {array_id} wait {waiting}, in the queue are {queued}")
