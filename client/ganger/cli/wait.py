"""This module is `ganger wait`: come back when tasks are over."""

from __future__ import annotations

import os
import time
from typing import Annotated

import typer

from ganger.cli import exits
from ganger.cli.failure import tell
from ganger.cli.forwarding import plain_interrupts
from ganger.cli.named import Choice, IdsArgument, LabelsOption, named_ids
from ganger.cli.output_options import with_list_output
from ganger.cli.progress import Shown, follow
from ganger.cli.session import session_of
from ganger.cli.task_table import task_result
from ganger.output import Output
from ganger.render import note, say


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "wait", short_help="wait until tasks are over", epilog="Example: ganger wait 41,42 --timeout 1h"
    )(with_list_output(wait))


def wait(
    context: typer.Context,
    ids: IdsArgument,
    label: LabelsOption,
    timeout: Annotated[
        str, typer.Option(help="Give up after this time, such as 90, 10m or 1h30m.", metavar="DURATION")
    ] = "",
    until_any: Annotated[
        bool,
        typer.Option(
            "--any/--all", help="Until one is over, or, as usual, until all are.", show_default=False
        ),
    ] = False,
    progress: Annotated[bool, typer.Option("--progress", help="Show how far they are.")] = False,
    *,
    out: Output,
) -> None:
    """Wait until tasks are over; the exit code is theirs, the highest of several or of an array's elements.

    With --any it is that of those that are over once one is, and the others go on.
    A name, or how it begins, stands for the tasks of that name that go on, else for the newest; -l for whatever has
    the labels, also what is over; all for what goes on now.

    124 says that the time given was over first, or a task's own; 125 (or GANGER_EXIT_ERROR) that a task was
    cancelled, lost or never started, or that Ganger itself failed.
    """
    from ganger.calls import TaskRow
    from ganger.documents import task_document
    from ganger.errors import WaitTimeout
    from ganger.wording import describe_end, name_of
    from ganger_core.domain.parse import parse_duration

    limit_s = parse_duration(timeout) if timeout else None
    with session_of(context).client() as client:
        try:
            with plain_interrupts():
                task_ids = list(named_ids(client, ids, label, Choice.WAIT))
                if progress:
                    tasks = follow(
                        client, task_ids, Shown(to_stderr=True), timeout_s=limit_s, until_any=until_any
                    )
                else:
                    tasks = client.wait(task_ids, limit_s, until_any=until_any)
        except WaitTimeout as error:
            tell(error.message)
            raise typer.Exit(exits.TIMED_OUT) from None
        except KeyboardInterrupt:
            note("\ndetached: waiting ends here, what was waited for does not")
            raise typer.Exit(exits.INTERRUPTED) from None

    def tell_each() -> None:
        for task in tasks:
            say(f"{name_of(task)} {describe_end(task)}")

    rows = [TaskRow(task, "") for task in tasks]
    now_ms = time.time_ns() // 1_000_000
    out.write(task_result(rows, lambda row: task_document(row.task), now_ms, tell_each))
    raise typer.Exit(exits.highest(tasks, os.environ))
