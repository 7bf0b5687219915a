"""This module answers clients that change tasks which are not over."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from ganger_core.domain import validate
from ganger_core.domain.array import MOST_ELEMENTS
from ganger_core.domain.errors import Invalid
from ganger_core.wire.v1 import task_pb2
from ganger_master.changes import Update
from ganger_master.services.calls import ClientCalls, request_of

IN_FORCE_WITHIN_S = 5.0  # a worker answers within a round trip, unless it cannot be reached
CHANGEABLE = ("max_parallel", "held", "priority", "run_s", "queue_s", "deadline_ms")


class UpdateCalls(ClientCalls):
    """What clients may change."""

    async def UpdateTask(
        self, request: task_pb2.UpdateTaskRequest, context: object
    ) -> task_pb2.UpdateTaskResponse:
        """Change a task; answered when that is in force, or after a while."""
        given = {name: getattr(request, name) for name in CHANGEABLE if request.HasField(name)}
        if not given:
            raise Invalid(f"nothing to change: name one of {', '.join(CHANGEABLE)}", field="task_id")
        _check(given)
        task, _, _ = await self._find(request.task_id)
        # One field gives the digest that it had while it was the only one.
        asked = " ".join(f"{name}={value}" for name, value in given.items())
        key = request_of(request.request_id, f"update {task.id} {asked}")
        applied = self._engine.apply([Update(key, task.id, **given)], self._clock.now())
        applied.only()
        await self._gate.passed(applied.ticket)
        try:
            async with asyncio.timeout(IN_FORCE_WITHIN_S):
                await self._in_force(task.id)
        except TimeoutError:
            return task_pb2.UpdateTaskResponse(in_force=False)
        return task_pb2.UpdateTaskResponse(in_force=True)

    async def _in_force(self, task_id: int) -> None:
        """Return once nothing starts against what was asked. What may change that are events."""
        after_seq = self._feed.last_seq
        if self._engine.update_is_in_force(task_id):
            return
        async for _ in self._feed.batches(after_seq):
            if self._engine.update_is_in_force(task_id):
                return


def _check(given: Mapping[str, Any]) -> None:
    for name, value in given.items():
        match name:
            case "max_parallel":
                validate.check_int(value, name, 0, MOST_ELEMENTS)
            case "priority":
                validate.check_int(value, name, 0, validate.MAX_PRIORITY)
            case "run_s" | "queue_s":
                validate.check_seconds(value, name)
            case "deadline_ms":
                validate.check_int(value, name, 0, validate.LATEST_MS)
