"""This module is `ganger why`: why a task waits, why it is where it is, why it ended."""

from __future__ import annotations

import time
from functools import partial

import typer

from ganger import render
from ganger.cli.named import Choice, IdsArgument, LabelsOption, named_ids
from ganger.cli.output_options import with_output
from ganger.cli.session import session_of
from ganger.output import Output, told

KEYS = ("id", "label", "task", "now_ms", "waiting", "living")


def add_to(app: typer.Typer) -> None:
    """Add the verb, which has a second name."""
    verb = with_output(KEYS)(why)
    app.command("why", short_help="why it waits, runs there or ended", epilog="Example: ganger why last")(
        verb
    )
    app.command("explain", hidden=True, epilog="Example: ganger explain 42")(verb)


def why(context: typer.Context, ids: IdsArgument, label: LabelsOption, *, out: Output) -> None:
    """Say why tasks wait, run where they run, or ended as they did.

    Of a task that waits: everything that keeps it, who holds what it lacks, who comes first, what the last plan said,
    when it starts as far as that is certain, and what would let it start now. What would help is tried before it is
    said.

    A name, or how it begins, stands for the newest task of that name, -l for whatever has the labels, all for what
    goes on.
    """
    from ganger.why.document import explanation_document
    from ganger.why.words import explain

    with session_of(context).client() as client:
        found = [client.why(task_id) for task_id in named_ids(client, ids, label, Choice.LOOK)]

    def tell_each() -> None:
        for number, each in enumerate(found):
            if number:
                render.say()
            for line in explain(each, partial(_clock, each.now_ms), render.width()):
                render.say(line)

    documents = [explanation_document(each) for each in found]
    out.write(told("explanations", documents, tell_each, name="label"))


def _clock(now_ms: int, at_ms: int) -> str:
    """The time of day; with the date when it is not of today."""
    now, at = time.localtime(now_ms / 1000), time.localtime(at_ms / 1000)
    return time.strftime("%H:%M:%S" if now[:3] == at[:3] else "%m-%d %H:%M", at)
