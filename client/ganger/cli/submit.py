"""This module is `ganger submit`: hand in a task or an array of them and come back at once."""

from __future__ import annotations

import typer

from ganger.cli.array_options import (
    ArrayOption,
    EachLine,
    FromJson,
    MaxFails,
    MaxParallel,
)
from ganger.cli.job_files import is_job_file
from ganger.cli.output_options import with_output
from ganger.cli.session import session_of
from ganger.cli.submit_script import Submission, SubmitCommand, is_behind_dashes, read_submission
from ganger.cli.task_options import COMMAND_LAST, Asked, asks_for_task, hint_without_workers
from ganger.output import Output, told
from ganger.render import note, say


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "submit",
        cls=SubmitCommand,
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

    A script here that has #SBATCH or #GANGER lines at its head is read now, with the options in them; those
    given here stand above. Behind -- it is a command as any other.

    A job file as the only word (job.yaml, job.toml) is read, and what it describes is queued: see `ganger apply`.
    """
    if is_job_file(asked.command) and not is_behind_dashes(context):
        from ganger.cli.submit_file import submit_file

        submit_file(context, asked.command[0], out)
        return
    array_options = {
        "array": array,
        "each_line": each_line,
        "from_json": from_json,
        "max_parallel": max_parallel,
        "max_fails": max_fails,
    }
    wanted = read_submission(context, asked, array_options)
    with session_of(context).client() as client:
        task_id = wanted.hand_in(client)

        def tell() -> None:
            _tell(task_id, wanted)
            hint_without_workers(client)

        fields = {"elements": len(wanted.array.indices)} if wanted.array else {}
        document = {"id": task_id, "elements": None, **fields}
        out.write(told("tasks", [document], tell, whole={"task_ids": [task_id], **fields}))


def _later(wanted: Submission) -> str:
    """What keeps it from starting by its own wish."""
    if wanted.asked.given.get("hold"):
        return ", and held until it is released"
    at = wanted.asked.given.get("not_before")
    return f", and starts not before {at}" if at else ""


def _tell(task_id: int, wanted: Submission) -> None:
    from ganger.wording import describe_queued

    if wanted.without_effect:
        note(f"of no effect here: {', '.join(wanted.without_effect)}")
    array = wanted.array
    if array is None:
        say(f"task {task_id} is queued{_later(wanted)}")
    else:
        say(describe_queued(task_id, len(array.indices), array.max_parallel) + _later(wanted))
    if wanted.asked.given.get("hold"):
        note(f"  ganger release {task_id}     ganger show {task_id}     ganger cancel {task_id}")
        return
    look = f"ganger logs -f {task_id}" if array is None else f"ganger progress {task_id}"
    note(f"  {look}     ganger wait {task_id}     ganger cancel {task_id}")
