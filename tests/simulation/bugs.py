"""This module plants bugs into production code, one at a time, to prove that the simulator finds them.

Each is one of the mistakes that the rules of the protocol exist to prevent.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from ganger_core.domain.errors import StaleAttempt
from ganger_core.domain.states import WORKER_MOVES, WorkerEvent, advance
from simulation.after_bugs import AFTER_BUGS
from simulation.array_bugs import ARRAY_BUGS, Patches
from simulation.cordon_bugs import CORDON_BUGS
from simulation.output_bugs import OUTPUT_BUGS


def _ack_before_commit() -> Patches:
    async def passed(self: Any, ticket: int) -> None:
        return

    return {"ganger_master.gate:DurableGate.passed": passed}


def _token_unchecked() -> Patches:
    def current(state: Any, ref: Any, worker_id: str) -> Any:
        task, attempt = state.tasks.get(ref.task_id), state.attempts.get(ref.task_id)
        if task is None or attempt is None:
            raise StaleAttempt("gone")
        return task, attempt

    return {"ganger_master.reported:current": current}


def _told_assignment_expires() -> Patches:
    def overdue(self: Any, now_s: float, margin_s: float) -> Any:
        held = [pair for entry in self._workers.values() for pair in entry.held.items()]
        return (
            [ref for ref, r in held if now_s > r.expires_s],
            [
                ref
                for ref, r in held
                if r.told and r.lease_s and now_s > r.lease_from_s + r.lease_s + margin_s
            ],
        )

    return {"ganger_master.registry:WorkerRegistry.overdue": overdue}


def _no_restart_grace() -> Patches:
    from ganger_master.loaded import reserve_live as real

    def reserve_live(state: Any, registry: Any, rules: Any, now: Any) -> None:
        real(state, registry, rules, now)
        for entry in registry._workers.values():
            entry.held = {ref: replace(held, lease_from_s=-1e9) for ref, held in entry.held.items()}

    return {
        "simulation.master:reserve_live": reserve_live,
        "testkit.one_thread:reserve_live": reserve_live,
    }


def _released_twice() -> Patches:
    def release(self: Any, attempt: Any) -> Any:
        entry = self._workers[attempt.worker_id]
        held = entry.held.pop(attempt.ref)
        entry.free = entry.free.plus(held.request).plus(held.request)
        return held

    return {"ganger_master.registry:WorkerRegistry._release_locked": release}


def _handed_over_and_freed() -> Patches:
    from ganger_master.registry import WorkerRegistry

    real = WorkerRegistry._hand_over_locked

    def hand_over(self: Any, attempt: Any, to: Any) -> Any:
        held = real(self, attempt, to)
        entry = self._workers[attempt.worker_id]
        entry.free = entry.free.plus(held.request)
        return held

    return {"ganger_master.registry:WorkerRegistry._hand_over_locked": hand_over}


def _behind_starts_at_once() -> Patches:
    from ganger_worker.decisions import _on_start as real

    def on_start(order: Any, *others: Any) -> Any:
        return real(replace(order, behind=False), *others)

    return {"ganger_worker.decisions:_on_start": on_start}


def _started_is_given_back() -> Patches:
    from ganger_core.domain.task import ReportKind, RevokeOrder
    from ganger_worker.decisions import Tell
    from ganger_worker.decisions import settle as real

    def settle(batch: Any, held: Any, *others: Any) -> Any:
        asked = [order.ref for order in batch.orders if isinstance(order, RevokeOrder) and order.ref in held]
        return [*real(batch, held, *others), *(Tell(ref, ReportKind.REVOKED, "given back") for ref in asked)]

    return {"ganger_worker.agent:settle": settle}


def _lease_not_enforced() -> Patches:
    def extend(self: Any, items: Any) -> None:
        for item in items:
            attempt = self._live.get((item["task"], item["token"]))
            if attempt is not None:
                attempt.deadline = float("inf")

    return {"ganger_worker.keeper_attempts:Attempts.extend": extend}


def _lease_from_receipt_margin_gone() -> Patches:
    return {"ganger_master.cleanup:LEASE_MARGIN_S": -10.0}


def _exits_not_kept() -> Patches:
    def note_exit(self: Any, exit_: Any) -> None:
        self.open.discard((exit_["task"], exit_["token"]))

    return {"ganger_worker.keeper_journal:Journal._note_exit": note_exit}


def _request_forgotten() -> Patches:
    return {"ganger_master.asked:answer_of": lambda requests, request: None}


def _final_task_moves() -> Patches:
    """A report of an attempt that has ended is taken again."""

    def step_attempt(attempt: Any, event: Any) -> Any:
        from ganger_core.domain.states import ATTEMPT_MOVES, AttemptState

        moves = ATTEMPT_MOVES[attempt.state]
        return attempt._replace(state=moves.get(event, AttemptState.LOST))

    return {f"ganger_master.{room}:step_attempt": step_attempt for room in ("reported", "losing")}


def _admission_trusts_the_plan() -> Patches:
    return {
        "ganger_master.planning:wrong": lambda plan, snapshot: "",
        "ganger_master.admission:_refusal": lambda assignment, planned_for, task, accepted, left: (
            None
            if task is not None and 0 <= assignment.worker < len(planned_for.worker_ids)
            else SimpleNamespace()
        ),
    }


def _cancel_forgotten_on_loss() -> Patches:
    """A task that is being stopped is queued again when its worker is lost."""
    from ganger_core.domain.states import TASK_MOVES, TaskEvent, TaskState

    moves = {state: dict(row) for state, row in TASK_MOVES.items()}
    moves[TaskState.STOPPING] |= {
        TaskEvent.REQUEUED: TaskState.PENDING,
        TaskEvent.WITHDRAWN: TaskState.PENDING,
        TaskEvent.CANCELLED: TaskState.PENDING,
    }
    return {"ganger_master.moves:TASK_MOVES": moves}


def _aged_attempt_keeps_its_lease() -> Patches:
    """The master goes on counting a lease that its worker was told to be over for good."""
    return {"ganger_master.registry:WorkerRegistry._relet_locked": lambda self, attempt: None}


def _policy_forgotten() -> Patches:
    """A task that was to fail when its worker is lost waits again."""
    return {"ganger_master.losing:_why_final": lambda task: ""}


def _read_before_its_ticket() -> Patches:
    """A read answers what is not on disk yet."""

    def see(self: Any, task_id: int) -> Any:
        from ganger_master.engine import Seen

        task = self._state.tasks.get(task_id)
        if task is None:
            return None
        return Seen(task, self._state.attempts.get(task_id), 0, self._state.next_seq - 1)

    return {"ganger_master.engine:Engine.see": see}


def _lease_from_receipt() -> Patches:
    """The worker counts from when an answer came, not from when it asked."""
    from ganger_worker import agent

    real = agent.Agent.renew

    def renew(self: Any, refs: Any, sent_s: float) -> None:
        real(self, refs, agent.boottime())

    return {"ganger_worker.agent:Agent.renew": renew}


def _id_issued_again() -> Patches:
    """The counter of task ids is not on disk: a restart begins after the highest task that still waits or runs."""
    from simulation.disk import Disk

    real = Disk.load

    def load(self: Any) -> Any:
        state = real(self)
        state.next_task_id = max(state.tasks, default=0) + 1
        return state

    return {"simulation.disk:Disk.load": load}


def _events_before_commit() -> Patches:
    """The feed tells what is not on disk."""
    from simulation.master import MasterDaemon

    real = MasterDaemon._submit

    def submit(self: Any, ticket: int, change: Any, next_task_id: int, leaving: Any) -> None:
        self.proc.later(0, self.feed.publish, leaving.events)
        real(self, ticket, change, next_task_id, replace(leaving, events=()))

    return {"simulation.master:MasterDaemon._submit": submit}


def _duplicate_order_started() -> Patches:
    """Orders are taken as often as they come, and the keeper starts a token again."""

    def carry_out(self: Any, batch: Any, generation: int) -> None:
        for order in batch.orders:
            self._agent._held.pop(order.ref, None)
        self._agent.carry_out(batch, self._session.lease_from_s)
        self._generation, self.applied_seq = generation, batch.order_seq

    return {
        "ganger_worker.orders:Orders._carry_out": carry_out,
        "ganger_worker.keeper_attempts:Attempts._may_start": lambda self, item: True,
    }


def _orders_before_commit() -> Patches:
    """A worker is told to start what is not on disk."""
    from simulation.master import MasterDaemon

    real = MasterDaemon._submit

    def submit(self: Any, ticket: int, change: Any, next_task_id: int, leaving: Any) -> None:
        self.proc.later(0, self.desk.post, ticket, leaving.orders)
        real(self, ticket, change, next_task_id, leaving)

    return {"simulation.master:MasterDaemon._submit": submit}


def _told_orders_wait_for_no_lease() -> Patches:
    """The master counts a told order's lease from when it left, also when the worker has shown up since."""

    def heartbeat(
        self: Any, worker_id: str, usage: Any, holding: Any, now_s: float, draining: bool = False
    ) -> Any:
        entry = self._workers[worker_id]
        was_lost = entry.liveness == "LOST"
        event = WorkerEvent.DRAINED if draining else WorkerEvent.HEARTBEAT
        entry.liveness = advance(WORKER_MOVES, entry.liveness, event)
        entry.seen_s, entry.usage = now_s, usage
        renewed = [ref for ref in holding if ref in entry.held]
        for ref in renewed:
            entry.held[ref] = replace(entry.held[ref], lease_from_s=now_s, told=True)
        return renewed, was_lost

    return {"ganger_master.registry:WorkerRegistry.heartbeat": heartbeat}


