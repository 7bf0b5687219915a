"""This module makes the calls to the master: domain values in and out.

It is the client's only module that knows the wire types. A call is repeated while the master is away, with the same
request id, so that the master does the thing once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc

from ganger.connection import CALL_TIMEOUT_S, Connection
from ganger_core.convert import explanation as convert_explanation
from ganger_core.convert import forecast as convert_forecast
from ganger_core.convert import task as convert
from ganger_core.convert import worker as convert_worker
from ganger_core.convert.outputs import outputs_from_proto
from ganger_core.domain.array import Array
from ganger_core.domain.explanation import Explanation
from ganger_core.domain.forecast import Demand, Forecast
from ganger_core.domain.outputs import NO_OUTPUTS, Outputs
from ganger_core.domain.selection import EVERYTHING, Selection
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
from ganger_core.wire.v1 import (
    explain_pb2,
    explain_pb2_grpc,
    forecast_pb2,
    forecast_pb2_grpc,
    task_pb2,
    task_pb2_grpc,
    worker_pb2,
    worker_pb2_grpc,
)

PAGE_SIZE = 1_000

_OVER = frozenset(map(convert.task_state_to_proto, TASK_FINAL))


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """A task, its attempts from the first to the newest, and the last event that this view contains.

    `history` has its events that are still kept, at most the first thousand, where they were asked for.
    `outputs` is what its newest attempt published; the result among that is the task's.
    """

    task: Task
    attempts: tuple[Attempt, ...]
    as_of_seq: int
    history: tuple[Event, ...] = ()
    outputs: Outputs = NO_OUTPUTS


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
class LogPart:
    """Which part of an attempt's output: the last `lines` of each stream, what came in the last `since_s` seconds."""

    lines: int | None = None
    since_s: float = 0.0
    streams: tuple[LogStream, ...] = tuple(LogStream)

    @property
    def is_end(self) -> bool:
        """Whether it begins somewhere that only the master knows."""
        return self.lines is not None or self.since_s > 0


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Events in order; everything up to `as_of_seq` that the filter lets through has been given."""

    events: tuple[Event, ...]
    as_of_seq: int


class ArrayCalls(Connection):
    """The calls that arrays and dry runs need."""

    def __init__(self, target: Target, patience_s: float) -> None:
        super().__init__(target, patience_s)
        self._tasks = task_pb2_grpc.TaskServiceStub(self._channel)
        self._forecasts = forecast_pb2_grpc.ForecastServiceStub(self._channel)

    def put_items(self, digest: str, size: int, offset: int, data: bytes) -> int:
        """Where to go on; `size` when the master has all."""
        request = task_pb2.PutItemsRequest(digest=digest, size=size, offset=offset, data=data)
        return self._call(self._tasks.PutItems, request).next_offset

    def submit_array(self, request_id: str, spec: TaskSpec, array: Array) -> int:
        """The new array's id."""
        request = task_pb2.SubmitArrayRequest(
            request_id=request_id, spec=convert.spec_to_proto(spec), array=convert.array_to_proto(array)
        )
        return self._call(self._tasks.SubmitArray, request).task_id

    def update(self, request_id: str, task_id: int, asked: Mapping[str, Any]) -> bool:
        """Whether what was asked is in force; None leaves things as they are."""
        request = task_pb2.UpdateTaskRequest(request_id=request_id, task_id=task_id, **asked)
        return self._call(self._tasks.UpdateTask, request).in_force

    def plan_tasks(self, demands: Sequence[Demand]) -> Forecast:
        """What would become of these."""
        request = forecast_pb2.PlanTasksRequest(demands=map(convert_forecast.demand_to_proto, demands))
        return convert_forecast.forecast_from_proto(self._call(self._forecasts.PlanTasks, request))

    def plan_task(self, task_id: int) -> Forecast:
        """What becomes of one that waits."""
        request = forecast_pb2.PlanTasksRequest(task_id=task_id)
        return convert_forecast.forecast_from_proto(self._call(self._forecasts.PlanTasks, request))


class ExplainCalls(ArrayCalls):
    """The calls about the master's reasons."""

    def __init__(self, target: Target, patience_s: float) -> None:
        super().__init__(target, patience_s)
        self._reasons = explain_pb2_grpc.ExplainServiceStub(self._channel)

    def explain(self, task_id: int) -> Explanation:
        """Why one task stands as it does."""
        request = explain_pb2.ExplainTaskRequest(task_id=task_id)
        return convert_explanation.explanation_from_proto(self._call(self._reasons.ExplainTask, request))


class OutputCalls(ExplainCalls):
    """The calls that only outputs need."""

    def read_output(self, ref: AttemptRef, path: str, offset: int) -> Iterator[bytes]:
        """One connection's share of a published file from `offset` on. Raises `grpc.RpcError` as it comes."""
        request = task_pb2.ReadOutputRequest(task_id=ref.task_id, token=ref.token, path=path, offset=offset)
        for part in self._stream(self._tasks.ReadOutput, request):
            yield part.data


