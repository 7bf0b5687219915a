"""This module turns dry runs into wire messages and back."""

from __future__ import annotations

from ganger_core.convert.enums import PROSPECT
from ganger_core.convert.task import require, spec_from_proto, spec_to_proto
from ganger_core.domain.forecast import Demand, Forecast, Outlook, Share
from ganger_core.wire.v1 import forecast_pb2 as pb


def demand_to_proto(x: Demand) -> pb.Demand:
    """What is asked about."""
    return pb.Demand(spec=spec_to_proto(x.spec), count=x.count, max_parallel=x.max_parallel)


def demand_from_proto(p: pb.Demand, field: str = "demand") -> Demand:
    """What is asked about; its values are for the caller to check."""
    require(p, "spec", f"{field}.spec")
    return Demand(spec_from_proto(p.spec, f"{field}.spec"), p.count, p.max_parallel)


def forecast_to_proto(x: Forecast) -> pb.PlanTasksResponse:
    """The answer of a dry run."""
    return pb.PlanTasksResponse(
        outlooks=map(_outlook_to_proto, x.outlooks),
        planned_by=x.planned_by,
        why_not_planner=x.why_not_planner,
        stage=x.stage,
        plan_ms=x.plan_ms,
        workers=x.workers,
    )


def forecast_from_proto(p: pb.PlanTasksResponse) -> Forecast:
    """The answer of a dry run."""
    return Forecast(
        tuple(map(_outlook_from_proto, p.outlooks)),
        p.planned_by,
        p.why_not_planner,
        p.stage,
        p.plan_ms,
        p.workers,
    )


def _outlook_to_proto(x: Outlook) -> pb.Outlook:
    return pb.Outlook(
        prospect=PROSPECT.to_proto[x.prospect],
        count=x.count,
        shares=[pb.Outlook.Share(worker_name=each.worker_name, tasks=each.tasks) for each in x.shares],
        ahead=x.ahead,
        reason=x.reason,
    )


def _outlook_from_proto(p: pb.Outlook) -> Outlook:
    return Outlook(
        PROSPECT.from_proto(p.prospect, "outlook.prospect"),
        p.count,
        tuple(Share(each.worker_name, each.tasks) for each in p.shares),
        p.ahead,
        p.reason,
    )
