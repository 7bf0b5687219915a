"""This module is `ganger submit`: hand in a task and come back at once."""

from __future__ import annotations

import typer

from ganger.cli.session import Output, OutputOption, QuietOption, session_of
from ganger.cli.task_options import COMMAND_LAST, Asked, asks_for_task, hint_without_workers
from ganger.render import document, note, say


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "submit",
        short_help="queue a command, print its id",
        epilog="Example: ganger submit -n prep -m 8GiB -- ./prep.sh",
        context_settings=COMMAND_LAST,
    )(asks_for_task(submit))


def submit(
    context: typer.Context,
    asked: Asked,
    output: OutputOption = Output.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Queue a command as a task and print its id; the task is on the master's disk when this returns."""
    with session_of(context).client() as client:
        task_id = asked.submit(client)
        if quiet:
            say(str(task_id))
            return
        if output is Output.JSON:
            document({"task_ids": [task_id]})
            return
        say(f"task {task_id} is queued")
        note(f"  ganger logs -f {task_id}     ganger wait {task_id}     ganger cancel {task_id}")
        hint_without_workers(client)
