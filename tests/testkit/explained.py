"""This module builds explanations for tests, and reads what is said of them."""

from __future__ import annotations

from ganger.layout import cell_width
from ganger.why.words import explain
from ganger_core.domain.explanation import Explanation
from ganger_core.domain.resources import Resources
from ganger_core.domain.states import AttemptState, TaskState
from ganger_core.domain.task import Attempt, AttemptRef, Outcome, Task, TaskSpec

GIB = 2**30
NOW_MS = 1_000_000
TWO_CPUS = Resources(2000, 4 * GIB, 1)


def clock(at_ms: int) -> str:
    """The moment in seconds."""
    return f"at {at_ms // 1000}"


def a_task(state: TaskState = TaskState.PENDING, outcome: Outcome | None = None, reason: str = "") -> Task:
    """Task 42, submitted 90 s ago; if it is over, for 5 s."""
    spec = TaskSpec(("x",), name="train", resources=TWO_CPUS)
    return Task(
        42,
        "ann",
        spec,
        state,
        NOW_MS - 90_000,
        reason=reason,
        token=1,
        finished_ms=NOW_MS - 5_000,
        outcome=outcome,
    )


def an_attempt(
    state: AttemptState = AttemptState.ENDED, outcome: Outcome | None = None, token: int = 1
) -> Attempt:
    """On w1, started 65 s ago; if it is over, for 5 s."""
    started = NOW_MS - 65_000
    return Attempt(
        AttemptRef(42, token),
        "id-w1",
        "w1",
        state,
        "planner",
        started - 1000,
        started_ms=started,
        ended_ms=NOW_MS - 5_000 if state is not AttemptState.RUNNING else 0,
        outcome=outcome,
        stdout_bytes=2048,
        lease_s=300.0,
        stop_grace_s=30.0,
    )


def said_of(explanation: Explanation) -> list[str]:
    """The lines, none of which is too wide."""
    lines = explain(explanation, clock)
    assert all(cell_width(line) <= 100 for line in lines), lines
    return lines
