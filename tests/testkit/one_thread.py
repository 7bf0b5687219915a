"""This module is a whole master in one thread on a manual clock: real engine, queue, cycle, registry and store."""

from __future__ import annotations

import itertools
from pathlib import Path

from ganger_core.domain.array import Array, Items
from ganger_core.domain.clock import ManualClock
from ganger_core.domain.explanation import Explanation
from ganger_core.domain.placement import first_fit
from ganger_core.domain.plan import Plan, PlanOptions, Snapshot
from ganger_core.domain.published import Published
from ganger_core.domain.task import (
    AttemptRef,
    Event,
    Order,
    Report,
    StartOrder,
    Task,
    TaskSpec,
    WorkerProfile,
)
from ganger_master.changes import Answer, Cancel, Command, Register, Request, Submit, SubmitArray, Told
from ganger_master.cleanup import Cleanup
from ganger_master.cycle import Cycle, CycleResult
from ganger_master.engine import Engine, Leaving
from ganger_master.expiring import expire
from ganger_master.explainer import Explainer
from ganger_master.loaded import enqueue_waiting, reserve_live
from ganger_master.plan_notes import PlanNotes
from ganger_master.planning import Planner, Planning
from ganger_master.queue import TaskQueue
from ganger_master.registry import WorkerRegistry
from ganger_master.restored import take_up
from ganger_master.state import Rules
from ganger_master.store import reader, rows
from ganger_master.store.writer import StoreWriter

LEASE_S = 300.0
RESERVATION_S = 30.0


class FirstFitPlanner:
    """The planner's port served in this process, by the real first-fit."""

    def plan(self, snapshot: Snapshot, options: PlanOptions) -> Plan:
        """The plan for this snapshot."""
        return first_fit(snapshot, options)


class OneThreadMaster:
    """Drives the master's rooms by hand. `kill` forgets everything in memory; a new one on the folder recovers."""

    def __init__(self, folder: Path, clock: ManualClock, planner: Planner | None = None) -> None:
        self.clock = clock
        self.path = folder / "ganger.db"
        self._db, self.state = reader.open_store(self.path)
        self.queue = TaskQueue()
        self.registry = WorkerRegistry(suspect_after_s=15, lost_after_s=30)
        now = clock.now()
        for profile in self.state.workers.values():
            self.registry.register(profile, now.steady_s, remembered=True)
        rules = Rules(LEASE_S, 30)
        reserve_live(self.state, self.registry, rules, now)
        enqueue_waiting(self.state, self.queue, now)
        self.writer = StoreWriter(self._db, self._released, self._failed)
        self.engine = Engine(self.state, rules, self.queue, self.registry, self.writer.submit, RESERVATION_S)
        notes = PlanNotes()
        self.explainer = Explainer(self.engine, self.queue, self.registry, notes, rules)
        hold = take_up(self.engine, self.state, rules, now)
        expire(self.engine, self.queue, now)
        planning = Planning(planner or FirstFitPlanner(), clock)
        self.cycle = Cycle(self.engine, self.queue, self.registry, planning, clock, hold, notes)
        self.cleanup = Cleanup(self.engine, self.queue, self.registry, rules)
        self.events: list[Event] = []  # what has left the master
        self.orders: list[tuple[str, Order]] = []
        self._request_ids = itertools.count(1)

    def apply(self, *commands: Command) -> Answer:
        """Apply commands and commit; returns the last answer or raises its refusal."""
        answers = self.engine.apply(commands, self.clock.now()).answers
        self.commit()
        if isinstance(answers[-1], Exception):
            raise answers[-1]
        return answers[-1]

    def commit(self) -> None:
        """Let the store write what has gathered."""
        while self.writer.run_once():
            pass

    def submit(self, *specs: TaskSpec, owner: str = "ann", request_id: str = "") -> int:
        """Submit tasks; returns the first id."""
        key = request_id or f"{id(self)}-{next(self._request_ids)}"
        first = self.apply(Submit(Request(owner, key, repr(specs)), specs))
        assert isinstance(first, int)
        return first

    def submit_array(self, spec: TaskSpec, array: Array, items: Items | None = None) -> int:
        """Submit an array; returns its id."""
        key = Request("ann", f"a{next(self._request_ids)}", "")
        answer = self.apply(SubmitArray(key, spec, array, items))
        assert isinstance(answer, int)
        return answer

    def cancel(
        self, task_id: int, reason: str = "", *, signal: int = 0, grace_s: float | None = None
    ) -> Answer:
        """Cancel a task."""
        key = Request("ann", f"c{next(self._request_ids)}", "")
        return self.apply(Cancel(key, task_id, reason, None, signal, grace_s))

    def register(self, *workers: WorkerProfile) -> None:
        """Register workers."""
        for worker in workers:
            self.apply(Register(worker))
            self.registry.register(worker, self.clock.now().steady_s)
            self.queue.unpark_all()

    def run_cycle(self) -> CycleResult:
        """One scheduling cycle, committed."""
        result = self.cycle.run_once()
        self.commit()
        return result

    def deliver(self, worker: WorkerProfile) -> list[AttemptRef]:
        """Let the worker take its orders; returns the attempts that it is to start."""
        mine = [order for worker_id, order in self.orders if worker_id == worker.id]
        self.orders = [pair for pair in self.orders if pair[0] != worker.id]
        leaving = self.engine.telling(worker.id, mine, self.clock.now())
        return [order.ref for order in leaving if isinstance(order, StartOrder)]

    def report(self, worker: WorkerProfile, *reports: Report, log_complete: bool = True) -> None:
        """Let the worker report."""
        self.apply(*(Told(worker.id, report, log_complete) for report in reports))

    def task(self, task_id: int) -> Task:
        """The task as the engine knows it."""
        seen = self.engine.see(task_id)
        assert seen is not None, task_id
        return seen.task

    def why(self, task_id: int) -> Explanation:
        """Why the task stands as it does, with its newest attempt alone."""
        seen = self.engine.see(task_id)
        assert seen is not None, task_id
        attempts = [seen.attempt] if seen.attempt else []
        return self.explainer.explain(seen.task, attempts, self.clock.now()).explanation

    def published(self) -> dict[int, Published]:
        """What tasks have published, as it is stored."""
        found = self._db.execute(f"SELECT {rows.OUTPUT_COLUMNS} FROM outputs ORDER BY 1")  # noqa: S608
        return {each.ref.task_id: each for each in map(rows.published_from_row, found)}

    def kill(self) -> None:
        """The process is gone: whatever was not committed never happened."""
        self._db.close()

    def _released(self, committed: object) -> None:
        assert isinstance(committed, list)
        for _, leaving in committed:
            assert isinstance(leaving, Leaving)
            self.events += leaving.events
            self.orders += leaving.orders

    def _failed(self, error: BaseException) -> None:
        raise error
