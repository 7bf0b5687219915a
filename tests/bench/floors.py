"""This module measures what this machine allows at best: bare spawns, calls, rows and imports, with nothing of ours."""

from __future__ import annotations

import os
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bench.report import Floor
from crash import truth
from ganger_worker.keeper import boottime
from testkit.processes import Cluster

ROW_GROUP = 1_000
ROW = b"x" * 260


def spawn_ms(count: int, in_flight: int) -> float:
    """Milliseconds from one `/bin/true` to the next, so many at a time, spawned and reaped by this process."""
    running: list[int] = []
    began = time.perf_counter()
    for _ in range(count):
        running.append(os.posix_spawn("/bin/true", ["/bin/true"], {}))
        if len(running) == in_flight:
            os.waitpid(running.pop(0), 0)
    for pid in running:
        os.waitpid(pid, 0)
    return 1e3 * (time.perf_counter() - began) / count


def call_ms(cluster: Cluster, count: int) -> float:
    """Milliseconds of a call that does nothing, on an open connection to the master: the median."""
    with grpc.insecure_channel(cluster.address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        return statistics.median(_each_ms(count, lambda: stub.Check(health_pb2.HealthCheckRequest())))


def row_us(folder: Path, count: int, group: int = ROW_GROUP) -> float:
    """Microseconds of a row of 300 bytes in SQLite, synced; `group` rows are one transaction."""
    db = sqlite3.connect(folder / "floor.db", isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE TABLE floor (id TEXT PRIMARY KEY, state TEXT, priority INT, at REAL, body BLOB)")
    began = time.perf_counter()
    for start in range(0, count, group):
        rows = [(f"t{start + n:012d}", "PENDING", 50, 1.0, ROW) for n in range(group)]
        db.execute("BEGIN IMMEDIATE")
        db.executemany("INSERT INTO floor VALUES (?,?,?,?,?)", rows)
        db.execute("COMMIT")
    us = 1e6 * (time.perf_counter() - began) / count
    db.close()
    (folder / "floor.db").unlink()
    return us


def import_s(module: str, count: int) -> float:
    """Seconds in which an interpreter starts, imports a module and ends: the median."""
    command = [sys.executable, "-c", f"import {module}"]
    return statistics.median(_each_ms(count, lambda: subprocess.run(command, check=True))) / 1e3


def script_s(folder: Path, count: int) -> float:
    """Seconds from the spawn of the script of `crash.truth` to its first line: the median."""
    path = folder / "floor.truth"
    spans = []
    for number in range(1, count + 1):
        env = {"GANGER_TASK_ID": "1", "GANGER_TOKEN": str(number)}
        began_s = boottime()
        subprocess.run(truth.command(path, 0), env=env, check=True)
        (span,) = [span for span in truth.read(path) if span.token == number]
        spans.append(span.start_s - began_s)
    return statistics.median(spans)


def latency_floor(cluster: Cluster, count: int) -> Floor:
    """The least between a submission and its task's end: one call, and one process."""
    value = call_ms(cluster, count) + spawn_ms(count, 1)
    return Floor("a call that does nothing, and a spawn and wait of the same program", value)


def _each_ms(count: int, action: Callable[[], object]) -> list[float]:
    spans = []
    for _ in range(count):
        began = time.perf_counter()
        action()
        spans.append(1e3 * (time.perf_counter() - began))
    return spans
