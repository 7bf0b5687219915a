"""This module runs a fleet: a master and a planner as processes, the workers and the watcher in this one."""

from __future__ import annotations

import asyncio
import random
import resource
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import grpc
import grpc.aio

from bench.fleet.behaviour import Habits
from bench.fleet.stub import StubWorker, Tally
from bench.fleet.verdict import LostAttempt, read_log, slope_per_minute, wrongly_counted_lost, wrongly_lost
from bench.meter import Meter, master_rss
from bench.report import Line, percentile, progress, rounded
from bench.scenes import submit_all
from ganger import Client, TaskSpec
from ganger_core.convert.task import event_from_proto
from ganger_core.domain.resources import Resources
from ganger_core.domain.states import TASK_FINAL, AttemptState, TaskState
from ganger_core.domain.task import Event
from ganger_core.wire.v1 import task_pb2, task_pb2_grpc
from testkit.processes import Cluster, a_cluster

SAMPLE_S = 1.0
SAY_EVERY = 10  # samples


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run. Times of the master's settings in seconds; a worker's silences must be shorter than the lease."""

    workers: int = 1_000
    tasks: int = 100_000
    shapes: int = 20
    seed: int = 1
    habits: Habits = field(default_factory=Habits)
    heartbeat_every_s: float = 5.0
    suspect_after_s: float = 15.0
    lost_after_s: float = 30.0
    cleanup_every_s: float = 10.0
    lease_s: float = 300.0
    limit_s: float = 3_600.0

    def flags(self) -> list[str]:
        """The master's."""
        names = ("heartbeat_every_s", "suspect_after_s", "lost_after_s", "cleanup_every_s", "lease_s")
        return [part for n in names for part in (f"--{n.replace('_', '-')}", f"{getattr(self, n):g}")]

    def spec(self, number: int) -> TaskSpec:
        """A task of one CPU; the shapes differ in their memory."""
        memory = (1 + number % self.shapes) << 20
        return TaskSpec(("sim",), name=f"t{number}", resources=Resources(1000, memory, 1))


@dataclass(slots=True)
class Seen:
    """What the events of a run said."""

    ended: dict[int, TaskState] = field(default_factory=dict)
    requeued: set[int] = field(default_factory=set)
    ended_twice: int = 0

    def note(self, event: Event) -> None:
        """Take in the next event."""
        if event.state in TASK_FINAL:
            self.ended_twice += event.task_id in self.ended
            self.ended[event.task_id] = event.state
        elif event.state is TaskState.PENDING and event.token:
            self.requeued.add(event.task_id)


