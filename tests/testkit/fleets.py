"""This module builds snapshots for tests of planners."""

from __future__ import annotations

import random
from collections.abc import Sequence

from ganger_core.domain.plan import Fleet, ShapeDemand, Snapshot
from ganger_core.domain.resources import Resources

GIB = 2**30


def cpus_and_gib(cpus: float, gib: float = 0, slots: int = 1) -> Resources:
    """CPUs, GiB of memory and slots."""
    return Resources(round(cpus * 1000), round(gib * GIB), slots)


def a_snapshot(
    capacities: Sequence[Resources],
    demands: Sequence[tuple[Resources, int]],
    *,
    free: Sequence[Resources] | None = None,
    priorities: Sequence[int] = (),
) -> Snapshot:
    """Workers w0, w1 …, idle unless `free` says otherwise, and so many tasks of each request, numbered from 1."""
    shapes, first = [], 1
    for index, (request, count) in enumerate(demands):
        priority = priorities[index] if priorities else 50
        shapes.append(ShapeDemand(request, priority, tuple(range(first, first + count))))
        first += count
    ids = tuple(f"w{index}" for index in range(len(capacities)))
    return Snapshot(Fleet(ids, tuple(capacities)), tuple(capacities if free is None else free), tuple(shapes))


def a_mixed_snapshot(seed: int, *, workers: int, shapes: int, tasks_per_shape: int, busy: float) -> Snapshot:
    """Workers and tasks of very different sizes and proportions; each worker is busy to a share of up to `busy`."""
    rng = random.Random(seed)  # noqa: S311  # reproducible
    capacities = [
        cpus_and_gib(cpus, rng.choice([64, 128, 256]), 8 * cpus)
        for cpus in (rng.choice([16, 32, 64]) for _ in range(workers))
    ]
    free = [
        cpus_and_gib(
            have.cpu_milli // 1000 * (1 - busy * rng.random()),
            have.memory_bytes // GIB * (1 - busy * rng.random()),
            have.slots,
        )
        for have in capacities
    ]
    demands = [
        (cpus_and_gib(rng.randint(1, 32) / 2, rng.randint(0, 32)), tasks_per_shape) for _ in range(shapes)
    ]
    priorities = sorted((rng.randint(0, 100) for _ in range(shapes)), reverse=True)
    return a_snapshot(capacities, demands, free=free, priorities=priorities)
