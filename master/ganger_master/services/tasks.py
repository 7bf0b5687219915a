"""This module answers clients: convert and validate, one engine call, wait for its ticket, convert."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from functools import partial

from ganger_core.convert import task as convert
from ganger_core.convert.outputs import outputs_to_proto
from ganger_core.domain import validate
from ganger_core.domain.errors import Invalid, NotFound
from ganger_core.domain.principal import Principal, Role
from ganger_core.domain.selection import Selection, check_selection
from ganger_core.domain.states import TASK_FINAL, TaskState
from ganger_core.domain.task import Attempt, AttemptRef, LogStream, Task, TaskSpec
from ganger_core.wire.v1 import task_pb2, task_pb2_grpc
from ganger_master.changes import Cancel, Submit
from ganger_master.logstore import stream_tail
from ganger_master.reasons import why_it_stays
from ganger_master.services.arrays import ArrayCalls
from ganger_master.services.calls import caller, request_of
from ganger_master.services.outputs import OutputCalls
from ganger_master.services.updates import UpdateCalls
from ganger_master.settling import why_it_waits
from ganger_master.store.rows import spec_to_json

PAGE, MAX_PAGE = 100, 1_000
MAX_SPECS = 10_000  # per SubmitTasks call
MOST_EVENTS = 1_000  # of one task's history
MOST_WAIT_S = 60.0  # that one call waits for a task's end
SPECS_ON_LOOP = 500  # more than these at once would hold up the loop


class TaskService(ArrayCalls, UpdateCalls, OutputCalls, task_pb2_grpc.TaskServiceServicer):
    """What clients may ask of the master."""

    async def SubmitTask(
        self, request: task_pb2.SubmitTaskRequest, context: object
    ) -> task_pb2.SubmitTaskResponse:
        """Accept one task."""
        convert.require(request, "spec", "spec")
        spec = convert.spec_from_proto(request.spec)
        validate.check_spec(spec, "spec", self._least_lease_s)
        validate.check_order([spec])
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

    async def GetTaskStatus(
        self, request: task_pb2.GetTaskStatusRequest, context: object
    ) -> task_pb2.GetTaskStatusResponse:
        """One task with all its attempts, as it is or once it is over."""
        validate.check_seconds(request.wait_s, "wait_s")
        task, newest, as_of_seq = await self._find(request.task_id)
        if request.wait_s and not task.is_final:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(request.wait_s, MOST_WAIT_S)):
                    await self._over(task, as_of_seq)
            task, newest, as_of_seq = await self._find(request.task_id)
        attempts = await self._attempts(task, newest)
        history = (
            await self._read(self._reader.history, task, as_of_seq, MOST_EVENTS) if request.history else ()
        )
        answer = task_pb2.GetTaskStatusResponse(
            task=convert.task_to_proto(self._with_reason(task)),
            attempts=map(convert.attempt_to_proto, attempts),
            as_of_seq=as_of_seq,
            history=map(convert.event_to_proto, history),
        )
        published = await self._published(task) if request.outputs else None
        if published is not None:
            outputs = published.outputs
            answer.task.result = outputs.result
            answer.outputs.CopyFrom(outputs_to_proto(replace(outputs, result="")))
        return answer

    async def ListTasks(
        self, request: task_pb2.ListTasksRequest, context: object
    ) -> task_pb2.ListTasksResponse:
        """A page of tasks, newest first."""
        size = page_size(request.page_size)
        if len(request.task_ids) > MAX_PAGE:
            raise Invalid(f"one call takes at most {MAX_PAGE} task ids", field="task_ids")
        ticket, as_of_seq = self._engine.position()
        await self._gate.passed(ticket)
        page = await self._read(self._page, request, caller(), size, as_of_seq)
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
        asking = caller()
        for task_id in request.task_ids:
            validate.check_id(task_id, "task_ids")
        wanted = frozenset(request.task_ids)
        if request.after_seq < 0:
            raise Invalid("after_seq must not be negative", field="after_seq")
        async for batch in self._feed.batches(request.after_seq):
            events = [
                convert.event_to_proto(event)
                for event in batch
                if (not wanted or event.task_id in wanted) and asking.owns(event.owner)
            ]
            if events:
                yield task_pb2.WatchEventsResponse(events=events, as_of_seq=batch[-1].seq)

    async def ReadLogs(
        self, request: task_pb2.ReadLogsRequest, context: object
    ) -> AsyncIterator[task_pb2.ReadLogsResponse]:
        """An attempt's bytes; with `follow` until its log is complete."""
        for name in ("token", "stdout_offset", "stderr_offset", "last_lines"):
            if getattr(request, name) < 0:
                raise Invalid(f"{name} must not be negative", field=name)
        validate.check_seconds(request.since_s, "since_s")
        offsets = {LogStream.STDOUT: request.stdout_offset, LogStream.STDERR: request.stderr_offset}
        if request.streams:
            wanted = {convert.log_stream_from_proto(stream) for stream in request.streams}
            offsets = {stream: offset for stream, offset in offsets.items() if stream in wanted}
        token, is_to_begin = request.token, request.HasField("last_lines") or request.since_s > 0
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
            if token and is_to_begin:
                is_to_begin = False
                async for part in self._begin(request, ref, offsets, ended):
                    yield part
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
        owner = "" if caller.role is Role.ADMIN and not request.own else caller.name
        states = [convert.task_state_from_proto(state, "states") for state in request.states]
        chosen = Selection(convert.labels_from_proto(request.labels), request.name, request.name_prefix)
        check_selection(chosen)
        if request.array_id:
            validate.check_id(request.array_id, "array_id")
            found = self._reader.elements(
                request.array_id, before=before, limit=size + 1, owner=owner, states=states, chosen=chosen
            )
        else:
            found = self._reader.tasks(
                before=before,
                limit=size + 1,
                owner=owner,
                states=states,
                ids=request.task_ids,
                chosen=chosen,
            )
        rows = [
            task_pb2.ListTasksResponse.Row(
                task=convert.task_to_proto(self._with_reason(task)), worker_name=worker
            )
            for task, worker in found[:size]
        ]
        more = str(found[size - 1][0].id) if len(found) > size else ""
        return task_pb2.ListTasksResponse(rows=rows, next_page_token=more, as_of_seq=as_of_seq)

    async def _begin(
        self,
        request: task_pb2.ReadLogsRequest,
        ref: AttemptRef,
        offsets: dict[LogStream, int],
        ended: Attempt | None,
    ) -> AsyncIterator[task_pb2.ReadLogsResponse]:
        """Move the offsets to where the request wants to begin, and tell them."""
        lines = request.last_lines if request.HasField("last_lines") else None
        since_ms = self._clock.now().wall_ms - round(request.since_s * 1000) if request.since_s else 0
        for stream, offset in list(offsets.items()):
            start = await self._read(self._logs.start, ref, stream, lines, since_ms, ended)
            offsets[stream] = max(offset, start)
            wire = convert.log_stream_to_proto(stream)
            yield task_pb2.ReadLogsResponse(stream=wire, offset=offsets[stream])

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

    async def _over(self, task: Task, after_seq: int) -> None:
        """Return when the task is over. An element that never began may end with the rest of its array, unmentioned."""
        async for batch in self._feed.batches(after_seq):
            for event in batch:
                if event.task_id == task.id and event.state in TASK_FINAL:
                    return
                if event.task_id == task.array_id and (await self._find(task.id))[0].is_final:
                    return

    async def _next_event(self, task_id: int, after_seq: int) -> None:
        async for batch in self._feed.batches(after_seq):
            if any(event.task_id == task_id for event in batch):
                return

    async def _submit(self, request_id: str, specs: tuple[TaskSpec, ...]) -> int:
        key = request_of(request_id, "\n".join(map(spec_to_json, specs)))
        if self._engine.stored_answer(key) is None:  # a repeated request gets its answer all the same
            self._disk.check()
        known = await self._upstreams(key, specs)
        command, now = Submit(key, specs, known), self._clock.now()
        if len(specs) <= SPECS_ON_LOOP:
            applied = self._engine.apply([command], now)
        else:
            applied = await self._read(self._engine.apply, [command], now)
        first = applied.only()
        await self._gate.passed(applied.ticket)
        assert isinstance(first, int)
        return first

    def _with_reason(self, task: Task) -> Task:
        """A waiting task shows why it is not in line or was left out, one whose worker is lost what it waits for."""
        if task.is_final:
            return task
        if task.state is TaskState.PENDING:
            reason = self._engine.look(partial(why_it_waits, task_id=task.id)) if task.spec.after else ""
            reason = reason or self._queue.reason(task.id)
        else:
            worker = self._engine.waits_for(task.id)
            reason = why_it_stays(worker, task.reason) if worker else ""
        return replace(task, reason=reason) if reason else task


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
    validate.check_order(specs)
    return tuple(specs)
