"""This module is `ganger wait`: come back when tasks are over."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from ganger.cli import exits
from ganger.cli.failure import tell
from ganger.cli.named import Choice, IdsArgument, LabelsOption, named_ids
from ganger.cli.session import Output, OutputOption, session_of
from ganger.render import document, say


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "wait", short_help="wait until tasks are over", epilog="Example: ganger wait 41,42 --timeout 1h"
    )(wait)


def wait(
    context: typer.Context,
    ids: IdsArgument,
    label: LabelsOption,
    timeout: Annotated[
        str, typer.Option(help="Give up after this time, such as 90, 10m or 1h30m.", metavar="DURATION")
    ] = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Wait until tasks are over; the exit code is theirs, the highest of several or of an array's elements.

    A name, or how it begins, stands for the tasks of that name that go on, else for the newest; -l for whatever has
    the labels, also what is over; all for what goes on now.

    124 says that the time given was over first, or a task's own; 125 (or GANGER_EXIT_ERROR) that a task was
    cancelled, lost or never started, or that Ganger itself failed.
    """
    from ganger.errors import WaitTimeout
    from ganger.wording import describe_end, name_of
    from ganger_core.domain.parse import parse_duration

    limit_s = parse_duration(timeout) if timeout else None
    with session_of(context).client() as client:
        try:
            tasks = client.wait(list(named_ids(client, ids, label, Choice.WAIT)), limit_s)
        except WaitTimeout as error:
            tell(error.message)
            raise typer.Exit(exits.TIMED_OUT) from None
    if output is Output.JSON:
        from ganger.documents import task_document

        document({"tasks": [task_document(task) for task in tasks]})
    else:
        for task in tasks:
            say(f"{name_of(task)} {describe_end(task)}")
    raise typer.Exit(exits.highest(tasks, os.environ))