class WorkerCalls(OutputCalls):
    """The calls about workers."""

    def __init__(self, target: Target, patience_s: float) -> None:
        super().__init__(target, patience_s)
        self._workers = worker_pb2_grpc.WorkerServiceStub(self._channel)

    def worker_page(self, token: str) -> tuple[tuple[WorkerView, ...], str]:
        """One page of the workers and the token of the next, empty after the last."""
        request = worker_pb2.ListWorkersRequest(page_size=PAGE_SIZE, page_token=token)
        answer = self._call(self._workers.ListWorkers, request)
        return tuple(map(convert_worker.worker_from_proto, answer.workers)), answer.next_page_token

    def master_says(self, timeout_s: float) -> tuple[str, int]:
        """The master's version, and its wall clock as it answers (Unix milliseconds)."""
        request = worker_pb2.ListWorkersRequest(page_size=1)
        answer = self._call(self._workers.ListWorkers, request, timeout_s)
        return answer.version, answer.now_ms

    def fence(self, request_id: str, worker: str) -> int:
        """How many attempts were given up."""
        request = worker_pb2.FenceWorkerRequest(request_id=request_id, worker=worker)
        return self._call(self._workers.FenceWorker, request).attempts

    def cordon(
        self,
        request_id: str,
        workers: Sequence[str],
        reason: str,
        *,
        drain: bool = False,
        deadline_s: float | None = None,
    ) -> list[str]:
        """The ids of the workers that get no new work now."""
        request = worker_pb2.CordonWorkerRequest(
            request_id=request_id, workers=workers, reason=reason, drain=drain, deadline_s=deadline_s
        )
        return list(self._call(self._workers.CordonWorker, request).worker_ids)

    def resume(self, request_id: str, workers: Sequence[str]) -> list[str]:
        """The ids of the workers that may have work again."""
        request = worker_pb2.ResumeWorkerRequest(request_id=request_id, workers=workers)
        return list(self._call(self._workers.ResumeWorker, request).worker_ids)


class MasterCalls(WorkerCalls):
    """The calls that a client makes. Safe to use from several threads."""

    def submit(self, request_id: str, spec: TaskSpec) -> int:
        """The new task's id."""
        request = task_pb2.SubmitTaskRequest(request_id=request_id, spec=convert.spec_to_proto(spec))
        return self._call(self._tasks.SubmitTask, request).task_id

    def submit_many(self, request_id: str, specs: Sequence[TaskSpec]) -> range:
        """The new tasks' ids."""
        request = task_pb2.SubmitTasksRequest(request_id=request_id, specs=map(convert.spec_to_proto, specs))
        answer = self._call(self._tasks.SubmitTasks, request)
        return range(answer.first_task_id, answer.first_task_id + answer.count)

    def status(
        self, task_id: int, wait_s: float = 0.0, *, history: bool = False, outputs: bool = False
    ) -> TaskStatus:
        """One task with its attempts; with `wait_s` when it is over, or after so many seconds."""
        request = task_pb2.GetTaskStatusRequest(
            task_id=task_id, wait_s=wait_s, history=history, outputs=outputs
        )
        answer = self._call(self._tasks.GetTaskStatus, request, CALL_TIMEOUT_S + wait_s)
        return TaskStatus(
            convert.task_from_proto(answer.task),
            tuple(map(convert.attempt_from_proto, answer.attempts)),
            answer.as_of_seq,
            tuple(map(convert.event_from_proto, answer.history)),
            outputs_from_proto(answer.outputs),
        )

    def task_page(
        self,
        states: Iterable[TaskState],
        task_ids: Iterable[int],
        page_size: int,
        token: str,
        array_id: int = 0,
        chosen: Selection = EVERYTHING,
        *,
        own: bool = False,
    ) -> TaskPage:
        """One page of the list of tasks, newest first: of an array's elements where `array_id` names one."""
        request = task_pb2.ListTasksRequest(
            states=map(convert.task_state_to_proto, states),
            task_ids=task_ids,
            page_size=page_size,
            page_token=token,
            array_id=array_id,
            labels=convert.labels_to_proto(chosen.labels),
            name=chosen.name,
            name_prefix=chosen.name_prefix,
            own=own,
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

    def read_logs(
        self, ref: AttemptRef, offsets: Mapping[LogStream, int], follow: bool, part: LogPart
    ) -> Iterator[LogChunk]:
        """One connection's share of an attempt's bytes from `offsets` on. Raises `grpc.RpcError` as it comes.

        Of the end of a log, chunks without data come first, one for each stream: they tell where it begins.
        """
        request = task_pb2.ReadLogsRequest(
            task_id=ref.task_id,
            token=ref.token,
            stdout_offset=offsets.get(LogStream.STDOUT, 0),
            stderr_offset=offsets.get(LogStream.STDERR, 0),
            follow=follow,
            last_lines=part.lines,
            since_s=part.since_s,
            streams=[convert.log_stream_to_proto(stream) for stream in part.streams],
        )
        for answer in self._stream(self._tasks.ReadLogs, request):
            yield LogChunk(ref, convert.log_stream_from_proto(answer.stream), answer.offset, answer.data)

    def meet(self) -> None:
        """Make sure that a master is there that knows the caller; costs a call only before the first answer."""
        if not self._met:
            self.task_page((), (), 1, "")


def task_rows(
    calls: MasterCalls,
    states: Sequence[TaskState] = (),
    task_ids: Sequence[int] = (),
    *,
    array_id: int = 0,
    limit: int | None = None,
    chosen: Selection = EVERYTHING,
    own: bool = False,
) -> Iterator[TaskRow]:
    """The rows of a list page by page, at most `limit`; nothing given stands for all."""
    named, left = sorted(set(task_ids), reverse=True), limit
    for start in range(0, max(1, len(named)), PAGE_SIZE):
        part, token, more = named[start : start + PAGE_SIZE], "", True
        while more and (left is None or left > 0):
            size = PAGE_SIZE if left is None else min(PAGE_SIZE, left)
            page = calls.task_page(states, part, size, token, array_id, chosen, own=own)
            yield from page.rows
            token, more = page.next_token, bool(page.next_token)
            left = None if left is None else left - len(page.rows)


def answers(target: Target, timeout_s: float) -> bool:
    """Whether a daemon is there that says that it serves, as planners and masters do."""
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    channel = open_channel(target)
    try:
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=timeout_s)
    except grpc.RpcError:
        return False
    finally:
        channel.close()
    return True
