"""This module answers the calls of a client for `ScriptedMaster`, and fails them where its script says so."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import grpc

from ganger_core.convert import task as convert
from ganger_core.convert import worker as convert_worker
from ganger_core.convert.outputs import outputs_to_proto
from ganger_core.domain.cordon import Cordon
from ganger_core.domain.errors import GangerError, NotFound
from ganger_core.domain.selection import Selection
from ganger_core.domain.states import ATTEMPT_FINAL, TASK_FINAL
from ganger_core.domain.task import AttemptRef, LogStream, Outcome, OutcomeKind, Task
from ganger_core.rpc.status import to_status
from ganger_core.wire.v1 import task_pb2, task_pb2_grpc, worker_pb2, worker_pb2_grpc

if TYPE_CHECKING:
    from testkit.client_master import ScriptedMaster


class Failures:
    """Which calls fail, and how; each entry is used up by one call."""

    def __init__(self) -> None:
        self._refusals: dict[str, deque[tuple[grpc.StatusCode, bool]]] = defaultdict(deque)
        self._cuts: dict[str, deque[int]] = defaultdict(deque)

    def refuse(
        self, method: str, code: grpc.StatusCode, times: int = 1, *, after_doing_it: bool = False
    ) -> None:
        """Answer the next calls of a method with `code`; `after_doing_it`: only the answer is lost."""
        self._refusals[method].extend([(code, after_doing_it)] * times)

    def cut_stream(self, method: str, after_messages: int) -> None:
        """Break the next stream of a method after so many messages."""
        self._cuts[method].append(after_messages)

    def refusal(self, method: str, *, after_doing_it: bool) -> grpc.StatusCode | None:
        """What is to be answered to this call instead."""
        waiting = self._refusals[method]
        if waiting and waiting[0][1] == after_doing_it:
            return waiting.popleft()[0]
        return None

    def cut(self, method: str) -> int | None:
        """After how many messages this stream breaks."""
        return self._cuts[method].popleft() if self._cuts[method] else None


class Service:
    """Admits calls and follows the script of failures."""

    def __init__(self, master: ScriptedMaster) -> None:
        self.master = master

    def answer(self, method: str, request: Any, context: Any, do: Callable[[], Any]) -> Any:
        """Carry out one call with one answer."""
        self.enter(method, request, context)
        try:
            answer = do()
        except GangerError as error:
            self.abort(error, context)
        code = self.master.failures.refusal(method, after_doing_it=True)
        if code is not None:
            context.abort(code, "scripted: done, but the answer is lost")
        return answer

    def enter(self, method: str, request: Any, context: Any) -> None:
        """Let the call in, or refuse it."""
        service = "WorkerService" if hasattr(WorkerService, method) else "TaskService"
        try:
            self.master.guard.admit(
                f"/ganger.v1.{service}/{method}", context.peer(), context.invocation_metadata()
            )
        except GangerError as error:
            self.abort(error, context)
        self.master.requests[method].append(request)
        code = self.master.failures.refusal(method, after_doing_it=False)
        if code is not None:
            context.abort(code, "scripted: refused")

    def abort(self, error: GangerError, context: Any) -> None:
        """End the call with the status that stands for `error`."""
        code, text, details = to_status(error)
        context.set_trailing_metadata(details)
        context.abort(code, text)

    def stream(self, method: str, messages: Iterator[Any], context: Any) -> Iterator[Any]:
        """Send messages until the script cuts the stream."""
        cut = self.master.failures.cut(method)
        for number, message in enumerate(messages):
            if number == cut:
                context.abort(grpc.StatusCode.UNAVAILABLE, "scripted: cut")
            yield message
        if cut is not None:
            context.abort(grpc.StatusCode.UNAVAILABLE, "scripted: cut at the end")

    def news(self, context: Any, look: Callable[[], list[Any]], over: Callable[[], bool]) -> Iterator[Any]:
        """Whatever `look` finds, again and again until `over`, or nobody listens any more."""
        generation = self.master.generation
        context.add_callback(self._wake)
        self.master.watchers += 1
        try:
            yield from self._news(context, look, over, generation)
        finally:
            self.master.watchers -= 1

    def _news(
        self, context: Any, look: Callable[[], list[Any]], over: Callable[[], bool], generation: int
    ) -> Iterator[Any]:
        while True:
            with self.master.changed:
                found, ended = look(), over()
                while not found and not ended:
                    if not context.is_active() or self.master.generation != generation:
                        return
                    self.master.changed.wait(10)
                    found, ended = look(), over()
            yield from found
            if ended:
                return

    def _wake(self) -> None:
        with self.master.changed:
            self.master.changed.notify_all()


class TaskService(Service, task_pb2_grpc.TaskServiceServicer):
    def SubmitTask(self, request: Any, context: Any) -> Any:
        def do() -> Any:
            task_id = self.master.submit(convert.spec_from_proto(request.spec))
            return task_pb2.SubmitTaskResponse(task_id=task_id)

        return self.answer("SubmitTask", request, context, lambda: self.master.once(request, do))

    def SubmitTasks(self, request: Any, context: Any) -> Any:
        def do() -> Any:
            ids = [self.master.submit(convert.spec_from_proto(spec)) for spec in request.specs]
            return task_pb2.SubmitTasksResponse(first_task_id=ids[0], count=len(ids))

        return self.answer("SubmitTasks", request, context, lambda: self.master.once(request, do))

    def SubmitArray(self, request: Any, context: Any) -> Any:
        def do() -> Any:
            array = convert.array_from_proto(request.array)
            array_id = self.master.arrays.submit(convert.spec_from_proto(request.spec), array)
            return task_pb2.SubmitArrayResponse(task_id=array_id, count=len(array))

        return self.answer("SubmitArray", request, context, lambda: self.master.once(request, do))

    def PutItems(self, request: Any, context: Any) -> Any:
        def do() -> Any:
            there = self.master.arrays.put(request.digest, request.size, request.offset, request.data)
            return task_pb2.PutItemsResponse(next_offset=there)

        return self.answer("PutItems", request, context, do)

    def UpdateTask(self, request: Any, context: Any) -> Any:
        def do() -> Any:
            task_id, in_force = self._task(request.task_id).id, True
            if request.HasField("max_parallel"):
                in_force = self.master.arrays.update(task_id, request.max_parallel)
            self.master.respecify(task_id, request)
            if request.HasField("held"):
                in_force = self.master.hold(task_id, request.held)
            return task_pb2.UpdateTaskResponse(in_force=in_force)

        return self.answer("UpdateTask", request, context, lambda: self.master.once(request, do))

    def GetTaskStatus(self, request: Any, context: Any) -> Any:
        def do() -> Any:
            over = time.monotonic() + request.wait_s
            with self.master.changed:
                while (
                    not self._task(request.task_id).is_final
                    and time.monotonic() < over
                    and context.is_active()
                ):
                    self.master.changed.wait(0.02)  # also looks whether the caller is still there
                answer = task_pb2.GetTaskStatusResponse(
                    task=convert.task_to_proto(self.master.arrays.shown(self._task(request.task_id))),
                    attempts=map(convert.attempt_to_proto, self.master.attempts[request.task_id]),
                    as_of_seq=len(self.master.events),
                    history=[
                        convert.event_to_proto(event)
                        for event in self.master.events
                        if request.history and event.task_id == request.task_id
                    ],
                )
                outputs = self.master.outputs.get(request.task_id) if request.outputs else None
                if outputs is not None:
                    answer.task.result = outputs.result
                    answer.outputs.CopyFrom(outputs_to_proto(replace(outputs, result="")))
                return answer

        return self.answer("GetTaskStatus", request, context, do)

    def ListTasks(self, request: Any, context: Any) -> Any:
        def do() -> Any:
            with self.master.changed:
                states = set(map(convert.task_state_from_proto, request.states))
                named = bool(request.task_ids)
                labels = convert.labels_from_proto(request.labels)
                chosen = Selection(labels, request.name, request.name_prefix)
                found = [
                    task
                    for task_id, task in sorted(self.master.tasks.items(), reverse=True)
                    if (not states or task.state in states)
                    and chosen.fits(task.spec)
                    and (not request.own or task.owner == "tester")
                    and (task_id in request.task_ids if named else task.array_id == request.array_id)
                    and (not request.page_token or task_id < int(request.page_token))
                ]
                size = request.page_size or 100
                return task_pb2.ListTasksResponse(
                    rows=map(self._row, found[:size]),
                    next_page_token=str(found[size - 1].id) if len(found) > size else "",
                    as_of_seq=len(self.master.events),
                )

        return self.answer("ListTasks", request, context, do)

    def CancelTask(self, request: Any, context: Any) -> Any:
        def do() -> Any:
            task = self._task(request.task_id)
            if not task.is_final and self.master.is_slow_to_stop:
                self.master.stopping(task.id)
            elif not task.is_final:
                self.master.end(task.id, outcome=Outcome(OutcomeKind.CANCELLED, message=request.reason))
            return task_pb2.CancelTaskResponse(
                state=convert.task_state_to_proto(self.master.tasks[task.id].state)
            )

        return self.answer("CancelTask", request, context, lambda: self.master.once(request, do))

    def WatchEvents(self, request: Any, context: Any) -> Iterator[Any]:
        self.enter("WatchEvents", request, context)
        wanted, sent = set(request.task_ids), max(0, request.after_seq - self.master.overlap)

        def look() -> list[Any]:
            nonlocal sent
            news = [event for event in self.master.events[sent:] if not wanted or event.task_id in wanted]
            sent = len(self.master.events)
            return [
                task_pb2.WatchEventsResponse(events=[convert.event_to_proto(event)], as_of_seq=event.seq)
                for event in news
            ]

        yield from self.stream("WatchEvents", self.news(context, look, lambda: False), context)

    def ReadOutput(self, request: Any, context: Any) -> Iterator[Any]:
        self.enter("ReadOutput", request, context)
        data = self.master.contents[request.task_id][request.path][request.offset :]
        parts = [data[start : start + 1_000] for start in range(0, len(data), 1_000)]
        yield from self.stream(
            "ReadOutput", (task_pb2.ReadOutputResponse(data=part) for part in parts), context
        )

    def ReadLogs(self, request: Any, context: Any) -> Iterator[Any]:
        self.enter("ReadLogs", request, context)
        ref = AttemptRef(request.task_id, request.token)
        offsets = {
            LogStream.STDOUT: max(0, request.stdout_offset - self.master.overlap),
            LogStream.STDERR: max(0, request.stderr_offset - self.master.overlap),
        }
        if request.streams:
            wanted = set(map(convert.log_stream_from_proto, request.streams))
            offsets = {stream: offset for stream, offset in offsets.items() if stream in wanted}
        begin: list[Any] = []
        if request.HasField("last_lines") or request.since_s:
            for stream in offsets:
                offsets[stream] = self.master.start_of_log(ref, stream, request)
                wire = convert.log_stream_to_proto(stream)
                begin.append(task_pb2.ReadLogsResponse(stream=wire, offset=offsets[stream]))

        def look() -> list[Any]:
            parts = begin.copy()
            begin.clear()
            for stream, offset in offsets.items():
                data = self.master.logs.get((ref, stream), b"")[offset:]
                if data:
                    wire = convert.log_stream_to_proto(stream)
                    parts.append(task_pb2.ReadLogsResponse(stream=wire, offset=offset, data=data))
                    offsets[stream] = offset + len(data)
            return parts

        def over() -> bool:
            task = self.master.tasks[ref.task_id]
            ended = self.master.attempts[ref.task_id][ref.token - 1].state in ATTEMPT_FINAL
            complete = ended and (task.state in TASK_FINAL or task.token > ref.token)
            return not request.follow or complete

        yield from self.stream("ReadLogs", self.news(context, look, over), context)

    def _task(self, task_id: int) -> Task:
        if task_id not in self.master.tasks:
            raise NotFound(f"there is no task {task_id}", field="task_id")
        return self.master.tasks[task_id]

    def _row(self, task: Task) -> Any:
        attempts = self.master.attempts[task.id]
        return task_pb2.ListTasksResponse.Row(
            task=convert.task_to_proto(self.master.arrays.shown(task)),
            worker_name=attempts[-1].worker_name if attempts else "",
        )


class WorkerService(Service, worker_pb2_grpc.WorkerServiceServicer):
    """Only what clients call; every other method answers UNIMPLEMENTED."""

    def ListWorkers(self, request: Any, context: Any) -> Any:
        def do() -> Any:
            start, size = int(request.page_token or 0), request.page_size or 100
            page = self.master.workers[start : start + size]
            more = len(self.master.workers) > start + size
            return worker_pb2.ListWorkersResponse(
                workers=map(convert_worker.worker_to_proto, page),
                next_page_token=str(start + size) if more else "",
                now_ms=self.master.now_ms,
                version=self.master.version,
            )

        return self.answer("ListWorkers", request, context, do)

    def CordonWorker(self, request: Any, context: Any) -> Any:
        def do() -> Any:
            now_ms = self.master.now_ms
            over_ms = now_ms + round(1000 * request.deadline_s) if request.HasField("deadline_s") else 0
            cordon = Cordon("tester", request.reason, now_ms, request.drain, over_ms)
            ids = self.master.cordon(request.workers, cordon)
            return worker_pb2.CordonWorkerResponse(worker_ids=ids)

        return self.answer("CordonWorker", request, context, lambda: self.master.once(request, do))

    def ResumeWorker(self, request: Any, context: Any) -> Any:
        def do() -> Any:
            return worker_pb2.ResumeWorkerResponse(worker_ids=self.master.cordon(request.workers, None))

        return self.answer("ResumeWorker", request, context, lambda: self.master.once(request, do))

    def FenceWorker(self, request: Any, context: Any) -> Any:
        def do() -> Any:
            return worker_pb2.FenceWorkerResponse(attempts=self.master.fence(request.worker))

        return self.answer("FenceWorker", request, context, lambda: self.master.once(request, do))
