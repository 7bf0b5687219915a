"""This module is `ganger update`: change what goes on."""

from __future__ import annotations

from typing import Annotated

import typer

from ganger.cli import exits
from ganger.cli.failure import explain, tell
from ganger.cli.named import Choice, IdsArgument, LabelsOption, named_ids
from ganger.cli.session import Output, OutputOption, session_of
from ganger.render import document, note, say


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("update", short_help="change an array", epilog="Example: ganger update 42 --max-parallel 16")(
        update
    )


def update(
    context: typer.Context,
    ids: IdsArgument,
    label: LabelsOption,
    max_parallel: Annotated[
        int,
        typer.Option(
            help="At most so many elements at a time; 0 for as many as there is room for.",
            metavar="NUMBER",
            min=0,
        ),
    ],
    output: OutputOption = Output.TABLE,
) -> None:
    """Change how many elements of an array run at the same time. What runs already goes on.

    A name, or how it begins, stands for what goes on of that name, else the newest; -l and all for what goes on.
    """
    from ganger.wording import describe_limit
    from ganger_core.domain.errors import Conflict, NotFound

    changed: dict[int, bool] = {}
    refused = False
    with session_of(context).client() as client:
        for task_id in named_ids(client, ids, label, Choice.CHANGE):
            try:
                changed[task_id] = client.update(task_id, max_parallel=max_parallel)
            except (Conflict, NotFound) as error:
                tell(explain(error))
                refused = True
    if output is Output.JSON:
        document(
            {
                "tasks": [
                    {"id": task_id, "max_parallel": max_parallel or None, "in_force": in_force}
                    for task_id, in_force in changed.items()
                ]
            }
        )
    else:
        for task_id, in_force in changed.items():
            say(f"array {task_id}: {describe_limit(max_parallel)}")
            if not in_force:
                note(
                    f"array {task_id}: not yet in force: a worker that cannot be reached may still start "
                    "what it was given before"
                )
    raise typer.Exit(exits.REFUSED if refused else exits.OK)
