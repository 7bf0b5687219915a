"""This module is `ganger submit`: hand in a task or an array of them and come back at once."""

from __future__ import annotations

import typer

from ganger.cli.array_options import (
    ArrayAsked,
    ArrayOption,
    EachLine,
    FromJson,
    MaxFails,
    MaxParallel,
    read_array,
)
from ganger.cli.output_options import with_output
from ganger.cli.session import session_of
from ganger.cli.task_options import COMMAND_LAST, Asked, asks_for_task, hint_without_workers
from ganger.output import Output, told
from ganger.render import note, say


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "submit",
        short_help="queue a command, print its id",
        epilog="Example: ganger submit -n prep -m 8GiB -- ./prep.sh",
        context_settings=COMMAND_LAST,
    )(asks_for_task(with_output(["id", "elements"])(submit)))


def submit(
    context: typer.Context,
    asked: Asked,
    array: ArrayOption = None,
    each_line: EachLine = None,
    from_json: FromJson = None,
    max_parallel: MaxParallel = None,
    max_fails: MaxFails = None,
    *,
    out: Output,
) -> None:
    """Queue a command as a task and print its id; the task is on the master's disk when this returns.

    With --array, --each-line or --from-json it is queued many times, as the elements of an array. An element
    finds its index in GANGER_ARRAY_INDEX, and its line or value in GANGER_ARRAY_ITEM; people call it 42.7.
    """
    wanted = read_array(array, each_line, from_json, max_parallel, max_fails)
    with session_of(context).client() as client:
        if wanted is None:
            task_id = asked.submit(client)
        else:
            task_id = client.submit_array(
                asked.command,
                wanted.indices,
                items=wanted.items,
                max_parallel=wanted.max_parallel,
                max_fails=wanted.max_fails,
                **asked.options(client),
            )

        def tell() -> None:
            _tell(task_id, wanted)
            hint_without_workers(client)

        fields = {} if wanted is None else {"elements": len(wanted.indices)}
        document = {"id": task_id, "elements": None, **fields}
        out.write(told("tasks", [document], tell, whole={"task_ids": [task_id], **fields}))


def _tell(task_id: int, wanted: ArrayAsked | None) -> None:
    from ganger.wording import describe_queued

    if wanted is None:
        say(f"task {task_id} is queued")
    else:
        say(describe_queued(task_id, len(wanted.indices), wanted.max_parallel))
    look = f"ganger logs -f {task_id}" if wanted is None else f"ganger progress {task_id}"
    note(f"  {look}     ganger wait {task_id}     ganger cancel {task_id}")
