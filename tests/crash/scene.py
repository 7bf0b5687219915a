"""This module is the stage of the campaigns that run tasks: a cluster, a client, the truth and every task handed in."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from crash import truth
from crash.checkers import Ack, Finding, codes_kept
from crash.history import check_all, snapshot
from crash.truth import Span
from ganger import Client, task_spec
from ganger_core.domain.task import TaskSpec
from testkit.processes import Cluster, a_cluster
from testkit.waiting import wait_until

BRISK = (
    "--heartbeat-every-s",
    "0.3",
    "--cleanup-every-s",
    "0.3",
    "--suspect-after-s",
    "1",
    "--lost-after-s",
    "1.5",
)
"""Flags of a master that notices soon; leases are each campaign's own."""


class Scene:
    """A cluster, a client, the truth, and every task handed in."""

    def __init__(self, cluster: Cluster, client: Client, seed: int) -> None:
        self.cluster = cluster
        self.client = client
        self.path = cluster.folder / "truth"
        self.acks: list[Ack] = []
        self.codes: dict[int, int] = {}
        self.rng = random.Random(seed)  # noqa: S311

    def submit(self, first_s: float, later_s: float = 0.1, code: int = 0) -> int:
        """Hand in a task of the truth; returns its id."""
        spec = self._spec(first_s, later_s, code)
        task_id = self.client.submit(spec.command, name=spec.name, cpus=1)
        self.acks.append(Ack(spec.name, task_id, spec))
        self.codes[task_id] = code
        return task_id

    def _spec(self, first_s: float, later_s: float, code: int) -> TaskSpec:
        name = f"t{len(self.acks)}"
        return task_spec(truth.command(self.path, first_s, later_s, code), name=name, cpus=1)

    def spans(self, ids: Sequence[int] = (), token: int = 0) -> list[Span]:
        """What these tasks (or all) told so far, of one attempt or of all."""
        found = truth.read(self.path)
        return [s for s in found if (not ids or s.task in ids) and token in (0, s.token)]

    def await_starts(self, ids: Sequence[int], token: int = 1, timeout_s: float = 30.0) -> None:
        """Wait until this attempt of each of these has started, or a later one.

        On a busy machine a worker may come too late for an attempt, which then never starts.
        """

        def missing() -> set[int]:
            return set(ids) - {s.task for s in self.spans(ids) if s.token >= token}

        try:
            wait_until(lambda: not missing(), timeout_s)
        except AssertionError as error:
            views = [self.client.status(task_id) for task_id in sorted(missing())]
            raise AssertionError(f"not started as {token} within {timeout_s} s: {views}") from error

    def await_ends(self, ids: Sequence[int]) -> None:
        """Wait until these have ended by themselves."""
        wait_until(lambda: all(s.ended for s in self.spans(ids)), 30, f"{ids} end")

    def conclude(self) -> Finding:
        """Wait until all is over, then check everything."""
        self.client.wait([ack.task_id for ack in self.acks], 120)
        found = {
            row.task.id: row.task.outcome.exit_code if row.task.outcome else None
            for row in self.client.tasks()
        }
        names = frozenset(ack.request_id for ack in self.acks)
        snapshots = [snapshot(self.cluster.folder)]
        checked = check_all(self.client, self.acks, names, self.spans(), snapshots, over=True)
        return checked + codes_kept(self.codes, found)


@contextmanager
def a_scene(
    seed: int, lease_s: float, workers: int = 1, cpus: int = 64, master_flags: Sequence[str] = ()
) -> Iterator[Scene]:
    """A master, a planner and workers called w1, w2, … with a lease that ends soon."""
    with a_cluster() as cluster:
        cluster.start_master("--lease-s", str(lease_s), "--stop-grace-s", "2", *BRISK, *master_flags)
        cluster.start_planner("--log-level", "error")
        for number in range(1, workers + 1):
            cluster.start_worker(f"w{number}", "--cpus", str(cpus), "--slots", str(cpus))
        with cluster.client() as client:
            yield Scene(cluster, client, seed)
