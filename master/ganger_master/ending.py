"""This module ends tasks that somebody wants ended: those that wait at once, those that live by their worker. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ganger_core.domain.clock import Instant
from ganger_core.domain.states import AttemptEvent, TaskEvent, TaskState
from ganger_core.domain.task import Attempt, Outcome, OutcomeKind, StopOrder, Task
from ganger_master.changes import Change, Dequeue, Tell
from ganger_master.moves import has_ended, move, put, step_attempt
from ganger_master.state import Rules, State


@dataclass(frozen=True, slots=True)
class Stopping:
    """How a live task is to be stopped: `signal` (0: none named), and how long until SIGKILL (None: none named)."""

    signal: int = 0
    grace_s: float | None = None


KIND_OF_UNBEGUN = {
    TaskState.CANCELLED: OutcomeKind.CANCELLED,
    TaskState.EXPIRED: OutcomeKind.EXPIRED,
    TaskState.SKIPPED: OutcomeKind.SKIPPED,
    TaskState.FAILED: OutcomeKind.SKIPPED,
}
"""How what waits may be over, and the kind of its outcome then."""


def withdraw_waiting(
    state: State, change: Change, task: Task, how: TaskState, why: str, now: Instant
) -> Task:
    """A task that waits is over: it is `how`, one of `KIND_OF_UNBEGUN`."""
    ended = Outcome(KIND_OF_UNBEGUN[how], message=why)
    task = move(task, TaskEvent[how.name], reason=why, finished_ms=now.wall_ms, outcome=ended)
    change.effects.append(Dequeue(task.id))
    put(state, change, task, now)
    return task


def stop(
    state: State,
    rules: Rules,
    change: Change,
    task: Task,
    why: str,
    how: Stopping,
    now: Instant,
    *,
    drained: bool = False,
) -> Task:
    """A live task is told to stop; one that is being stopped may be told to hurry. One without a process goes on.

    If that is only to empty its worker (`drained`) the task waits again; whoever wants it ended wins over that.
    """
    attempt = state.attempts[task.id]
    if task.state is TaskState.STOPPING:
        return _stop_again(state, rules, change, task, attempt, why, how, now)
    if has_ended(attempt):  # there is nothing left to stop, but it must not be tried again
        task = move(task, TaskEvent.STOP_ASKED, reason=why)
        put(state, change, task, now, attempt)
        return task
    number, grace_s = how.signal or attempt.stop_signal, _grace(rules, how, task)
    attempt = step_attempt(
        attempt, AttemptEvent.STOP_ASKED, stop_signal=number, stop_grace_s=grace_s, drained=drained
    )
    task = move(task, TaskEvent.STOP_ASKED, reason=why)
    change.effects.append(Tell(attempt.worker_id, stop_order(task, attempt)))
    put(state, change, task, now, attempt)
    return task


def stop_order(task: Task, attempt: Attempt) -> StopOrder:
    """What its worker is told of an attempt that is being stopped, at first and by every sync."""
    return StopOrder(attempt.ref, attempt.stop_grace_s, task.reason, attempt.stop_signal)


def _stop_again(
    state: State,
    rules: Rules,
    change: Change,
    task: Task,
    attempt: Attempt,
    why: str,
    how: Stopping,
    now: Instant,
) -> Task:
    """A shorter grace or another signal counts; a longer grace changes nothing. One that was drained ends now."""
    hurried = attempt if has_ended(attempt) else _hurried(rules, task, attempt, how)
    if attempt.drained:
        task = replace(task, reason=why, version=task.version + 1)
        put(state, change, task, now, hurried._replace(drained=False))
    elif hurried is not attempt:
        change.attempts.append(hurried)
    if hurried is not attempt:
        change.effects.append(Tell(attempt.worker_id, stop_order(task, hurried)))
    return task


def _hurried(rules: Rules, task: Task, attempt: Attempt, how: Stopping) -> Attempt:
    grace_s = min(_grace(rules, how, task), attempt.stop_grace_s)
    number = how.signal or attempt.stop_signal
    if (grace_s, number) == (attempt.stop_grace_s, attempt.stop_signal):
        return attempt
    return attempt._replace(stop_grace_s=grace_s, stop_signal=number)


def _grace(rules: Rules, how: Stopping, task: Task) -> float:
    return rules.grace_of(task.spec) if how.grace_s is None else how.grace_s
