"""This module is the master on the simulator's clock: its real rooms, edge services included, on a simulated disk.

What is modelled is what lies around them: threads become events, the gRPC server becomes `serve`, and the disk
keeps what was committed when the process is killed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

from ganger_core.domain.errors import GangerError, Unavailable
from ganger_core.domain.placement import first_fit
from ganger_core.domain.plan import Plan, PlanOptions, Snapshot
from ganger_core.domain.principal import Principal, Role
from ganger_core.domain.task import AttemptRef, LogChunk, LogStream
from ganger_core.rpc.guard import Call, current_call
from ganger_master.changes import Change
from ganger_master.cleanup import Cleanup
from ganger_master.cycle import Cycle
from ganger_master.disk import DiskFloor, DiskGuard
from ganger_master.engine import Engine, Leaving
from ganger_master.expiring import expire
from ganger_master.explainer import Explainer
from ganger_master.feed import Feed
from ganger_master.fetching import OutputDesk
from ganger_master.gate import DurableGate
from ganger_master.loaded import enqueue_waiting, reserve_live
from ganger_master.logstore import Key, LogStore
from ganger_master.orders import OrderDesk
from ganger_master.plan_notes import PlanNotes
from ganger_master.planning import Planning
from ganger_master.queue import TaskQueue
from ganger_master.registry import WorkerRegistry
from ganger_master.services.outputs import OutputAnswers
from ganger_master.services.tasks import TaskService
from ganger_master.services.workers import WorkerService
from ganger_master.state import Rules
from ganger_master.store.writer import Entry
from simulation.disk import Disk
from simulation.explained import says_why
from simulation.host import Host
from simulation.network import Reply, Stream
from simulation.settings import Settings
from simulation.virtual_loop import Process

FORGET_AFTER_S, ASK_AFTER_S = 14 * 86_400.0, 30.0
STREAMS = {"ReceiveOrders", "WatchEvents"}


class Killed(BaseException):
    """The master died while its scheduler waited for a plan."""


class MasterDaemon:
    """One start of the master."""

    def __init__(self, host: Host, disk: Disk, settings: Settings) -> None:
        self.host = host
        self.disk = disk
        self.settings = settings
        self.proc = Process(host.world.loop, "master", host)
        self.replies: dict[Reply, None] = {}  # of calls under way
        self.planning_fault = ""
        self._entries: list[Entry] = []  # on their way to disk
        self._committing: list[Entry] = []
        self._cycle_due = False
        self.proc.context.run(self._make)
        self.proc.later(settings.cleanup_every_s, self._sweep)
        self.proc.later(settings.cycle_every_s, self._look_again)

    def _make(self) -> None:
        settings, clock = self.settings, self.host
        self.state = self.disk.load()
        self.queue = TaskQueue()
        self.registry = WorkerRegistry(
            suspect_after_s=settings.suspect_after_s, lost_after_s=settings.lost_after_s
        )
        now = clock.now()
        for profile in self.state.workers.values():
            self.registry.register(profile, now.steady_s, remembered=True)
        rules = Rules(settings.lease_s, settings.stop_grace_s, settings.ages_after_s)
        reserve_live(self.state, self.registry, rules, now)
        enqueue_waiting(self.state, self.queue, now)
        self.engine = Engine(
            self.state,
            rules,
            self.queue,
            self.registry,
            self._submit,
            settings.reservation_s,
        )
        self.gate = DurableGate()
        self.feed = Feed(self._read_events, self.state.next_seq - 1)
        self.desk = OrderDesk(self.engine, self.registry, self.gate, clock)
        notes = PlanNotes()
        self.cycle = Cycle(self.engine, self.queue, self.registry, Planning(self, clock), clock, None, notes)
        self.explainer = Explainer(self.engine, self.queue, self.registry, notes, rules)
        expire(self.engine, self.queue, now)
        self.cleanup = Cleanup(self.engine, self.queue, self.registry, rules)
        logs: Any = SimulatedLogs(self.disk)
        reader: Any = self.disk
        readers: Any = None
        roomy = DiskGuard(lambda: (2**40, 2**40), DiskFloor(0, 0), clock)
        outputs = OutputDesk()
        self._tasks = TaskService(
            self.engine,
            self.queue,
            self.gate,
            self.feed,
            logs,
            reader,
            readers,
            clock,
            roomy,
            outputs,
            heartbeat_every_s=settings.heartbeat_every_s,
        )
        self._workers = WorkerService(
            self.engine,
            self.queue,
            self.registry,
            self.gate,
            self.desk,
            logs,
            clock,
            roomy,
            OutputAnswers(outputs, self.disk.known_outputs, readers, FORGET_AFTER_S, ASK_AFTER_S),
            heartbeat_every_s=settings.heartbeat_every_s,
            lease_s=settings.lease_s,
        )

    def kill(self) -> None:
        """SIGKILL: what is on disk stays; of the commit under way nobody knows."""
        self.proc.kill()
        if self._committing and self.host.world.rng.random() < 0.5:
            self.disk.commit(self._committing)
        for reply in list(self.replies):
            reply(Unavailable("the connection was reset"))
        for stream in list(self.host.world.network.streams):
            stream.break_up()

    @property
    def is_committing(self) -> bool:
        """Whether a kill now would come between a change and its commit."""
        return bool(self._committing or self._entries)

    # The store thread.

    def _submit(self, ticket: int, change: Change, next_task_id: int, leaving: Leaving) -> None:
        self._entries.append(Entry(ticket, change, next_task_id, leaving))
        if not self._committing:
            self._begin_commit()

    def _begin_commit(self) -> None:
        self._committing, self._entries = self._entries, []
        self.proc.later(self.host.world.commit_s(), self._commit)
        self.host.world.commit_begins()

    def _commit(self) -> None:
        group, self._committing = self._committing, []
        self.disk.commit(group)
        self.proc.later(0.0002, self._release, [(entry.ticket, entry.leaving) for entry in group])
        if self._entries:
            self._begin_commit()

    def _release(self, committed: Sequence[tuple[int, Leaving]]) -> None:
        """As `Edge._release`."""
        for ticket, leaving in committed:
            self.feed.publish(leaving.events)
            self.desk.post(ticket, leaving.orders)
        self.gate.advance(committed[-1][0])

    async def _read_events(self, after_seq: int, limit: int) -> Any:
        return self.disk.events[after_seq : after_seq + limit]

    # The scheduler and cleanup threads.

    def schedule(self) -> None:
        """Begin a cycle soon if there is a reason: called after every event."""
        if self.queue._woken and not self._cycle_due and self.proc.alive:
            self._cycle_due = True
            self.proc.later(0.001, self._run_cycle)

    def _run_cycle(self) -> None:
        self.queue.wait_for_work(0.0)
        try:
            result = self.cycle.run_once()
        except Killed:
            return
        self._cycle_due = False
        if result.assigned == result.heads and result.heads:
            self.queue.wake()

    def _look_again(self) -> None:
        if not self._cycle_due:
            self._cycle_due = True
            self._run_cycle()
        self.proc.later(self.settings.cycle_every_s, self._look_again)

    def _sweep(self) -> None:
        self.cleanup.run_once(self.host.now())
        checks = self.host.world.invariants.checks
        checks["explained"] += says_why(self.explainer, self.state, self.host.now())
        self.proc.later(self.settings.cleanup_every_s, self._sweep)

    def plan(self, snapshot: Snapshot, options: PlanOptions) -> Plan:
        """The planner: as it should be, or late, dead or wrong. The world goes on while it thinks."""
        world = self.host.world
        fault = world.planner_fault
        if fault:
            world.go_on_for(world.rng.random() * 0.5)
            if not self.proc.alive:
                raise Killed
        if fault == "dead":
            raise Unavailable("the planner is away")
        plan = first_fit(snapshot, options)
        return world.spoil(plan, snapshot) if fault == "wrong" else plan

    # The gRPC server.

    def serve(self, method: str, request: Any, reply: Reply) -> Callable[[], object]:
        """Answer one call; returns how its caller hangs up."""
        self.replies[reply] = None

        def enter() -> None:
            tasks.append(self.proc.spawn(self._answer(method, request, reply), method, self._context(method)))

        tasks: list[asyncio.Task[Any]] = []
        self.proc.later(0, enter)
        return lambda: tasks[0].cancel() if tasks else None

    async def _answer(self, method: str, request: Any, reply: Reply) -> None:
        service = self._workers if hasattr(self._workers, method) else self._tasks
        answer: object
        try:
            answer = await getattr(service, method)(request, None)
        except GangerError as error:
            answer = error
        except asyncio.CancelledError:
            self.replies.pop(reply, None)
            raise
        if self.replies.pop(reply, 1) is None:
            reply(answer)

    def serve_stream(self, method: str, request: Any, stream: Stream) -> Callable[[], object]:
        """Answer by a stream; returns how its caller hangs up."""
        tasks: list[asyncio.Task[Any]] = []

        def enter() -> None:
            tasks.append(self.proc.spawn(self._pour(method, request, stream), method, self._context(method)))

        self.proc.later(0, enter)
        return lambda: tasks[0].cancel() if tasks else None

    async def _pour(self, method: str, request: Any, stream: Stream) -> None:
        service = self._workers if hasattr(self._workers, method) else self._tasks
        answers: AsyncIterator[object] = getattr(service, method)(request, None)
        try:
            async for answer in answers:
                if not self.proc.alive:
                    return
                stream.send(answer)
        except GangerError as error:
            stream.end(error)
        except asyncio.CancelledError:
            await answers.aclose()  # type: ignore[attr-defined]
            raise
        else:
            stream.end(None)

    def _context(self, method: str) -> Any:
        context = self.proc.context.copy()
        context.run(current_call.set, Call(Principal("ann", Role.ADMIN), "", method))
        return context


class SimulatedLogs(LogStore):
    """Log files on the simulated disk: only their sizes matter."""

    def __init__(self, disk: Disk) -> None:
        super().__init__(Path("/nowhere"))
        self._disk = disk

    def size(self, ref: AttemptRef, stream: LogStream) -> int:
        return self._disk.logs.get((ref, stream), 0)

    def _append(self, chunks: Sequence[LogChunk], now_ms: int) -> dict[Key, int]:
        written: dict[Key, int] = {}
        for chunk in chunks:
            size = self._disk.logs.get((chunk.ref, chunk.stream), 0)
            if chunk.offset <= size < chunk.offset + len(chunk.data):
                size = chunk.offset + len(chunk.data)
            written[chunk.ref, chunk.stream] = self._disk.logs[chunk.ref, chunk.stream] = size
        return written
