"""This module decides exit codes.

In `run` and `wait` a code is the task's own; 124 means out of time, and 125 Ganger's own failure. In `plan` it is the
answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ganger_core.domain.task import Task

OK, REFUSED, USAGE = 0, 1, 2
TIMED_OUT = 124
OWN_FAILURE = 125
INTERRUPTED = 130  # 128 + SIGINT
PIPE_CLOSED = 141  # 128 + SIGPIPE: the reader of our output went away
NOTHING_STARTS, STARTS, NEVER_STARTS, NO_PLAN = 0, 1, 2, 255  # of `ganger plan`
_NOT_ITS_OWN = frozenset(
    {"CANCELLED", "LOST", "EXPIRED", "UNKILLABLE", "SKIPPED"}
)  # ends whose exit code says nothing
PASS_THROUGH = frozenset({"run", "wait"})  # commands whose exit code is a task's
PASSES_THROUGH = "ganger.passes_through"  # set in a context's `meta`: so is that of this command line


def failure_of(command: str | None, code: int, env: Mapping[str, str], *, passes_through: bool) -> int:
    """The code for a failure of this command: `code`, unless its codes say something else."""
    if command == "plan":
        return NO_PLAN
    return own_failure(env) if command in PASS_THROUGH or passes_through else code


def own_failure(env: Mapping[str, str]) -> int:
    """The code for a failure of Ganger's own in a pass-through command: GANGER_EXIT_ERROR or 125."""
    text = env.get("GANGER_EXIT_ERROR", "")
    return int(text) if text.isascii() and text.isdigit() and int(text) <= 255 else OWN_FAILURE


def task_code(task: Task, env: Mapping[str, str]) -> int:
    """The exit code that stands for how a task ended: its own, or Ganger's where it has none of its own."""
    outcome = task.outcome
    if outcome is not None and outcome.kind == "TIMED_OUT":
        return TIMED_OUT
    if outcome is None or outcome.exit_code is None or outcome.kind in _NOT_ITS_OWN:
        return OK if task.state == "SUCCEEDED" else own_failure(env)
    return outcome.exit_code


def code_after(task: Task, signal: int | None, env: Mapping[str, str]) -> int:
    """The code of a task that got this signal from us: what it made of it, or what stands for the signal."""
    if signal is None or task.state != "CANCELLED":
        return task_code(task, env)
    return (task.outcome.exit_code if task.outcome else None) or 128 + signal


def highest(tasks: Iterable[Task], env: Mapping[str, str]) -> int:
    """The highest code of several tasks."""
    return max((task_code(task, env) for task in tasks), default=OK)
