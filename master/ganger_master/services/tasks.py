"""This module answers clients: convert and validate, one engine call, wait for its ticket, convert."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any, TypeVar

from ganger_core.convert import task as convert
from ganger_core.domain import validate
from ganger_core.domain.array import MOST_ELEMENTS, Array, Items
from ganger_core.domain.clock import Clock
from ganger_core.domain.errors import GangerError, Invalid, NotFound
from ganger_core.domain.principal import Principal, Role
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import Attempt, AttemptRef, LogStream, Task, TaskSpec
from ganger_core.rpc.guard import current_call
from ganger_core.wire.v1 import task_pb2, task_pb2_grpc
from ganger_master.changes import Cancel, Request, Submit, SubmitArray, Update
from ganger_master.disk import DiskGuard
from ganger_master.engine import Engine
from ganger_master.feed import Feed
from ganger_master.gate import DurableGate
from ganger_master.logstore import LogStore, stream_tail
from ganger_master.queue import TaskQueue
from ganger_master.reasons import why_it_stays
from ganger_master.services.uploads import Uploads, checked_items
from ganger_master.store.reader import StoreReader
from ganger_master.store.rows import array_to_text, spec_to_json

PAGE, MAX_PAGE = 100, 1_000
LEASE_HEARTBEATS = 3  # a lease is at least so long, so that a late heartbeat does not end its task
MAX_SPECS = 10_000  # per SubmitTasks call
IN_FORCE_WITHIN_S = 5.0  # a worker answers within a round trip, unless it cannot be reached
SPECS_ON_LOOP = 500  # more than these at once would hold up the loop

T = TypeVar("T")


class TaskService(task_pb2_grpc.TaskServiceServicer):
    """What clients may ask of the master."""

    def __init__(
        self,
        engine: Engine,
        queue: TaskQueue,
        gate: DurableGate,
        feed: Feed,
        logs: LogStore,
        reader: StoreReader,
        readers: Executor,
        clock: Clock,
        disk: DiskGuard,
        *,
        heartbeat_every_s: float,
    ) -> None:
        self._least_lease_s = max(validate.LEAST_LEASE_S, LEASE_HEARTBEATS * heartbeat_every_s)
        self._engine = engine
        self._queue = queue
        self._gate = gate
        self._feed = feed
        self._logs = logs
        self._reader = reader
        self._readers = readers
        self._clock = clock
        self._disk = disk
        self._uploads = Uploads()

    async def SubmitTask(
        self, request: task_pb2.SubmitTaskRequest, context: object
    ) -> task_pb2.SubmitTaskResponse:
        """Accept one task."""
        convert.require(request, "spec", "spec")
        spec = convert.spec_from_proto(request.spec)
        validate.check_spec(spec, "spec", self._least_lease_s)
        return task_pb2.SubmitTaskResponse(task_id=await self._submit(request.request_id, (spec,)))

    async def SubmitTasks(
        self, request: task_pb2.SubmitTasksRequest, context: object
    ) -> task_pb2.SubmitTasksResponse:
        """Accept many tasks, all or none."""
        if not 1 <= len(request.specs) <= MAX_SPECS:
            raise Invalid(
                f"one call takes 1 to {MAX_SPECS} tasks, this one has {len(request.specs)}", field="specs"
            )
        specs = await self._read(_checked_specs, request, self._least_lease_s)  # too long for the loop
        first = await self._submit(request.request_id, specs)
        return task_pb2.SubmitTasksResponse(first_task_id=first, count=len(specs))

    async def SubmitArray(
        self, request: task_pb2.SubmitArrayRequest, context: object
    ) -> task_pb2.SubmitArrayResponse:
        """Accept an array, whose items have been put before."""
        convert.require(request, "spec", "spec")
        convert.require(request, "array", "array")
        spec = convert.spec_from_proto(request.spec)
        array = await self._read(convert.array_from_proto, request.array)  # it may name many indices
        validate.check_spec(spec, "spec", self._least_lease_s)
        validate.check_array(array)
        key = request_of(request.request_id, f"{spec_to_json(spec)}\n{array_to_text(array)}")
        items = None
        if self._engine.stored_answer(key) is None:  # a repeated request gets its answer all the same
            self._disk.check()
            if array.items:
                items = await self._items(key.owner, array)
        applied = self._engine.apply([SubmitArray(key, spec, array, items)], self._clock.now())
        task_id = applied.only()
        await self._gate.passed(applied.ticket)
        assert isinstance(task_id, int)
        self._uploads.drop(key.owner, array.items)
        return task_pb2.SubmitArrayResponse(task_id=task_id, count=len(array))

    async def PutItems(self, request: task_pb2.PutItemsRequest, context: object) -> task_pb2.PutItemsResponse:
        """Take in a part of the items of an array that is to come."""
        next_offset = self._uploads.put(
            _caller().name, request.digest, request.size, request.offset, request.data
        )
        return task_pb2.PutItemsResponse(next_offset=next_offset)

    async def UpdateTask(
        self, request: task_pb2.UpdateTaskRequest, context: object
    ) -> task_pb2.UpdateTaskResponse:
        """Change how many elements of an array may run; answered when that is in force, or after a while."""
        if not request.HasField("max_parallel"):
            raise Invalid("max_parallel is missing: there is nothing else to change", field="max_parallel")
        validate.check_int(request.max_parallel, "max_parallel", 0, MOST_ELEMENTS)
        task, _, _ = await self._find(request.task_id)
        key = request_of(request.request_id, f"update {task.id} max_parallel={request.max_parallel}")
        applied = self._engine.apply([Update(key, task.id, request.max_parallel)], self._clock.now())
        applied.only()
        await self._gate.passed(applied.ticket)
        try:
            async with asyncio.timeout(IN_FORCE_WITHIN_S):
                await self._in_force(task.id)
        except TimeoutError:
            return task_pb2.UpdateTaskResponse(in_force=False)
        return task_pb2.UpdateTaskResponse(in_force=True)

    async def GetTaskStatus(
        self, request: task_pb2.GetTaskStatusRequest, context: object
    ) -> task_pb2.GetTaskStatusResponse:
        """One task with all its attempts."""
        task, newest, as_of_seq = await self._find(request.task_id)
        attempts: Sequence[Attempt] = [newest] if newest else []
        if task.token > len(attempts):
            stored = await self._read(self._reader.attempts, task.id)
            attempts = [a for a in stored if newest is None or a.ref.token < newest.ref.token] + list(
                attempts
            )
        return task_pb2.GetTaskStatusResponse(
            task=convert.task_to_proto(self._with_reason(task)),
            attempts=map(convert.attempt_to_proto, attempts),
            as_of_seq=as_of_seq,
        )

    async def ListTasks(
        self, request: task_pb2.ListTasksRequest, context: object
    ) -> task_pb2.ListTasksResponse:
        """A page of tasks, newest first."""
        size = page_size(request.page_size)
        if len(request.task_ids) > MAX_PAGE:
            raise Invalid(f"one call takes at most {MAX_PAGE} task ids", field="task_ids")
        ticket, as_of_seq = self._engine.position()
        await self._gate.passed(ticket)
        page = await self._read(self._page, request, _caller(), size, as_of_seq)
        for row in page.rows:
            if row.task.HasField("array") and not row.task.finished_ms:
                task, _, _ = await self._find(row.task.id)  # the store does not count elements
                row.task.array.CopyFrom(convert.task_to_proto(task).array)
        return page

    async def CancelTask(
        self, request: task_pb2.CancelTaskRequest, context: object
    ) -> task_pb2.CancelTaskResponse:
        """End a task, or ask its worker to."""
        validate.check_text(request.reason, "reason", 1_000)
        if request.signal:
            validate.check_signal(request.signal)
        grace_s = request.grace_s if request.HasField("grace_s") else None
        if grace_s is not None:
            validate.check_seconds(grace_s, "grace_s")
        task, _, _ = await self._find(request.task_id)
        # A reason holds no NUL: no other request has this digest, and one without options the one it always had.
        how = f"\0{request.signal} {grace_s}" if request.signal or grace_s is not None else ""
        key = request_of(request.request_id, f"cancel {request.task_id} {request.reason}{how}")
        ended = task.state if task.is_final else None
        command = Cancel(key, task.id, request.reason, ended, request.signal, grace_s)
        applied = self._engine.apply([command], self._clock.now())
        state = TaskState(str(applied.only()))
        await self._gate.passed(applied.ticket)
        return task_pb2.CancelTaskResponse(state=convert.task_state_to_proto(state))

    async def WatchEvents(
        self, request: task_pb2.WatchEventsRequest, context: object
    ) -> AsyncIterator[task_pb2.WatchEventsResponse]:
        """The feed from a sequence number on."""
        caller = _caller()
        for task_id in request.task_ids:
            validate.check_id(task_id, "task_ids")
        wanted = frozenset(request.task_ids)
        if request.after_seq < 0:
            raise Invalid("after_seq must not be negative", field="after_seq")
        async for batch in self._feed.batches(request.after_seq):
            events = [
                convert.event_to_proto(event)
                for event in batch
                if (not wanted or event.task_id in wanted) and caller.owns(event.owner)
            ]
            if events:
                yield task_pb2.WatchEventsResponse(events=events, as_of_seq=batch[-1].seq)

    async def ReadLogs(
        self, request: task_pb2.ReadLogsRequest, context: object
    ) -> AsyncIterator[task_pb2.ReadLogsResponse]:
        """An attempt's bytes; with `follow` until its log is complete."""
        for name in ("token", "stdout_offset", "stderr_offset"):
            if getattr(request, name) < 0:
                raise Invalid(f"{name} must not be negative", field=name)
        offsets = {LogStream.STDOUT: request.stdout_offset, LogStream.STDERR: request.stderr_offset}
        token = request.token
        while True:
            ref = AttemptRef(request.task_id, token)
            news = self._logs.news(ref)  # taken before looking, so that nothing is missed
            task, newest, as_of_seq = await self._find(request.task_id)
            if token > task.token:
                raise NotFound(f"task {task.id} has no attempt {token}", field="token")
            if not token and task.token:
                token = task.token
                continue
            attempt = newest if newest and newest.ref == ref else await self._read(self._reader.attempt, ref)
            ended = attempt if attempt and not attempt.is_live else None
            complete = task.is_final or token < task.token
            async for part in self._new_bytes(ref, offsets, ended, complete):
                yield part
            if complete or not request.follow:
                self._logs.tell(ref)
                return
            if token:
                await news.wait()
            else:
                await self._next_event(task.id, as_of_seq)

    def _page(
        self, request: task_pb2.ListTasksRequest, caller: Principal, size: int, as_of_seq: int
    ) -> task_pb2.ListTasksResponse:
        for task_id in request.task_ids:
            validate.check_id(task_id, "task_ids")
        before = page_start(request.page_token, 2**63 - 1)
        owner = "" if caller.role is Role.ADMIN else caller.name
        states = [convert.task_state_from_proto(state, "states") for state in request.states]
        if request.array_id:
            validate.check_id(request.array_id, "array_id")
            found = self._reader.elements(
                request.array_id, before=before, limit=size + 1, owner=owner, states=states
            )
        else:
            found = self._reader.tasks(
                before=before, limit=size + 1, owner=owner, states=states, ids=request.task_ids
            )
        rows = [
            task_pb2.ListTasksResponse.Row(
                task=convert.task_to_proto(self._with_reason(task)), worker_name=worker
            )
            for task, worker in found[:size]
        ]
        more = str(found[size - 1][0].id) if len(found) > size else ""
        return task_pb2.ListTasksResponse(rows=rows, next_page_token=more, as_of_seq=as_of_seq)

    async def _new_bytes(
        self, ref: AttemptRef, offsets: dict[LogStream, int], ended: Attempt | None, complete: bool
    ) -> AsyncIterator[task_pb2.ReadLogsResponse]:
        for stream in offsets if ref.token else ():
            offset = offsets[stream]
            while True:
                data = await self._read(self._logs.read, ref, stream, offset, ended)
                if not data and ended and complete:
                    length, tail = stream_tail(ended, stream)
                    if offset < length - len(tail):  # bytes that never arrived: go on behind the gap
                        offset = length - len(tail)
                        continue
                if not data:
                    break
                yield task_pb2.ReadLogsResponse(
                    stream=convert.log_stream_to_proto(stream), offset=offset, data=data
                )
                offset += len(data)
            offsets[stream] = offset

    async def _in_force(self, array_id: int) -> None:
        """Return once nothing starts beyond the array's limit. What may change that are events."""
        after_seq = self._feed.last_seq
        if self._engine.limit_is_in_force(array_id):
            return
        async for _ in self._feed.batches(after_seq):
            if self._engine.limit_is_in_force(array_id):
                return

    async def _next_event(self, task_id: int, after_seq: int) -> None:
        async for batch in self._feed.batches(after_seq):
            if any(event.task_id == task_id for event in batch):
                return

    async def _submit(self, request_id: str, specs: tuple[TaskSpec, ...]) -> int:
        key = request_of(request_id, "\n".join(map(spec_to_json, specs)))
        if self._engine.stored_answer(key) is None:  # a repeated request gets its answer all the same
            self._disk.check()
        command, now = Submit(key, specs), self._clock.now()
        if len(specs) <= SPECS_ON_LOOP:
            applied = self._engine.apply([command], now)
        else:
            applied = await self._read(self._engine.apply, [command], now)
        first = applied.only()
        await self._gate.passed(applied.ticket)
        assert isinstance(first, int)
        return first

    async def _items(self, owner: str, array: Array) -> Items:
        """The items that were put for this array; what is wrong with them is not kept."""
        blob = self._uploads.take(owner, array.items)
        try:
            return await self._read(checked_items, blob, array.items, len(array))
        except GangerError:
            self._uploads.drop(owner, array.items)
            raise

    async def _find(self, task_id: int) -> tuple[Task, Attempt | None, int]:
        """The task, its newest attempt if in memory, and the last event contained; durable, and the caller's own."""
        validate.check_id(task_id, "task_id")
        seen = self._engine.see(task_id)
        if seen is not None:
            await self._gate.passed(seen.ticket)
            found: tuple[Task | None, Attempt | None, int] = (seen.task, seen.attempt, seen.as_of_seq)
        else:
            as_of_seq = self._feed.last_seq
            found = (await self._read(self._reader.task, task_id), None, as_of_seq)
        task, attempt, as_of_seq = found
        if task is None or not _caller().owns(task.owner):
            raise NotFound(f"there is no task {task_id}", field="task_id")
        return task, attempt, as_of_seq

    def _with_reason(self, task: Task) -> Task:
        """A waiting task shows why the last plan left it out, one whose worker is lost what it waits for."""
        if task.is_final:
            return task
        if task.state is TaskState.PENDING:
            reason = self._queue.reason(task.id)
        else:
            worker = self._engine.waits_for(task.id)
            reason = why_it_stays(worker, task.reason) if worker else ""
        return replace(task, reason=reason) if reason else task

    async def _read(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, function, *arguments)


