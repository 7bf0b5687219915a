"""This module answers why tasks stand as they do."""

from __future__ import annotations

from typing import Any

from ganger_core.convert.explanation import explanation_to_proto
from ganger_core.wire.v1 import explain_pb2, explain_pb2_grpc
from ganger_master.explainer import Explainer
from ganger_master.services.calls import ClientCalls, caller


class ExplainService(ClientCalls, explain_pb2_grpc.ExplainServiceServicer):
    """What clients may ask about the master's reasons."""

    def __init__(self, explainer: Explainer, *rooms: Any, heartbeat_every_s: float) -> None:
        super().__init__(*rooms, heartbeat_every_s=heartbeat_every_s)
        self._explainer = explainer

    async def ExplainTask(
        self, request: explain_pb2.ExplainTaskRequest, context: object
    ) -> explain_pb2.ExplainTaskResponse:
        """Why one task stands as it does."""
        task, newest, _ = await self._find(request.task_id)
        attempts = await self._attempts(task, newest)
        asking = caller()
        explained = await self._read(self._explainer.explain, task, attempts, self._clock.now(), asking.owns)
        await self._gate.passed(explained.ticket)
        return explanation_to_proto(explained.explanation)
