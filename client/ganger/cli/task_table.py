"""This module shows tasks as a table: which columns there are, and what stands in them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ganger import render
from ganger.layout import NOTHING, Column, clean, cpus, duration, size
from ganger.output import Result

if TYPE_CHECKING:
    from ganger.calls import TaskRow
    from ganger.documents import Document
    from ganger_core.domain.task import Task

COLUMNS = (
    Column("ID", right=True, key="label"),
    Column("NAME", least=10, key="name"),
    Column("STATE", paint=render.state_colour, key="state"),
    Column("PRI", right=True, key="priority", spare=True),
    Column("CPU", right=True, key="cpu_milli", spare=True),
    Column("MEM", right=True, key="memory_bytes", spare=True),
    Column("TIME", right=True, key="ran_s"),
    Column("WORKER", least=8, key="worker"),
    Column("REASON", least=20),
    Column("OWNER", least=8, key="owner", wide=True),
    Column("LABELS", least=12, key="labels", wide=True),
    Column("ATTEMPT", right=True, key="attempt", wide=True),
    Column("SUBMITTED", key="submitted_ms", wide=True),
    Column("STARTED", key="started_ms", wide=True),
    Column("FINISHED", key="finished_ms", wide=True),
    Column("COMMAND", least=12, key="command", wide=True),
)


def task_result(
    rows: Sequence[TaskRow],
    document: Callable[[TaskRow], Document],
    now_ms: int,
    tell: Callable[[], None] | None = None,
) -> Result[TaskRow]:
    """These tasks as a command's result: a table, unless `tell` says what people read."""
    return Result(
        "tasks",
        rows,
        document,
        lambda row: row.task.label,
        COLUMNS,
        lambda row: _cells(row, now_ms),
        {"ran_s": lambda row: ran_s(row.task, now_ms), "worker": lambda row: row.worker_name or None},
        tell,
    )


def _cells(row: TaskRow, now_ms: int) -> list[str]:
    task, spec = row.task, row.task.spec
    return [
        task.label,
        clean(spec.name or " ".join(spec.command)),
        task.state.value,
        str(spec.priority),
        cpus(spec.resources.cpu_milli),
        size(spec.resources.memory_bytes),
        ran_for(task, now_ms),
        clean(row.worker_name) or NOTHING,
        clean(short_reason(task)),
        clean(task.owner),
        clean(",".join(f"{key}={value}" for key, value in spec.labels)) or NOTHING,
        str(task.token or NOTHING),
        *(clock(at_ms) or NOTHING for at_ms in (task.submitted_ms, task.started_ms, task.finished_ms)),
        clean(" ".join(spec.command)),
    ]


def ran_s(task: Task, now_ms: int) -> float | None:
    """For how many seconds the task ran or has been running; None before it started."""
    return ((task.finished_ms or now_ms) - task.started_ms) / 1000 if task.started_ms else None


def ran_for(task: Task, now_ms: int) -> str:
    """How long the task ran or has been running; a dash before it started."""
    seconds = ran_s(task, now_ms)
    return NOTHING if seconds is None else duration(seconds)


def clock(at_ms: int) -> str:
    """A moment by this machine's clock; nothing for one that has not come."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at_ms / 1000)) if at_ms else ""


def short_reason(task: Task) -> str:
    """Why the task waits or how it ended, short enough for a table."""
    from ganger.wording import describe_counts, short_end

    outcome = task.outcome
    if task.array is not None:
        waits = f": {task.reason}" if task.reason and task.state == "PENDING" else ""
        return describe_counts(task.array) + waits
    if outcome is None or not task.is_final:
        return task.reason
    return short_end(outcome)
