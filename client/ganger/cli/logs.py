"""This module is `ganger logs`: the output of a task byte for byte, or of many with their labels before each line."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from ganger.cli import exits
from ganger.cli.forwarding import plain_interrupts
from ganger.cli.named import Choice, IdsArgument, LabelsOption, named_ids
from ganger.cli.session import session_of
from ganger.layout import clean
from ganger.render import TaskOutput, note, on_terminal

if TYPE_CHECKING:
    from ganger.calls import TaskRow
    from ganger.client import Client
    from ganger_core.domain.task import LogStream

AT_ONCE = 1_000  # tasks that are looked up together


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("logs", short_help="a task's output", epilog="Example: ganger logs -f last")(logs)


def logs(
    context: typer.Context,
    ids: IdsArgument,
    label: LabelsOption,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until the task is over.")] = False,
    lines: Annotated[
        int | None,
        typer.Option("-n", "--lines", help="The last lines of each stream.", metavar="NUMBER", min=0),
    ] = None,
    since: Annotated[
        str,
        typer.Option(help="What reached the master in this time, such as 10m.", metavar="DURATION"),
    ] = "",
    attempt: Annotated[
        int | None,
        typer.Option(
            "-a", "--attempt", help="Of this attempt instead of the newest.", metavar="NUMBER", min=1
        ),
    ] = None,
    stdout: Annotated[bool, typer.Option("--stdout", help="Only what went to stdout.")] = False,
    stderr: Annotated[bool, typer.Option("--stderr", help="Only what went to stderr.")] = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="With -f: exit with the task's code, as `ganger run`.")
    ] = False,
) -> None:
    """Write a task's stdout to stdout and its stderr to stderr, byte for byte.

    Of an array, or of several tasks, the output of one after the other is written, each line behind its task's label.
    A name, or how it begins, stands for the newest task of that name, -l for the newest that has the labels.

    Lines have no times of their own: --since begins with what reached the master in that time, which is all that was
    written in it, and maybe a little more. Ctrl-C ends -f, and leaves the task alone.
    """
    from ganger.build import seconds
    from ganger_core.domain.errors import Invalid
    from ganger_core.domain.task import LogStream

    context.meta[exits.PASSES_THROUGH] = exit_code
    if exit_code and not follow:
        raise Invalid("--exit-code is for -f: without it the task may go on")
    wanted = [LogStream.STDOUT] * stdout + [LogStream.STDERR] * stderr
    read = Reading(attempt or 0, lines, seconds(since or 0, "--since"), tuple(wanted) or tuple(LogStream))
    with session_of(context).client() as client:
        labels = named_ids(client, ids, label, Choice.ONE)
        if len(labels) > 1 or (not (follow or attempt) and _is_array(client, labels)):
            if follow or attempt or exit_code:
                raise Invalid(
                    "-f, --attempt and --exit-code are for one task at a time: name one, such as 42.7"
                )
            read.many(client, labels)
            return
        ((task_id, called),) = labels.items()
        try:
            with plain_interrupts():
                if follow and not attempt and on_terminal():
                    _tell_of_waiting(client, task_id)
                found = read.one(client, task_id, follow)
        except KeyboardInterrupt:
            note(f"\ndetached: following task {called} ends here, the task does not")
            raise typer.Exit(exits.INTERRUPTED) from None
        if not found and on_terminal():
            note(_why_nothing(client, task_id))
        if exit_code:
            raise typer.Exit(exits.highest(client.wait([task_id]), os.environ))


def _tell_of_waiting(client: Client, task_id: int) -> None:
    """Tell somebody who looks at an empty screen that the task has not started."""
    task = client.status(task_id).task
    if not task.token and not task.is_final:
        note(f"task {task.label} has not started{': ' + clean(task.reason) if task.reason else ''}")


def _why_nothing(client: Client, task_id: int) -> str:
    """What to tell somebody who sees no output."""
    task = client.status(task_id).task
    if task.is_final or task.token:
        return f"no output of task {task.label} to show; it is {task.state}"
    return f"task {task.label} has not started: ganger why {task.label} says why, ganger logs -f {task.label} waits"


def _is_array(client: Client, labels: Mapping[int, str]) -> bool:
    return any(client.status(task_id).task.array is not None for task_id in labels)


class Reading:
    """Which part of whose output is read."""

    def __init__(
        self, attempt: int, lines: int | None, since_s: float, streams: tuple[LogStream, ...]
    ) -> None:
        self._attempt = attempt
        self._lines = lines
        self._since_s = since_s
        self._streams = streams

    def one(self, client: Client, task_id: int, follow: bool) -> bool:
        """The output of one task as it is; whether there was any."""
        output, found = TaskOutput(), False
        chunks = client.logs(
            task_id,
            follow,
            attempt=self._attempt,
            lines=self._lines,
            since=self._since_s,
            streams=self._streams,
        )
        for chunk in chunks:
            output.write(chunk.data, error=chunk.stream == "STDERR")
            found = found or bool(chunk.data)
        output.end()
        return found

    def many(self, client: Client, labels: Mapping[int, str]) -> None:
        """The output of one task after the other, its label before each line."""
        output = TaskOutput()
        for row in rows_of(client, labels):
            if not row.task.token:  # it never began
                continue
            prefix = f"{row.task.label} | ".encode()
            for stream in self._streams:
                written = Prefixed(prefix)
                chunks = client.logs(
                    row.task.id,
                    attempt=row.task.token,
                    lines=self._lines,
                    since=self._since_s,
                    streams=[stream],
                )
                for chunk in chunks:
                    output.write(written.more(chunk.data), error=stream == "STDERR")
                output.write(written.end(), error=stream == "STDERR")


class Prefixed:
    """Bytes with a prefix before each of their lines, as they come."""

    def __init__(self, prefix: bytes) -> None:
        self._prefix = prefix
        self._is_inside = False

    def more(self, data: bytes) -> bytes:
        """The next bytes, which may end inside a line."""
        head = b"" if self._is_inside or not data else self._prefix
        whole = data[:-1] if data.endswith(b"\n") else data
        self._is_inside = len(whole) == len(data) and (self._is_inside or bool(data))
        return head + whole.replace(b"\n", b"\n" + self._prefix) + data[len(whole) :]

    def end(self) -> bytes:
        """What ends a last line that has no end."""
        return b"\n" if self._is_inside else b""


def rows_of(client: Client, labels: Mapping[int, str]) -> Iterator[TaskRow]:
    """The tasks named, and in the place of each array its elements, in order. Raises `NotFound`."""
    from ganger_core.domain.errors import NotFound

    found = {row.task.id: row for row in client.tasks(task_ids=labels)}
    for task_id, label in labels.items():
        if task_id not in found:
            raise NotFound(f"there is no task {label}")
        array = found[task_id].task.array
        if array is None:
            yield found[task_id]
            continue
        for first in range(0, len(array), AT_ONCE):
            elements = range(task_id + 1 + first, task_id + 1 + min(first + AT_ONCE, len(array)))
            yield from reversed(list(client.tasks(task_ids=elements)))
