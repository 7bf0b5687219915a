"""This module is a master for tests of the worker: a real gRPC server that answers by a script.

It speaks the protocol on a Unix socket and remembers what it was told; it decides nothing by itself. Orders come
from `desired` (what every new stream begins with) and `push`.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import grpc

from ganger_core.convert import task as convert_task
from ganger_core.convert import worker as convert
from ganger_core.domain.errors import GangerError, UnknownWorker
from ganger_core.domain.states import AttemptState
from ganger_core.domain.task import (
    AttemptRef,
    LogStream,
    Order,
    OrderBatch,
    Report,
    ReportKind,
    StartOrder,
    StopOrder,
    TaskSpec,
    WorkerProfile,
)
from ganger_core.rpc.status import to_status
from ganger_core.wire.v1 import worker_pb2 as pb
from ganger_core.wire.v1 import worker_pb2_grpc
from testkit.waiting import wait_until

LEASE_S = 300.0
HEARTBEAT_EVERY_S = 0.1

_END = object()


def start(
    task_id: int,
    *command: str,
    token: int = 1,
    lease_s: float = LEASE_S,
    state: AttemptState = AttemptState.ASSIGNED,
) -> StartOrder:
    """An order to start a command."""
    return StartOrder(AttemptRef(task_id, token), TaskSpec(command), lease_s, state)


def stop(task_id: int, *, token: int = 1, grace_s: float = 5.0, reason: str = "cancelled by u") -> StopOrder:
    """An order to stop an attempt."""
    return StopOrder(AttemptRef(task_id, token), grace_s, reason)


@dataclass
class _Script:
    """What was told, and what to answer. Guarded by the master's lock where threads meet."""

    profiles: list[WorkerProfile] = field(default_factory=list)
    heartbeats: list[pb.HeartbeatRequest] = field(default_factory=list)
    report_calls: list[list[Report]] = field(default_factory=list)
    logs: dict[tuple[AttemptRef, LogStream], bytes] = field(default_factory=dict)
    log_calls: int = 0
    streams: int = 0
    failures: dict[str, list[GangerError]] = field(default_factory=dict)
    refused: set[AttemptRef] = field(default_factory=set)
    desired: list[Order] = field(default_factory=list)
    renews: bool = True
    heartbeat_orders: list[OrderBatch] = field(default_factory=list)


