"""This module is `ganger worker cordon` and `ganger worker resume`: which workers get new work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ganger import render
from ganger.cli.session import Output, OutputOption, session_of
from ganger.layout import clean

if TYPE_CHECKING:
    from ganger.client import Client
    from ganger_core.domain.task import WorkerView

WorkersArgument = Annotated[list[str], typer.Argument(help="Their names or ids.", metavar="WORKER...")]
ReasonOption = Annotated[str, typer.Option(help="Why, for whoever asks later.", metavar="TEXT")]


def add_to(group: typer.Typer) -> None:
    """Add the verbs to those of workers."""
    example = "Example: ganger worker cordon w1 --reason 'new driver'"
    group.command("cordon", short_help="give workers no new work", epilog=example)(cordon)
    group.command("resume", short_help="give workers work again", epilog="Example: ganger worker resume w1")(
        resume
    )


def cordon(
    context: typer.Context,
    workers: WorkersArgument,
    reason: ReasonOption = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Give workers no new work until they are resumed; what runs there goes on.

    That outlasts restarts of the master and of the workers. Tasks that wait are told why.
    """
    with session_of(context).client() as client:
        _tell(_views(client, client.cordon(workers, reason)), output)


def resume(context: typer.Context, workers: WorkersArgument, output: OutputOption = Output.TABLE) -> None:
    """Give workers work again that were cordoned."""
    with session_of(context).client() as client:
        _tell(_views(client, client.resume(workers)), output)


def _views(client: Client, ids: Sequence[str]) -> list[WorkerView]:
    return [view for view in client.workers() if view.profile.id in ids]


def _tell(views: Sequence[WorkerView], output: Output) -> None:
    """How these workers stand now."""
    if output is Output.JSON:
        from ganger.documents import worker_document

        render.document({"workers": [worker_document(view) for view in views]})
        return
    for view in views:
        render.say(f"worker {clean(view.profile.name)} {standing(view)}")


def standing(view: WorkerView) -> str:
    """What its state means for work, as words that follow its name."""
    count = len(view.attempts)
    going_on = f"; {count} attempt{'s go' if count > 1 else ' goes'} on there" if count else ""
    if view.cordon is not None:
        return f"is {clean(str(view.cordon))}{going_on}"
    match view.state.value:
        case "LOST":
            return "is lost: it gets work when it is back"
        case "DRAINING":
            return f"gets no new work: its daemon was told to end, start it again{going_on}"
        case _:
            return "gets new work"
