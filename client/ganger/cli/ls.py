"""This module is `ganger ls`: the tasks, or the elements of an array, newest first."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ganger import render
from ganger.cli.labels import LabelsOption, read_labels
from ganger.cli.named import named_ids
from ganger.cli.session import Output, OutputOption, QuietOption, session_of
from ganger.layout import NOTHING, Column, clean, cpus, duration, size

if TYPE_CHECKING:
    from ganger.calls import TaskRow
    from ganger.client import Client
    from ganger_core.domain.array import Array
    from ganger_core.domain.states import TaskState
    from ganger_core.domain.task import Task

FINISHED_SHOWN = 20
WAITING_SHOWN = 20  # of an array, which may have a million
RUNNING_SHOWN = 200  # of an array

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
    label: LabelsOption,
    ids: Annotated[
        list[str] | None,
        typer.Argument(help="Only these, such as 42 or a name; of an array its elements.", metavar="ID..."),
    ] = None,
    everything: Annotated[bool, typer.Option("-a", "--all", help="All tasks, however old.")] = False,
    state: Annotated[
        str,
        typer.Option("-s", "--state", help="Only these states, such as running,failed.", metavar="STATE,..."),
    ] = "",
    name: Annotated[
        str, typer.Option("-n", "--name", help="Only those whose name begins like this.", metavar="TEXT")
    ] = "",
    output: OutputOption = Output.TABLE,
    quiet: QuietOption = False,
) -> None:
    """List tasks, the newest first: all that go on, and the newest 20 that are over; with -s, -l or -n all that fit.

    An array is one row; with its id, its elements are listed. TIME is how long a task has run; REASON is why it
    waits or how it ended, and of an array how far it is: done are the elements that are over, however they ended.
    """
    from ganger_core.domain.selection import Selection

    with session_of(context).client() as client:
        states, labels = _read_states(state), read_labels("-l", label)
        if ids:
            rows, hint = _named(client, ids, states, everything)
            chosen = Selection(tuple(labels.items()), name_prefix=name)
            rows = [row for row in rows if chosen.fits(row.task.spec)]
        elif state or everything or labels or name:
            rows, hint = list(client.tasks(states or None, labels=labels, name_prefix=name)), ""
        else:
            rows, hint = _recent(client)
    if quiet:
        for row in rows:
            render.say(row.task.label)
    elif output is Output.JSON:
        from ganger.documents import task_document

        render.document({"tasks": [task_document(row.task, row.worker_name) for row in rows]})
    else:
        now_ms = time.time_ns() // 1_000_000
        render.show_table(COLUMNS, [_cells(row, now_ms) for row in rows])
        if not rows:
            render.note(
                "no tasks yet: ganger run -- echo hello"
                if not (state or ids or labels or name)
                else "no such tasks"
            )
    if hint:
        render.note(hint)


def _recent(client: Client) -> tuple[list[TaskRow], str]:
    """What goes on and the newest that are over; what to say of older ones that were left out."""
    from ganger_core.domain.states import TASK_FINAL, TaskState

    live = list(client.tasks([state for state in TaskState if state not in TASK_FINAL]))
    over = list(client.tasks(sorted(TASK_FINAL), limit=FINISHED_SHOWN + 1))
    rows = {row.task.id: row for row in (*live, *over[:FINISHED_SHOWN])}
    hint = "older tasks that are over are not shown: ganger ls --all, or ganger ls -s failed"
    return _newest_first(rows.values()), hint if len(over) > FINISHED_SHOWN else ""


def _named(
    client: Client, ids: Sequence[str], states: Sequence[TaskState], everything: bool
) -> tuple[list[TaskRow], str]:
    """The tasks named and the elements of the arrays named; what to say of elements that were left out."""
    from ganger_core.domain.errors import NotFound

    labels = named_ids(client, ids)
    named = {row.task.id: row for row in client.tasks(task_ids=labels)}
    missing = [label for task_id, label in labels.items() if task_id not in named]
    if missing:
        raise NotFound(f"there is no task {', '.join(missing)}")
    rows: dict[int, TaskRow] = {}
    hints: list[str] = []
    for row in named.values():
        array = row.task.array
        if array is None:
            found = [row] if not states or row.task.state in states else []
        elif states or everything:
            there = [state for state, count in array.counts if count and state in states]
            found = list(client.tasks(there if states else None, array=row.task.id))
        else:
            found = _some_elements(client, row.task.id, array)
            if len(found) < len(array):
                label = row.task.label
                some = f"{len(found)} of {len(array)} elements of array {label} are shown"
                hints.append(f"{some}: ganger ls {label} --all, or ganger ls {label} -s failed")
        rows.update((each.task.id, each) for each in found)
    return _newest_first(rows.values()), "\n".join(hints)


def _some_elements(client: Client, array_id: int, array: Array) -> list[TaskRow]:
    """What goes on and the newest that wait or are over."""
    from ganger_core.domain.states import TASK_FINAL, TaskState

    there = sorted(state for state, count in array.counts if count)
    waiting = [state for state in there if state is TaskState.PENDING]
    over = [state for state in there if state in TASK_FINAL]
    going_on = [state for state in there if state not in (*waiting, *over)]
    limits = ((waiting, WAITING_SHOWN), (going_on, RUNNING_SHOWN), (over, FINISHED_SHOWN))
    return [row for states, limit in limits for row in client.tasks(states, array=array_id, limit=limit)]


def _newest_first(rows: Iterable[TaskRow]) -> list[TaskRow]:
    return sorted(rows, key=lambda row: row.task.id, reverse=True)


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
        task.label,
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
    from ganger.wording import describe_counts, short_end

    outcome = task.outcome
    if task.array is not None:
        waits = f": {task.reason}" if task.reason and task.state == "PENDING" else ""
        return describe_counts(task.array) + waits
    if outcome is None or not task.is_final:
        return task.reason
    return short_end(outcome)
