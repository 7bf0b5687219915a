"""This module decides what is remembered, and for how long: answers of requests, ended tasks, events. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from ganger_core.domain.errors import AlreadyExists
from ganger_core.domain.states import TASK_FINAL, TaskState
from ganger_core.domain.task import AttemptRef
from ganger_master.changes import Forget, Request
from ganger_master.state import State

CLOCK_STEP_MS = 3_600_000  # a larger jump of the wall clock is not believed at once
DISTRUST_S = 86_400.0  # how long after such a jump nothing is forgotten


@dataclass(frozen=True, slots=True)
class Keep:
    """How long things are kept after their end, in seconds. A task's attempts and logs go with the task."""

    ended_s: float  # tasks that succeeded or were cancelled
    failed_s: float  # tasks that ended otherwise
    events_s: float
    requests_s: float  # and as long as any of the tasks that they are about


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """What is older than these moments (Unix milliseconds) is forgotten."""

    tasks_ms: Mapping[TaskState, int]  # by final state
    events_ms: int
    requests_ms: int


def cutoffs(now_ms: int, keep: Keep) -> Cutoffs:
    """What is to be forgotten at `now_ms`."""
    soon = {TaskState.SUCCEEDED, TaskState.CANCELLED}
    return Cutoffs(
        tasks_ms={
            state: now_ms - round(1000 * (keep.ended_s if state in soon else keep.failed_s))
            for state in sorted(TASK_FINAL)
        },
        events_ms=now_ms - round(1000 * keep.events_s),
        requests_ms=now_ms - round(1000 * keep.requests_s),
    )


def forgettable(command: Forget, state: State) -> Forget:
    """The command without tasks that live, or whose array does: these are not forgotten, whoever asks.

    An element that was forgotten before its array is over would be taken for one that has not begun.
    """

    def lives(task_id: int) -> bool:
        task = state.tasks.get(task_id)
        return (task is not None and not task.is_final) or state.arrays.of(task_id) is not None

    return replace(command, task_ids=tuple(task_id for task_id in command.task_ids if not lives(task_id)))


class KnownOutputs(NamedTuple):
    """What is known of a task: its newest attempt, whether it is over, and whose outputs are stored (0: nobody's)."""

    token: int
    is_final: bool
    published: int


def is_unwanted(ref: AttemptRef, age_s: float, known: KnownOutputs | None, forget_after_s: float) -> bool:
    """Whether nobody needs what this attempt published `age_s` ago; only asked of attempts that are reported.

    What this master does not know (yet, or after a restore) is kept for as long as a task would be.
    """
    if known is None or ref.token > known.token:
        return age_s >= forget_after_s
    if ref.token < known.token:
        return True
    return known.is_final and known.published != ref.token


def answer_of(requests: Mapping[tuple[str, str], tuple[str, str]], request: Request) -> str | None:
    """The stored answer of this request, or None for a new one; raises `AlreadyExists` when its id is another's."""
    known = requests.get((request.owner, request.request_id))
    if known is None:
        return None
    digest, answer = known
    if digest != request.digest:
        raise AlreadyExists(
            f"request id {request.request_id} was used before for another request; make a new one",
            field="request_id",
        )
    return answer