class ScriptedMaster(worker_pb2_grpc.WorkerServiceServicer):
    """The server. Use as a context manager; `told` holds what workers said."""

    def __init__(self, folder: Path) -> None:
        self.address = f"unix:{folder / 'socket'}"
        self.told = _Script()
        self._known: set[tuple[str, int]] = set()
        self._seq = 0
        self._queues: list[queue.SimpleQueue[Any]] = []
        self._lock = threading.Lock()
        self._server: grpc.Server | None = None
        self.hold_reports = threading.Event()  # while clear, reports are not answered
        self.hold_reports.set()

    def __enter__(self) -> ScriptedMaster:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """Begin to serve; after `close`, as a restarted master that knows no worker."""
        self._known.clear()
        self._seq = 0
        self._server = grpc.server(ThreadPoolExecutor(16))
        worker_pb2_grpc.add_WorkerServiceServicer_to_server(self, self._server)
        self._server.add_insecure_port(self.address)
        self._server.start()

    def close(self) -> None:
        """Hang up on everyone."""
        self.close_streams()
        self.hold_reports.set()
        if self._server is not None:
            self._server.stop(0.2).wait()

    def fail(self, method: str, *errors: GangerError) -> None:
        """Answer the next calls of this method with these errors."""
        with self._lock:
            self.told.failures.setdefault(method, []).extend(errors)

    def forget_workers(self) -> None:
        """Know no worker any more."""
        with self._lock:
            self._known.clear()

    def push(self, *orders: Order) -> None:
        """Send an increment on the open stream."""
        with self._lock:
            batch = self._batch(orders, sync=False)
            self._queues[-1].put(batch)

    def sync(self, *orders: Order) -> None:
        """Send the whole of what the worker should hold on the open stream."""
        with self._lock:
            batch = self._batch(orders, sync=True)
            self._queues[-1].put(batch)

    def offer(self, *orders: Order, sync: bool = False) -> None:
        """Send orders with the answer to the next heartbeat."""
        with self._lock:
            self.told.heartbeat_orders.append(self._batch(orders, sync=sync))

    def close_streams(self) -> None:
        """End the open streams."""
        with self._lock:
            for box in self._queues:
                box.put(_END)

    def reports(self, task_id: int, token: int = 1) -> list[Report]:
        """What was told of this attempt, in order."""
        ref = AttemptRef(task_id, token)
        return [report for call in list(self.told.report_calls) for report in call if report.ref == ref]

    def final(self, task_id: int, token: int = 1, timeout_s: float = 15.0) -> Report:
        """The first report that ends this attempt, as soon as it comes."""
        last = (ReportKind.ENDED, ReportKind.LOST, ReportKind.REJECTED, ReportKind.REVOKED)
        found: list[Report] = []

        def told() -> bool:
            found[:] = [r for r in self.reports(task_id, token) if r.kind in last]
            return bool(found)

        wait_until(told, timeout_s, f"the end of {task_id}.{token}")
        return found[0]

    def running(self, task_id: int, token: int = 1) -> None:
        """Wait until this attempt is told to have started."""
        wait_until(
            lambda: any(r.kind is ReportKind.STARTED for r in self.reports(task_id, token)),
            what=f"{task_id}.{token} runs",
        )

    def log(self, task_id: int, kind: LogStream = LogStream.STDOUT, token: int = 1) -> bytes:
        """The stored bytes of a stream, without a tail."""
        return self.told.logs.get((AttemptRef(task_id, token), kind), b"")

    def whole(self, report: Report, kind: LogStream = LogStream.STDOUT) -> bytes:
        """A stream from its first to its last byte, as soon as all is here: what is stored, and the tail."""
        length, tail = (
            (report.stdout_bytes, report.stdout_tail)
            if kind is LogStream.STDOUT
            else (report.stderr_bytes, report.stderr_tail)
        )
        key = (report.ref, kind)
        wait_until(
            lambda: len(self.told.logs.get(key, b"")) >= length - len(tail), what="all output is stored"
        )
        return self.told.logs.get(key, b"")[: length - len(tail)] + tail

    def holding(self) -> list[AttemptRef]:
        """What the last heartbeat listed."""
        beats = self.told.heartbeats
        return [convert_task.attempt_ref_from_proto(ref) for ref in beats[-1].holding] if beats else []

    def next_heartbeats(self, count: int = 2) -> None:
        """Wait for so many more heartbeats."""
        before = len(self.told.heartbeats)
        wait_until(lambda: len(self.told.heartbeats) >= before + count, what="heartbeats")

    def RegisterWorker(
        self, request: pb.RegisterWorkerRequest, context: grpc.ServicerContext
    ) -> pb.RegisterWorkerResponse:
        self._maybe_fail("RegisterWorker", context)
        with self._lock:
            self.told.profiles.append(convert.profile_from_proto(request.profile))
            self._known.add((request.profile.id, request.profile.incarnation))
        return pb.RegisterWorkerResponse(heartbeat_every_s=HEARTBEAT_EVERY_S, lease_s=LEASE_S)

    def Heartbeat(self, request: pb.HeartbeatRequest, context: grpc.ServicerContext) -> pb.HeartbeatResponse:
        self._check(request, "Heartbeat", context)
        with self._lock:
            self.told.heartbeats.append(request)
            orders = self.told.heartbeat_orders.pop(0) if self.told.heartbeat_orders else None
        return pb.HeartbeatResponse(
            renewed=request.holding if self.told.renews else [],
            orders=convert.order_batch_to_proto(orders) if orders else None,
        )

    def ReceiveOrders(
        self, request: pb.ReceiveOrdersRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.ReceiveOrdersResponse]:
        self._check(request, "ReceiveOrders", context)
        box: queue.SimpleQueue[Any] = queue.SimpleQueue()
        context.add_callback(lambda: box.put(_END))
        with self._lock:
            box.put(self._batch(self.told.desired, sync=True))
            self._queues.append(box)
            self.told.streams += 1
        while (batch := box.get()) is not _END:
            yield pb.ReceiveOrdersResponse(batch=convert.order_batch_to_proto(batch))

    def ReportTaskCompletion(
        self, request: pb.ReportTaskCompletionRequest, context: grpc.ServicerContext
    ) -> pb.ReportTaskCompletionResponse:
        self._check(request, "ReportTaskCompletion", context)
        self.hold_reports.wait()
        reports = [convert.report_from_proto(report) for report in request.reports]
        with self._lock:
            self.told.report_calls.append(reports)
        refused = [
            pb.ReportTaskCompletionResponse.Refused(
                ref=convert_task.attempt_ref_to_proto(report.ref), reason="stale"
            )
            for report in reports
            if report.ref in self.told.refused
        ]
        return pb.ReportTaskCompletionResponse(refused=refused)

    def AppendLogs(
        self, request: pb.AppendLogsRequest, context: grpc.ServicerContext
    ) -> pb.AppendLogsResponse:
        self._check(request, "AppendLogs", context)
        answer = pb.AppendLogsResponse()
        with self._lock:
            self.told.log_calls += 1
            for chunk in map(convert.log_chunk_from_proto, request.chunks):
                key = (chunk.ref, chunk.stream)
                have = self.told.logs.get(key, b"")
                refused = chunk.ref in self.told.refused
                if not refused and chunk.offset <= len(have):
                    have = self.told.logs[key] = have + chunk.data[len(have) - chunk.offset :]
                answer.stored.add(
                    ref=convert_task.attempt_ref_to_proto(chunk.ref),
                    stream=convert_task.log_stream_to_proto(chunk.stream),
                    next_offset=0 if refused else len(have),
                    refused=refused,
                )
        return answer

    def FenceWorker(
        self, request: pb.FenceWorkerRequest, context: grpc.ServicerContext
    ) -> pb.FenceWorkerResponse:
        raise NotImplementedError("workers do not ask for that")

    def ListWorkers(
        self, request: pb.ListWorkersRequest, context: grpc.ServicerContext
    ) -> pb.ListWorkersResponse:
        raise NotImplementedError("workers do not ask for that")

    def _batch(self, orders: Any, *, sync: bool) -> OrderBatch:
        self._seq += 1
        return OrderBatch(self._seq, sync, tuple(orders))

    def _check(self, request: Any, method: str, context: grpc.ServicerContext) -> None:
        self._maybe_fail(method, context)
        with self._lock:
            known = (request.worker_id, request.incarnation) in self._known
        if not known:
            _abort(context, UnknownWorker("register first"))

    def _maybe_fail(self, method: str, context: grpc.ServicerContext) -> None:
        with self._lock:
            waiting = self.told.failures.get(method)
            error = waiting.pop(0) if waiting else None
        if error is not None:
            _abort(context, error)


def _abort(context: grpc.ServicerContext, error: GangerError) -> NoReturn:
    code, message, metadata = to_status(error)
    context.set_trailing_metadata(metadata)
    context.abort(code, message)
    raise AssertionError("abort raises")
