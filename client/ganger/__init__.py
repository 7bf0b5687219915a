"""This module holds the SDK's public names; each is imported when it is first used, so that the CLI starts fast."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ganger.build import task_spec
    from ganger.calls import TaskRow, TaskStatus
    from ganger.client import Client
    from ganger.errors import (
        AlreadyExists,
        Conflict,
        DeadlineExceeded,
        Exhausted,
        GangerError,
        Invalid,
        NotFound,
        PermissionDenied,
        TaskFailed,
        Unauthenticated,
        Unavailable,
        WaitTimeout,
    )
    from ganger_core.domain.array import Array, Indices, Items
    from ganger_core.domain.cordon import Cordon
    from ganger_core.domain.explanation import Explanation
    from ganger_core.domain.forecast import Demand, Forecast, Outlook, Prospect
    from ganger_core.domain.outputs import OutputFile, Outputs, Publish
    from ganger_core.domain.resources import Resources
    from ganger_core.domain.states import TaskState
    from ganger_core.domain.task import (
        Attempt,
        Event,
        Limits,
        LogChunk,
        LogStream,
        OnWorkerLost,
        Outcome,
        OutcomeKind,
        Task,
        TaskSpec,
        WorkerView,
    )

__all__ = [
    "AlreadyExists",
    "Array",
    "Attempt",
    "Client",
    "Conflict",
    "Cordon",
    "DeadlineExceeded",
    "Demand",
    "Event",
    "Exhausted",
    "Explanation",
    "Forecast",
    "GangerError",
    "Indices",
    "Invalid",
    "Items",
    "Limits",
    "LogChunk",
    "LogStream",
    "NotFound",
    "OnWorkerLost",
    "Outcome",
    "OutcomeKind",
    "Outlook",
    "OutputFile",
    "Outputs",
    "PermissionDenied",
    "Prospect",
    "Publish",
    "Resources",
    "Task",
    "TaskFailed",
    "TaskRow",
    "TaskSpec",
    "TaskState",
    "TaskStatus",
    "Unauthenticated",
    "Unavailable",
    "WaitTimeout",
    "WorkerView",
    "task_spec",
]

_HOMES = {
    "ganger.build": ("task_spec",),
    "ganger.calls": ("TaskRow", "TaskStatus"),
    "ganger.client": ("Client",),
    "ganger.errors": (
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
    ),
    "ganger_core.domain.array": ("Array", "Indices", "Items"),
    "ganger_core.domain.forecast": ("Demand", "Forecast", "Outlook", "Prospect"),
    "ganger_core.domain.explanation": ("Explanation",),
    "ganger_core.domain.cordon": ("Cordon",),
    "ganger_core.domain.outputs": ("OutputFile", "Outputs", "Publish"),
    "ganger_core.domain.resources": ("Resources",),
    "ganger_core.domain.states": ("TaskState",),
    "ganger_core.domain.task": (
        "Attempt",
        "Event",
        "Limits",
        "LogChunk",
        "LogStream",
        "OnWorkerLost",
        "Outcome",
        "OutcomeKind",
        "Task",
        "TaskSpec",
        "WorkerView",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
