"""This module turns snapshots and plans into wire messages and back.

A snapshot crosses once per cycle with every worker and every waiting task in it, so numbers travel in
columns and nothing here calls Python once per task.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from ganger_core.convert.enums import REFUSAL_CODE
from ganger_core.convert.task import require, resources_from_proto, resources_to_proto
from ganger_core.domain.errors import Invalid
from ganger_core.domain.placement import fleet_digest
from ganger_core.domain.plan import (
    Assignment,
    Fleet,
    GroupRefusal,
    Plan,
    PlanOptions,
    PlanReport,
    Refusal,
    ShapeDemand,
    Snapshot,
)
from ganger_core.domain.resources import Resources
from ganger_core.wire.v1 import plan_pb2 as pb

_CPU, _MEMORY, _SLOTS = attrgetter("cpu_milli"), attrgetter("memory_bytes"), attrgetter("slots")
_TASK_ID, _WORKER = attrgetter("task_id"), attrgetter("worker")


def fleet_to_proto(x: Fleet) -> pb.Fleet:
    """The workers; equal capacities cross once."""
    classes: dict[Resources, int] = {}
    class_of = [classes.setdefault(capacity, len(classes)) for capacity in x.capacities]
    return pb.Fleet(
        classes=[resources_to_proto(capacity) for capacity in classes],
        worker_ids=x.worker_ids,
        class_of=class_of,
    )


def fleet_from_proto(p: pb.Fleet, field: str = "fleet") -> Fleet:
    """The workers; raises `Invalid` when ids and classes do not pair up."""
    if len(p.worker_ids) != len(p.class_of):
        raise Invalid(f"{field}: {len(p.worker_ids)} worker ids but {len(p.class_of)} classes", field=field)
    classes = [resources_from_proto(capacity) for capacity in p.classes]
    class_of = list(p.class_of)
    if class_of and not (min(class_of) >= 0 and max(class_of) < len(classes)):
        raise Invalid(f"{field}: a worker is of a class that is not listed", field=f"{field}.class_of")
    return Fleet(tuple(p.worker_ids), tuple([classes[i] for i in class_of]))


def _amounts_to_proto(values: Sequence[Resources]) -> pb.Amounts:
    return pb.Amounts(
        cpu_milli=map(_CPU, values), memory_bytes=map(_MEMORY, values), slots=map(_SLOTS, values)
    )


def _amounts_from_proto(p: pb.Amounts, workers: int, field: str) -> tuple[Resources, ...]:
    if not len(p.cpu_milli) == len(p.memory_bytes) == len(p.slots) == workers:
        raise Invalid(
            f"{field} must have one amount of each kind for each of the {workers} workers", field=field
        )
    return tuple(map(Resources, p.cpu_milli, p.memory_bytes, p.slots))


def snapshot_to_proto(s: Snapshot, *, with_fleet: bool) -> pb.Snapshot:
    """The view to plan from; `with_fleet=False` names the fleet by its digest only."""
    return pb.Snapshot(
        fleet_digest=fleet_digest(s.fleet),
        fleet=fleet_to_proto(s.fleet) if with_fleet else None,
        free=_amounts_to_proto(s.free),
        shapes=[
            pb.ShapeDemand(
                request=resources_to_proto(shape.request), priority=shape.priority, task_ids=shape.task_ids
            )
            for shape in s.shapes
        ],
    )


def snapshot_from_proto(p: pb.Snapshot, fleet: Fleet, field: str = "snapshot") -> Snapshot:
    """The view to plan from, on `fleet`: the one inside `p`, or the one known by `p.fleet_digest`."""
    shapes = []
    for shape in p.shapes:
        require(shape, "request", f"{field}.shapes.request")
        shapes.append(ShapeDemand(resources_from_proto(shape.request), shape.priority, tuple(shape.task_ids)))
    free = _amounts_from_proto(p.free, len(fleet.worker_ids), f"{field}.free")
    return Snapshot(fleet, free, tuple(shapes))


def options_to_proto(x: PlanOptions) -> pb.PlanOptions:
    """What a caller asks of the planner."""
    return pb.PlanOptions(seed=x.seed)


def options_from_proto(p: pb.PlanOptions) -> PlanOptions:
    """What a caller asks of the planner; left out means the defaults."""
    return PlanOptions(seed=p.seed)


def _refusal_to_proto(x: Refusal) -> pb.Refusal:
    groups = [
        pb.GroupRefusal(
            capacity=resources_to_proto(group.capacity),
            workers=group.workers,
            code=REFUSAL_CODE.to_proto[group.code],
            shortage=resources_to_proto(group.shortage),
        )
        for group in x.groups
    ]
    return pb.Refusal(shape=x.shape, count=x.count, groups=groups)


def _refusal_from_proto(p: pb.Refusal, field: str) -> Refusal:
    groups = []
    for group in p.groups:
        require(group, "capacity", f"{field}.capacity")
        require(group, "shortage", f"{field}.shortage")
        groups.append(
            GroupRefusal(
                capacity=resources_from_proto(group.capacity),
                workers=group.workers,
                code=REFUSAL_CODE.from_proto(group.code, f"{field}.code"),
                shortage=resources_from_proto(group.shortage),
            )
        )
    return Refusal(p.shape, p.count, tuple(groups))


def plan_to_proto(x: Plan) -> pb.Plan:
    """The planner's proposal."""
    return pb.Plan(
        task_ids=map(_TASK_ID, x.assignments),
        workers=map(_WORKER, x.assignments),
        refusals=[_refusal_to_proto(refusal) for refusal in x.refusals],
        value=x.value,
        upper_bound=x.upper_bound,
        stage=x.stage,
        work_units=x.work_units,
        seed=x.seed,
        snapshot_digest=x.snapshot_digest,
    )


def plan_from_proto(p: pb.Plan, field: str = "plan") -> Plan:
    """The planner's proposal: whether its tasks and workers exist is for admission to check."""
    if len(p.task_ids) != len(p.workers):
        raise Invalid(f"{field}: {len(p.task_ids)} tasks but {len(p.workers)} workers", field=field)
    return Plan(
        assignments=tuple(map(Assignment, p.task_ids, p.workers)),
        refusals=tuple([_refusal_from_proto(refusal, f"{field}.refusals") for refusal in p.refusals]),
        value=p.value,
        upper_bound=p.upper_bound,
        stage=p.stage,
        work_units=p.work_units,
        seed=p.seed,
        snapshot_digest=p.snapshot_digest,
    )


def plan_report_to_proto(x: PlanReport) -> pb.PlanReport:
    """What making the plan cost."""
    return pb.PlanReport(wall_ms=x.wall_ms)


def plan_report_from_proto(p: pb.PlanReport) -> PlanReport:
    """What making the plan cost."""
    return PlanReport(p.wall_ms)