def request_of(request_id: str, payload: str) -> Request:
    """The caller's request with the digest of what it asks for."""
    validate.check_request_id(request_id)
    return Request(_caller().name, request_id, hashlib.sha256(payload.encode()).hexdigest())


def page_size(asked: int) -> int:
    """How many rows a page has; raises `Invalid` when out of range."""
    if not 0 <= asked <= MAX_PAGE:
        raise Invalid(f"page_size must be 0 to {MAX_PAGE}", field="page_size")
    return asked or PAGE


def page_start(token: str, first: int) -> int:
    """Where a page starts; raises `Invalid` on a token that no page gave."""
    if not token:
        return first
    if not token.isascii() or not token.isdigit() or len(token) > 18:
        raise Invalid("page_token must be the next_page_token of the page before", field="page_token")
    return int(token)


def _checked_specs(request: task_pb2.SubmitTasksRequest, least_lease_s: float) -> tuple[TaskSpec, ...]:
    known: dict[bytes, TaskSpec] = {}  # equal specs, and there are mostly many, are read and checked once
    specs = []
    for number, wire in enumerate(request.specs):
        data = wire.SerializeToString()
        if data not in known:
            spec = convert.spec_from_proto(wire, f"specs[{number}]")
            validate.check_spec(spec, f"specs[{number}]", least_lease_s)
            known[data] = spec
        specs.append(known[data])
    return tuple(specs)


def _caller() -> Principal:
    return current_call.get().principal