def _lease_from_before_the_wait() -> Patches:
    """A sync that waited for its commit counts leases from before it."""
    from ganger_master.orders import OrderDesk

    async def next_(self: Any, worker_id: str, box: Any) -> Any:
        began = self._clock.now()
        telling = self._engine.telling
        engine = SimpleNamespace(
            desired=self._engine.desired, telling=lambda worker, orders, now: telling(worker, orders, began)
        )
        parts = SimpleNamespace(_engine=engine, _gate=self._gate, _clock=self._clock, _batch=self._batch)
        return await real(parts, worker_id, box)

    real: Any = OrderDesk._next
    return {"ganger_master.orders:OrderDesk._next": next_}


def _numbers_begin_anew_unnoticed() -> Patches:
    """A registration that arrived twice leaves the worker deaf: it takes what comes for old."""
    from ganger_master.orders import OrderDesk

    real = OrderDesk.for_heartbeat

    async def for_heartbeat(self: Any, worker_id: str, incarnation: int, applied: int, holding: Any) -> Any:
        known = self._box(worker_id, incarnation).order_seq
        return await real(self, worker_id, incarnation, min(applied, known), holding)

    return {"ganger_master.orders:OrderDesk.for_heartbeat": for_heartbeat}


def _second_grace_after_a_suspend() -> Patches:
    """The keeper counts the grace after a lease from when it looks, not from when the lease was over."""
    from ganger_worker.keeper_attempts import LEASE_GRACE_S, Attempts

    real = Attempts._kill_by

    def kill_by(self: Any, attempt: Any, when: float) -> None:
        is_lease = when == attempt.deadline + LEASE_GRACE_S
        real(self, attempt, max(when, self._clock() + LEASE_GRACE_S) if is_lease else when)

    return {"ganger_worker.keeper_attempts:Attempts._kill_by": kill_by}


