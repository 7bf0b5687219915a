"""This module is `ganger retry`: hand in again what failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from ganger.cli import exits
from ganger.cli.failure import explain, tell
from ganger.cli.named import Choice, IdsArgument, LabelsOption, named_ids
from ganger.cli.output_options import with_output
from ganger.cli.session import session_of
from ganger.cli.task_options import After, read_after
from ganger.output import Output, told
from ganger.render import note, say

if TYPE_CHECKING:
    from ganger.client import Client


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("retry", short_help="queue again what failed", epilog="Example: ganger retry 42")(
        with_output(["id", "retry_of"])(retry)
    )


def retry(
    context: typer.Context,
    ids: IdsArgument,
    label: LabelsOption,
    after: After,
    failed: Annotated[
        bool, typer.Option("--failed", help="What failed, timed out, expired or was skipped: the default.")
    ] = False,
    cancelled: Annotated[bool, typer.Option("--cancelled", help="Also what was cancelled.")] = False,
    *,
    out: Output,
) -> None:
    """Queue again what failed, timed out, expired or was skipped: tasks as tasks, elements of an array as an array.

    The elements keep their indices, their lines or values, and the limits of their array, which must be over;
    elements that are named one by one need only be over themselves. What a task was to run after and is over
    is not waited for again, unless it is named here, too: then its new task is. --after names others instead.

    A name, or how it begins, stands for the newest task of that name, -l for what failed of all that has the labels.
    """
    from ganger.arrays import FAILED
    from ganger_core.domain.errors import Conflict, Invalid, NotFound
    from ganger_core.domain.states import TaskState

    again: dict[int, tuple[int, str]] = {}
    refused = False
    with session_of(context).client() as client:
        states = (*FAILED, TaskState.CANCELLED) if cancelled else FAILED
        chosen = named_ids(client, ids, label, Choice.RETRY, states)
        wanted = read_after(client, after) or None
        news: dict[int, int] = {}
        for task_id, indices in sorted(by_array(chosen).items()):  # first what others are after
            try:
                new_id = client.retry(task_id, indices=indices, cancelled=cancelled, after=wanted, again=news)
                news[task_id] = new_id
                again[new_id] = task_id, _said(client, new_id, task_id)
            except (Conflict, Invalid, NotFound) as error:
                tell(explain(error))
                refused = True

    def tell_each() -> None:
        for _, said in again.values():
            say(said)
        if again:
            ids = ",".join(map(str, again))
            note(f"  ganger ls {ids}     ganger wait {ids}     ganger cancel {ids}")

    documents = [{"id": new_id, "retry_of": task_id} for new_id, (task_id, _) in again.items()]
    out.write(told("tasks", documents, tell_each, whole={"task_ids": list(again)}))
    raise typer.Exit(exits.REFUSED if refused else exits.OK)


def by_array(labels: Mapping[int, str]) -> dict[int, list[int] | None]:
    """What to hand in again: ids with None for all of it, and arrays with the indices of the elements named."""
    wanted: dict[int, list[int] | None] = {}
    for task_id, label in labels.items():
        array_id, dot, index = label.partition(".")
        if not dot:
            wanted[task_id] = None
        elif (indices := wanted.setdefault(int(array_id), [])) is not None:
            indices.append(int(index))
    return wanted


def _said(client: Client, new_id: int, task_id: int) -> str:
    from ganger.wording import describe_queued

    array = client.status(new_id).task.array
    if array is None:
        return f"task {new_id} is queued: task {task_id} again"
    return describe_queued(new_id, len(array), array.max_parallel, f" of array {array.retry_of} again")
