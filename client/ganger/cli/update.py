"""This module is `ganger update`: change what waits or goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from ganger.cli import exits
from ganger.cli.failure import explain, tell
from ganger.cli.named import Choice, IdsArgument, LabelsOption, named_ids
from ganger.cli.output_options import with_output
from ganger.cli.session import session_of
from ganger.output import Output, told
from ganger.render import note, say

_WORDS = {
    "priority": "priority",
    "time": "time",
    "queue_timeout": "queue timeout",
    "deadline": "deadline",
    "max_parallel": "max parallel",
}


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "update", short_help="change priority or limits", epilog="Example: ganger update 42 --priority 80"
    )(with_output(["id", "label", "in_force", *_WORDS])(update))


def update(
    context: typer.Context,
    ids: IdsArgument,
    label: LabelsOption,
    priority: Annotated[
        int | None,
        typer.Option(
            "-p", "--priority", help="0 to 100; higher goes first.", metavar="NUMBER", show_default=False
        ),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(
            "-t",
            "--time",
            help="How long it may run, also when it runs; 0 for ever.",
            metavar="DURATION",
            show_default=False,
        ),
    ] = None,
    queue_timeout: Annotated[
        str | None,
        typer.Option(
            help="How long it may wait for its start; 0 for ever.", metavar="DURATION", show_default=False
        ),
    ] = None,
    deadline: Annotated[
        str | None,
        typer.Option(help="Not started if not over by then; 0 for none.", metavar="TIME", show_default=False),
    ] = None,
    max_parallel: Annotated[
        int | None,
        typer.Option(
            help="At most so many elements at a time; 0 for as many as there is room for.",
            metavar="NUMBER",
            min=0,
            show_default=False,
        ),
    ] = None,
    *,
    out: Output,
) -> None:
    """Change tasks that are not over; of an array, all elements that are not.

    What runs goes on. It gets a new --time, counted from its start. A name, or how it begins, stands for what goes on
    of that name, else the newest; -l and all for what goes on.
    """
    from ganger_core.domain.errors import Conflict, Invalid, NotFound

    given = {
        "priority": priority,
        "time": time,
        "queue_timeout": queue_timeout,
        "deadline": deadline,
        "max_parallel": max_parallel,
    }
    asked = {name: value for name, value in given.items() if value is not None}
    if not asked:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise Invalid(f"nothing to change: name one of {options}")
    changed: dict[int, bool] = {}
    refused = False
    with session_of(context).client() as client:
        labels = named_ids(client, ids, label, Choice.CHANGE)
        for task_id in labels:
            try:
                changed[task_id] = client.update(task_id, **asked)  # type: ignore[arg-type]
            except (Conflict, NotFound) as error:
                tell(explain(error))
                refused = True
    documents = [
        {"id": each, "label": labels[each], **given, "in_force": done} for each, done in changed.items()
    ]
    out.write(told("tasks", documents, lambda: _say(changed, labels, asked), name="label"))
    raise typer.Exit(exits.REFUSED if refused else exits.OK)


def _say(changed: dict[int, bool], labels: dict[int, str], asked: Mapping[str, object]) -> None:
    from ganger.wording import describe_limit

    said = [
        describe_limit(value)
        if name == "max_parallel" and isinstance(value, int)
        else f"{_WORDS[name]} {value}"
        for name, value in asked.items()
    ]
    for task_id, in_force in changed.items():
        say(f"task {labels[task_id]}: {', '.join(said)}")
        if not in_force:
            note(
                f"task {labels[task_id]}: not yet in force: a worker that cannot be reached may still start "
                "what it was given before"
            )
