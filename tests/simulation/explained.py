"""This module asks simulated masters why tasks stand as they do: what waits says why, whatever has happened."""

from __future__ import annotations

from ganger_core.domain.clock import Instant
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import Task
from ganger_master.explainer import Explainer
from ganger_master.state import State
from simulation.disk import Violation

ASKED_ABOUT = 1  # task that waits, and one that lives, each time


def says_why(explainer: Explainer, state: State, now: Instant) -> int:
    """Ask about some tasks that wait and some that live; returns how many. Raises `Violation`."""
    asked = 0
    for task in some(state):
        attempt = state.attempts.get(task.id)
        found = explainer.explain(task, [attempt] if attempt else [], now).explanation
        asked += 1
        if task.state is TaskState.PENDING and not (found.waiting and found.waiting.causes):
            raise Violation(f"I26 task {task.label} waits, and nothing keeps it: {found.waiting}")
        if task.array is None and task.state is not TaskState.PENDING and found.living is None:
            raise Violation(f"I26 task {task.label} is {task.state}, and nothing is said of that")
    return asked


def some(state: State) -> list[Task]:
    """The first few that wait, and the first few others that are not over."""
    going_on = [task for task in state.tasks.values() if not task.is_final]
    waiting = [task for task in going_on if task.state is TaskState.PENDING]
    others = [task for task in going_on if task.state is not TaskState.PENDING]
    return waiting[:ASKED_ABOUT] + others[:ASKED_ABOUT]
