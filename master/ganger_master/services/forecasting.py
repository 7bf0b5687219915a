"""This module answers clients that ask for dry runs, one at a time, so that they never come into a cycle's way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from ganger_core.convert import forecast as convert
from ganger_core.domain import validate
from ganger_core.domain.array import MOST_ELEMENTS
from ganger_core.domain.dependency import DependencyKind, Verdict, judge
from ganger_core.domain.errors import Conflict, Exhausted, Invalid, NotFound
from ganger_core.domain.forecast import Demand
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import TaskSpec
from ganger_core.wire.v1 import forecast_pb2, forecast_pb2_grpc
from ganger_master.aside import is_held_back
from ganger_master.forecasting import Forecaster
from ganger_master.moves import first_waits
from ganger_master.reasons import why_aside
from ganger_master.services.calls import ClientCalls, caller
from ganger_master.settling import has_begun

MAX_DEMANDS = 10_000
MOST_WAITING = 16  # calls that wait for their turn; the next one is refused


class ForecastService(ClientCalls, forecast_pb2_grpc.ForecastServiceServicer):
    """Plans that nobody carries out."""

    def __init__(self, forecaster: Forecaster, *rooms: Any, heartbeat_every_s: float) -> None:
        super().__init__(*rooms, heartbeat_every_s=heartbeat_every_s)
        self._forecaster = forecaster
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def PlanTasks(
        self, request: forecast_pb2.PlanTasksRequest, context: object
    ) -> forecast_pb2.PlanTasksResponse:
        """What would become of tasks now."""
        if bool(request.task_id) == bool(request.demands):
            raise Invalid("name demands or a task_id, one of them", field="demands")
        if len(request.demands) > MAX_DEMANDS:
            raise Invalid(f"one call takes at most {MAX_DEMANDS} demands", field="demands")
        if self._waiting >= MOST_WAITING:
            raise Exhausted(f"{MOST_WAITING} dry runs wait for their turn already; ask again in a moment")
        self._waiting += 1
        try:
            async with self._turn:
                return await self._answer(request)
        finally:
            self._waiting -= 1

    async def _answer(self, request: forecast_pb2.PlanTasksRequest) -> forecast_pb2.PlanTasksResponse:
        if request.task_id:
            task, _, _ = await self._find(request.task_id)
            # What waits element by element is not in the queue before its turn comes.
            aside = why_aside(task.waits, task.waits) if task.state is TaskState.PENDING else ""
            found = None if task.is_final else await self._read(self._forecaster.of_task, task, aside)
            if found is None:
                what = "array" if task.array else "task"
                raise Conflict(f"nothing of {what} {task.label} waits: it is {task.state}", field="task_id")
            return convert.forecast_to_proto(found)
        demands = await self._read(_checked_demands, request, self._least_lease_s)
        asides = [await self._aside(demand.spec, demands) for demand in demands]
        found = await self._read(self._forecaster.of_demands, demands, asides, caller().name)
        return convert.forecast_to_proto(found)

    async def _aside(self, spec: TaskSpec, demands: Sequence[Demand]) -> str:
        """What a task of this spec would wait for beside capacity; empty for nothing."""
        said = []
        for each in spec.after:
            if each.task_id < 0:
                said.append(demands[-1 - each.task_id].spec.name or f"number {-each.task_id} of these")
                continue
            try:
                task, _, _ = await self._find(each.task_id)
            except NotFound:
                raise NotFound(f"after: there is no task {each.task_id}", field="after") from None
            is_done = each.kind is DependencyKind.EACH and task.state is TaskState.SUCCEEDED
            verdict = Verdict.MET if is_done else judge(each.kind, task.state, has_begun(task))
            if verdict is not Verdict.MET:
                cannot = ", which cannot come any more" if verdict is Verdict.NEVER else ""
                said.append(f"{task.label} ({task.state}){cannot}")
        if said:
            return f"waits for {', '.join(said)}"
        waits = first_waits(spec, caller().name)
        return why_aside(waits, waits) if is_held_back(waits, self._clock.now().wall_ms) else ""


def _checked_demands(request: forecast_pb2.PlanTasksRequest, least_lease_s: float) -> list[Demand]:
    demands = []
    for number, wire in enumerate(request.demands):
        field = f"demands[{number}]"
        demand = convert.demand_from_proto(wire, field)
        validate.check_spec(demand.spec, f"{field}.spec", least_lease_s)
        validate.check_int(demand.count, f"{field}.count", 1, MOST_ELEMENTS)
        validate.check_int(demand.max_parallel, f"{field}.max_parallel", 0, MOST_ELEMENTS)
        demands.append(demand)
    validate.check_order([demand.spec for demand in demands], "demands", is_array=True)
    return demands
