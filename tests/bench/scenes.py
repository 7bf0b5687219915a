"""This module starts the clusters to measure, and makes the tasks for them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ganger import Client, TaskSpec
from ganger_core.domain.resources import Resources
from testkit.processes import Cluster, a_cluster

NO_OP = TaskSpec(("/bin/true",))
WARM = 50
SHAPES = 200
PER_CALL = 10_000  # tasks that one submission may have
WORKER = ("--cpus", "2")
PROFILES = "GANGER_BENCH_PROFILES"
"""Folder and kind, with a colon: where daemons leave what `bench.profiled` finds; without it they run as they are."""


@contextmanager
def serving(
    worker: Sequence[str] = WORKER, *, planner: bool = True, master: Sequence[str] = ()
) -> Iterator[tuple[Cluster, Client]]:
    """A master, by default with a planner and one worker that has run a few tasks; an empty `worker` for none."""
    with a_cluster() as cluster:
        if profiles := os.environ.get(PROFILES):
            cluster.launcher = ("bench.profiled", *profiles.split(os.pathsep))
        if planner:
            cluster.start_planner()
        cluster.start_master(*master)
        if worker:
            cluster.start_worker("w1", *worker)
        with cluster.client() as client:
            if worker:
                client.wait(client.submit_many([NO_OP] * WARM))
            yield cluster, client


def distinct(number: int) -> TaskSpec:
    """A no-op with its own name and environment, one of 200 shapes, each of which fits a worker of two CPUs."""
    shape = number % SHAPES
    resources = Resources(cpu_milli=1 + shape % 20, memory_bytes=(1 + shape // 20) << 20, slots=1)
    env = (("INDEX", str(number)), ("OUTPUT", f"results/run-{number}.json"))
    return TaskSpec(("/bin/true",), name=f"run-{number}", env=env, resources=resources)


def submit_all(client: Client, specs: Sequence[TaskSpec]) -> list[int]:
    """Hand in any number of tasks; returns their ids."""
    ids: list[int] = []
    for start in range(0, len(specs), PER_CALL):
        ids += client.submit_many(specs[start : start + PER_CALL])
    return ids
