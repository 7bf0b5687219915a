"""This module answers workers: registration, heartbeats, orders, reports, logs; and lists them."""

from __future__ import annotations

import asyncio
import importlib.metadata
from collections.abc import AsyncIterator, Callable, Sequence

from ganger_core.convert import task as convert_task
from ganger_core.convert import worker as convert
from ganger_core.domain import validate
from ganger_core.domain.clock import Clock, Instant
from ganger_core.domain.cordon import Cordon
from ganger_core.domain.errors import GangerError, Invalid, UnknownWorker
from ganger_core.domain.task import AttemptRef, LogStream, Report, ReportKind
from ganger_core.domain.validate_outputs import check_report_outputs
from ganger_core.logs import get_logger
from ganger_core.wire.v1 import worker_pb2, worker_pb2_grpc
from ganger_master.changes import Command, Register, Request, SettleLog, Told
from ganger_master.disk import DiskGuard
from ganger_master.engine import Engine
from ganger_master.fencing import cordoning, fencing, find_worker, find_workers
from ganger_master.gate import DurableGate
from ganger_master.logstore import LogStore
from ganger_master.orders import OrderDesk
from ganger_master.queue import TaskQueue
from ganger_master.registry import WorkerRegistry
from ganger_master.services.calls import request_of
from ganger_master.services.outputs import OutputAnswers
from ganger_master.services.tasks import page_size, page_start

VERSION = importlib.metadata.version("ganger")
REPORTS_ON_LOOP = 250  # more than these at once would hold up the loop
FILES_ON_LOOP = 1_000  # of one manifest

_log = get_logger()


