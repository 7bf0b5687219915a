"""This module checks leases and reservations against a model: who holds what, until when, and who may take it back."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ganger_core.domain.clock import ManualClock
from ganger_core.domain.resources import Resources
from ganger_core.domain.states import AttemptState, TaskState
from ganger_core.domain.task import AttemptRef, Report, ReportKind, StartOrder, WorkerProfile, WorkerUsage
from ganger_master.changes import Cancel, Request
from ganger_master.cleanup import LEASE_MARGIN_S
from testkit.builders import a_spec, a_worker, ended, lost, started
from testkit.one_thread import LEASE_S, RESERVATION_S, OneThreadMaster

WORKERS = (a_worker("w1", cpus=2), a_worker("w2", cpus=3))
LONG_S = 5.0  # no other task goes behind one that runs so long
NUMBERS = st.integers(0, 1)
BOUNDS = (1.0, 14.0, RESERVATION_S, 120.0, LEASE_S, LEASE_S + LEASE_MARGIN_S)
"""Around these moments something changes: a little before, on the spot, a little after."""


@dataclass
class Held:
    """What the model knows of one live attempt."""

    worker: WorkerProfile
    cpu_milli: int
    expires_s: float
    lease_from_s: float
    told: bool = False
    started: bool = False


class Leases(RuleBasedStateMachine):
    """A master with two workers that hear, answer, fall silent and come back as the rules say."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="gg"))
        self.clock = ManualClock()
        self.held: dict[AttemptRef, Held] = {}
        self.gone: list[AttemptRef] = []
        self.requests = 0
        self.on_the_way: set[AttemptRef] = set()
        """Attempts whose order is in a worker's mailbox."""
        self.master = OneThreadMaster(self.folder, self.clock)
        self.master.register(*WORKERS)

    @rule(cpus=st.lists(st.sampled_from([1, 1, 2, 3]), max_size=2), told=st.booleans())
    def work_comes(self, cpus: list[int], told: bool) -> None:
        """Tasks are submitted, both workers show that they are there, a cycle assigns; perhaps the orders leave."""
        for amount in cpus:
            self.requests += 1
            self.master.submit(a_spec(cpus=amount), request_id=f"r{self.requests}")
        for worker in WORKERS:
            self._heartbeat(worker, [ref for ref, held in self.held.items() if held.told])
        self.master.run_cycle()
        for attempt in self.master.state.attempts.values():
            if attempt.is_live and attempt.ref not in self.held:
                worker = next(w for w in WORKERS if w.id == attempt.worker_id)
                milli = self.master.task(attempt.ref.task_id).spec.resources.cpu_milli
                self.held[attempt.ref] = Held(worker, milli, self.now + RESERVATION_S, self.now)
                self.on_the_way.add(attempt.ref)
        for number in range(len(WORKERS)) if told else ():
            self.orders_leave(number)

    @rule(
        step=st.sampled_from(BOUNDS),
        beside=st.sampled_from([-0.5, 0.0, 0.5]),
        sweep=st.sampled_from([True, True, False]),
    )
    def time_goes_by(self, step: float, beside: float, sweep: bool) -> None:
        self.clock.advance(max(0.25, step + beside))
        if sweep:
            self.sweep()

    @rule(number=NUMBERS)
    def orders_leave(self, number: int) -> None:
        """The worker's stream takes what waits for it: from now on only an answer or the lease ends these."""
        mine = {ref for ref in self.on_the_way & self.held.keys() if self.held[ref].worker is WORKERS[number]}
        self.on_the_way -= {r for r in self.on_the_way if r not in self.held or r in mine}
        left = set(self.master.deliver(WORKERS[number]))
        assert left == mine, "an order of an attempt that is over left, or one that lives did not"
        self._told(mine)

    @rule(number=NUMBERS)
    def sync(self, number: int) -> None:
        """A new stream begins with the whole of what the worker should hold."""
        mine = {ref for ref, held in self.held.items() if held.worker is WORKERS[number]}
        _, orders = self.master.engine.desired(WORKERS[number].id)
        assert {order.ref for order in orders} == mine
        starts = {order.ref for order in orders if isinstance(order, StartOrder)}
        assert starts == {ref for ref in mine if self.master.task(ref.task_id).state != TaskState.STOPPING}
        left = self.master.engine.telling(WORKERS[number].id, orders, self.clock.now())
        assert {order.ref for order in left} == mine
        self._told(mine)

    @rule(number=NUMBERS, data=st.data())
    def heartbeat(self, number: int, data: st.DataObject) -> None:
        """The worker lists some of what it was told, and may list what is no longer its own."""
        told = [ref for ref, held in self.held.items() if held.told]
        listed = data.draw(st.lists(st.sampled_from(told + self.gone), unique=True)) if told else []
        self._heartbeat(WORKERS[number], listed)

    @precondition(lambda self: any(held.told for held in self.held.values()))
    @rule(data=st.data(), how=st.sampled_from(["started", "ended", "failed", "lost", "revoked"]))
    def report(self, data: st.DataObject, how: str) -> None:
        ref = data.draw(st.sampled_from([ref for ref, held in self.held.items() if held.told]))
        held = self.held[ref]
        if how == "revoked" and held.started:
            return  # no worker says so, and the master refuses it
        report = {
            "started": started(ref),
            "ended": replace(ended(ref), started_age_s=LONG_S),
            "failed": replace(ended(ref, 3), started_age_s=LONG_S),
            "lost": lost(ref),
            "revoked": Report(ref, ReportKind.REVOKED),
        }[how]
        if how == "started":
            held.started = True
        self.master.report(held.worker, report)
        if how != "started":
            self._over(ref)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """Asks the worker to stop: the capacity stays held until it answers."""
        task_id = data.draw(st.sampled_from(sorted(ref.task_id for ref in self.held)))
        self.requests += 1
        self.master.apply(Cancel(Request("ann", f"c{self.requests}", ""), task_id, ""))

    @rule()
    def sweep(self) -> None:
        """Withdrawn is what expired before its order left; lost is what is beyond lease and margin; nothing else."""
        expired = {r for r, h in self.held.items() if not h.told and self.now > h.expires_s}
        over = {
            r for r, h in self.held.items() if h.told and self.now > h.lease_from_s + LEASE_S + LEASE_MARGIN_S
        }
        before = {ref: self.master.state.attempts[ref.task_id] for ref in self.held}
        self.master.cleanup.run_once(self.clock.now())
        self.master.commit()
        for ref in self.held:
            attempt = self.master.state.attempts[ref.task_id]
            if ref in expired:
                assert attempt.state is AttemptState.REVOKED
            elif ref in over:
                assert attempt.state is AttemptState.LOST
            else:
                assert attempt == before[ref], "what may still live was taken back"
        for ref in expired | over:
            self._over(ref)

    @rule()
    def restart(self) -> None:
        """Nothing about time is on disk: every lease begins anew, and every order may have left before."""
        self.master.kill()
        self.master = OneThreadMaster(self.folder, self.clock)
        self.master.register(*WORKERS)
        self.on_the_way.clear()
        self._told(set(self.held))

    @invariant()
    def capacity_is_what_is_held(self) -> None:
        if not hasattr(self, "master"):
            return
        for worker, view in zip(WORKERS, self.master.registry.views(self.now), strict=True):
            mine = [held for held in self.held.values() if held.worker is worker]
            taken = Resources(sum(held.cpu_milli for held in mine), 0, len(mine))
            assert view.free == worker.capacity.minus(taken)
            assert min(view.free.amounts()) >= 0, "more is given than there is"
        waiting = {t.id for t in self.master.state.tasks.values() if t.state is TaskState.PENDING}
        assert len(self.master.queue) == len(waiting)

    def teardown(self) -> None:
        if hasattr(self, "master"):
            self.master.kill()
            shutil.rmtree(self.folder)

    @property
    def now(self) -> float:
        """Steady seconds."""
        return self.clock.now().steady_s

    def _heartbeat(self, worker: WorkerProfile, listed: list[AttemptRef]) -> None:
        mine = {ref for ref, held in self.held.items() if held.worker is worker}
        renewed, _ = self.master.registry.heartbeat(worker.id, WorkerUsage(), listed, self.now)
        assert set(renewed) == set(listed) & mine, (
            "a heartbeat renews exactly what it lists and what is live here"
        )
        for ref in mine:
            if self.held[ref].told:
                self.held[ref].lease_from_s = self.now

    def _told(self, refs: set[AttemptRef]) -> None:
        for ref in refs:
            self.held[ref].told, self.held[ref].lease_from_s = True, self.now

    def _over(self, ref: AttemptRef) -> None:
        del self.held[ref]
        self.gone.append(ref)


Leases.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestLeases = Leases.TestCase
