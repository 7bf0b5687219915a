"""This module is `ganger hold` and `ganger release`: keep what waits from starting, and let it go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from ganger.cli import exits
from ganger.cli.failure import explain, tell
from ganger.cli.named import Choice, IdsArgument, LabelsOption, choose
from ganger.cli.output_options import with_output
from ganger.cli.session import session_of
from ganger.output import Output, told
from ganger.render import note, say

if TYPE_CHECKING:
    from ganger_core.domain.task import Task


def add_to(app: typer.Typer) -> None:
    """Add the verbs."""
    shows = with_output(["id", "label", "held", "in_force"])
    app.command("hold", short_help="keep tasks from starting", epilog="Example: ganger hold 41,42")(
        shows(hold)
    )
    app.command("release", short_help="let held tasks start", epilog="Example: ganger release 41,42")(
        shows(release)
    )


def hold(context: typer.Context, ids: IdsArgument, label: LabelsOption, *, out: Output) -> None:
    """Hold tasks: one that waits does not start before `ganger release`. It keeps its place in the queue.

    Of an array, nothing more begins; what runs goes on. A task that has been given to a worker cannot be held.

    A name, or how it begins, stands for what goes on of that name; -l and all for what waits and for arrays.
    """
    _set_held(context, ids, label, out, held=True)


def release(context: typer.Context, ids: IdsArgument, label: LabelsOption, *, out: Output) -> None:
    """Release held tasks: they start as soon as it is their turn.

    A name, or how it begins, stands for what goes on of that name; -l and all for what is held.
    """
    _set_held(context, ids, label, out, held=False)


def _set_held(context: typer.Context, ids: list[str], label: list[str], out: Output, *, held: bool) -> None:
    from ganger_core.domain.errors import Conflict, NotFound

    changed: dict[int, bool] = {}
    refused = False
    with session_of(context).client() as client:
        chosen = choose(client, ids, label, Choice.CHANGE)
        labels = chosen.ids
        for task_id in labels:
            if task_id in chosen.by_rule and not _can_be(held, chosen.by_rule[task_id]):
                continue
            try:
                changed[task_id] = client.update(task_id, held=held)
            except (Conflict, NotFound) as error:
                tell(explain(error))
                refused = True
    if labels and not changed and not refused:
        note(f"nothing of it is to be {'held' if held else 'released'}")

    def tell_each() -> None:
        for task_id, in_force in changed.items():
            say(f"task {labels[task_id]} is {'held' if held else 'released'}")
            if not in_force:
                note(
                    f"task {labels[task_id]}: a worker that cannot be reached may still start what it was given"
                )

    documents = [
        {"id": each, "label": labels[each], "held": held, "in_force": done} for each, done in changed.items()
    ]
    out.write(told("tasks", documents, tell_each, name="label"))
    raise typer.Exit(exits.REFUSED if refused else exits.OK)


def _can_be(held: bool, task: Task) -> bool:
    """Whether it makes sense to hold the task, or to release it, when it was not named itself."""
    if held:
        return not task.waits.held_by and (task.array is not None or task.state == "PENDING")
    return bool(task.waits.held_by)
