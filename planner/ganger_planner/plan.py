"""This module makes plans: pure, the same snapshot, options and seed give the same plan."""

from __future__ import annotations

import numpy as np

from ganger_core.domain.placement import build_plan
from ganger_core.domain.plan import Plan, PlanOptions, Snapshot
from ganger_core.domain.resources import KINDS, Resources
from ganger_core.domain.validate import check_snapshot
from ganger_planner.bestfit import IntArray, Packing

BEST_FIT = "best-fit"


def plan(snapshot: Snapshot, options: PlanOptions) -> Plan:
    """Shape by shape in rank order, each task on the worker that it fits best (`ganger_planner.bestfit`).

    `work_units` counts the shape-worker pairs looked at. Raises `Invalid` for a snapshot that is malformed.
    """
    check_snapshot(snapshot)
    packing = Packing(_table(snapshot.fleet.capacities), _table(snapshot.free))
    requests = _table([shape.request for shape in snapshot.shapes])
    placements = []
    for request, shape in zip(requests, snapshot.shapes, strict=True):
        workers, taken = packing.take(request, len(shape.task_ids))
        placements.append(np.repeat(workers, taken).tolist())
    return build_plan(snapshot, placements, stage=BEST_FIT, work_units=packing.evaluations, seed=options.seed)


def _table(rows: list[Resources] | tuple[Resources, ...]) -> IntArray:
    """A row per value and a column per kind, also when there is no row."""
    return np.array([row.amounts() for row in rows], dtype=np.int64).reshape(-1, len(KINDS))
