"""This module says to people what went wrong and what to do next, and never shows a traceback unasked."""

from __future__ import annotations

import os
import traceback
from typing import TYPE_CHECKING

from ganger.render import note

if TYPE_CHECKING:
    from ganger_core.domain.errors import GangerError


_OPTIONS = {
    "after": "--after",
    "backoff": "--backoff",
    "cpus": "--cpus",
    "deadline": "--deadline",
    "grace": "--grace",
    "lost_after": "--lost-after",
    "memory": "--mem",
    "never_retry_on": "--never-retry-on",
    "not_before": "--at",
    "on_dependency_failure": "--on-dependency-failure",
    "on_worker_lost": "--on-worker-lost",
    "publish": "--publish",
    "queue_timeout": "--queue-timeout",
    "retries": "--retries",
    "retry_on": "--retry-on",
    "time": "--time",
    "warn": "--warn",
}
"""Options of the verbs below, by what the error of a bad one begins with."""
_ASK_FOR_TASK = ("run", "submit", "update")


def explain(error: GangerError, verb: str = "") -> str:
    """The error's cause, and for what a command line can cure, the cure; `verb` is the command that failed."""
    field, colon, rest = error.message.partition(": ")
    if colon and verb in _ASK_FOR_TASK and field in _OPTIONS:
        return f"{_OPTIONS[field]}: {rest}"
    if error.reason == "UNAUTHENTICATED":
        return f"{error.message} (the file `token` in the master's state folder)"
    return error.message


def tell(text: str) -> None:
    """One line about a failure, to stderr."""
    note(f"ganger: {text}")


def tell_crash(error: BaseException) -> None:
    """One line about an error in Ganger itself; the whole traceback with GANGER_DEBUG=1."""
    if os.environ.get("GANGER_DEBUG"):
        note("".join(traceback.format_exception(error)).rstrip())
        return
    tell(f"an error in Ganger itself: {type(error).__name__}: {error} (GANGER_DEBUG=1 shows where)")
