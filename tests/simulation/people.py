"""This module is the simulated people: they submit, repeat, cancel, look and watch, and note what they were told."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

from ganger_core.convert.task import event_from_proto, spec_to_proto, task_from_proto
from ganger_core.domain.errors import AlreadyExists, Conflict, GangerError, NotFound
from ganger_core.domain.outputs import Publish
from ganger_core.domain.resources import Resources
from ganger_core.domain.retry import NO_RETRY, Retry
from ganger_core.domain.states import TASK_FINAL, TaskState
from ganger_core.domain.task import NO_LIMITS, AttemptRef, Event, Limits, OnWorkerLost, TaskSpec
from ganger_core.wire.v1 import task_pb2, worker_pb2
from simulation.followers import Followers
from simulation.host import WALL_MS, Host, Program
from simulation.sweeps import Sweeps
from simulation.violation import Violation
from simulation.virtual_loop import Process

if TYPE_CHECKING:
    from simulation.world import World

CALL_S = 10.0
OWN_LEASES = True
"""Whether tasks have leases of their own, or none: only where the simulated worker takes them from its orders."""
PEOPLE_HOST = "people"


class People:
    """Everybody in front of a keyboard. `acknowledged` holds the ids that were promised, by label."""

    def __init__(self, world: World, host: Host, tasks: int, over_s: float, cancels: float) -> None:
        self._world = world
        self._rng: Random = world.rng
        self.proc = Process(world.loop, "people", host)
        self.acknowledged: dict[str, int] = {}
        self.waiting = tasks  # submissions that have neither succeeded nor been given up
        self.cancelled: dict[int, int] = {}  # task id -> its token when the cancel was acknowledged
        self.seen: list[Event] = []  # by the feed
        self.run_limits: dict[
            int, list[float]
        ] = {}  # of tasks whose limit was changed, all that were asked for
        self.held: dict[str, int] = {}  # task ids of what nobody has released yet, by label
        for number in range(tasks):
            self.proc.later(self._rng.random() * over_s, self._begin, f"t{number}", cancels)
        if world.has_bursts:
            begins_s, count = world.bursts_rng.random() * over_s, world.bursts_rng.randint(8, 40)
            self.waiting += count
            for number in range(count):
                self.proc.later(begins_s, self._begin_short, f"b{number}", cancels / 4)
        self.sweeps = Sweeps(world, self.proc, over_s, self.cancel)
        self.followers = Followers(
            world, self.proc, over_s, self.sweeps, lambda: list(self.acknowledged.values()), self.cancel
        )
        self.proc.spawn(self._watch(), "watch")

    def _begin(self, label: str, cancels: float) -> None:
        self.proc.spawn(self._one(label, self._program(label), cancels), label)

    def _begin_short(self, label: str, cancels: float) -> None:
        """One of many tasks of a kind, most of them short, so that some go behind others."""
        rng = self._world.bursts_rng
        longest = rng.choice((0.01, 0.3, 0.3, 0.3, 0.6, 30.0))
        program = Program(label, round(rng.random() * longest, 3) + 0.001, rng.choice((0, 0, 0, 7)))
        self.proc.spawn(self._one(label, program, cancels, priority=50), label)

    def _program(self, label: str) -> Program:
        rng = self._rng
        longest = rng.choice((0.05, 2.0, 20.0, 20.0, 120.0))
        return Program(
            label,
            round(rng.random() * longest, 3) + 0.001,
            rng.choice((0, 0, 0, 1, 7)),
            rng.choice((0.01, 1.0, 4.0, None)),
            rng.choice((0, 5, 40)),
            rng.choice((500, 1000, 1000, 2000)),
            missing=rng.random() < 0.03,
        )

    async def _one(self, label: str, program: Program, cancels: float, priority: int = 0) -> None:
        """Submit until it is acknowledged or given up; later perhaps cancel."""
        rng = self._rng
        if self._world.has_outputs:
            program = replace(program, writes=self._world.outputs_rng.random() < 0.7)
        spec = TaskSpec(
            program.command(),
            resources=Resources(program.cpu_milli, 0, 1),
            priority=priority or rng.choice((10, 50, 50, 90)),
            limits=self._limits(),
            on_worker_lost=self._policy(),
            not_before_ms=self._not_before_ms(),
            retry=self._retry(),
            hold=self._world.has_waits and self._world.waits_rng.random() < 0.2,
            publish=self._publish(),
        )
        patience = 2 if rng.random() < 0.1 else 1_000_000
        if patience == 2:
            spec = replace(spec, hold=False)  # nobody who gave up would release it
        for _ in range(patience):
            try:
                task_id = await self._submit(label, spec)
            except GangerError:
                await self.proc.sleep(0.1 + rng.random() * 3)
                continue
            self._promised(label, task_id)
            break
        if label in self.acknowledged and spec.hold:
            await self._release(label)
        self.waiting -= 1
        if label not in self.acknowledged:
            return
        if self._world.has_waits and self._world.waits_rng.random() < 0.3:
            await self._change_limits(self.acknowledged[label])
        if rng.random() < 0.2:
            await self._again(label, spec)
        if rng.random() < cancels:
            await self.proc.sleep(rng.random() * 30)
            await self.cancel(self.acknowledged[label])

    async def _release(self, label: str) -> None:
        """Let one that was submitted held go on, after a while."""
        task_id = self.held[label] = self.acknowledged[label]
        await self.proc.sleep(self._world.waits_rng.random() * 30)
        del self.held[label]
        request = task_pb2.UpdateTaskRequest(request_id=f"r{task_id}", task_id=task_id, held=False)
        while True:
            try:
                await self._world.network.call(self.proc, "UpdateTask", request, CALL_S)
            except Conflict:
                return  # it is over: its queue limit was
            except GangerError:
                await self.proc.sleep(0.1 + self._rng.random() * 3)
                continue
            return

    def _retry(self) -> Retry:
        rng = self._world.waits_rng
        if not self._world.has_waits or rng.random() < 0.4:
            return NO_RETRY
        return Retry(
            limit=rng.choice((1, 2, 5)),
            on=rng.choice(((), (), (1,))),
            never_on=rng.choice(((), (), (127,))),
            on_timeout=rng.random() < 0.5,
            backoff_s=rng.choice((0.0, 1.0, 10.0)),
        )

    def _not_before_ms(self) -> int:
        rng = self._world.waits_rng
        if not self._world.has_waits or rng.random() < 0.7:
            return 0
        return WALL_MS + round(self._world.loop.now * 1000) + rng.randint(-1_000, 20_000)

    def _limits(self) -> Limits:
        rng = self._world.limits_rng
        if not self._world.has_limits or rng.random() < 0.3:
            return NO_LIMITS
        return Limits(
            run_s=rng.choice((0.0, 0.0, 1.0, 10.0, 60.0)),
            queue_s=rng.choice((0.0, 0.0, 5.0, 60.0)),
            grace_s=rng.choice((None, None, 0.0, 3.0)),
            lost_after_s=rng.choice((None, None, 15.0, 90.0)) if OWN_LEASES else None,
        )

    def _publish(self) -> Publish:
        policies = (Publish.ON_SUCCESS, Publish.ON_SUCCESS, Publish.ALWAYS, Publish.NEVER)
        return self._world.outputs_rng.choice(policies) if self._world.has_outputs else Publish.ON_SUCCESS

    async def _change_limits(self, task_id: int) -> None:
        """Another priority and run limit, waiting or running."""
        rng = self._world.waits_rng
        await self.proc.sleep(rng.random() * 20)
        run_s = rng.choice((0.0, 5.0, 120.0))
        before = self._world.disk.task(task_id)
        assert before is not None
        self.run_limits[task_id] = [before.spec.limits.run_s, run_s]
        request = task_pb2.UpdateTaskRequest(
            request_id=f"l{task_id}", task_id=task_id, run_s=run_s, priority=rng.choice((10, 90))
        )
        while True:
            try:
                await self._world.network.call(self.proc, "UpdateTask", request, CALL_S)
            except Conflict:
                return  # it is over
            except GangerError:
                await self.proc.sleep(0.1 + self._rng.random() * 3)
                continue
            stored = self._world.disk.task(task_id)
            if stored is None or stored.spec.limits.run_s != run_s:
                raise Violation(f"I1 the new limit of task {task_id} was acknowledged and is not on disk")
            return

    def _policy(self) -> OnWorkerLost:
        if not self._world.has_limits:
            return OnWorkerLost.BY_AGE
        policies = [p for p in OnWorkerLost if OWN_LEASES or p is not OnWorkerLost.WAIT]
        return self._world.limits_rng.choice(policies)

    async def _submit(self, label: str, spec: TaskSpec) -> int:
        request = task_pb2.SubmitTaskRequest(request_id=label, spec=spec_to_proto(spec))
        answer = await self._world.network.call(self.proc, "SubmitTask", request, CALL_S)
        return int(answer.task_id)

    def _promised(self, label: str, task_id: int) -> None:
        self._world.trace("acked %s as %d", label, task_id)
        stored = self._world.disk.tasks.get(task_id)
        if stored is None or stored.spec.command[1] != label:
            raise Violation(f"I1 {label} was acknowledged as task {task_id}, which is not on disk")
        if self.acknowledged.setdefault(label, task_id) != task_id:
            raise Violation(f"I3 {label} was acknowledged as {self.acknowledged[label]} and as {task_id}")

    async def _again(self, label: str, spec: TaskSpec) -> None:
        """The same request gives the same id, another one under its request id an error."""
        await self.proc.sleep(self._rng.random() * 60)
        try:
            self._promised(label, await self._submit(label, spec))
            await self._submit(label, TaskSpec(("other", f"{label}x")))
        except AlreadyExists:
            return
        except GangerError:
            return  # not reached
        raise Violation(f"I3 another request under the request id {label} was accepted")

    async def cancel(self, task_id: int) -> None:
        """Cancel until that is acknowledged, perhaps twice."""
        await self._cancel_once(task_pb2.CancelTaskRequest(request_id=f"c{task_id}", task_id=task_id))
        rng = self._world.limits_rng
        if self._world.has_limits and rng.random() < 0.5:  # it takes too long for whoever waits
            await self.proc.sleep(rng.random() * 10)
            hurry = task_pb2.CancelTaskRequest(request_id=f"h{task_id}", task_id=task_id, grace_s=0.0)
            await self._cancel_once(hurry)

    async def _cancel_once(self, request: task_pb2.CancelTaskRequest) -> None:
        task_id = request.task_id
        while True:
            try:
                await self._world.network.call(self.proc, "CancelTask", request, CALL_S)
            except NotFound as error:
                raise Violation(f"I1 acknowledged task {task_id} is not there") from error
            except GangerError:
                await self.proc.sleep(0.1 + self._rng.random() * 3)
                continue
            break
        stored = self._world.disk.task(task_id)
        assert stored is not None
        self._world.trace("cancel of %d acked, it is %s", task_id, stored.state)
        if (
            not stored.is_final
            and stored.state is not TaskState.STOPPING
            and "log bytes" not in stored.reason
        ):
            raise Violation(f"I11 the cancel of task {task_id} was acknowledged, but it is {stored.state}")
        self.cancelled.setdefault(task_id, stored.token)
        await self._look(task_id)

    async def fence(self, host: Host) -> None:
        """An operator stands before a dead host, and says so until the master has taken it."""
        before = self._on(host)
        name = f"fence-{host.name}-{host.boots}"
        request = worker_pb2.FenceWorkerRequest(request_id=name, worker=host.name)
        while True:
            try:
                await self._world.network.call(self.proc, "FenceWorker", request, CALL_S)
            except NotFound:
                return  # it never registered
            except GangerError:
                await self.proc.sleep(2 + self._world.limits_rng.random() * 5)
                continue
            break
        left = before & self._on(host)  # a registration that was long on its way may have brought more
        if left:
            raise Violation(f"I1 the fence of {host.name} was acknowledged, but {left} live on it")
        self._world.trace("fence of %s acked", host.name)

    def _on(self, host: Host) -> set[AttemptRef]:
        tries = self._world.disk.tries.values()
        return {a.ref for a in tries if a.is_live and a.worker_id == f"id-{host.name}"}

    async def _look(self, task_id: int) -> None:
        """What is read is on disk."""
        request = task_pb2.GetTaskStatusRequest(task_id=task_id, outputs=self._world.has_outputs)
        try:
            answer = await self._world.network.call(self.proc, "GetTaskStatus", request, CALL_S)
        except NotFound as error:
            raise Violation(f"I1 acknowledged task {task_id} is not there") from error
        except GangerError:
            return
        task = task_from_proto(answer.task)
        stored = self._world.disk.task(task_id)
        assert stored is not None
        if task.version > stored.version or (stored.state in TASK_FINAL and task.version > stored.version):
            raise Violation(
                f"I1 task {task_id} was read at version {task.version}, on disk is {stored.version}"
            )

    async def _watch(self) -> None:
        """Follow the feed; after a break, from where it was."""
        network, disk = self._world.network, self._world.disk
        while True:
            request = task_pb2.WatchEventsRequest(after_seq=len(self.seen))
            stream: Any = network.open(self.proc, "WatchEvents", request)
            try:
                async for answer in stream:
                    for event in map(event_from_proto, answer.events):
                        if event.seq != len(self.seen) + 1:
                            raise Violation(f"I6 the feed gives event {event.seq} after {len(self.seen)}")
                        if event.seq > len(disk.events) or event != disk.events[event.seq - 1]:
                            raise Violation(f"I6 the feed gives event {event.seq}, which is not on disk")
                        self.seen.append(event)
            except GangerError:
                pass
            await self.proc.sleep(0.2)
