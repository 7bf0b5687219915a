"""This module measures how soon all goes on after a kill: of the master, and of what runs the tasks of a worker."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

from bench import floors
from bench.meter import Meter, keepers, master_cpu_s
from bench.report import Floor, Line, figure, percentile
from bench.scenes import serving, submit_all
from bench.sizes import Sizes
from crash import truth
from crash.load import first_answer_s, waiting_spec
from ganger import Client
from ganger_worker.keeper import boottime
from testkit.processes import Cluster
from testkit.waiting import wait_until

LONG_S = 600.0
PATIENCE_S = 60.0


def restart(sizes: Sizes) -> Iterator[Line]:
    """SIGKILL of a master whose store holds waiting tasks: from its next start to a submission acknowledged."""
    floor = Floor("start of an interpreter that imports the master", floors.import_s("ganger_master.app", 3))
    spans, cpu_s = [], []
    with serving(worker=()) as (cluster, client):
        submit_all(client, [waiting_spec(f"stored-{number}") for number in range(sizes.stored)])
        for number in range(sizes.restarts):
            cluster.daemons["master"].kill()
            began = time.monotonic()
            cluster.spawn("master", "ganger_master")
            spans.append(first_answer_s(cluster.folder, began, f"probe-{number}")[0])
            cpu_s.append(master_cpu_s(cluster))
    yield figure(
        f"kill of the master with {sizes.stored} tasks stored: started to first answer",
        len(spans),
        percentile(spans, 50),
        "s p50",
        floor=floor,
        cpu_s={"master": percentile(cpu_s, 50)},
        most=round(max(spans), 3),
    )


def rerun(sizes: Sizes) -> Iterator[Line]:
    """SIGKILL of the keeper, the parent of a worker's tasks: to the first line of its task's next attempt.

    The worker ends what is left and says so; the next attempt starts without waiting for a lease.
    """
    with serving() as (cluster, client):
        floor = Floor("spawn of the same program to its first line", floors.script_s(cluster.folder, 5))
        meter = Meter(cluster)
        spans = [_rerun_s(cluster, client) for _ in range(sizes.reruns)]
        cpu_s = meter.cpu_s()
    yield figure(
        "kill of a worker's keeper: to the next attempt of its task",
        len(spans),
        percentile(spans, 50),
        "s p50",
        floor=floor,
        cpu_s=cpu_s,
        most=round(max(spans), 3),
    )


def _rerun_s(cluster: Cluster, client: Client) -> float:
    path = cluster.folder / "truth"
    task_id = client.submit(truth.command(path, LONG_S))
    _await_start(cluster, task_id, 1)
    (pid,) = keepers(cluster.folder)
    killed_s = boottime()
    os.kill(pid, signal.SIGKILL)
    started_s = _await_start(cluster, task_id, 2)
    client.wait([task_id], PATIENCE_S)
    return started_s - killed_s


def _await_start(cluster: Cluster, task_id: int, token: int) -> float:
    """When the first line of that attempt was written, or of a later one: a busy worker may refuse one."""
    found: list[float] = []

    def started() -> bool:
        spans = truth.read(cluster.folder / "truth")
        found.extend(span.start_s for span in spans if span.task == task_id and span.token >= token)
        return bool(found)

    wait_until(started, PATIENCE_S, f"task {task_id} starts as attempt {token}")
    return found[0]
