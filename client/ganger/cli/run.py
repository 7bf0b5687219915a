"""This module is `ganger run`: submit, stream the output as it comes, exit with the task's code."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import typer

from ganger.cli import exits
from ganger.cli.failure import tell
from ganger.cli.forwarding import Forwarding, plain_interrupts
from ganger.cli.session import session_of
from ganger.cli.task_options import COMMAND_LAST, Asked, asks_for_task, hint_without_workers
from ganger.render import TaskOutput, note

if TYPE_CHECKING:
    from ganger.client import Client
    from ganger_core.domain.task import Task

EXPLAIN_AFTER_S = 3.0  # a task that has not been placed by then is waiting for something worth telling


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "run",
        short_help="run a command, exit with its code",
        epilog="Example: ganger run -c 2 -- python train.py",
        context_settings=COMMAND_LAST,
    )(asks_for_task(run))


def run(
    context: typer.Context,
    asked: Asked,
) -> None:
    """Run a command as a task: its output comes here as it is written, and its exit code is this command's.

    Ctrl-C goes to the task, as SIGINT, and SIGTERM as that; a second one kills it. This command goes on until the
    task is over, and exits with the task's own code, or 130 (143). `ganger submit` is for what shall go on without you.
    The exit code is 124 when the task ran longer than its --time; 125 (or GANGER_EXIT_ERROR) is Ganger's own: the
    task was cancelled by somebody else or lost or never started, or no master answered.
    """
    with session_of(context).client() as client:
        try:
            with plain_interrupts():
                task_id = asked.submit(client)
        except KeyboardInterrupt:
            note("\ninterrupted while the task was handed in: it may be queued all the same: ganger ls")
            raise typer.Exit(exits.INTERRUPTED) from None
        try:
            with plain_interrupts(), Forwarding(client, task_id) as signals:
                if not hint_without_workers(client):
                    _explain_waiting(client, task_id)
                _stream(client, task_id)
                task = client.wait([task_id])[0]
        except KeyboardInterrupt:
            raise typer.Exit(_leave(task_id)) from None
        except BrokenPipeError:
            tell(f"the reader of the output is gone; task {task_id} goes on: ganger logs -f {task_id}")
            raise
    _tell_end(task)
    raise typer.Exit(exits.code_after(task, signals.first, os.environ))


def _explain_waiting(client: Client, task_id: int) -> None:
    """Return once the task is placed, or say why it waits."""
    from ganger.errors import WaitTimeout

    status = client.status(task_id)
    if status.task.token or status.task.is_final:
        return
    try:
        for event in client.events(status.as_of_seq, [task_id], timeout_s=EXPLAIN_AFTER_S):
            if event.state != "PENDING":
                return
    except WaitTimeout:
        reason = client.status(task_id).task.reason
        note(f"task {task_id} waits{': ' + reason if reason else ''}")


def _stream(client: Client, task_id: int) -> None:
    attempt, output = 0, TaskOutput()
    for chunk in client.logs(task_id, follow=True):
        if attempt not in (0, chunk.ref.token):
            note(f"task {task_id} was started again: attempt {chunk.ref.token}")
        attempt = chunk.ref.token
        output.write(chunk.data, error=chunk.stream == "STDERR")
    output.end()


def _leave(task_id: int) -> int:
    """Say how to go on with a task whose end is not waited for; returns the exit code."""
    note(f"\nnot waiting for the end of task {task_id}: ganger wait {task_id}     ganger logs -f {task_id}")
    return exits.INTERRUPTED


def _tell_end(task: Task) -> None:
    """Say how the task ended where its exit code alone does not."""
    from ganger.wording import describe_end

    outcome = task.outcome
    plain = outcome is not None and outcome.kind in ("OK", "EXIT_NONZERO") and not outcome.log_incomplete
    if not plain:
        tell(f"task {task.id} {describe_end(task)}")
