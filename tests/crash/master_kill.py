"""This module kills the master under load, restarts it, and checks that nothing acknowledged was lost or doubled."""

from __future__ import annotations

import random
import shutil
import time
from dataclasses import dataclass, field

from crash import truth
from crash.checkers import Ack, Finding, Snapshot
from crash.history import check_all, snapshot, stored_before
from crash.load import Load, cancel_all, finish, first_answer_s, mixed, pause, repeat, waiting_spec
from crash.row import Row
from testkit.processes import Cluster, a_cluster
from testkit.waiting import wait_until

STORED = 10_000  # tasks in the database before the first kill
STORED_LIVE = 1_000  # of these still wait
KILLS_PER_ROUND = 10  # before the database is again one with no more than those
MASTER_FLAGS = (
    "--lease-s",
    "30",
    "--heartbeat-every-s",
    "0.3",
    "--cleanup-every-s",
    "0.5",
    "--log-level",
    "error",
)
PER_S, LEAST_PER_S = 400.0, 200.0


@dataclass(slots=True)
class _Tally:
    finding: Finding = field(default_factory=Finding)
    serving_s: list[float] = field(default_factory=list)
    kills: int = 0
    in_flight: int = 0  # kills with a submission sent and not answered
    kept: int = 0  # of those submissions, how many were on disk already: answered later from there
    acks: int = 0
    served_s: float = 0.0
    starts: int = 0


def master_kill(
    trials: int, seed: int, *, stored: int = STORED, per_s: float = PER_S, least_per_s: float = LEAST_PER_S
) -> Row:
    """SIGKILL of the master at random moments under `per_s` concurrent submissions, `least_per_s` of them at least."""
    rng = random.Random(f"master_kill.{seed}")  # noqa: S311
    tally = _Tally()
    with a_cluster() as base:
        sent = _fill(base, stored)
        left = trials
        while left:
            kills = min(left, KILLS_PER_ROUND)
            with a_cluster() as cluster:
                for name in ("ganger.db", "token"):
                    shutil.copy(base.folder / name, cluster.folder / name)
                _round(cluster, kills, rng, sent, tally, per_s)
            left -= kills
    rate = tally.acks / tally.served_s
    if rate < least_per_s:
        slow = f"only {rate:.0f} submissions/s while serving: the load is too small to say anything"
        tally.finding += Finding(1, (slow,))
    more = {
        "acknowledged": tally.acks,
        "submissions_per_s": round(rate),
        "kills_in_flight": tally.in_flight,
        "committed_unanswered": tally.kept,
        "task_starts": tally.starts,
        "tasks_stored": stored,
    }
    return Row("master-kill", seed, trials, tally.kills, tally.finding, tally.serving_s, more)


def _fill(cluster: Cluster, stored: int) -> list[Ack]:
    """Store tasks, most of them over, and stop the master so that its database can be copied."""
    if not stored:
        return []
    cluster.start_master("--log-level", "error")
    with cluster.client() as client:
        specs = [waiting_spec(f"stored-{n}") for n in range(stored)]
        acks = [Ack(s.name, i, s) for i, s in zip(client.submit_many(specs), specs, strict=True)]
    live = max(1, stored * STORED_LIVE // STORED)
    cancel_all(cluster.folder, [ack.task_id for ack in acks[live:]])
    cluster.stop()
    return acks


def _round(
    cluster: Cluster, kills: int, rng: random.Random, stored: list[Ack], tally: _Tally, per_s: float
) -> None:
    path = cluster.folder / "truth"
    cluster.start_master(*MASTER_FLAGS)
    cluster.start_planner("--log-level", "error")
    cluster.start_worker("w1", "--cpus", "4", "--slots", "8", "--log-level", "error")
    load = Load(cluster.folder, mixed(path), rng.randrange(1 << 30), per_s=per_s)
    load.start()
    probes: list[Ack] = []
    snapshots: list[Snapshot] = []
    serving_since, before = time.monotonic(), 0
    for number in range(kills):
        pause(rng.uniform(0.6, 1.6))
        if number % 2:  # every other kill meets a submission under way for certain
            wait_until(lambda: load.waiting, what="a submission is under way")
        cluster.daemons["master"].kill()
        killed_at, killed_ms = time.monotonic(), time.time() * 1000
        waiting = set(load.waiting)
        tally.served_s += killed_at - serving_since
        tally.acks += len(load.acks) - before
        before = len(load.acks)
        tally.kills += 1
        tally.in_flight += bool(waiting)
        begin = time.monotonic()
        cluster.spawn("master", "ganger_master", *MASTER_FLAGS)
        serving_s, probe = first_answer_s(cluster.folder, begin, f"probe-{number}")
        serving_since = time.monotonic()
        tally.serving_s.append(serving_s)
        probes.append(probe)
        tally.kept += len(waiting & stored_before(cluster.folder, killed_ms))
        if number % 5 == 0:
            snapshots.append(snapshot(cluster.folder))
    load.stop()
    with cluster.client() as client:
        again, refused = repeat(
            client, [ack for ack in load.acks if ack.request_id not in load.arrays], rng, 50
        )
    finish(cluster.folder)
    snapshots.append(snapshot(cluster.folder))
    spans = truth.read(path)
    tally.starts += len(spans)
    acks = [*stored, *load.acks, *probes, *again]
    names = frozenset(ack.request_id for ack in [*stored, *probes]) | load.sent.keys()
    with cluster.client() as client:
        tally.finding += check_all(client, acks, names, spans, snapshots, over=True) + refused
