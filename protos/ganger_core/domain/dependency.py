"""This module says what it means that a task is to run after others: what has to come, and what if it cannot."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from ganger_core.domain.states import TASK_FINAL, TaskState

FAILED = frozenset({TaskState.FAILED, TaskState.TIMED_OUT, TaskState.EXPIRED})
"""The final states that a task comes to by itself and that are no success: a cancel is nobody's failure."""


class DependencyKind(StrEnum):
    """What has to become of the task that is waited for. It is judged once that is over, after all its attempts."""

    OK = "OK"  # it has SUCCEEDED; of an array, all elements have
    ANY = "ANY"  # it is over, however it ended
    FAIL = "FAIL"  # it has FAILED, TIMED_OUT or EXPIRED
    START = "START"  # it has begun to run; of an array, an element has
    EACH = "EACH"  # of two arrays, element by element: the one with the same index has SUCCEEDED


class OnDependencyFailure(StrEnum):
    """What becomes of a task once something that it waits for cannot come any more."""

    SKIP = "SKIP"  # it is SKIPPED, and so is what waits for it to succeed
    HOLD = "HOLD"  # it is held, until somebody releases it
    RUN = "RUN"  # it runs all the same
    FAIL = "FAIL"  # it fails


class Dependency(NamedTuple):
    """A task to wait for: of an array all of it, or one element by that one's own id.

    Until it is accepted, one that is submitted by the same call is -1 for the first of these, -2 for the second.
    """

    task_id: int
    kind: DependencyKind = DependencyKind.OK


class Verdict(StrEnum):
    """How a dependency stands."""

    WAITS = "WAITS"
    MET = "MET"
    NEVER = "NEVER"  # what it waits for cannot come any more


def judge(kind: DependencyKind, state: TaskState, has_begun: bool) -> Verdict:
    """How a dependency of this kind stands, on a task in this state that has begun to run or not.

    What waits element by element always waits as a whole: its elements have dependencies of their own.
    """
    if kind is DependencyKind.START and has_begun:
        return Verdict.MET
    if state not in TASK_FINAL:
        return Verdict.WAITS
    match kind:
        case DependencyKind.OK:
            is_met = state is TaskState.SUCCEEDED
        case DependencyKind.ANY:
            is_met = True
        case DependencyKind.FAIL:
            is_met = state in FAILED
        case DependencyKind.START:
            is_met = False
        case DependencyKind.EACH:
            return Verdict.WAITS
    return Verdict.MET if is_met else Verdict.NEVER