class WorkerService(worker_pb2_grpc.WorkerServiceServicer):
    """What workers may say to the master."""

    def __init__(
        self,
        engine: Engine,
        queue: TaskQueue,
        registry: WorkerRegistry,
        gate: DurableGate,
        desk: OrderDesk,
        logs: LogStore,
        clock: Clock,
        disk: DiskGuard,
        outputs: OutputAnswers,
        *,
        heartbeat_every_s: float,
        lease_s: float,
    ) -> None:
        self._engine = engine
        self._queue = queue
        self._registry = registry
        self._gate = gate
        self._desk = desk
        self._logs = logs
        self._clock = clock
        self._disk = disk
        self._outputs = outputs
        self._heartbeat_every_s = heartbeat_every_s
        self._lease_s = lease_s

    async def RegisterWorker(
        self, request: worker_pb2.RegisterWorkerRequest, context: object
    ) -> worker_pb2.RegisterWorkerResponse:
        """Take in a worker, or a new start of one."""
        profile = convert.profile_from_proto(request.profile)
        validate.check_profile(profile)
        now = self._clock.now()
        applied = self._engine.apply([Register(profile)], now)
        applied.only()
        await self._gate.passed(applied.ticket)
        self._registry.register(profile, now.steady_s)
        self._desk.begin_anew(profile.id)
        self._queue.unpark_all()
        _log.info(
            "worker registered", action="register", worker=profile.name, incarnation=profile.incarnation
        )
        return worker_pb2.RegisterWorkerResponse(
            heartbeat_every_s=self._heartbeat_every_s, lease_s=self._lease_s
        )

    async def Heartbeat(
        self, request: worker_pb2.HeartbeatRequest, context: object
    ) -> worker_pb2.HeartbeatResponse:
        """Note a sign of life, renew the leases of what is listed, and give orders to a worker without a stream."""
        self._check_worker(request.worker_id, request.incarnation)
        usage = convert.usage_from_proto(request.usage)
        validate.check_usage(usage)
        holding = [convert_task.attempt_ref_from_proto(ref) for ref in request.holding]
        renewed, takes_work_again = self._registry.heartbeat(
            request.worker_id, usage, holding, self._clock.now().steady_s, draining=request.draining
        )
        if takes_work_again:
            self._queue.unpark_all()
        batch = await self._desk.for_heartbeat(
            request.worker_id, request.incarnation, request.applied_order_seq, holding
        )
        return worker_pb2.HeartbeatResponse(
            renewed=map(convert_task.attempt_ref_to_proto, renewed),
            orders=convert.order_batch_to_proto(batch) if batch else None,
        )

    async def ReceiveOrders(
        self, request: worker_pb2.ReceiveOrdersRequest, context: object
    ) -> AsyncIterator[worker_pb2.ReceiveOrdersResponse]:
        """The worker's orders, beginning with a sync."""
        self._check_worker(request.worker_id, request.incarnation)
        async for batch in self._desk.stream(request.worker_id, request.incarnation):
            yield worker_pb2.ReceiveOrdersResponse(batch=convert.order_batch_to_proto(batch))

    async def ReportTaskCompletion(
        self, request: worker_pb2.ReportTaskCompletionRequest, context: object
    ) -> worker_pb2.ReportTaskCompletionResponse:
        """Take in reports; answered once they are on disk. A stale one is refused and changes nothing."""
        self._check_worker(request.worker_id, request.incarnation)
        refused = []
        for first in range(0, len(request.reports), REPORTS_ON_LOOP):
            wire = request.reports[first : first + REPORTS_ON_LOOP]
            refused += await self._take_in(request.worker_id, list(map(convert.report_from_proto, wire)))
        return worker_pb2.ReportTaskCompletionResponse(refused=refused)

    async def AppendLogs(
        self, request: worker_pb2.AppendLogsRequest, context: object
    ) -> worker_pb2.AppendLogsResponse:
        """Store log bytes; the last ones that an ended attempt waited for make its task final."""
        self._check_worker(request.worker_id, request.incarnation)
        self._disk.check()
        chunks = [convert.log_chunk_from_proto(chunk) for chunk in request.chunks]
        for chunk in chunks:
            validate.check_log_chunk(chunk)
        held = {ref for ref in {chunk.ref for chunk in chunks} if self._engine.holds(ref, request.worker_id)}
        mine = [chunk for chunk in chunks if chunk.ref in held]
        sizes = await self._logs.append(mine, self._clock.now().wall_ms)
        await self._settle(held)
        stored = [
            worker_pb2.AppendLogsResponse.Stored(
                ref=convert_task.attempt_ref_to_proto(ref),
                stream=convert_task.log_stream_to_proto(stream),
                next_offset=sizes.get((ref, stream), 0),
                refused=ref not in held,
            )
            for ref, stream in dict.fromkeys((chunk.ref, chunk.stream) for chunk in chunks)
        ]
        return worker_pb2.AppendLogsResponse(stored=stored)

    async def ServeOutputs(
        self, request: worker_pb2.ServeOutputsRequest, context: object
    ) -> worker_pb2.ServeOutputsResponse:
        """Take parts of outputs, and say which are wanted next."""
        self._check_worker(request.worker_id, request.incarnation)
        return await self._outputs.answer(request)

    async def FenceWorker(
        self, request: worker_pb2.FenceWorkerRequest, context: object
    ) -> worker_pb2.FenceWorkerResponse:
        """Give up what a lost worker had, whose host is dead as an operator says."""
        key = request_of(request.request_id, f"fence {request.worker}")
        attempts = self._engine.stored_answer(key)
        if attempts is None:
            attempts = self._fence(key, request.worker)
        ticket, _ = self._engine.position()
        await self._gate.passed(ticket)
        return worker_pb2.FenceWorkerResponse(attempts=int(attempts))

    async def CordonWorker(
        self, request: worker_pb2.CordonWorkerRequest, context: object
    ) -> worker_pb2.CordonWorkerResponse:
        """An operator wants workers to get no new work."""
        validate.check_workers(request.workers)
        validate.check_reason(request.reason)
        deadline_s = request.deadline_s if request.HasField("deadline_s") else None
        if deadline_s is not None:
            validate.check_seconds(deadline_s, "deadline_s")
            if not request.drain:
                raise Invalid("deadline_s is of a drain: a cordon lets everything finish", field="deadline_s")
        verb = f"drain by {deadline_s}" if request.drain else "cordon"
        key = request_of(request.request_id, f"{verb} {list(request.workers)} {request.reason}")
        now_ms = self._clock.now().wall_ms
        deadline_ms = 0 if deadline_s is None else now_ms + round(1000 * deadline_s)
        cordon = Cordon(key.owner, request.reason, now_ms, request.drain, deadline_ms)
        return worker_pb2.CordonWorkerResponse(worker_ids=await self._cordon(key, request.workers, cordon))

    async def ResumeWorker(
        self, request: worker_pb2.ResumeWorkerRequest, context: object
    ) -> worker_pb2.ResumeWorkerResponse:
        """An operator lets workers have work again."""
        validate.check_workers(request.workers)
        key = request_of(request.request_id, f"resume {list(request.workers)}")
        return worker_pb2.ResumeWorkerResponse(worker_ids=await self._cordon(key, request.workers, None))

    async def ListWorkers(
        self, request: worker_pb2.ListWorkersRequest, context: object
    ) -> worker_pb2.ListWorkersResponse:
        """A page of workers, by name."""
        size = page_size(request.page_size)
        start = page_start(request.page_token, 0)
        _, as_of_seq = self._engine.position()
        views = self._registry.views(self._clock.now().steady_s)
        ticket, _ = (
            self._engine.position()
        )  # after the look: what it saw of cordons has this ticket at the latest
        await self._gate.passed(ticket)
        page = views[start : start + size]
        return worker_pb2.ListWorkersResponse(
            workers=[convert.worker_to_proto(view) for view in page],
            next_page_token=str(start + size) if len(views) > start + size else "",
            as_of_seq=as_of_seq,
            now_ms=self._clock.now().wall_ms,
            version=VERSION,
        )

    async def _take_in(
        self, worker_id: str, reports: Sequence[Report]
    ) -> list[worker_pb2.ReportTaskCompletionResponse.Refused]:
        """Have reports on disk; returns those that were refused."""
        for report in reports:
            validate.check_report(report)
            if report.outputs is not None and len(report.outputs.files) > FILES_ON_LOOP:
                await asyncio.to_thread(check_report_outputs, report)
            else:
                check_report_outputs(report)
        commands = [Told(worker_id, report, self._log_complete(report)) for report in reports]
        applied = self._engine.apply(commands, self._clock.now())
        await self._gate.passed(applied.ticket)
        refused = []
        for command, answer in zip(commands, applied.answers, strict=True):
            report = command.report
            if isinstance(answer, GangerError):
                _log.info(
                    "report refused", attempt=str(report.ref), kind=report.kind.value, cause=answer.message
                )
                ref = convert_task.attempt_ref_to_proto(report.ref)
                refused.append(
                    worker_pb2.ReportTaskCompletionResponse.Refused(ref=ref, reason=answer.message)
                )
            elif command.log_complete or (
                report.kind not in (ReportKind.ACCEPTED, ReportKind.STARTED)
                and not self._awaits_log(report.ref)
            ):
                self._logs.forget(report.ref)
        return refused

    async def _cordon(self, key: Request, workers: Sequence[str], cordon: Cordon | None) -> list[str]:
        """The ids of the workers meant, once the operator's word about them is on disk."""
        ids = self._engine.stored_answer(key)
        if ids is None:
            now = self._clock.now()
            profiles = find_workers(self._registry.views(now.steady_s), workers)
            ids = self._decided(lambda: cordoning(self._registry, profiles, key, cordon), now)
            names = [profile.name for profile in profiles]
            _log.info(f"now {cordon}" if cordon else "resumed", action="cordon", workers=names, by=key.owner)
        ticket, _ = self._engine.position()
        await self._gate.passed(ticket)
        return ids.split()

    def _decided(self, decide: Callable[[], Sequence[Command]], now: Instant) -> str:
        """What the last command is answered; decided under the engine lock, so that no order leaves meanwhile."""
        answer = self._engine.apply_with(lambda _: decide(), now).answers[-1]
        if isinstance(answer, GangerError):
            raise answer
        return str(answer)

    def _fence(self, key: Request, worker: str) -> str:
        now = self._clock.now()
        profile = find_worker(self._registry.views(now.steady_s), worker)
        answer = self._decided(lambda: fencing(self._registry, profile, key), now)
        self._desk.begin_anew(profile.id)
        _log.warning("worker fenced", action="fence", worker=profile.name, attempts=int(answer))
        return answer

    async def _settle(self, refs: set[AttemptRef]) -> None:
        settled = [ref for ref in refs if self._has_whole_log(ref)]
        if settled:
            applied = self._engine.apply(
                [SettleLog(ref, incomplete=False) for ref in settled], self._clock.now()
            )
            await self._gate.passed(applied.ticket)
            for ref in settled:
                self._logs.forget(ref)

    def _has_whole_log(self, ref: AttemptRef) -> bool:
        attempt = self._engine.awaiting_log(ref)
        return attempt is not None and self._logs.is_complete(
            ref,
            {
                LogStream.STDOUT: (attempt.stdout_bytes, len(attempt.stdout_tail)),
                LogStream.STDERR: (attempt.stderr_bytes, len(attempt.stderr_tail)),
            },
        )

    def _log_complete(self, report: Report) -> bool:
        return report.kind is ReportKind.ENDED and self._logs.is_complete(
            report.ref,
            {
                LogStream.STDOUT: (report.stdout_bytes, len(report.stdout_tail)),
                LogStream.STDERR: (report.stderr_bytes, len(report.stderr_tail)),
            },
        )

    def _awaits_log(self, ref: AttemptRef) -> bool:
        return self._engine.awaiting_log(ref) is not None

    def _check_worker(self, worker_id: str, incarnation: int) -> None:
        known = self._registry.incarnation(worker_id)
        if known is None:
            raise UnknownWorker("the master does not know this worker; it must register", field="worker_id")
        if incarnation < known:
            raise UnknownWorker(
                f"this worker was started again since (start {known}, this is {incarnation})",
                field="incarnation",
                reason="OLD_INCARNATION",
            )
        if incarnation > known:
            raise UnknownWorker("this start of the worker has not registered yet", field="incarnation")
