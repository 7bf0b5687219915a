"""This module makes the calls to the master: domain values in and out, each call repeated while the master is away.

It is the client's only module that knows the wire types. A repeated call carries the same request id,
so the master does the thing once. A master that has never answered gets no patience: somebody
who has none running is told at once.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import grpc

from ganger_core.convert import task as convert
from ganger_core.convert import worker as convert_worker
from ganger_core.domain.errors import DeadlineExceeded, GangerError, Unavailable
from ganger_core.domain.states import TASK_FINAL, TaskState
from ganger_core.domain.task import (
    Attempt,
    AttemptRef,
    Event,
    LogChunk,
    LogStream,
    Task,
    TaskSpec,
    WorkerView,
)
from ganger_core.rpc.channels import Target, open_channel
from ganger_core.rpc.status import from_rpc_error
from ganger_core.wire.v1 import task_pb2, task_pb2_grpc, worker_pb2, worker_pb2_grpc

CALL_TIMEOUT_S = 20.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 2.0
PAGE_SIZE = 1_000

# What a master that stops, restarts or hangs looks like from here.
_AWAY = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED})

_OVER = frozenset(map(convert.task_state_to_proto, TASK_FINAL))

Request = TypeVar("Request")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """A task, its attempts from the first to the newest, and the last event that this view contains."""

    task: Task
    attempts: tuple[Attempt, ...]
    as_of_seq: int


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task in a list, with the name of the worker of its newest attempt (empty before the first)."""

    task: Task
    worker_name: str


