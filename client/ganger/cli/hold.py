"""This module is `ganger hold` and `ganger release`: keep what waits from starting, and let it go on."""

from __future__ import annotations

import typer

from ganger.cli import exits
from ganger.cli.failure import explain, tell
from ganger.cli.named import IdsArgument, named_ids
from ganger.cli.session import Output, OutputOption, session_of
from ganger.render import document, note, say


def add_to(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command("hold", short_help="keep tasks from starting", epilog="Example: ganger hold 41,42")(hold)
    app.command("release", short_help="let held tasks start", epilog="Example: ganger release 41,42")(release)


def hold(context: typer.Context, ids: IdsArgument, output: OutputOption = Output.TABLE) -> None:
    """Hold tasks: one that waits does not start before `ganger release`. It keeps its place in the queue.

    Of an array, nothing more begins; what runs goes on. A task that has been given to a worker cannot be held.
    """
    _set_held(context, ids, output, held=True)


def release(context: typer.Context, ids: IdsArgument, output: OutputOption = Output.TABLE) -> None:
    """Release held tasks: they start as soon as it is their turn."""
    _set_held(context, ids, output, held=False)


def _set_held(context: typer.Context, ids: list[str], output: Output, *, held: bool) -> None:
    from ganger_core.domain.errors import Conflict, NotFound

    changed: dict[int, bool] = {}
    refused = False
    with session_of(context).client() as client:
        labels = named_ids(client, ids)
        for task_id in labels:
            try:
                changed[task_id] = client.update(task_id, held=held)
            except (Conflict, NotFound) as error:
                tell(explain(error))
                refused = True
    if output is Output.JSON:
        document({"tasks": [{"id": each, "held": held, "in_force": done} for each, done in changed.items()]})
    else:
        for task_id, in_force in changed.items():
            say(f"task {labels[task_id]} is {'held' if held else 'released'}")
            if not in_force:
                note(
                    f"task {labels[task_id]}: a worker that cannot be reached may still start what it was given"
                )
    raise typer.Exit(exits.REFUSED if refused else exits.OK)
