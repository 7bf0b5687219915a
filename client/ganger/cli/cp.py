"""This module is `ganger cp`: what a task published, copied to here."""

from __future__ import annotations

from typing import Annotated

import typer

from ganger.cli.named import Choice, named_ids
from ganger.cli.session import session_of
from ganger.render import TaskOutput


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("cp", short_help="copy what a task published", epilog="Example: ganger cp 42:model.pt .")(cp)


def cp(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(help="ID:PATH below $GANGER_OUTPUT_DIR; ID: for everything.", metavar="ID:[PATH]")
    ],
    destination: Annotated[
        str, typer.Argument(help="A folder, or the new name; - for stdout.", metavar="DEST")
    ],
) -> None:
    """Copy a file or folder that a task left in $GANGER_OUTPUT_DIR, or all of it.

    As cp does: into DEST where that is a folder, else under that name. A file that comes is checked, and is there as a
    whole or not at all.
    """
    from ganger_core.domain.errors import Invalid

    named, colon, path = source.partition(":")
    if not colon:
        raise Invalid(
            f"{source!r} names no task: write {source}: for all that task {source} published, or ID:PATH"
        )
    with session_of(context).client() as client:
        ids = named_ids(client, [named], choice=Choice.ONE)
        if len(ids) != 1:
            raise Invalid("outputs are copied of one task at a time")
        (task_id,) = ids
        if destination == "-":
            stdout = TaskOutput()
            for data in client.read_output(task_id, path):
                stdout.write(data, error=False)
            stdout.end()
        else:
            client.copy(task_id, path, destination)
