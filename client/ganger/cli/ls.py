"""This module is `ganger ls`: the tasks, newest first."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from ganger import render
from ganger.cli.session import Output, OutputOption, QuietOption, session_of
from ganger.layout import NOTHING, Column, clean, cpus, duration, size

if TYPE_CHECKING:
    from ganger.calls import TaskRow
    from ganger.client import Client
    from ganger_core.domain.states import TaskState
    from ganger_core.domain.task import Task

FINISHED_SHOWN = 20

COLUMNS = (
    Column("ID", right=True),
    Column("NAME", least=10),
    Column("STATE", paint=render.state_colour),
    Column("PRI", right=True),
    Column("CPU", right=True),
    Column("MEM", right=True),
    Column("TIME", right=True),
    Column("WORKER", least=8),
    Column("REASON", least=20),
)


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("ls", short_help="list tasks", epilog="Example: ganger ls -s running,pending")(ls)


def ls(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("-a", "--all", help="All tasks, however old.")] = False,
    state: Annotated[
        str,
        typer.Option("-s", "--state", help="Only these states, such as running,failed.", metavar="STATE,..."),
    ] = "",
    output: OutputOption = Output.TABLE,
    quiet: QuietOption = False,
) -> None:
    """List tasks, the newest first: all that go on, and the newest 20 that are over.

    TIME is how long a task has run; REASON is why it waits or how it ended.
    """
    with session_of(context).client() as client:
        if state or everything:
            rows, more = list(client.tasks(_read_states(state) or None)), False
        else:
            rows, more = _recent(client)
    if quiet:
        for row in rows:
            render.say(str(row.task.id))
    elif output is Output.JSON:
        from ganger.documents import task_document

        render.document({"tasks": [task_document(row.task, row.worker_name) for row in rows]})
    else:
        now_ms = time.time_ns() // 1_000_000
        render.show_table(COLUMNS, [_cells(row, now_ms) for row in rows])
        if not rows:
            render.note("no tasks yet: ganger run -- echo hello" if not state else "no such tasks")
    if more:
        render.note("older tasks that are over are not shown: ganger ls --all, or ganger ls -s failed")


def _recent(client: Client) -> tuple[list[TaskRow], bool]:
    """What goes on and the newest that are over; whether older ones were left out."""
    from ganger_core.domain.states import TASK_FINAL, TaskState

    live = list(client.tasks([state for state in TaskState if state not in TASK_FINAL]))
    over = list(client.tasks(sorted(TASK_FINAL), limit=FINISHED_SHOWN + 1))
    rows = {row.task.id: row for row in (*live, *over[:FINISHED_SHOWN])}
    return [rows[task_id] for task_id in sorted(rows, reverse=True)], len(over) > FINISHED_SHOWN


def _read_states(text: str) -> list[TaskState]:
    from ganger_core.domain.errors import Invalid
    from ganger_core.domain.states import TaskState

    names = [name.strip().upper() for name in text.split(",") if name.strip()]
    known = [state.value for state in TaskState]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise Invalid(f"-s {unknown[0].lower()}: no such state; there are {', '.join(known).lower()}")
    return [TaskState(name) for name in names]


def _cells(row: TaskRow, now_ms: int) -> list[str]:
    task, spec = row.task, row.task.spec
    return [
        str(task.id),
        clean(spec.name or " ".join(spec.command)),
        task.state.value,
        str(spec.priority),
        cpus(spec.resources.cpu_milli),
        size(spec.resources.memory_bytes),
        ran_for(task, now_ms),
        clean(row.worker_name) or NOTHING,
        clean(short_reason(task)),
    ]


def ran_for(task: Task, now_ms: int) -> str:
    """How long the task ran or has been running; a dash before it started."""
    if not task.started_ms:
        return NOTHING
    return duration(((task.finished_ms or now_ms) - task.started_ms) / 1000)


def short_reason(task: Task) -> str:
    """Why the task waits or how it ended, short enough for a table."""
    from ganger.wording import short_end

    outcome = task.outcome
    if outcome is None or not task.is_final:
        return task.reason
    return short_end(outcome)
