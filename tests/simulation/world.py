"""This module is a whole simulated cluster on one virtual clock: a master, a few hosts, people, and faults."""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import logging
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

from ganger_core.domain.plan import Assignment, Plan, Snapshot
from ganger_core.domain.resources import Resources
from simulation.disk import Disk, StoredDisk
from simulation.faults import Faults
from simulation.host import PATCHES, Host, Run
from simulation.invariants import Invariants
from simulation.master import MasterDaemon
from simulation.network import Network
from simulation.operators import Operators
from simulation.people import PEOPLE_HOST, People
from simulation.settings import Settings
from simulation.violation import Violation
from simulation.virtual_loop import VirtualLoop
from simulation.worker import WorkerDaemon

FINISH_WITHIN_S = 1_800.0  # after the last fault; a lease, its margin and the longest queue fit in
TRACE_LINES = 400  # kept for whoever looks into a failure


class World:
    """One seed's cluster. `run` raises `Violation` at the first thing that must not be."""

    def __init__(
        self, seed: int, *, folder: Path | None = None, every_line: bool = False, only: str = ""
    ) -> None:
        self.seed = seed
        self.rng = Random(seed)  # noqa: S311  # the same seed must give the same world
        self.loop = VirtualLoop()
        self.lines: deque[str] = deque(maxlen=None if every_line else TRACE_LINES)
        self._hash = hashlib.blake2b(digest_size=16)
        self.slowest_commit_s = 0.02
        self.planner_fault = ""
        self.next_commit: Callable[[], None] | None = None  # told once, when one begins
        self.network = Network(self.loop, self.rng)
        self.master: MasterDaemon | None = None
        self.invariants = Invariants(self)
        self.disk: Disk = StoredDisk(folder) if folder else Disk()
        self.disk.watch = self.invariants.written
        # What limits and losses there are is drawn apart, so that half of the worlds are as they were without.
        self.limits_rng = Random(f"limits of {seed}")  # noqa: S311
        self.has_limits = self.limits_rng.random() < 0.5
        self.bursts_rng = Random(f"bursts of {seed}")  # noqa: S311
        self.has_bursts = self.bursts_rng.random() < 0.34
        self.arrays_rng = Random(f"arrays of {seed}")  # noqa: S311
        self.has_arrays = self.arrays_rng.random() < 0.34
        self.waits_rng = Random(f"waits of {seed}")  # noqa: S311
        self.has_waits = self.waits_rng.random() < 0.34
        self.cordons_rng = Random(f"cordons of {seed}")  # noqa: S311
        self.has_cordons = self.cordons_rng.random() < 0.34
        self.after_rng = Random(f"after of {seed}")  # noqa: S311
        self.has_after = self.after_rng.random() < 0.34
        self.outputs_rng = Random(f"outputs of {seed}")  # noqa: S311
        self.has_outputs = self.outputs_rng.random() < 0.34
        self.settings = Settings(
            lease_s=self.rng.choice((15.0, 20.0, 60.0, 300.0)),
            ages_after_s=self.limits_rng.choice((10.0, 60.0)) if self.has_limits else 3_600.0,
        )
        self.master_host = self._host("master", Resources(1, 1, 1))
        self.hosts = [
            self._host(f"w{number}", Resources(self.rng.choice((1000, 2000, 3000)), 2**30, 4))
            for number in range(1, self.rng.choice((1, 2, 3, 3)) + 1)
        ]
        self.hosts[0].capacity = Resources(2000, 2**30, 4)  # one that can take every task
        self._faults_s = self.rng.choice((60.0, 150.0, 300.0))
        self._only = only

    def run(self) -> None:
        """Live through the faults, then finish."""
        people_host = self._host(PEOPLE_HOST, Resources(1, 1, 1))
        self.people = People(
            self, people_host, self.rng.randint(3, 14), self._faults_s, self.rng.choice((0, 0.4))
        )
        self.operators = Operators(self)
        self.start_master()
        for host in self.hosts:
            self.start_worker(host)
        self.faults = Faults(self, self._faults_s, people_host, self._only)
        self._run_until(self._faults_s)
        self.faults.end()
        self.trace("no more faults")
        end = self.loop.now + FINISH_WITHIN_S
        while unfinished := self.invariants.unfinished():
            if self.loop.now >= end:
                raise Violation(f"I14 not finished {FINISH_WITHIN_S} s after the last fault: {unfinished}")
            self._run_until(min(end, self.loop.now + 5))
        self.invariants.at_end()
        self.trace("finished")

    def go_on_for(self, seconds: float) -> None:
        """Let the world go on while one thread of the master waits."""
        self._run_until(self.loop.now + seconds)

    def trace(self, text: str, *values: object) -> None:
        """Note what happened."""
        line = f"{self.loop.now:12.6f} {text % values}"
        self._hash.update(line.encode())
        self.lines.append(line)

    @property
    def trace_hash(self) -> str:
        """Of every line so far."""
        return self._hash.hexdigest()

    def start_master(self) -> None:
        """A master starts on what is on disk."""
        self.trace("master starts, %d events on disk", len(self.disk.events))
        self.master = MasterDaemon(self.master_host, self.disk, self.settings)
        self.network.server = self.master
        self.invariants.promised()

    def kill_master(self) -> None:
        """SIGKILL."""
        assert self.master is not None
        master, self.master, self.network.server = self.master, None, None
        master.kill()

    def start_worker(self, host: Host) -> None:
        """A worker starts on this host."""
        self.trace("worker starts on %s", host.name)
        host.worker = WorkerDaemon(host)

    def reboot(self, host: Host) -> None:
        """Everything on this host is gone, its boot clock begins anew."""
        host.worker.kill()
        if host.keeper is not None:
            host.keeper.die()
        host.kernel.die()
        host.boots += 1
        host.restart_clock(self.rng.random() * 100)

    def forget_next_commit(self, callback: Callable[[], None]) -> None:
        """Nobody waits for it any more."""
        if self.next_commit == callback:
            self.next_commit = None

    def commit_begins(self) -> None:
        """A commit is under way from now on."""
        callback, self.next_commit = self.next_commit, None
        if callback is not None:
            callback()

    def commit_s(self) -> float:
        """How long the next commit takes."""
        return 0.0005 + self.rng.random() ** 2 * self.slowest_commit_s

    def spoil(self, plan: Plan, snapshot: Snapshot) -> Plan:
        """What a planner with a bug might answer."""
        tasks = [task_id for shape in snapshot.shapes for task_id in shape.task_ids]
        workers = len(snapshot.fleet.worker_ids)
        kind = self.rng.randrange(5)
        if kind == 0:  # everything onto one worker
            one = self.rng.randrange(workers)
            return replace(plan, assignments=tuple(Assignment(task_id, one) for task_id in tasks))
        if kind == 1:
            return replace(plan, assignments=plan.assignments * 2)
        if kind == 2:
            return replace(plan, assignments=(Assignment(tasks[0], workers + 3),))
        if kind == 3:
            return replace(plan, assignments=(Assignment(1_000_000, 0),))
        return replace(plan, snapshot_digest="of another")

    def began(self, run: Run) -> None:
        """A process of a task begins."""
        self.trace("START %d.%d on %s (%s)", run.task_id, run.token, run.host.name, run.label)
        self.invariants.began(run)

    def over(self, run: Run) -> None:
        """A process of a task ends."""
        self.trace("END %d.%d on %s with %d", run.task_id, run.token, run.host.name, run.status)
        self.invariants.over(run)

    def _run_until(self, until: float) -> None:
        loop, invariants = self.loop, self.invariants
        while loop.run_one(until):
            if self.master is not None:
                self.master.schedule()
            invariants.after_step()

    def _host(self, name: str, capacity: Resources) -> Host:
        rate = 1.0 + self.rng.uniform(-0.002, 0.002)
        return Host(self, name, capacity, rate, self.rng.random() * 100_000)


@contextmanager
def simulated(world: World) -> Iterator[World]:
    """Give production code the world's clocks and kernels instead of Linux."""
    before = []
    for module, name, value in PATCHES:
        place = importlib.import_module(module)
        before.append((place, name, getattr(place, name)))
        setattr(place, name, value)
    asyncio._set_running_loop(world.loop)
    logging.disable(logging.CRITICAL)
    try:
        yield world
    finally:
        world.loop.close()
        logging.disable(logging.NOTSET)
        asyncio._set_running_loop(None)
        for place, name, value in reversed(before):
            setattr(place, name, value)
        world.disk.close()