@dataclass(frozen=True, slots=True)
class TaskPage:
    """Some rows of a list of tasks; `next_token` is empty on the last page."""

    rows: tuple[TaskRow, ...]
    next_token: str
    as_of_seq: int


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Events in order; everything up to `as_of_seq` that the filter lets through has been given."""

    events: tuple[Event, ...]
    as_of_seq: int


class Effort:
    """One thing tried until it works: longer pauses after each failure, the end after `patience_s` without success."""

    def __init__(self, address: str, patience_s: float) -> None:
        self._address = address
        self._patience_s = patience_s
        self._pause = threading.Event()
        self.succeeded()

    def succeeded(self) -> None:
        """The master answered: patience is whole again."""
        self._failing_since: float | None = None
        self._failures = 0

    def failed(self, error: grpc.RpcError | None) -> None:
        """Wait before the next try, or raise `error` in Ganger's terms when another try makes no sense.

        None says that a stream ended without an error before its time.
        """
        code = error.code() if isinstance(error, grpc.Call) else grpc.StatusCode.UNAVAILABLE
        if error is not None and code not in _AWAY:
            raise from_rpc_error(error) from None
        now = time.monotonic()
        if self._failing_since is None:
            self._failing_since = now
        if now - self._failing_since >= self._patience_s:
            raise self._away(code) from None
        longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(self._failures, 10))
        self._failures += 1
        self._pause.wait(longest * random.uniform(0.5, 1.0))  # noqa: S311 - spreads clients, hides nothing

    def _away(self, code: grpc.StatusCode) -> GangerError:
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return DeadlineExceeded(
                f"the master at {self._address} did not answer within {CALL_TIMEOUT_S:g} s"
            )
        return Unavailable(
            f"no master answers at {self._address}: start one with `ganger dev`, "
            "or name it with --address / GANGER_ADDR"
        )


class MasterCalls:
    """The calls that a client makes. Safe to use from several threads."""

    def __init__(self, target: Target, patience_s: float) -> None:
        self.address = target.address
        self._patience_s = patience_s
        self._met = False
        self._channel = open_channel(target)
        self._tasks = task_pb2_grpc.TaskServiceStub(self._channel)
        self._workers = worker_pb2_grpc.WorkerServiceStub(self._channel)

    def close(self) -> None:
        """Close the connection; streams under way end."""
        self._channel.close()

    def effort(self) -> Effort:
        """A new effort towards this master: without patience as long as it has never answered."""
        return Effort(self.address, self._patience_s if self._met else 0.0)

    def submit(self, request_id: str, spec: TaskSpec) -> int:
        """The new task's id."""
        request = task_pb2.SubmitTaskRequest(request_id=request_id, spec=convert.spec_to_proto(spec))
        return self._call(self._tasks.SubmitTask, request).task_id

    def submit_many(self, request_id: str, specs: Sequence[TaskSpec]) -> range:
        """The new tasks' ids."""
        request = task_pb2.SubmitTasksRequest(request_id=request_id, specs=map(convert.spec_to_proto, specs))
        answer = self._call(self._tasks.SubmitTasks, request)
        return range(answer.first_task_id, answer.first_task_id + answer.count)

    def status(self, task_id: int) -> TaskStatus:
        """One task with its attempts."""
        answer = self._call(self._tasks.GetTaskStatus, task_pb2.GetTaskStatusRequest(task_id=task_id))
        return TaskStatus(
            convert.task_from_proto(answer.task),
            tuple(map(convert.attempt_from_proto, answer.attempts)),
            answer.as_of_seq,
        )

    def task_page(
        self, states: Iterable[TaskState], task_ids: Iterable[int], page_size: int, token: str
    ) -> TaskPage:
        """One page of the list of tasks, newest first."""
        request = task_pb2.ListTasksRequest(
            states=map(convert.task_state_to_proto, states),
            task_ids=task_ids,
            page_size=page_size,
            page_token=token,
        )
        answer = self._call(self._tasks.ListTasks, request)
        rows = tuple(TaskRow(convert.task_from_proto(row.task), row.worker_name) for row in answer.rows)
        return TaskPage(rows, answer.next_page_token, answer.as_of_seq)

    def cancel(
        self, request_id: str, task_id: int, reason: str, signal: int, grace_s: float | None
    ) -> TaskState:
        """The task's state right after."""
        request = task_pb2.CancelTaskRequest(
            request_id=request_id, task_id=task_id, reason=reason, signal=signal, grace_s=grace_s
        )
        return convert.task_state_from_proto(self._call(self._tasks.CancelTask, request).state)

    def worker_page(self, token: str) -> tuple[tuple[WorkerView, ...], str]:
        """One page of the workers and the token of the next, empty after the last."""
        request = worker_pb2.ListWorkersRequest(page_size=PAGE_SIZE, page_token=token)
        answer = self._call(self._workers.ListWorkers, request)
        return tuple(map(convert_worker.worker_from_proto, answer.workers)), answer.next_page_token

    def fence(self, request_id: str, worker: str) -> int:
        """How many attempts were given up."""
        request = worker_pb2.FenceWorkerRequest(request_id=request_id, worker=worker)
        return self._call(self._workers.FenceWorker, request).attempts

    def watch(
        self, after_seq: int, task_ids: Sequence[int], timeout_s: float | None, *, only_ends: bool = False
    ) -> Iterator[EventBatch]:
        """One connection's share of the event feed, or of the ends in it alone.

        Raises `grpc.RpcError` as it comes: the watcher reconnects.
        """
        request = task_pb2.WatchEventsRequest(after_seq=after_seq, task_ids=task_ids)
        for answer in self._stream(self._tasks.WatchEvents, request, timeout_s):
            told = [event for event in answer.events if not only_ends or event.state in _OVER]
            yield EventBatch(tuple(map(convert.event_from_proto, told)), answer.as_of_seq)

    def read_logs(self, ref: AttemptRef, offsets: dict[LogStream, int], follow: bool) -> Iterator[LogChunk]:
        """One connection's share of an attempt's bytes from `offsets` on. Raises `grpc.RpcError` as it comes."""
        request = task_pb2.ReadLogsRequest(
            task_id=ref.task_id,
            token=ref.token,
            stdout_offset=offsets[LogStream.STDOUT],
            stderr_offset=offsets[LogStream.STDERR],
            follow=follow,
        )
        for part in self._stream(self._tasks.ReadLogs, request):
            yield LogChunk(ref, convert.log_stream_from_proto(part.stream), part.offset, part.data)

    def meet(self) -> None:
        """Make sure that a master is there that knows the caller; costs a call only before the first answer."""
        if not self._met:
            self.task_page((), (), 1, "")

    def _call(self, method: grpc.UnaryUnaryMultiCallable[Request, Answer], request: Request) -> Answer:
        effort = self.effort()
        while True:
            try:
                answer = method(request, timeout=CALL_TIMEOUT_S)
            except grpc.RpcError as error:
                effort.failed(error)
            else:
                self._met = True
                return answer

    def _stream(
        self,
        method: grpc.UnaryStreamMultiCallable[Request, Answer],
        request: Request,
        timeout_s: float | None = None,
    ) -> Iterator[Answer]:
        """What the stream brings; the call ends with the caller's interest in it."""
        stream = method(request, timeout=timeout_s)
        try:
            for answer in stream:
                self._met = True
                yield answer
        finally:
            stream.cancel()
