"""This module holds best fit against first fit: a planner that places less than the fallback is no use."""

from __future__ import annotations

import pytest

from ganger_core.domain.placement import first_fit
from ganger_core.domain.plan import PlanOptions
from ganger_planner.plan import plan
from testkit.fleets import a_mixed_snapshot

SEEDS = range(12)


@pytest.mark.parametrize(
    ("workers", "shapes", "tasks_per_shape", "busy"),
    [(20, 100, 2, 0.0), (20, 100, 2, 0.6), (100, 60, 16, 0.0), (100, 60, 16, 0.6)],
    ids=["few idle", "few busy", "many idle", "many busy"],
)
def test_best_fit_is_worth_more_than_first_fit(
    workers: int, shapes: int, tasks_per_shape: int, busy: float
) -> None:
    snapshots = [
        a_mixed_snapshot(seed, workers=workers, shapes=shapes, tasks_per_shape=tasks_per_shape, busy=busy)
        for seed in SEEDS
    ]
    best = sum(plan(snapshot, PlanOptions()).value for snapshot in snapshots)
    first = sum(first_fit(snapshot).value for snapshot in snapshots)
    bound = sum(plan(snapshot, PlanOptions()).upper_bound for snapshot in snapshots)
    assert best > first, f"best fit {best}, first fit {first}, bound {bound}"
