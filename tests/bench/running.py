"""This module measures tasks that run: how many a second, how soon one is over, how soon an urgent one is."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from bench import floors
from bench.meter import Meter
from bench.report import Floor, Line, figure, percentile
from bench.scenes import NO_OP, serving, submit_all
from bench.sizes import Sizes
from crash.load import pause
from ganger import Client, TaskSpec, TaskState
from testkit.processes import Cluster

SLOTS = 2
PAUSE_S = 0.2
LOW, HIGH = 10, 90  # priorities
ROWS_PER_TASK = 10  # that the store writes for a no-op
SPAWN = "spawn and wait of the same program, 2 in flight"
ROWS = f"{ROWS_PER_TASK} synced rows of 300 bytes in SQLite"


def noop(sizes: Sizes) -> Iterator[Line]:
    """No-ops submitted at once: the first submission sent to the last end seen; and what each costs the master."""
    with serving() as (cluster, client):
        yield from _noops(cluster, client, sizes.noops, "process no-op, durable")


def noop_no_planner(sizes: Sizes) -> Iterator[Line]:
    """The same after the planner has gone: what was planned by it is planned by first-fit."""
    with serving() as (cluster, client):
        cluster.daemons["planner"].stop()
        line, _ = _noops(cluster, client, sizes.noops, "process no-op, durable, the planner stopped")
        yield line


def _noops(cluster: Cluster, client: Client, count: int, metric: str) -> tuple[Line, Line]:
    floor = Floor(SPAWN, floors.spawn_ms(min(count, 2_000), SLOTS))
    rows = Floor(ROWS, ROWS_PER_TASK * floors.row_us(cluster.folder, 10_000))
    meter = Meter(cluster)
    began = time.perf_counter()
    ids = submit_all(client, [NO_OP] * count)
    accepted_s = time.perf_counter() - began
    ended = client.wait(ids)
    total_s = time.perf_counter() - began
    cpu_s = meter.cpu_s()
    check_succeeded([task.state for task in ended])
    wall = figure(
        metric,
        count,
        1e3 * total_s / count,
        "ms/task",
        floor=floor,
        cpu_s=cpu_s,
        accept_us_per_task=round(1e6 * accepted_s / count, 1),
        planned_by_planner=round(planner_share(client, ids), 4),
    )
    return wall, figure("master CPU per no-op", count, 1e6 * cpu_s["master"] / count, "us/task", floor=rows)


def check_succeeded(states: Sequence[TaskState]) -> None:
    """A figure of work that failed would mean nothing."""
    failed = sum(state is not TaskState.SUCCEEDED for state in states)
    assert not failed, f"{failed} of {len(states)} tasks did not succeed"


def planner_share(client: Client, ids: Sequence[int]) -> float:
    """Which part of the assignments of these ended tasks came from the planner service."""
    by_planner = assignments = 0
    ended: set[int] = set()
    for event in client.events(task_ids=ids):
        if event.state is TaskState.SCHEDULED:
            assignments += 1
            by_planner += event.reason.startswith("placed by planner")
        elif event.state is TaskState.SUCCEEDED:
            ended.add(event.task_id)
            if len(ended) == len(ids):
                break
    return by_planner / assignments


def latency(sizes: Sizes) -> Iterator[Line]:
    """One no-op after another on an open connection: submission sent to its end seen."""
    yield _sequence("latency, one after another", sizes.sequential, 0.0)


def latency_paused(sizes: Sizes) -> Iterator[Line]:
    """The same on a cluster that has been idle for a moment."""
    yield _sequence(f"latency, {PAUSE_S:g} s between", sizes.paused, PAUSE_S)


def _sequence(metric: str, count: int, pause_s: float) -> Line:
    with serving() as (cluster, client):
        floor = floors.latency_floor(cluster, 100)
        meter = Meter(cluster)
        spans = [_span_ms(client, NO_OP.priority, pause_s) for _ in range(count)]
        return _spans_line(metric, spans, floor, meter.cpu_s())


def _span_ms(client: Client, priority: int, pause_s: float) -> float:
    pause(pause_s)
    began = time.perf_counter()
    client.wait([client.submit(NO_OP.command, priority=priority)])
    return 1e3 * (time.perf_counter() - began)


def _spans_line(metric: str, spans: Sequence[float], floor: Floor, cpu_s: dict[str, float]) -> Line:
    p95 = round(percentile(spans, 95), 2)
    return figure(metric, len(spans), percentile(spans, 50), "ms p50", floor=floor, cpu_s=cpu_s, p95=p95)


def overtake(sizes: Sizes) -> Iterator[Line]:
    """Urgent no-ops while a flood of others waits: submission sent to its end seen."""
    with serving() as (cluster, client):
        floor = floors.latency_floor(cluster, 100)
        flood = [TaskSpec(NO_OP.command, priority=LOW)] * sizes.flood
        ids = submit_all(client, flood)
        meter = Meter(cluster)
        spans = [_span_ms(client, HIGH, 0.0) for _ in range(sizes.urgent)]
        line = _spans_line("latency of an urgent no-op in a flood", spans, floor, meter.cpu_s())
        waiting = len(list(client.tasks([TaskState.PENDING], limit=1)))
        yield line | {"flood": len(ids), "flood_outlasted_it": bool(waiting)}
