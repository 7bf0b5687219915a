"""This module measures Ganger on this machine: one JSON line per figure, CPU seconds of every process beside it.

    python -m bench [--quick] [--tasks N]

Every figure comes from real processes in a state folder of their own: master, planner, one worker with its keeper.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable

import psutil

from ganger import Client, TaskSpec
from testkit.processes import Cluster, a_cluster

NO_OP = TaskSpec(("/bin/true",))


class Meter:
    """CPU seconds of the cluster's processes and of this one, since it was made."""

    def __init__(self, cluster: Cluster) -> None:
        daemons = {name: psutil.Process(daemon.process.pid) for name, daemon in cluster.daemons.items()}
        keepers = [p for p in psutil.process_iter(["cmdline"]) if _is_keeper_of(p, cluster)]
        self._processes = {**daemons, "keeper": keepers[0], "client": psutil.Process(os.getpid())}
        self._before = self._read()

    def cpu_s(self) -> dict[str, float]:
        """By process; a keeper's includes the tasks that it has reaped."""
        now = self._read()
        return {name: round(now[name] - self._before[name], 3) for name in now}

    def _read(self) -> dict[str, float]:
        return {
            name: _cpu_s(process, with_children=name == "keeper") for name, process in self._processes.items()
        }


def _is_keeper_of(process: psutil.Process, cluster: Cluster) -> bool:
    command = process.info["cmdline"] or []
    return any(part.endswith("keeper.py") for part in command) and str(cluster.folder) in " ".join(command)


def _cpu_s(process: psutil.Process, *, with_children: bool) -> float:
    times = process.cpu_times()
    reaped = times.children_user + times.children_system if with_children else 0.0
    return float(times.user + times.system + reaped)


def throughput(cluster: Cluster, client: Client, tasks: int) -> dict[str, object]:
    """Process no-ops, submitted at once: first submit sent to last end seen, per task."""
    meter = Meter(cluster)
    began = time.perf_counter()
    ids = client.submit_many([NO_OP] * tasks)
    accepted_s = time.perf_counter() - began
    client.wait(ids)
    total_s = time.perf_counter() - began
    return {
        "metric": "process no-op, durable",
        "n": tasks,
        "value": round(1e3 * total_s / tasks, 3),
        "unit": "ms/task",
        "accept_us_per_task": round(1e6 * accepted_s / tasks, 1),
        "cpu_s": meter.cpu_s(),
    }


def latency(cluster: Cluster, client: Client, tasks: int) -> dict[str, object]:
    """One no-op after another on an open connection: submit sent to its end seen."""
    meter = Meter(cluster)
    spans = []
    for _ in range(tasks):
        began = time.perf_counter()
        client.wait([client.submit(NO_OP.command)])
        spans.append(1e3 * (time.perf_counter() - began))
    spans.sort()
    return {
        "metric": "latency, one after another",
        "n": tasks,
        "value": round(statistics.median(spans), 2),
        "unit": "ms p50",
        "p95": round(spans[int(0.95 * tasks)], 2),
        "cpu_s": meter.cpu_s(),
    }


def floor(tasks: int) -> dict[str, object]:
    """This machine's own limit: the same program spawned from here, two at a time."""
    began = time.perf_counter()
    running: list[int] = []
    for _ in range(tasks):
        running.append(os.posix_spawn("/bin/true", ["/bin/true"], {}))
        if len(running) == 2:
            os.waitpid(running.pop(0), 0)
    for pid in running:
        os.waitpid(pid, 0)
    per_task = 1e3 * (time.perf_counter() - began) / tasks
    return {
        "metric": "floor: spawn and wait, 2 in flight",
        "n": tasks,
        "value": round(per_task, 3),
        "unit": "ms/task",
    }


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure Ganger on this machine.")
    parser.add_argument("--quick", action="store_true", help="a tenth of the tasks")
    parser.add_argument("--tasks", type=int, default=10_000, help="no-ops of the throughput figure")
    options = parser.parse_args()
    tasks = options.tasks // 10 if options.quick else options.tasks
    tell({"machine": platform.machine(), "cpus": os.cpu_count(), "python": platform.python_version()})
    tell(floor(min(tasks, 2_000)))
    figures: list[tuple[Callable[[Cluster, Client, int], dict[str, object]], int]] = [
        (throughput, tasks),
        (latency, max(20, tasks // 50)),
    ]
    with a_cluster() as cluster:
        cluster.start_planner()
        cluster.start_master()
        cluster.start_worker("w1", "--cpus", "2")
        with cluster.client() as client:
            client.wait(client.submit_many([NO_OP] * 50))  # warm
            for figure, count in figures:
                tell(figure(cluster, client, count))
    return 0


def tell(line: dict[str, object]) -> None:
    """One JSON line."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
