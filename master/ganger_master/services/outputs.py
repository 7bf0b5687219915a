"""This module answers for published outputs: clients read them, workers send them and ask what is still needed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import Executor

from ganger_core.convert import outputs as convert_outputs
from ganger_core.convert import task as convert_task
from ganger_core.domain import validate
from ganger_core.domain.errors import Conflict, Invalid, NotFound
from ganger_core.domain.published import OutputRange, Published
from ganger_core.domain.task import AttemptRef
from ganger_core.domain.validate_outputs import check_output_path
from ganger_core.wire.v1 import task_pb2, worker_pb2
from ganger_master.fetching import PART_BYTES, PARTS, OutputDesk
from ganger_master.remembering import KnownOutputs, is_unwanted
from ganger_master.services.calls import ClientCalls

MOST_KEPT = 1_000  # attempts that one call asks about

KnownOf = Callable[[Sequence[int]], Mapping[int, KnownOutputs]]
"""What is known of the outputs of these tasks; those that are not known are left out."""


class OutputCalls(ClientCalls):
    """What clients may ask about outputs alone."""

    async def ReadOutput(
        self, request: task_pb2.ReadOutputRequest, context: object
    ) -> AsyncIterator[task_pb2.ReadOutputResponse]:
        """A published file from an offset on."""
        check_output_path(request.path)
        task, _, _ = await self._find(request.task_id)
        published = await self._published(task)
        if published is None or published.ref.token != request.token:
            raise NotFound(f"attempt {request.token} of task {task.label} published nothing", field="token")
        sizes = {file.path: file.size for file in published.outputs.files}
        if request.path not in sizes:
            raise NotFound(f"task {task.label} published no {request.path!r}", field="path")
        validate.check_int(request.offset, "offset", 0, sizes[request.path])
        where = f"{request.path!r} of task {task.label} on worker {published.worker_name}"
        offset = request.offset
        while offset < sizes[request.path]:
            most = min(PART_BYTES, sizes[request.path] - offset)
            data = await self._part(published, OutputRange(published.ref, request.path, offset, most), where)
            offset += len(data)
            yield task_pb2.ReadOutputResponse(data=data)

    async def _part(self, published: Published, wanted: OutputRange, where: str) -> bytes:
        try:
            part = await self._outputs.read(published.worker_id, wanted)
        except Conflict as error:
            raise Conflict(f"{where} cannot be had: {error.message}", reason=error.reason) from None
        if part.error or not part.data:
            raise Conflict(f"{where} cannot be read: {part.error or 'it is shorter than it was'}")
        return part.data


class OutputAnswers:
    """What workers say about outputs. `forget_after_s` is how old what no task knows must be to be unwanted."""

    def __init__(
        self, desk: OutputDesk, known: KnownOf, readers: Executor, forget_after_s: float, ask_after_s: float
    ) -> None:
        self._desk = desk
        self._known = known
        self._readers = readers
        self._forget_after_s = forget_after_s
        self._ask_after_s = ask_after_s

    async def answer(self, request: worker_pb2.ServeOutputsRequest) -> worker_pb2.ServeOutputsResponse:
        """Take what the worker brings, and say what is wanted of it and what is not wanted any more."""
        validate.check_seconds(request.wait_s, "wait_s")
        if len(request.kept) > MOST_KEPT or len(request.parts) > PARTS:
            raise Invalid(f"one call brings {PARTS} parts and asks about {MOST_KEPT} attempts at most")
        ages: dict[AttemptRef, float] = {}
        for kept in request.kept:
            convert_task.require(kept, "ref", "kept.ref")
            ref = convert_task.attempt_ref_from_proto(kept.ref)
            validate.check_ref(ref, "kept.ref")
            validate.check_seconds(kept.age_s, "kept.age_s")
            ages[ref] = kept.age_s
        parts = [convert_outputs.output_part_from_proto(part) for part in request.parts]
        for part in parts:
            if len(part.data) > part.range.most:
                raise Invalid("parts.data has more bytes than were wanted", field="parts.data")
            validate.check_text(part.error, "parts.error", validate.MAX_TEXT)
        self._desk.came(request.worker_id, parts)
        unwanted = await self._unwanted(ages)
        wanted = await self._desk.wanted(request.worker_id, 0.0 if ages else request.wait_s)
        return worker_pb2.ServeOutputsResponse(
            wanted=map(convert_outputs.output_range_to_proto, wanted),
            unwanted=map(convert_task.attempt_ref_to_proto, unwanted),
            ask_after_s=self._ask_after_s,
        )

    async def _unwanted(self, ages: Mapping[AttemptRef, float]) -> list[AttemptRef]:
        """Decided on what is on disk: what is not there yet may still come."""
        if not ages:
            return []
        ids = sorted({ref.task_id for ref in ages})
        known = await asyncio.get_running_loop().run_in_executor(self._readers, self._known, ids)
        return [
            ref
            for ref, age_s in ages.items()
            if is_unwanted(ref, age_s, known.get(ref.task_id), self._forget_after_s)
        ]