def run(plan: Plan) -> Line:
    """Run it until every task is over; `wrong` of the line says what must not be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # one connection for each worker, at both ends
    try:
        with a_cluster() as cluster:
            cluster.start_planner()
            cluster.start_master(*plan.flags())
            return asyncio.run(_drive(plan, cluster))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def _drive(plan: Plan, cluster: Cluster) -> Line:
    tally, seen, stopping = Tally(), Seen(), asyncio.Event()
    fleet = [
        StubWorker(
            n,
            cluster.address,
            plan.habits,
            random.Random(f"{plan.seed}.{n}"),  # noqa: S311 - reproducible
            tally,
            stopping,
        )
        for n in range(plan.workers)
    ]
    meter, samples = Meter(cluster), [(time.monotonic(), master_rss(cluster))]
    lives = [asyncio.create_task(worker.live()) for worker in fleet]
    watch = asyncio.create_task(_watch(cluster.address, plan.tasks, seen))
    with cluster.client() as client:
        began = time.monotonic()
        ids = await asyncio.to_thread(submit_all, client, [plan.spec(n) for n in range(plan.tasks)])
        accepted_s = time.monotonic() - began
        await _until_over(plan, cluster, seen, samples, watch, lives)
        seconds, cpu_s = time.monotonic() - began, meter.cpu_s()
        stopping.set()
        await asyncio.gather(*lives)
        lost = await asyncio.to_thread(_lost, client, sorted(seen.requeued))
    assert list(ids) == list(range(ids[0], ids[0] + plan.tasks))
    line = _line(plan, cluster, tally, seen, lost, samples)
    rates = {"seconds": round(seconds, 1), "accepted_s": round(accepted_s, 2)}
    return line | rates | {"cpu_s": {name: round(cpu_s[name], 2) for name in ("client", "master", "planner")}}


async def _watch(address: str, tasks: int, seen: Seen) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        stub = task_pb2_grpc.TaskServiceStub(channel)
        async for answer in stub.WatchEvents(task_pb2.WatchEventsRequest()):
            for event in answer.events:
                seen.note(event_from_proto(event))
            if len(seen.ended) >= tasks:
                return


async def _until_over(
    plan: Plan,
    cluster: Cluster,
    seen: Seen,
    samples: list[tuple[float, int]],
    watch: asyncio.Task[None],
    lives: Sequence[asyncio.Task[None]],
) -> None:
    """Return when all is over, or the time is; raises what ended a part of the run before."""
    began = time.monotonic()
    while not watch.done() and time.monotonic() - began < plan.limit_s:
        done, _ = await asyncio.wait({watch, *lives}, timeout=SAMPLE_S, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
        samples.append((time.monotonic(), master_rss(cluster)))
        if not len(samples) % SAY_EVERY:
            progress(f"{samples[-1][0] - began:.0f} s: {len(seen.ended)} of {plan.tasks} tasks over")
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)


def _lost(client: Client, requeued: Sequence[int]) -> list[LostAttempt]:
    return [
        LostAttempt(str(attempt.ref), attempt.worker_name, attempt.assigned_ms, attempt.ended_ms)
        for task_id in requeued
        for attempt in client.status(task_id).attempts
        if attempt.state is AttemptState.LOST
    ]


def _line(
    plan: Plan,
    cluster: Cluster,
    tally: Tally,
    seen: Seen,
    lost: Sequence[LostAttempt],
    samples: Sequence[tuple[float, int]],
) -> Line:
    log = read_log(cluster.daemons["master"].log.read_text(errors="replace").splitlines())
    unjust = wrongly_lost(lost, tally.absences, plan.lease_s)
    miscounted = wrongly_counted_lost(log.counted_lost, tally.absences, plan.lost_after_s)
    succeeded = sum(state is TaskState.SUCCEEDED for state in seen.ended.values())
    cycles = log.cycles_ms or (float("nan"),)
    wrong = {
        "tasks that did not succeed": plan.tasks - succeeded,
        "tasks that ended twice": seen.ended_twice,
        "attempts wrongly lost": len(unjust),
        "workers wrongly counted as lost": len(miscounted),
    }
    return {
        "metric": f"cycle of the master with {plan.workers} workers",
        "n": len(log.cycles_ms),
        "value": rounded(percentile(cycles, 99)),
        "unit": "ms p99",
        "p50": rounded(percentile(cycles, 50)),
        "most": rounded(max(cycles)),
        "tasks": plan.tasks,
        "succeeded": succeeded,
        "attempts_lost": len(lost),
        "wrongly_lost": len(unjust),
        "workers_counted_lost": len(log.counted_lost),
        "workers_wrongly_counted_lost": len(miscounted),
        "away": dict(sorted(tally.flaps.items())),
        "registrations": tally.registrations,
        "heartbeats": tally.heartbeats,
        "reports": tally.reports,
        "reports_refused": tally.refused,
        "calls_failed": dict(tally.errors),
        "master_rss_mib": [round(rss / 2**20, 1) for rss in (samples[0][1], max(r for _, r in samples))],
        "master_rss_kib_per_minute": rounded(slope_per_minute(samples) / 1024),
        "wrong": _only_some(wrong),
    }


def _only_some(counts: Mapping[str, int]) -> dict[str, int]:
    return {what: count for what, count in counts.items() if count}
