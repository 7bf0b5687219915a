"""This module is `ganger logs`: a task's output, byte for byte."""

from __future__ import annotations

from typing import Annotated

import typer

from ganger.cli import exits
from ganger.cli.named import Choice, LabelsOption, named_ids
from ganger.cli.session import session_of
from ganger.render import note, raw


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("logs", short_help="a task's output", epilog="Example: ganger logs -f last")(logs)


def logs(
    context: typer.Context,
    label: LabelsOption,
    task: Annotated[
        str, typer.Argument(help="Such as 42, last, or a name; 42.7 of an array.", metavar="ID")
    ] = "",
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until the task is over.")] = False,
    attempt: Annotated[
        int,
        typer.Option(
            "-a", "--attempt", help="Of this attempt instead of the newest.", metavar="NUMBER", min=1
        ),
    ]
    | None = None,
) -> None:
    """Write a task's stdout to stdout and its stderr to stderr, byte for byte.

    A name, or how it begins, stands for the newest task of that name, -l for the newest that has the labels.
    """
    from ganger_core.domain.errors import Invalid

    with session_of(context).client() as client:
        ids = named_ids(client, [task] if task else [], label, Choice.ONE)
        if len(ids) != 1:
            raise Invalid("logs are shown of one task at a time")
        ((task_id, called),) = ids.items()
        try:
            for chunk in client.logs(task_id, follow, attempt=attempt or 0):
                raw(chunk.data, error=chunk.stream == "STDERR")
        except KeyboardInterrupt:
            note(f"\ndetached: following task {called} ends here, the task does not")
            raise typer.Exit(exits.INTERRUPTED) from None
