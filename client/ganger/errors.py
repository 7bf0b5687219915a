"""This module names the errors that the SDK raises: Ganger's common tree and what only a client knows."""

from __future__ import annotations

from ganger.wording import describe_end, name_of
from ganger_core.domain.errors import (
    AlreadyExists,
    Conflict,
    DeadlineExceeded,
    Exhausted,
    GangerError,
    Invalid,
    NotFound,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
)
from ganger_core.domain.task import Task

__all__ = [
    "AlreadyExists",
    "Conflict",
    "DeadlineExceeded",
    "Exhausted",
    "GangerError",
    "Invalid",
    "NotFound",
    "PermissionDenied",
    "TaskFailed",
    "Unauthenticated",
    "Unavailable",
    "WaitTimeout",
]


class TaskFailed(GangerError):
    """A task ended without success; `task` is the whole of it and `exit_code` its code, if it came to one."""

    reason = "TASK_FAILED"

    def __init__(self, task: Task) -> None:
        super().__init__(f"{name_of(task)} {describe_end(task)}")
        self.task = task
        self.exit_code = task.outcome.exit_code if task.outcome else None


class WaitTimeout(DeadlineExceeded):
    """The time given for waiting is over; what was waited for goes on."""

    reason = "WAIT_TIMEOUT"
