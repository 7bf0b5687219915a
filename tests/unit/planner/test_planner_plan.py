"""This module checks what plans say, that they are the same everywhere, and what making them costs."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from ganger_core.domain.errors import Invalid
from ganger_core.domain.plan import Assignment, PlanOptions, RefusalCode, Snapshot
from ganger_core.domain.resources import Resources
from ganger_planner.plan import plan
from testkit.fleets import a_mixed_snapshot, a_snapshot, cpus_and_gib

SERIALISE = """
import sys
from ganger_core.convert.plan import plan_to_proto
from ganger_core.domain.plan import PlanOptions
from ganger_planner.plan import plan
from testkit.fleets import a_mixed_snapshot
snapshot = a_mixed_snapshot(5, workers=80, shapes=60, tasks_per_shape=9, busy=0.8)
sys.stdout.buffer.write(plan_to_proto(plan(snapshot, PlanOptions(seed=3))).SerializeToString())
"""


def workers_of(snapshot: Snapshot) -> list[int]:
    return [assignment.worker for assignment in plan(snapshot, PlanOptions()).assignments]


def test_a_task_goes_to_the_fullest_of_equally_suited_workers() -> None:
    size = cpus_and_gib(8, 32, 64)
    free = [size, cpus_and_gib(2, 8, 64), cpus_and_gib(4, 16, 64)]
    assert workers_of(a_snapshot([size] * 3, [(cpus_and_gib(2, 8), 1)], free=free)) == [1]


def test_equal_workers_are_taken_in_the_order_of_the_fleet() -> None:
    size = cpus_and_gib(4, 16, 64)
    assert workers_of(a_snapshot([size] * 3, [(cpus_and_gib(2, 8), 5)])) == [0, 0, 1, 1, 2]


def test_a_worker_of_the_proportions_of_the_task_comes_first() -> None:
    much_memory, much_cpu = cpus_and_gib(8, 128, 64), cpus_and_gib(32, 32, 64)
    tasks = [(cpus_and_gib(4, 4), 1), (cpus_and_gib(1, 16), 1)]
    assert workers_of(a_snapshot([much_memory, much_cpu], tasks)) == [1, 0]


def test_slots_limit_the_tasks_of_a_worker() -> None:
    size = cpus_and_gib(8, 32, slots=2)
    made = plan(a_snapshot([size], [(cpus_and_gib(1), 5)]), PlanOptions())
    assert len(made.assignments) == 2
    assert made.refusals[0].groups[0].shortage == Resources(0, 0, 1)


def test_a_plan_says_everything() -> None:
    sizes = [cpus_and_gib(8, 32, 64), cpus_and_gib(2, 8, 16), cpus_and_gib(2, 8, 16)]
    snapshot = a_snapshot(sizes, [(cpus_and_gib(4, 8), 3), (cpus_and_gib(1), 4)], priorities=[80, 20])
    made = plan(snapshot, PlanOptions(seed=9))
    assert made.assignments == tuple(map(Assignment, (1, 2, 4, 5, 6, 7), (0, 0, 1, 1, 2, 2)))
    (refusal,) = made.refusals
    assert (refusal.shape, refusal.count) == (0, 1)
    assert [(group.workers, group.code) for group in refusal.groups] == [
        (2, RefusalCode.TOO_LARGE),
        (1, RefusalCode.BUSY),
    ]
    assert (made.value, made.stage, made.work_units, made.seed) == (2 * 81 + 4 * 21, "best-fit", 6, 9)


def test_the_cost_grows_with_shapes_and_workers_not_with_tasks() -> None:
    few = a_mixed_snapshot(1, workers=50, shapes=20, tasks_per_shape=1, busy=0)
    many = a_mixed_snapshot(1, workers=50, shapes=20, tasks_per_shape=500, busy=0)
    assert plan(few, PlanOptions()).work_units == plan(many, PlanOptions()).work_units == 50 * 20


def test_every_process_makes_the_same_bytes() -> None:
    made = [
        subprocess.run(
            [sys.executable, "-c", SERIALISE],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert made[0] == made[1]
    assert len(made[0]) > 500


def test_nothing_to_do_is_a_plan_too() -> None:
    no_tasks = plan(a_snapshot([cpus_and_gib(1)], []), PlanOptions())
    no_workers = plan(a_snapshot([], [(cpus_and_gib(1), 2)]), PlanOptions())
    assert (no_tasks.assignments, no_tasks.refusals, no_tasks.upper_bound) == ((), (), 0)
    assert no_workers.refusals[0].count == 2
    assert no_workers.refusals[0].groups == ()


def test_an_over_committed_worker_gets_nothing() -> None:
    snapshot = a_snapshot([cpus_and_gib(4, 8)], [(cpus_and_gib(1), 1)], free=[Resources(2000, -1, 1)])
    assert workers_of(snapshot) == []


def test_a_malformed_snapshot_is_refused() -> None:
    snapshot = a_snapshot([cpus_and_gib(4)], [(cpus_and_gib(1), 1)])
    with pytest.raises(Invalid, match="free"):
        plan(replace(snapshot, free=()), PlanOptions())
