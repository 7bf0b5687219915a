"""This module says why a live task is where it is: who placed it, what it has left, what becomes of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ganger.layout import clean, duration
from ganger.why.amounts import Moments, plural
from ganger_core.domain.explanation import IfLost, Living
from ganger_core.domain.states import AttemptState, TaskState, WorkerState
from ganger_core.domain.task import Attempt, OnWorkerLost, Task

_IF_LOST = {
    IfLost.REQUEUE: "the task waits again and gets another attempt, once the lease of this one is over",
    IfLost.WAIT: "the task stays with it, until it returns or `ganger worker fence {}` gives it up",
    IfLost.FAIL: "the task fails, as it was asked to (--on-worker-lost fail)",
    IfLost.CRASHED_TOO_OFTEN: "the task fails: it was lost with its worker too often",
    IfLost.CANCELLED: "the task ends as cancelled",
}


def living_lines(task: Task, attempts: Sequence[Attempt], living: Living, moments: Moments) -> Iterator[str]:
    """All that there is to say, line by line."""
    attempt = attempts[-1]
    worker = clean(attempt.worker_name)
    waited = duration((attempt.assigned_ms - task.submitted_ms) / 1000)
    yield (
        f"Placed on {worker} by {'the planner' if attempt.planned_by == 'planner' else clean(attempt.planned_by)} "
        f"at {moments.clock(attempt.assigned_ms)}, {waited} after it was submitted."
    )
    if living.waited_for:
        yield f"Before that it waited: {clean(living.waited_for)}."
    if living.behind:
        yield f"It has no room of its own yet: it starts on {worker} as soon as {living.behind} is over."
    elif living.went_behind:
        yield f"It was put behind {living.went_behind} there, to take its place without a pause."
    yield from _what_goes_on(task, attempt, moments)
    yield from _limits(task, attempt, moments)
    yield _lease(attempt, living)
    when = "As" if living.worker is WorkerState.LOST else "If"
    yield f"{when} {worker} is lost: {_IF_LOST[living.if_lost].format(worker)}.{_ages(task, attempt, living)}"


def _what_goes_on(task: Task, attempt: Attempt, moments: Moments) -> Iterator[str]:
    if attempt.state is AttemptState.ENDED:
        yield "Its process is over; the task is final once the rest of its output is there, or was waited for in vain."
    elif task.state is TaskState.STOPPING:
        grace = (
            f"; SIGKILL comes {duration(attempt.stop_grace_s)} after the signal"
            if attempt.stop_grace_s
            else ""
        )
        yield f"It is being stopped: {clean(task.reason) or 'somebody asked for it'}{grace}."
    elif attempt.state is AttemptState.ASSIGNED and not attempt.behind:
        yield "Its worker has not said yet that it took the order."
    elif attempt.state is AttemptState.STARTING:
        yield f"Its worker prepares it{': ' + clean(attempt.phase) if attempt.phase else ''}."


def _limits(task: Task, attempt: Attempt, moments: Moments) -> Iterator[str]:
    limit_s = task.spec.limits.run_s
    if limit_s and attempt.started_ms:
        left_s = limit_s - (moments.now_ms - attempt.started_ms) / 1000
        rest = f"{duration(left_s)} left" if left_s > 0 else "it is over: its worker stops it"
        yield f"Its run limit is {duration(limit_s)}: {rest}."


def _lease(attempt: Attempt, living: Living) -> str:
    worker = clean(attempt.worker_name)
    if living.worker is None:
        seen = f"{worker} is not known any more"
    elif living.worker in (WorkerState.LOST, WorkerState.SUSPECT):
        how = "lost" if living.worker is WorkerState.LOST else "late"
        seen = f"{worker} is {how}: silent for {duration(living.silent_s)}"
    else:
        none_new = "" if living.worker is WorkerState.UP else ", and takes no new work"
        seen = f"{worker} was heard of {duration(living.silent_s)} ago{none_new}"
    if living.lease_s is None:
        return f"It has no lease: it goes on however long its worker is silent; {seen}."
    return f"Its lease lasts {duration(living.lease_s)} without a further sign of its worker; {seen}."


def _ages(task: Task, attempt: Attempt, living: Living) -> str:
    if living.if_lost is IfLost.REQUEUE and task.spec.on_worker_lost is OnWorkerLost.BY_AGE:
        return " Once it has run for an hour it would stay with its worker instead."
    return ""


def history_lines(attempts: Sequence[Attempt], said: str = "", most: int = 5) -> Iterator[str]:
    """What became of earlier attempts, the last few of them; `said` is what the master said of the last one."""
    if len(attempts) > most:
        yield f"  {plural(len(attempts) - most, 'attempt')} before these"
    for attempt in attempts[-most:]:
        ran = ""
        if attempt.started_ms and attempt.ended_ms:
            ran = f" after {duration((attempt.ended_ms - attempt.started_ms) / 1000)}"
        why = f": {clean(attempt.outcome.message)}" if attempt.outcome and attempt.outcome.message else ""
        words = {
            AttemptState.LOST: f"was lost{ran}",
            AttemptState.REJECTED: "was refused by it",
            AttemptState.REVOKED: "was taken back before it started",
            AttemptState.ENDED: f"ended{ran}",
        }
        if said.startswith(f"attempt {attempt.ref.token} on "):
            yield f"  {clean(said)}"
            continue
        what = words.get(attempt.state, f"is {attempt.state.value}")
        yield f"  attempt {attempt.ref.token} on {clean(attempt.worker_name)} {what}{why}"
