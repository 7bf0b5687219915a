"""This module plants bugs into production code, one at a time, to prove that the simulator finds them.

Each is one of the mistakes that the rules of the protocol exist to prevent.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from ganger_core.domain.errors import StaleAttempt
from ganger_core.domain.states import ATTEMPT_FINAL

Patches = Mapping[str, Any]
"""What to put where: `package.module:name` or `package.module:Class.name`."""


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
    from ganger_master.registry import Reservation

    def reserve_live(state: Any, registry: Any, rules: Any, now: Any) -> None:
        for attempt in state.attempts.values():
            if attempt.state not in ATTEMPT_FINAL:
                request = state.tasks[attempt.ref.task_id].spec.resources
                held = Reservation(attempt.worker_id, request, now.steady_s, -1e9, attempt.lease_s, told=True)
                registry.reserve(attempt.ref, held)

    return {"simulation.master:reserve_live": reserve_live}


def _released_twice() -> Patches:
    def release(self: Any, ref: Any, worker_id: str) -> None:
        entry = self._workers[worker_id]
        request = entry.held.pop(ref).request
        entry.free = entry.free.plus(request).plus(request)

    return {"ganger_master.registry:WorkerRegistry.release": release}


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
        return replace(attempt, state=moves.get(event, AttemptState.LOST))

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
    return {"ganger_master.registry:WorkerRegistry.relet": lambda self, ref, worker_id, lease_s: None}


def _policy_forgotten() -> Patches:
    """A task that was to fail when its worker is lost waits again."""
    return {"ganger_master.losing:_why_final": lambda task: ""}


BUGS: dict[str, Callable[[], Patches]] = {
    "ack before commit": _ack_before_commit,
    "token unchecked": _token_unchecked,
    "told assignment withdrawn on expiry": _told_assignment_expires,
    "no restart grace": _no_restart_grace,
    "reservation released twice": _released_twice,
    "lease not enforced": _lease_not_enforced,
    "no lease margin": _lease_from_receipt_margin_gone,
    "exits not kept for a restarted worker": _exits_not_kept,
    "repeated request not known": _request_forgotten,
    "ended attempt moves again": _final_task_moves,
    "admission trusts the plan": _admission_trusts_the_plan,
    "cancelled task queued again": _cancel_forgotten_on_loss,
    "aged attempt keeps its lease": _aged_attempt_keeps_its_lease,
    "task that was to fail is tried again": _policy_forgotten,
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
