"""This module is the simulated people whose tasks and arrays are to run after those of others.

What is allowed is judged by the truth: by the final states on disk, and by the processes that have begun.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ganger_core.convert.task import spec_to_proto
from ganger_core.domain.dependency import Dependency, DependencyKind, OnDependencyFailure
from ganger_core.domain.errors import Conflict, GangerError
from ganger_core.domain.resources import Resources
from ganger_core.domain.states import TASK_FINAL, TaskState
from ganger_core.domain.task import OutcomeKind, Task, TaskSpec
from ganger_core.wire.v1 import task_pb2
from ganger_master.dependents import Due
from ganger_master.state import State
from simulation.host import Program
from simulation.sweeps import CALL_S, Sweeps
from simulation.violation import Violation
from simulation.virtual_loop import Process

if TYPE_CHECKING:
    from simulation.world import World

_MET = {
    DependencyKind.OK: {TaskState.SUCCEEDED},
    DependencyKind.ANY: TASK_FINAL,
    DependencyKind.FAIL: {TaskState.FAILED, TaskState.TIMED_OUT, TaskState.EXPIRED},
}


class Followers:
    """Some tasks and arrays of one world that are to run after others."""

    def __init__(
        self,
        world: World,
        proc: Process,
        over_s: float,
        sweeps: Sweeps,
        known: Callable[[], Sequence[int]],
        cancel: Callable[[int], Awaitable[None]],
    ) -> None:
        self._world = world
        self._rng = world.after_rng
        self._proc = proc
        self._sweeps = sweeps
        self._known = known
        self._cancel = cancel
        self.acknowledged: dict[str, int] = {}
        self.waiting = self._rng.randint(4, 25) if world.has_after else 0
        for number in range(self.waiting):
            proc.later(self._rng.random() * over_s, self._begin, f"f{number}")

    def may_begin(self, task: Task) -> None:
        """A process of this task begins: all that it is to run after has come, or it is to run all the same."""
        policy = task.spec.on_dependency_failure
        for each in self._of(task):
            self._world.invariants.checks["after others"] += 1
            if self._has_come(each):
                continue
            if self._may_come(each) or policy in (OnDependencyFailure.SKIP, OnDependencyFailure.FAIL):
                raise Violation(f"I25 {task.label} began before what it is to run after: {each}")

    def written(self, task: Task) -> None:
        """A commit wrote this task: one that is over for want of another never ran, and it is true."""
        outcome = task.outcome
        if outcome is None or outcome.kind is not OutcomeKind.SKIPPED or task.array is not None:
            return
        self._world.invariants.checks["skipped"] += 1
        if self._have_begun([task.id]):
            raise Violation(f"I25 {task.label} is {task.state}, but it ran")
        if not any(self._will_never_come(each) for each in self._of(task)):
            raise Violation(f"I25 {task.label} is {task.state}, but all may come: {task.spec.after}")

    def _of(self, task: Task) -> list[Dependency]:
        """What this task is to run after; of an element that goes with those of another array, its own."""
        each, found = DependencyKind.EACH, []
        for other in task.spec.after:
            element = Dependency(other.task_id + task.id - task.array_id)
            found.append(element if other.kind is each else other)
            self._world.invariants.checks["element by element"] += other.kind is each
        return found

    def _has_come(self, each: Dependency) -> bool:
        upstream = self._stored(each.task_id)
        if each.kind is DependencyKind.START:
            return self._have_begun(self._members(upstream))
        return upstream.state in _MET[each.kind]

    def _may_come(self, each: Dependency) -> bool:
        return not self._stored(each.task_id).is_final

    def _will_never_come(self, each: Dependency) -> bool:
        upstream = self._stored(each.task_id)
        if each.kind is DependencyKind.START and upstream.is_final:
            return not upstream.started_ms  # a try that was lost before one asked does not count
        return not self._has_come(each) and not self._may_come(each)

    def _stored(self, task_id: int) -> Task:
        task = self._world.disk.task(task_id)
        if task is None:
            raise Violation(f"I1 task {task_id}, after which another is to run, is not on disk")
        return task

    def _members(self, task: Task) -> Sequence[int]:
        return range(task.id, task.id + 1 + (len(task.array) if task.array else 0))

    def _have_begun(self, task_ids: Sequence[int]) -> bool:
        return any(self._world.invariants.has_begun(task_id) for task_id in task_ids)

    def _begin(self, label: str) -> None:
        self._proc.spawn(self._one(label), label)

    async def _one(self, label: str) -> None:
        """Submit until it is acknowledged; then release it if it is held, or perhaps cancel it."""
        rng = self._rng
        longest = rng.choice((0.01, 0.3, 2.0, 20.0))
        program = Program(
            label, round(rng.random() * longest, 3) + 0.001, rng.choice((0, 0, 0, 7)), cpu_milli=500
        )
        spec = TaskSpec(
            program.command(),
            resources=Resources(program.cpu_milli, 0, 1),
            priority=rng.choice((10, 50)),
            after=self._after(),
            on_dependency_failure=rng.choice(tuple(OnDependencyFailure)),
        )
        each = rng.choice(list(self._sweeps.acknowledged.values()) or [0]) if rng.random() < 0.2 else 0
        if each:
            array = self._stored(each).array
            assert array is not None
            spec = replace(spec, after=(*spec.after[:1], Dependency(each, DependencyKind.EACH)))
            task_id = await self._sweeps.hand_in(label, spec, len(array))
        elif rng.random() < 0.3:
            task_id = await self._sweeps.hand_in(label, spec, rng.randint(1, 6))
        else:
            request = task_pb2.SubmitTaskRequest(request_id=label, spec=spec_to_proto(spec))
            task_id = (await self._until_answered("SubmitTask", request)).task_id
            stored = self._world.disk.tasks.get(task_id)
            if stored is None or stored.spec.command[1] != label:
                raise Violation(f"I1 {label} was acknowledged as task {task_id}, which is not on disk")
            self.acknowledged[label] = task_id
        self._world.trace("%s is %d, after %s", label, task_id, spec.after)
        self.waiting -= 1
        if rng.random() < 0.1:
            await self._proc.sleep(rng.random() * 20)
            if task_id in self.acknowledged.values():
                await self._cancel(task_id)
        if spec.on_dependency_failure is OnDependencyFailure.HOLD:
            await self._release(task_id)

    def _after(self) -> tuple[Dependency, ...]:
        """One to three of those that there are: tasks, arrays, elements, and other followers."""
        rng, found = self._rng, [*self._known(), *self.acknowledged.values()]
        for array_id in self._sweeps.acknowledged.values():
            array = self._stored(array_id).array
            assert array is not None
            found += [array_id, array_id + rng.randint(1, len(array))]
        if not found:
            return ()
        kinds = (*_MET, DependencyKind.START, DependencyKind.OK, DependencyKind.OK)
        chosen = [Dependency(rng.choice(found), rng.choice(kinds)) for _ in range(rng.randint(1, 3))]
        return tuple(dict.fromkeys(chosen))

    async def _release(self, task_id: int) -> None:
        """Look now and then whether it, or an element, is held for want of another, and let that go on then."""
        while not self._stored(task_id).is_final:
            await self._proc.sleep(3 + self._rng.random() * 20)
            for member in [n for n in self._members(self._stored(task_id)) if self._stored(n).waits.held_by]:
                self._world.invariants.checks["held for another"] += 1
                number = f"{member}-{self._world.disk.commits}"
                request = task_pb2.UpdateTaskRequest(request_id=f"f{number}", task_id=member, held=False)
                try:
                    await self._until_answered("UpdateTask", request)
                except Conflict:
                    continue  # it is over

    async def _until_answered(self, method: str, request: Any) -> Any:
        while True:
            try:
                return await self._world.network.call(self._proc, method, request, CALL_S)
            except Conflict:
                raise
            except GangerError:
                await self._proc.sleep(0.1 + self._rng.random() * 3)


def dependents_add_up(state: State) -> None:
    """Whoever waits for others will hear of them: the master remembers it, or it is due."""
    heard = {
        (task_id, upstream)
        for upstream, kinds in state.dependents._of.items()
        for waiting in kinds.values()
        for task_id in waiting
    }
    heard |= {
        (n, due.upstream.id) for due in state.dependents.due if isinstance(due, Due) for n in due.waiting
    }
    for task in state.tasks.values():
        if task.waits.after and not task.is_final and (task.array is None or task.array.closed is None):
            for each in task.waits.after:
                if each.kind is not DependencyKind.EACH and (task.id, each.task_id) not in heard:
                    raise Violation(f"I14 {task.label} waits for {each}, and nobody will tell it")
