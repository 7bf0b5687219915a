"""This module is a worker on a simulated host: the real agent, outbox, spools, decisions and executor.

What is modelled are the thin loops around them (heartbeat, orders, reporter, shipper, session), as coroutines
that do what the threads' `run_once` do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ganger_core.convert.task import attempt_ref_from_proto, attempt_ref_to_proto, log_stream_from_proto
from ganger_core.convert.worker import (
    log_chunk_to_proto,
    order_batch_from_proto,
    profile_to_proto,
    report_to_proto,
    usage_to_proto,
)
from ganger_core.domain.errors import GangerError, Unavailable, UnknownWorker
from ganger_core.domain.task import AttemptRef, WorkerProfile, WorkerUsage
from ganger_core.wire.v1 import worker_pb2
from ganger_worker.agent import Agent
from ganger_worker.app import DRAIN_LOOK_S, DRAIN_TELL_S, SHUTDOWN_END_S, SHUTDOWN_GRACE_S, SHUTDOWN_REPORT_S
from ganger_worker.attempts import Stage, Told
from ganger_worker.executors.process import ProcessExecutor
from ganger_worker.orders import Orders
from ganger_worker.publisher import Publisher
from ganger_worker.reporter import BATCH_REPORTS, QUIET_S, Outbox
from ganger_worker.serving import Answers
from ganger_worker.session import CALL_S, HEARTBEAT_S
from ganger_worker.shipper import LOOK_EVERY_S
from ganger_worker.spool import Spools
from ganger_worker.threads import FIRST_PAUSE_S, LONGEST_PAUSE_S
from simulation.host import Folders, Host
from simulation.keeping import Line, worker_id
from simulation.publishing import OutputDisk
from simulation.virtual_loop import Process


class WakingOutbox(Outbox):
    """The outbox; what is put into it wakes a coroutine instead of a thread."""

    def __init__(self, host: Host) -> None:
        super().__init__(host.boottime)
        self.news: asyncio.Event = asyncio.Event()

    def put(self, reports: Iterable[Told]) -> None:
        super().put(reports)
        self.news.set()

    @property
    def is_due(self) -> bool:
        """Whether `take` would return at once."""
        return bool(self._due_locked())

    @property
    def is_empty(self) -> bool:
        """Whether everything is acknowledged."""
        return not self._pending


class WakingPublisher(Publisher):
    """The publisher; what is to be published wakes a coroutine instead of a thread."""

    def __init__(self, outputs: OutputDisk, agent: Agent) -> None:
        super().__init__(outputs, agent)
        self.news: asyncio.Event = asyncio.Event()

    def _begin(self, fresh: Sequence[AttemptRef]) -> None:
        super()._begin(fresh)
        if fresh:
            self.news.set()


class Session:
    """What `ganger_worker.session.MasterSession` keeps; its calls go through the simulated network."""

    def __init__(self, proc: Process, profile: WorkerProfile) -> None:
        self._proc = proc
        self._network = proc.host.world.network
        self.profile = profile
        self.generation = 0
        self.heartbeat_every_s, self.lease_s, self.lease_from_s = 5.0, 0.0, 0.0
        self.stream: Any = None
        self._registering: asyncio.Lock = asyncio.Lock()

    async def call(self, method: str, request: Any, timeout_s: float = CALL_S) -> Any:
        generation = self.generation
        try:
            return await self._network.call(self._proc, method, request, timeout_s)
        except UnknownWorker as error:
            await self.register_again(generation, error)
            raise Unavailable("it has registered again") from error

    async def register(self) -> None:
        async with self._registering:
            await self._register_locked()

    async def register_again(self, generation: int, error: UnknownWorker) -> None:
        if error.reason != UnknownWorker.reason:
            raise AssertionError(f"{self._proc.name} finds itself superseded: {error.message}")
        async with self._registering:
            if generation == self.generation:
                await self._register_locked()

    async def _register_locked(self) -> None:
        sent_s = self._proc.host.boottime()
        request = worker_pb2.RegisterWorkerRequest(profile=profile_to_proto(self.profile))
        answer = await self._network.call(self._proc, "RegisterWorker", request, CALL_S)
        self.generation += 1
        self.heartbeat_every_s, self.lease_s = answer.heartbeat_every_s, answer.lease_s
        self.lease_from_s = sent_s
        self.reopen_orders()

    def reopen_orders(self) -> None:
        if self.stream is not None:
            self.stream.cancel()


class WorkerDaemon:
    """One start of the worker."""

    def __init__(self, host: Host) -> None:
        host.incarnation += 1
        self.host = host
        self.proc = Process(host.world.loop, f"{host.name}/worker{host.incarnation}", host)
        self._orders_loop: asyncio.Task[Any] | None = None
        self._pausing: asyncio.Future[None] | None = None
        self.proc.context.run(self._make, host)
        self.proc.spawn(self._run(), "main")

    def _make(self, host: Host) -> None:
        profile = WorkerProfile(
            worker_id(host), host.name, host.incarnation, host.name, str(host.boots), host.capacity, "0"
        )
        folders: Any = Folders(host.files, host.outputs.policies)
        self.outbox = WakingOutbox(host)
        self._spools = Spools(folders)
        self.agent = Agent(host.name, self.outbox, self._spools)
        self._publisher = WakingPublisher(host.outputs, self.agent)
        executor = ProcessExecutor(Path("/"), folders, profile.id, host.name, {}, self._publisher)
        self._link = Line(self.proc, executor._on_message)
        executor._keeper = self._link  # type: ignore[assignment]
        self.agent.connect(executor)
        self._session = Session(self.proc, profile)
        self._orders = Orders(self._session, self.agent)  # type: ignore[arg-type]

    def kill(self) -> None:
        """SIGKILL: the keeper goes on."""
        self.proc.kill()
        self.host.worker = None
        if self._session.stream is not None:
            self._session.stream.cancel()

    def drain(self) -> bool:
        """SIGTERM; false while it has not registered yet, drains already, or shuts down."""
        if self._orders_loop is None or self.agent.draining.is_set():
            return False
        self.agent.drain()
        self.proc.spawn(self._drain(), "drain")
        return True

    async def _drain(self) -> None:
        """As `app.Worker._drain`; what it held is over and reported, or a second signal came."""
        await self.proc.sleep(DRAIN_TELL_S)
        while self.agent._held and self._orders_loop is not None:
            await self.proc.sleep(DRAIN_LOOK_S)
        self.shut_down()

    def shut_down(self) -> bool:
        """SIGINT or a second SIGTERM; false while it has not registered yet, or shuts down already."""
        if self._orders_loop is None or self._orders_loop.cancelled():
            return False
        self._orders_loop.cancel()
        self._orders_loop = None
        self.proc.spawn(self._shut_down(), "shutdown")
        return True

    async def _shut_down(self) -> None:
        """As the end of `app.Worker.run`."""
        held = self.agent._held
        self.agent.stop(SHUTDOWN_GRACE_S)
        end_s = self.host.boottime() + SHUTDOWN_END_S
        while any(h.stage is not Stage.OVER for h in held.values()) and self.host.boottime() < end_s:
            await self.proc.sleep(0.05)
        end_s = self.host.boottime() + SHUTDOWN_REPORT_S
        while held and self.host.boottime() < end_s:
            await self.proc.sleep(0.05)
        self._link.stop(end_keeper=True)
        await self.proc.sleep(0.01)
        self.host.world.trace("worker on %s is shut down", self.host.name)
        self.kill()

    async def _run(self) -> None:
        self.proc.spawn(self._publish(), "publish")
        self._link.connect()
        while not self.agent.recovered.is_set():
            await self.proc.sleep(0.01)
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                await self._session.register()
                break
            except UnknownWorker:
                raise
            except GangerError:
                await self.proc.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        self._orders_loop = self.proc.spawn(self._receive(), "orders")
        for loop in (self._beat, self._report, self._ship, self._serve):
            self.proc.spawn(loop(), loop.__name__)

    async def _publish(self) -> None:
        """As `publisher.Publisher`."""
        publisher = self._publisher
        while True:
            if publisher.is_idle:
                publisher.news.clear()
                await publisher.news.wait()
            await self.proc.sleep(self.host.world.outputs_rng.choice((0.001, 0.1, 2.0)))
            publisher.run_once()

    async def _serve(self) -> None:
        """As `serving.Serving`."""
        session = self._session
        answers = Answers(self.host.outputs, self.agent)
        while True:
            while not self.host.outputs.published:
                if not self.host.world.has_outputs:
                    return
                await self.proc.sleep(1.0)
            request = answers.request(session.profile.id, session.profile.incarnation, self.host.boottime())
            try:
                answer = await session.call("ServeOutputs", request)
            except GangerError:
                await self.proc.sleep(1.0)
            else:
                answers.take(answer, self.host.boottime())

    async def _beat(self) -> None:
        """As `heartbeat.Heartbeat`."""
        session = self._session
        while True:
            sent_s, generation = self.host.boottime(), session.generation
            request = worker_pb2.HeartbeatRequest(
                worker_id=session.profile.id,
                incarnation=session.profile.incarnation,
                usage=usage_to_proto(WorkerUsage()),
                holding=[attempt_ref_to_proto(ref) for ref in self.agent.holding()],
                applied_order_seq=self._orders.applied_seq,
                draining=self.agent.draining.is_set(),
            )
            try:
                answer = await session.call("Heartbeat", request, HEARTBEAT_S)
                session.lease_from_s = max(session.lease_from_s, sent_s)
                self.agent.renew([attempt_ref_from_proto(ref) for ref in answer.renewed], sent_s)
                if answer.HasField("orders"):
                    self._orders.offer(order_batch_from_proto(answer.orders), generation)
                    self._offered()
            except GangerError:
                pass
            await self.proc.sleep(max(0.0, sent_s + session.heartbeat_every_s - self.host.boottime()))

    async def _receive(self) -> None:
        """As `orders.Orders`."""
        session, orders = self._session, self._orders
        pause_s = FIRST_PAUSE_S
        while True:
            offered, orders._offered = orders._offered, None
            if offered is not None:
                orders._carry_out(*offered)
            request = worker_pb2.ReceiveOrdersRequest(
                worker_id=session.profile.id, incarnation=session.profile.incarnation
            )
            generation = session.generation
            session.stream = self.host.world.network.open(self.proc, "ReceiveOrders", request)
            try:
                async for answer in session.stream:
                    pause_s = FIRST_PAUSE_S
                    orders._carry_out(order_batch_from_proto(answer.batch), generation)
            except UnknownWorker as error:
                with suppress(GangerError):
                    await session.register_again(generation, error)
            except GangerError:
                pass
            if orders._offered is None:
                await self._pause(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _pause(self, seconds: float) -> None:
        """Wait, at most until something is offered."""
        self._pausing = self.proc.loop.create_future()
        timer = self.proc.later(seconds, self._offered)
        await self._pausing
        timer.cancel()

    def _offered(self) -> None:
        if self._pausing is not None and not self._pausing.done():
            self._pausing.set_result(None)

    async def _report(self) -> None:
        """As `reporter.Reporter`."""
        session, outbox = self._session, self.outbox
        pause_s = FIRST_PAUSE_S
        while True:
            while not outbox.is_due:
                if outbox.is_empty:
                    outbox.news.clear()
                    await outbox.news.wait()
                else:
                    await self.proc.sleep(QUIET_S)
            batch = outbox.take(BATCH_REPORTS)
            now_s = self.host.boottime()
            request = worker_pb2.ReportTaskCompletionRequest(
                worker_id=session.profile.id,
                incarnation=session.profile.incarnation,
                reports=[report_to_proto(told.report(now_s)) for told in batch],
            )
            try:
                answer = await session.call("ReportTaskCompletion", request)
            except GangerError:
                await self.proc.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                continue
            pause_s = FIRST_PAUSE_S
            refused = {attempt_ref_from_proto(r.ref): r.reason for r in answer.refused}
            outbox.done(batch)
            self.agent.on_reported(batch, refused)

    async def _ship(self) -> None:
        """As `shipper.Shipper`."""
        session, spools = self._session, self._spools
        while True:
            chunks = spools.take()
            if chunks:
                request = worker_pb2.AppendLogsRequest(
                    worker_id=session.profile.id,
                    incarnation=session.profile.incarnation,
                    chunks=[log_chunk_to_proto(chunk) for chunk in chunks],
                )
                try:
                    answer = await session.call("AppendLogs", request)
                except GangerError:
                    await self.proc.sleep(1.0)
                    continue
                for stored in answer.stored:
                    ref = attempt_ref_from_proto(stored.ref)
                    if stored.refused:
                        spools.drop(ref)
                    else:
                        spools.stored(ref, log_stream_from_proto(stored.stream), stored.next_offset)
            done = spools.settled()
            if done:
                self.agent.on_logs_stored(done)
            if not chunks and not done:
                await self.proc.sleep(LOOK_EVERY_S * (1 if spools._pairs else 8))
