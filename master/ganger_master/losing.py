"""This module decides what a lost attempt means for its task: another attempt, or the end of it. Pure.

By the time an attempt is lost here it cannot live any more: its worker confirmed that, its lease and the margin
are over, or an operator said that its host is dead (`ganger worker fence`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from ganger_core.domain.clock import Instant
from ganger_core.domain.states import AttemptEvent, TaskEvent, TaskState
from ganger_core.domain.task import Attempt, AttemptRef, OnWorkerLost, Outcome, OutcomeKind, Task
from ganger_master.changes import (
    Answer,
    Answered,
    Change,
    Enqueue,
    Fence,
    LoseAttempt,
    Rest,
    Revoke,
    Withdraw,
)
from ganger_master.handing import ask_back, vacate
from ganger_master.moves import live, move, put, step_attempt
from ganger_master.remembering import answer_of
from ganger_master.state import State

MOST_CRASHES = 3
"""A task whose attempts were lost this often while they ran may be what kills its workers: it fails."""

_TAKEN = {AttemptEvent.REJECTED: "refused", AttemptEvent.REVOKED: "taken back"}


@dataclass(frozen=True, slots=True)
class Loss:
    """Why an attempt is lost, and whether that may be the task's own doing."""

    why: str
    is_crash: bool


def take_back(state: State, command: Withdraw | LoseAttempt | Revoke, now: Instant) -> tuple[Change, Answer]:
    """The master gives an attempt up, or asks for it; one that lives no more is left alone."""
    found = live(state, command.ref)
    if found is None:
        return Change(), None
    task, attempt = found
    if isinstance(command, Revoke):
        return ask_back(attempt, command.reason), None
    if isinstance(command, Withdraw):
        return give_back(state, task, attempt, AttemptEvent.REVOKED, command.reason, now), None
    loss = Loss(command.reason, is_crash=bool(attempt.started_ms) and not command.orderly)
    return lose(state, task, attempt, loss, now), None


def fence(state: State, command: Fence, now: Instant) -> tuple[Change, Answer]:
    """The host is dead: everything that it had is lost. Answer: how many attempts these are."""
    known = answer_of(state.requests, command.request)
    if known is not None:
        return Change(), int(known)
    change, given_up = Change(), 0
    why = f"worker {command.worker_name} was fenced by {command.request.owner}"
    for ref in command.refs:
        found = live(state, ref)
        if found is not None:
            loss = Loss(why, is_crash=bool(found[1].started_ms))
            # The numbers of events follow those of the attempts before, which are not in the state yet.
            lose(state, *found, loss, now, change, gone=command.refs)
            given_up += 1
    change.answered.append(Answered(command.request, str(given_up), now.wall_ms, 0, 0))
    return change, given_up


def give_back(
    state: State,
    task: Task,
    attempt: Attempt,
    event: AttemptEvent,
    why: str,
    now: Instant,
    handed_to: AttemptRef | None = None,
) -> Change:
    """The attempt never ran, refused by its worker or taken back: the task waits again, or is cancelled as asked."""
    attempt = step_attempt(attempt, event, ended_ms=now.wall_ms)
    change = Change()
    vacate(state, change, attempt, handed_to)
    if event is AttemptEvent.REJECTED:
        change.effects.append(Rest(attempt.worker_id, why))
    if task.state is TaskState.STOPPING and not attempt.drained:
        return put(state, change, _cancelled(task, now), now, attempt)
    why = task.reason if attempt.drained else why
    task = move(task, TaskEvent.WITHDRAWN, started_ms=0, reason=_told(attempt, _TAKEN[event], why))
    change.effects.append(Enqueue(task))
    return put(state, change, task, now, attempt)


def lose(
    state: State,
    task: Task,
    attempt: Attempt,
    loss: Loss,
    now: Instant,
    change: Change | None = None,
    *,
    handed_to: AttemptRef | None = None,
    gone: Collection[AttemptRef] = (),
) -> Change:
    """The attempt is lost: its task is cancelled if that was asked, fails if it must, or waits again.

    One that was drained costs its task nothing, however it came to its end.
    """
    change = Change() if change is None else change
    ends = task.state is TaskState.STOPPING and not attempt.drained
    kind = OutcomeKind.CANCELLED if ends else OutcomeKind.LOST
    attempt = step_attempt(
        attempt,
        AttemptEvent.LOST,
        ended_ms=now.wall_ms,
        outcome=Outcome(kind, message=loss.why),
    )
    vacate(state, change, attempt, handed_to, gone)
    task = replace(task, crashes=task.crashes + (loss.is_crash and not attempt.drained))
    if ends:
        return put(state, change, _cancelled(task, now), now, attempt)
    reason = _told(attempt, "lost", loss.why)
    final = "" if attempt.drained else _why_final(task)
    if final:
        ended = Outcome(OutcomeKind.LOST, message=f"{final}: {reason}")
        task = move(
            task,
            TaskEvent.FAILED,
            reason=ended.message,
            started_ms=attempt.started_ms,
            finished_ms=now.wall_ms,
            outcome=ended,
        )
        return put(state, change, task, now, attempt)
    task = move(task, TaskEvent.REQUEUED, started_ms=0, reason=reason)
    change.effects.append(Enqueue(task))
    return put(state, change, task, now, attempt)


def put_back(state: State, change: Change, task: Task, attempt: Attempt, now: Instant) -> Change:
    """The attempt was stopped to empty its worker, and has ended: the task waits again, with the rank that it had."""
    ended = replace(attempt.outcome or Outcome(OutcomeKind.DRAINED), kind=OutcomeKind.DRAINED)
    attempt = attempt._replace(outcome=replace(ended, message=task.reason))
    task = move(task, TaskEvent.REQUEUED, started_ms=0, reason=_told(attempt, "stopped", task.reason))
    change.effects.append(Enqueue(task))
    return put(state, change, task, now, attempt)


def _why_final(task: Task) -> str:
    """Why there is no further attempt; empty when there is one."""
    if task.spec.on_worker_lost is OnWorkerLost.FAIL:
        return "was to fail when its worker is lost"
    if task.crashes >= MOST_CRASHES:
        return f"was lost {task.crashes} times while it ran, which may be its own doing"
    return ""


def _cancelled(task: Task, now: Instant) -> Task:
    ended = Outcome(OutcomeKind.CANCELLED, message=task.reason)
    return move(task, TaskEvent.CANCELLED, finished_ms=now.wall_ms, outcome=ended)


def _told(attempt: Attempt, word: str, why: str) -> str:
    return f"attempt {attempt.ref.token} on {attempt.worker_name} was {word}" + (f": {why}" if why else "")
