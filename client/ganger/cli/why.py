"""This module is `ganger why`: why a task waits, why it is where it is, why it ended."""

from __future__ import annotations

import time
from functools import partial

import typer

from ganger import render
from ganger.cli.named import Choice, IdsArgument, LabelsOption, named_ids
from ganger.cli.session import Output, OutputOption, session_of


def add_to(app: typer.Typer) -> None:
    """Add the verb, which has a second name."""
    app.command("why", short_help="why it waits, runs there or ended", epilog="Example: ganger why last")(why)
    app.command("explain", hidden=True, epilog="Example: ganger explain 42")(why)


def why(
    context: typer.Context, ids: IdsArgument, label: LabelsOption, output: OutputOption = Output.TABLE
) -> None:
    """Say why tasks wait, run where they run, or ended as they did.

    Of a task that waits: everything that keeps it, who holds what it lacks, who comes first, what the last plan said,
    when it starts as far as that is certain, and what would let it start now. What would help is tried before it is
    said.

    A name, or how it begins, stands for the newest task of that name, -l for whatever has the labels, all for what
    goes on.
    """
    with session_of(context).client() as client:
        found = [client.why(task_id) for task_id in named_ids(client, ids, label, Choice.LOOK)]
    if output is Output.JSON:
        from ganger.why.document import explanation_document

        render.document({"explanations": [explanation_document(each) for each in found]})
        return
    from ganger.why.words import explain

    for number, each in enumerate(found):
        if number:
            render.say()
        for line in explain(each, partial(_clock, each.now_ms), render.width()):
            render.say(line)


def _clock(now_ms: int, at_ms: int) -> str:
    """The time of day; with the date when it is not of today."""
    now, at = time.localtime(now_ms / 1000), time.localtime(at_ms / 1000)
    return time.strftime("%H:%M:%S" if now[:3] == at[:3] else "%m-%d %H:%M", at)
