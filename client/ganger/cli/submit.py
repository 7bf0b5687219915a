"""This module is `ganger submit`: hand in a task or an array of them and come back at once."""

from __future__ import annotations

import typer

from ganger.cli.array_options import (
    ArrayOption,
    EachLine,
    FromJson,
    MaxFails,
    MaxParallel,
    read_array,
)
from ganger.cli.job_files import is_job_file
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
    array: ArrayOption = None,
    each_line: EachLine = None,
    from_json: FromJson = None,
    max_parallel: MaxParallel = None,
    max_fails: MaxFails = None,
    output: OutputOption = Output.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Queue a command as a task and print its id; the task is on the master's disk when this returns.

    With --array, --each-line or --from-json it is queued many times, as the elements of an array. An element
    finds its index in GANGER_ARRAY_INDEX, and its line or value in GANGER_ARRAY_ITEM; people call it 42.7.

    A job file as the only word (job.yaml, job.toml) is read, and what it describes is queued: see `ganger apply`.
    """
    if is_job_file(asked.command):
        from ganger.cli.submit_file import submit_file

        submit_file(context, asked.command[0], output, quiet=quiet)
        return
    wanted = read_array(array, each_line, from_json, max_parallel, max_fails)
    with session_of(context).client() as client:
        fields: dict[str, object] = {}
        if wanted is None:
            task_id = asked.submit(client)
            said = f"task {task_id} is queued"
        else:
            from ganger.wording import describe_queued

            task_id = client.submit_array(
                asked.command,
                wanted.indices,
                items=wanted.items,
                max_parallel=wanted.max_parallel,
                max_fails=wanted.max_fails,
                **asked.options(client),
            )
            fields["elements"] = len(wanted.indices)
            said = describe_queued(task_id, len(wanted.indices), wanted.max_parallel)
        if quiet:
            say(str(task_id))
            return
        if output is Output.JSON:
            document({"task_ids": [task_id], **fields})
            return
        say(said)
        look = f"ganger logs -f {task_id}" if wanted is None else f"ganger ls {task_id}"
        note(f"  {look}     ganger wait {task_id}     ganger cancel {task_id}")
        hint_without_workers(client)
