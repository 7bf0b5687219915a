"""This module is the master's edge: one event loop on a thread of its own, with the gRPC server on it."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer

from ganger_core.domain.clock import Clock
from ganger_core.domain.errors import Conflict
from ganger_core.domain.task import Event
from ganger_core.logs import get_logger
from ganger_core.rpc.channels import server_options, unix_address
from ganger_core.rpc.guard import Guard
from ganger_core.rpc.interceptors import MasterInterceptor
from ganger_core.rpc.metrics import RpcMetrics
from ganger_core.settings import MasterSettings
from ganger_core.wire.v1 import explain_pb2_grpc, forecast_pb2_grpc, task_pb2_grpc, worker_pb2_grpc
from ganger_master.disk import DiskFloor, DiskGuard, free_space_of
from ganger_master.engine import Engine, Leaving
from ganger_master.explainer import Explainer
from ganger_master.feed import Feed
from ganger_master.fetching import OutputDesk
from ganger_master.forecasting import Forecaster
from ganger_master.gate import DurableGate
from ganger_master.logstore import LogStore
from ganger_master.orders import OrderDesk
from ganger_master.plan_notes import PlanNotes
from ganger_master.queue import TaskQueue
from ganger_master.registry import WorkerRegistry
from ganger_master.services.explaining import ExplainService
from ganger_master.services.forecasting import ForecastService
from ganger_master.services.outputs import OutputAnswers
from ganger_master.services.tasks import TaskService
from ganger_master.services.workers import WorkerService
from ganger_master.state import Rules
from ganger_master.store.reader import StoreReader

READERS = 4
STOP_GRACE_S = 2.0

_log = get_logger()


@dataclass(frozen=True, slots=True)
class Parts:
    """The rooms that the edge answers from."""

    engine: Engine
    queue: TaskQueue
    registry: WorkerRegistry
    reader: StoreReader
    clock: Clock
    guard: Guard
    last_seq: int  # of the last event on disk
    forecaster: Forecaster
    notes: PlanNotes
    rules: Rules


class Edge:
    """The edge thread. `released` is how the store thread hands over what may leave the master."""

    def __init__(
        self,
        parts: Parts,
        settings: MasterSettings,
        metrics: RpcMetrics,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._parts = parts
        self._settings = settings
        self._metrics = metrics
        self._on_failure = on_failure
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="edge")
        self._stop = asyncio.Event()
        self._listening: Future[str] = Future()
        self._gate = DurableGate()
        self._feed = Feed(self._read_events, parts.last_seq)
        self._desk = OrderDesk(parts.engine, parts.registry, self._gate, parts.clock)

    def start(self) -> str:
        """Start serving; returns where. Raises `Conflict` when the address cannot be had."""
        self._thread.start()
        return self._listening.result()

    def stop(self) -> None:
        """Refuse new calls, give those under way a moment, end the thread."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._readers.shutdown()

    def released(self, committed: Sequence[tuple[int, Leaving]]) -> None:
        """The store committed these tickets: let everything leave that waited for them."""
        try:
            self._loop.call_soon_threadsafe(self._release, committed)
        except RuntimeError:
            if not self._loop.is_closed():  # closed: the master stops, nobody waits any more
                raise

    def _release(self, committed: Sequence[tuple[int, Leaving]]) -> None:
        for ticket, leaving in committed:
            self._feed.publish(leaving.events)
            self._desk.post(ticket, leaving.orders)
        self._gate.advance(committed[-1][0])

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        except Conflict as error:
            self._listening.set_exception(error)
        except BaseException as error:
            self._on_failure(error)
            raise
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        parts, settings = self._parts, self._settings
        interceptor = MasterInterceptor(parts.guard, self._metrics)
        server = grpc.aio.server(interceptors=[interceptor], options=server_options())
        logs = LogStore(settings.state_dir / "logs")
        floor = DiskFloor(settings.least_free, settings.least_free_percent)
        disk = DiskGuard(free_space_of(settings.state_dir), floor, parts.clock)
        outputs = OutputDesk()
        answers = OutputAnswers(
            outputs,
            parts.reader.known_outputs,
            self._readers,
            forget_after_s=min(settings.keep_ended_s, settings.keep_failed_s),
            ask_after_s=settings.prune_every_s,
        )
        rooms = (
            parts.engine,
            parts.queue,
            self._gate,
            self._feed,
            logs,
            parts.reader,
            self._readers,
            parts.clock,
            disk,
            outputs,
        )
        explainer = Explainer(parts.engine, parts.queue, parts.registry, parts.notes, parts.rules)
        every_s = settings.heartbeat_every_s
        task_pb2_grpc.add_TaskServiceServicer_to_server(
            TaskService(*rooms, heartbeat_every_s=every_s), server
        )
        explain_pb2_grpc.add_ExplainServiceServicer_to_server(
            ExplainService(explainer, *rooms, heartbeat_every_s=every_s), server
        )
        forecast_pb2_grpc.add_ForecastServiceServicer_to_server(
            ForecastService(parts.forecaster, *rooms, heartbeat_every_s=every_s), server
        )
        worker_pb2_grpc.add_WorkerServiceServicer_to_server(
            WorkerService(
                parts.engine,
                parts.queue,
                parts.registry,
                self._gate,
                self._desk,
                logs,
                parts.clock,
                disk,
                answers,
                heartbeat_every_s=settings.heartbeat_every_s,
                lease_s=settings.lease_s,
            ),
            server,
        )
        health = HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(health, server)
        where = self._bind(server)
        await server.start()
        await health.set("", health_pb2.HealthCheckResponse.SERVING)
        self._listening.set_result(where)
        await self._stop.wait()
        await health.enter_graceful_shutdown()
        await server.stop(STOP_GRACE_S)
        logs.close()

    def _bind(self, server: grpc.aio.Server) -> str:
        socket = self._settings.state_dir / "socket"
        socket.unlink(missing_ok=True)
        addresses = [unix_address(socket)] + ([self._settings.listen] if self._settings.listen else [])
        for address in addresses:
            try:
                if not server.add_insecure_port(address):
                    raise RuntimeError("no port")
            except RuntimeError as error:
                raise Conflict(f"cannot listen on {address} ({error}): is the port in use?") from error
        restrict(socket)
        return " and ".join(addresses)

    async def _read_events(self, after_seq: int, limit: int) -> Sequence[Event]:
        read: Any = self._parts.reader.events
        events: Sequence[Event] = await self._loop.run_in_executor(self._readers, read, after_seq, limit)
        return events


def restrict(socket: Path) -> None:
    """Make a socket its owner's alone."""
    os.chmod(socket, 0o600)