def _over_is_forgotten() -> Patches:
    """A worker forgets what was over: a sync that was on its way starts it."""
    from ganger_worker import agent

    real = agent.settle

    def settle(batch: Any, held: Any, lease_from_s: float, over: Any, closed: str) -> Any:
        return real(batch, held, lease_from_s, closed=closed)

    return {"ganger_worker.agent:settle": settle}


def _keeper_forgets_what_it_left() -> Patches:
    """A new keeper does not look after what a dead one started."""
    return {"ganger_worker.keeper_attempts:Attempts._tend_orphaned": lambda self, now: None}


BUGS: dict[str, Callable[[], Patches]] = {
    "ack before commit": _ack_before_commit,
    "read before its ticket": _read_before_its_ticket,
    "event published before commit": _events_before_commit,
    "order told before commit": _orders_before_commit,
    "id issued again": _id_issued_again,
    "repeated request not known": _request_forgotten,
    "token unchecked": _token_unchecked,
    "ended attempt moves again": _final_task_moves,
    "cancelled task queued again": _cancel_forgotten_on_loss,
    "reservation released twice": _released_twice,
    "capacity handed over and freed": _handed_over_and_freed,
    "behind starts at once": _behind_starts_at_once,
    "what has started is given back": _started_is_given_back,
    "admission trusts the plan": _admission_trusts_the_plan,
    "told assignment withdrawn on expiry": _told_assignment_expires,
    "no restart grace": _no_restart_grace,
    "no lease margin": _lease_from_receipt_margin_gone,
    "lease from receipt time": _lease_from_receipt,
    "told orders wait for no lease": _told_orders_wait_for_no_lease,
    "lease from before the wait": _lease_from_before_the_wait,
    "numbers of orders begin anew unnoticed": _numbers_begin_anew_unnoticed,
    "lease not enforced": _lease_not_enforced,
    "second grace after a suspend": _second_grace_after_a_suspend,
    "duplicate order started": _duplicate_order_started,
    "over is forgotten": _over_is_forgotten,
    "exits not kept for a restarted worker": _exits_not_kept,
    "keeper forgets what it left": _keeper_forgets_what_it_left,
    "aged attempt keeps its lease": _aged_attempt_keeps_its_lease,
    "task that was to fail is tried again": _policy_forgotten,
    **ARRAY_BUGS,
    **CORDON_BUGS,
    **AFTER_BUGS,
    **OUTPUT_BUGS,
}


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Production code with this bug."""
    before = []
    for place, bug in BUGS[name]().items():
        module, _, path = place.partition(":")
        owner: Any = importlib.import_module(module)
        *outer, attribute = path.split(".")
        for step in outer:
            owner = getattr(owner, step)
        before.append((owner, attribute, getattr(owner, attribute)))
        setattr(owner, attribute, bug)
    try:
        yield
    finally:
        for owner, attribute, value in before:
            setattr(owner, attribute, value)
