"""This module measures what waits: how fast tasks are accepted, what each takes up, and what a long queue costs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench import floors
from bench.meter import Meter, master_cpu_s, master_rss
from bench.report import Floor, Line, figure, rounded
from bench.scenes import NO_OP, WORKER, distinct, serving, submit_all
from bench.sizes import Sizes
from ganger import Client, TaskState
from testkit.processes import Cluster

PATIENCE_S = 600.0

Queue = Callable[[Client, int], int]
"""Hands in so many no-ops; returns the id that was given last."""


def accept(sizes: Sizes) -> Iterator[Line]:
    """Distinct tasks handed in by `submit_many` while no worker is there: time and the master's memory for each."""
    count = sizes.distinct
    with serving(worker=()) as (cluster, client):
        submit_all(client, [distinct(0)])  # what the first call loads is not counted
        floor = Floor("a synced row of 300 bytes in SQLite", floors.row_us(cluster.folder, 20_000))
        specs = [distinct(number) for number in range(count)]
        before, meter = master_rss(cluster), Meter(cluster)
        began = time.perf_counter()
        ids = submit_all(client, specs)
        accepted_s = time.perf_counter() - began
        cpu_s = meter.cpu_s()
        assert client.status(ids[-1]).task.state is TaskState.PENDING
        grown = master_rss(cluster) - before
    yield figure(
        "accept distinct tasks", count, 1e6 * accepted_s / count, "us/task", floor=floor, cpu_s=cpu_s
    )
    yield figure("master memory of a distinct pending task", count, grown / count, "bytes/task")


def accept_array(sizes: Sizes) -> Iterator[Line]:
    """Arrays handed in one after another while no worker is there: sent to acknowledged, p50; and each one's memory."""
    count, arrays = sizes.distinct, sizes.arrays
    with serving(worker=()) as (cluster, client):
        client.submit_array(NO_OP.command, 1)  # what the first call loads is not counted
        floor = Floor("a synced row by itself in SQLite", floors.row_us(cluster.folder, 100, 1) / 1e3)
        before, meter = master_rss(cluster), Meter(cluster)
        times_ms = []
        for _ in range(arrays):
            began = time.perf_counter()
            array_id = client.submit_array(NO_OP.command, count)
            times_ms.append(1e3 * (time.perf_counter() - began))
        cpu_s = meter.cpu_s()
        assert client.status(array_id + count).task.state is TaskState.PENDING
        grown = master_rss(cluster) - before
    yield figure(
        f"accept an array of {count}",
        arrays,
        statistics.median(times_ms),
        "ms",
        floor=floor,
        cpu_s=cpu_s,
        worst_ms=rounded(max(times_ms)),
    )
    yield figure(f"master memory of a pending array of {count}", arrays, grown / arrays, "bytes/array")


@dataclass(frozen=True, slots=True)
class Window:
    """What a task cost while so many ended: time on the clock, CPU of the master; both in µs."""

    wall_us: float
    master_us: float


def depth(sizes: Sizes) -> Iterator[Line]:
    """What a distinct no-op costs with a long queue behind it, against a short one; the ratio is that of both."""
    return _depth(sizes, "distinct no-op", _queue_distinct)


def depth_array(sizes: Sizes) -> Iterator[Line]:
    """The same for the elements of one array."""
    return _depth(sizes, "element of an array", _queue_array)


def _depth(sizes: Sizes, what: str, queue: Queue) -> Iterator[Line]:
    shallow = [_windows(sizes, queue, sizes.shallow, 1)[0] for _ in range(sizes.windows)]
    deep = _windows(sizes, queue, sizes.deep, sizes.windows)
    for metric, cost in (("cost", "wall_us"), ("master CPU", "master_us")):
        short, long = (statistics.median(getattr(w, cost) for w in windows) for windows in (shallow, deep))
        yield figure(
            f"{metric} per {what}, {sizes.deep} queued",
            sizes.window,
            long,
            "us/task",
            floor=Floor(f"the same with {sizes.shallow} queued", short),
            windows=[rounded(getattr(w, cost)) for w in deep],
        )


def _queue_distinct(client: Client, count: int) -> int:
    return submit_all(client, [distinct(number) for number in range(count)])[-1]


def _queue_array(client: Client, count: int) -> int:
    return client.submit_array(NO_OP.command, count)


def _windows(sizes: Sizes, queue: Queue, queued: int, count: int) -> list[Window]:
    """Readings from a cluster whose worker comes once the queue is there."""
    with serving(worker=()) as (cluster, client):
        last = queue(client, queued + sizes.warm)
        after_seq = client.status(last).as_of_seq
        cluster.start_worker("w1", *WORKER, "--slots", "2")
        return list(_read_windows(cluster, client, after_seq, sizes, count))


def _read_windows(
    cluster: Cluster, client: Client, after_seq: int, sizes: Sizes, count: int
) -> Iterator[Window]:
    ended, window = -sizes.warm, sizes.window
    at = cpu = 0.0
    for event in client.events(after_seq, timeout_s=PATIENCE_S):
        ended += event.state is TaskState.SUCCEEDED
        if event.state is not TaskState.SUCCEEDED or ended < 0 or ended % window:
            continue
        now, now_cpu = time.perf_counter(), master_cpu_s(cluster)
        if ended:
            yield Window(1e6 * (now - at) / window, 1e6 * (now_cpu - cpu) / window)
        if ended == count * window:
            return
        at, cpu = now, now_cpu
