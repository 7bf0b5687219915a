"""This module is the worker's registration with the master and every call that needs one.

A call answered with "register again" registers, under the same incarnation, and then fails as unavailable, so
that its caller repeats it. Any number of threads may find that out at once: only one of them registers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import grpc

from ganger_core.convert.worker import profile_to_proto
from ganger_core.domain.errors import GangerError, Unavailable, UnknownWorker
from ganger_core.domain.task import WorkerProfile
from ganger_core.logs import get_logger
from ganger_core.rpc.status import domain_errors
from ganger_core.wire.v1 import worker_pb2, worker_pb2_grpc
from ganger_worker.keeper import boottime

CALL_S = 30.0  # deadline of a call; each is repeated by its caller
HEARTBEAT_S = 10.0

_log = get_logger()

A = TypeVar("A")


class Superseded(RuntimeError):
    """Another daemon with this worker's id was started since; this one must not go on."""


class MasterSession:
    """One worker's registration. Every method raises a `GangerError` when the call fails."""

    def __init__(self, channel: grpc.Channel, profile: WorkerProfile) -> None:
        self._channel = channel
        self._closed = False
        self._stub = worker_pb2_grpc.WorkerServiceStub(channel)
        self._profile = profile
        self._registering = threading.Lock()  # one registration at a time; held during that one call
        self._stream: Any = None  # the open stream of orders
        self._cut: Any = None  # the stream that was ended from this side
        self._no_more_orders = False
        self.generation = 0  # grows with every registration
        self.heartbeat_every_s = 5.0
        self.lease_s = 0.0
        self.lease_from_s = 0.0  # when the last answered heartbeat (or registration) was sent

    @property
    def worker_id(self) -> str:
        """This worker's id."""
        return self._profile.id

    @property
    def incarnation(self) -> int:
        """The number of this start of the worker."""
        return self._profile.incarnation

    def register(self) -> None:
        """Register, and open orders anew."""
        with self._registering:
            self._register_locked()

    def heartbeat(self, request: worker_pb2.HeartbeatRequest) -> worker_pb2.HeartbeatResponse:
        """Give a sign of life."""
        sent_s = boottime()
        answer = self._call(self._stub.Heartbeat, request, HEARTBEAT_S)
        self.lease_from_s = max(self.lease_from_s, sent_s)
        return answer

    def report(
        self, request: worker_pb2.ReportTaskCompletionRequest
    ) -> worker_pb2.ReportTaskCompletionResponse:
        """Tell what became of attempts."""
        return self._call(self._stub.ReportTaskCompletion, request, CALL_S)

    def append_logs(self, request: worker_pb2.AppendLogsRequest) -> worker_pb2.AppendLogsResponse:
        """Send log bytes."""
        return self._call(self._stub.AppendLogs, request, CALL_S)

    def serve_outputs(self, request: worker_pb2.ServeOutputsRequest) -> worker_pb2.ServeOutputsResponse:
        """Bring parts of outputs, and take what is wanted next."""
        return self._call(self._stub.ServeOutputs, request, CALL_S)

    def open_orders(self) -> tuple[int, Iterator[worker_pb2.ReceiveOrdersResponse]]:
        """Open the stream of orders: the registration that it belongs to, and what comes.

        It ends when the master, `end_orders` or a new registration ends it.
        """
        request = worker_pb2.ReceiveOrdersRequest(worker_id=self.worker_id, incarnation=self.incarnation)
        with self._registering:
            stream = self._stream = self._stub.ReceiveOrders(request)
            generation = self.generation
        if self._no_more_orders:
            self.reopen_orders()
        return generation, self._received(stream, generation)

    def _received(
        self, stream: Iterator[worker_pb2.ReceiveOrdersResponse], generation: int
    ) -> Iterator[worker_pb2.ReceiveOrdersResponse]:
        try:
            with domain_errors():
                yield from stream
        except UnknownWorker as error:
            self._register_again(generation, error)
        except GangerError:
            if stream is not self._cut:
                raise

    def end_orders(self) -> None:
        """End the stream of orders for good."""
        self._no_more_orders = True
        self.reopen_orders()

    def close(self) -> None:
        """End every call; those that are under way fail."""
        self._closed = self._no_more_orders = True
        self._channel.close()

    def reopen_orders(self) -> None:
        """End the stream of orders that is open; whoever reads it should open another."""
        if self._stream is not None:
            self._cut = self._stream
            self._stream.cancel()

    def _call(self, method: Callable[..., A], request: object, timeout_s: float) -> A:
        generation = self.generation
        try:
            with domain_errors():
                return method(request, timeout=timeout_s)
        except ValueError as error:  # what gRPC raises on a closed channel
            if not self._closed:
                raise
            raise Unavailable("the worker shuts down") from error
        except UnknownWorker as error:
            self._register_again(generation, error)
            raise Unavailable("the master did not know this worker; it has registered again") from error

    def _register_again(self, generation: int, error: UnknownWorker) -> None:
        if error.reason != UnknownWorker.reason:
            raise Superseded(
                f"{error.message}; if this is another host, give its worker a state folder of its own"
            )
        with self._registering:
            if generation == self.generation:
                _log.warning("the master asks to register again", action="register_again")
                self._register_locked()

    def _register_locked(self) -> None:
        sent_s = boottime()
        request = worker_pb2.RegisterWorkerRequest(profile=profile_to_proto(self._profile))
        with domain_errors():
            answer = self._stub.RegisterWorker(request, timeout=CALL_S)
        self.generation += 1
        self.heartbeat_every_s, self.lease_s = answer.heartbeat_every_s, answer.lease_s
        self.lease_from_s = sent_s
        self.reopen_orders()
        _log.info("registered", action="register", incarnation=self.incarnation, lease_s=self.lease_s)
