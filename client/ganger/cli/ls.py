"""This module is `ganger ls`: the tasks, or the elements of an array, newest first."""

from __future__ import annotations

import dataclasses
import itertools
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from ganger import render
from ganger.cli import exits
from ganger.cli.completing import complete_ids, complete_states
from ganger.cli.labels import LabelsOption, read_labels
from ganger.cli.named import named_ids
from ganger.cli.output_options import with_list_output
from ganger.cli.session import session_of
from ganger.cli.task_table import task_result
from ganger.output import Form, Output, Result, lines_of

if TYPE_CHECKING:
    from ganger.calls import TaskRow
    from ganger.client import Client
    from ganger_core.domain.array import Array
    from ganger_core.domain.states import TaskState

FINISHED_SHOWN = 20
QUEUED_SHOWN = 200  # of what waits; there may be a hundred thousand
WAITING_SHOWN = 20  # of an array, which may have a million
RUNNING_SHOWN = 200  # of an array
WATCH_EVERY_S = 1.0


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("ls", short_help="list tasks", epilog="Example: ganger ls -s running,pending")(
        with_list_output(ls)
    )


@dataclass(frozen=True)
class Wanted:
    """Which tasks are asked for: nothing given stands for all that go on and the newest that are over."""

    ids: Sequence[str] = ()
    states: Sequence[TaskState] = ()
    everything: bool = False
    since_ms: int = 0
    limit: int | None = None
    labels: tuple[tuple[str, str], ...] = ()
    name_prefix: str = ""

    def of(self, rows: Iterable[TaskRow]) -> Iterator[TaskRow]:
        """Those of these rows, newest first, that are new enough."""
        new = itertools.takewhile(lambda row: row.task.submitted_ms >= self.since_ms, rows)
        return itertools.islice(new, self.limit)


def ls(
    context: typer.Context,
    label: LabelsOption,
    ids: Annotated[
        list[str] | None,
        typer.Argument(
            help="Only these, such as 42 or a name; of an array its elements.",
            metavar="ID...",
            autocompletion=complete_ids,
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("-a", "--all", help="All tasks, however old.")] = False,
    state: Annotated[
        str,
        typer.Option(
            "-s",
            "--state",
            help="Only these states, such as running,failed.",
            metavar="STATE,...",
            autocompletion=complete_states,
        ),
    ] = "",
    name: Annotated[
        str, typer.Option("-n", "--name", help="Only those whose name begins like this.", metavar="TEXT")
    ] = "",
    since: Annotated[
        str, typer.Option(help="Only what was submitted in this time, such as 2h.", metavar="DURATION")
    ] = "",
    limit: Annotated[
        int | None, typer.Option(help="At most so many, the newest.", metavar="NUMBER", min=1)
    ] = None,
    watch: Annotated[
        bool, typer.Option("-w", "--watch", help="Show the list again every second, until Ctrl-C.")
    ] = False,
    *,
    out: Output,
) -> None:
    """List tasks, the newest first: all that go on, and the newest 20 that are over; with -s, -l or -n all that fit.

    An array is one row; with its id, its elements are listed. TIME is how long a task has run; REASON is why it
    waits or how it ended, and of an array how far it is: done are the elements that are over, however they ended.
    """
    from ganger_core.domain.errors import Invalid
    from ganger_core.domain.parse import parse_duration

    if watch and not (out.is_for_people and render.stdout_is_terminal()):
        raise Invalid("-w redraws a terminal, and stdout is none or -o names another form: leave -w out")
    ago_s = parse_duration(since, "--since") if since else None
    labels = tuple(read_labels("-l", label).items())
    asked = Wanted(tuple(ids or ()), tuple(_read_states(state)), everything, 0, limit, labels, name)
    with session_of(context).client() as client:
        if watch:
            _watch(client, asked, ago_s, out)
        now_ms = time.time_ns() // 1_000_000
        asked = dataclasses.replace(asked, since_ms=_since_ms(ago_s, now_ms))
        rows, hint = find(client, asked)
    out.write(_result(rows, now_ms))
    if out.is_for_people and not rows:
        anything = asked == Wanted()
        render.note("no tasks yet: ganger run -- echo hello" if anything else "no such tasks")
    if hint:
        render.note(hint)


def _since_ms(ago_s: float | None, now_ms: int) -> int:
    return 0 if ago_s is None else max(0, now_ms - round(ago_s * 1000))


def _result(rows: Sequence[TaskRow], now_ms: int) -> Result[TaskRow]:
    from ganger.documents import task_document

    return task_result(rows, lambda row: task_document(row.task, row.worker_name), now_ms)


def _watch(client: Client, wanted: Wanted, ago_s: float | None, out: Output) -> None:
    """Draw the list again and again, until Ctrl-C ends the command: first what runs, for not all may have room."""
    from ganger.screen import Screen

    screen, pause = Screen(), threading.Event()
    try:
        while True:
            now_ms = time.time_ns() // 1_000_000
            rows, _ = find(client, dataclasses.replace(wanted, since_ms=_since_ms(ago_s, now_ms)))
            rows.sort(key=lambda row: (row.task.is_final, row.task.state == "PENDING"))
            width = render.width() if out.form is Form.TABLE else None
            tasks = "1 task" if len(rows) == 1 else f"{len(rows)} tasks"
            at = time.strftime("%H:%M:%S", time.localtime(now_ms / 1000))
            head = f"{tasks} at {at}; Ctrl-C ends this"
            screen.draw([head, "", *lines_of(_result(rows, now_ms), out, width)])
            pause.wait(WATCH_EVERY_S)
    except KeyboardInterrupt:
        raise typer.Exit(exits.INTERRUPTED) from None


def find(client: Client, wanted: Wanted) -> tuple[list[TaskRow], str]:
    """The rows asked for, and what to say of others that were left out."""
    from ganger_core.domain.selection import Selection

    if wanted.ids:
        chosen = Selection(wanted.labels, name_prefix=wanted.name_prefix)
        rows, hint = _named(client, wanted.ids, wanted.states, wanted.everything)
        return list(wanted.of(row for row in rows if chosen.fits(row.task.spec))), hint
    if wanted == Wanted():
        return _recent(client)
    found = client.tasks(
        wanted.states or None,
        labels=dict(wanted.labels),
        name_prefix=wanted.name_prefix,
        limit=wanted.limit,
    )
    return list(wanted.of(found)), ""


def _recent(client: Client) -> tuple[list[TaskRow], str]:
    """What goes on and the newest that are over; what to say of others that were left out."""
    from ganger_core.domain.states import TASK_FINAL, TaskState

    waits = list(client.tasks([TaskState.PENDING], limit=QUEUED_SHOWN + 1))
    goes_on = [state for state in TaskState if state not in TASK_FINAL and state is not TaskState.PENDING]
    over = list(client.tasks(sorted(TASK_FINAL), limit=FINISHED_SHOWN + 1))
    shown = (*client.tasks(goes_on), *waits[:QUEUED_SHOWN], *over[:FINISHED_SHOWN])
    hints = []
    if len(waits) > QUEUED_SHOWN:
        hints.append(f"the newest {QUEUED_SHOWN} that wait are shown: ganger ls -s pending lists all of them")
    if len(over) > FINISHED_SHOWN:
        hints.append("older tasks that are over are not shown: ganger ls --all, or ganger ls -s failed")
    return _newest_first({row.task.id: row for row in shown}.values()), "\n".join(hints)


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
