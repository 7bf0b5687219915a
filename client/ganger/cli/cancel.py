"""This module is `ganger cancel`: end tasks that wait or run."""

from __future__ import annotations

from typing import Annotated

import typer

from ganger.cli import exits
from ganger.cli.failure import explain, tell
from ganger.cli.named import Choice, IdsArgument, LabelsOption, YesOption, choose, may_go_on
from ganger.cli.output_options import with_output
from ganger.cli.session import session_of
from ganger.output import Output, told
from ganger.render import say


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("cancel", short_help="end tasks that wait or run", epilog="Example: ganger cancel 41,42")(
        with_output(["id", "label", "state"])(cancel)
    )


def cancel(
    context: typer.Context,
    ids: IdsArgument,
    label: LabelsOption,
    reason: Annotated[str, typer.Option(help="Why, for whoever asks later.", metavar="TEXT")] = "",
    signal: Annotated[
        str, typer.Option(help="What it gets first, such as INT or 2.", metavar="SIGNAL")
    ] = "TERM",
    grace: Annotated[
        str | None,
        typer.Option(
            help="How long until SIGKILL, such as 90 or 10m.", metavar="DURATION", show_default=False
        ),
    ] = None,
    now: Annotated[bool, typer.Option("--now", help="SIGKILL at once.")] = False,
    yes: YesOption = False,
    *,
    out: Output,
) -> None:
    """Cancel tasks: one that waits ends at once, one that runs is asked to stop and then made to.

    An array is cancelled with all its elements, or only those that are named.

    A name, or how it begins, stands for what goes on of that name, -l for what goes on with the labels, all for all
    that goes on. On a terminal several that were not named one by one are asked about; elsewhere -l and all need no
    --yes, a name of several does.

    Cancelling again with a shorter --grace, or --now, ends one sooner that takes its time.
    """
    from ganger_core.domain.errors import Invalid, NotFound

    if now and grace is not None:
        raise Invalid("--now leaves no --grace: name one of them")

    states, labels = {}, {}
    missing = False
    with session_of(context).client() as client:
        chosen = choose(client, ids, label, Choice.CHANGE)
        if not may_go_on(chosen, "cancel", yes):
            raise Invalid("nothing is cancelled")
        for task_id, called in chosen.ids.items():
            try:
                labels[task_id] = called
                states[task_id] = client.cancel(task_id, reason, signal=signal, grace=0 if now else grace)
            except NotFound as error:
                tell(explain(error))
                missing = True

    def tell_each() -> None:
        for task_id, state in states.items():
            say(f"task {labels[task_id]} {_SAID.get(state, f'was over before: {state.value}')}")

    documents = [
        {"id": task_id, "label": labels[task_id], "state": state.value} for task_id, state in states.items()
    ]
    out.write(told("tasks", documents, tell_each, name="label"))
    raise typer.Exit(exits.REFUSED if missing else exits.OK)


_SAID = {"CANCELLED": "is cancelled", "STOPPING": "is being stopped"}
