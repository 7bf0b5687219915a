"""This module decides whether a task is tried again after an attempt that ended badly, and how long that waits. Pure.

| cause | tried again | counts against the user's budget |
| --- | --- | --- |
| exit code, signal, nothing to execute (126, 127) | `Retry.limit` times, as its exit codes say | yes |
| run limit over | as these, if `Retry.on_timeout` | yes |
| the worker could not start it (125) | 3 times | no |
| attempt lost, its worker drained or gone | see `losing.py`: until 3 were lost while they ran | no |
| refused or taken back before it started | always, at once | no |
| cancelled, expired, unkillable, stopped while asked to | never | |
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from enum import Enum, auto

from ganger_core.domain.clock import Instant
from ganger_core.domain.retry import Retry
from ganger_core.domain.states import TaskEvent, TaskState
from ganger_core.domain.task import Attempt, Outcome, OutcomeKind, Task
from ganger_core.domain.waits import Waits
from ganger_master.changes import Change, Enqueue
from ganger_master.moves import move, put
from ganger_master.state import State

NOT_LAUNCHED = 125  # the exit code of an attempt that its worker could not start, whatever its command
MOST_FAULTS = 3
"""So often a task is tried again that no worker could start: what is wrong may be the task after all."""
LONGEST_BACKOFF_S = 600.0


class Cause(Enum):
    """Whose failure it was."""

    TASK = auto()
    WORKER = auto()


def try_again(
    state: State, change: Change, task: Task, attempt: Attempt, outcome: Outcome, now: Instant
) -> Change | None:
    """The task waits again after an attempt that ended like this; None when it is over."""
    if task.state is TaskState.STOPPING and not attempt.drained:
        return None
    cause = retried_for(task, outcome)
    if cause is None:
        return None
    if cause is Cause.TASK:
        task = replace(task, failures=task.failures + 1)
        count = f"retry {task.failures} of {task.spec.retry.limit}"
    else:
        task = replace(task, faults=task.faults + 1)
        count = f"retry {task.faults} of {MOST_FAULTS} after faults of workers"
    wait_s = backoff_s(task, attempt.ref.token)
    why = f"attempt {attempt.ref.token} on {attempt.worker_name} {outcome.message}; {count}"
    task = move(task, TaskEvent.RETRIED, started_ms=0, reason=why, waits=Waits(pause_s=wait_s))
    change.effects.append(Enqueue(task))
    return put(state, change, task, now, attempt)


def retried_for(task: Task, outcome: Outcome) -> Cause | None:
    """Why this task is tried again after an attempt that ended like this; None when it is not.

    One that somebody wants ended is not, whatever this says.
    """
    if outcome.kind is OutcomeKind.LAUNCH_FAILED and outcome.exit_code == NOT_LAUNCHED:
        return Cause.WORKER if task.faults < MOST_FAULTS else None
    return (
        Cause.TASK if task.failures < task.spec.retry.limit and is_wanted(task.spec.retry, outcome) else None
    )


def backoff_s(task: Task, token: int) -> float:
    """How long the task waits after its attempt `token`: exponential, with full jitter.

    The jitter is drawn from the attempt's name, so that the same decision is made of the same values. Full jitter:
    M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.
    """
    doubled = float(2 ** min(task.failures + task.faults - 1, 30))
    longest = min(LONGEST_BACKOFF_S, task.spec.retry.backoff_s * doubled)
    drawn = hashlib.blake2b(f"{task.id}.{token}".encode(), digest_size=4).digest()
    return longest * int.from_bytes(drawn) / 2**32


def is_wanted(retry: Retry, outcome: Outcome) -> bool:
    """Whether the user wants another try after this."""
    match outcome.kind:
        case OutcomeKind.TIMED_OUT:
            return retry.on_timeout
        case OutcomeKind.EXIT_NONZERO | OutcomeKind.SIGNALLED | OutcomeKind.LAUNCH_FAILED:
            code = outcome.exit_code
            named = code in retry.on if retry.on else not retry.on_timeout
            return named and code not in retry.never_on
        case _:
            return False
