"""This module finds the tasks that a command line names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from ganger.cli.completing import complete_ids
from ganger.cli.ids import parse_ids

if TYPE_CHECKING:
    from ganger.client import Client
    from ganger_core.domain.task import Task

IdsArgument = Annotated[
    list[str],
    typer.Argument(
        help="Such as 42, 1,3,5-8, last; 42.7 of an array.", metavar="ID...", autocompletion=complete_ids
    ),
]


def named_ids(client: Client, texts: Iterable[str]) -> dict[int, str]:
    """The ids with what to call them, in the order written; the master is asked only about `last` and arrays."""
    asked: dict[int, Task] = {}

    def task_of(task_id: int) -> Task:
        if task_id not in asked:
            asked[task_id] = client.status(task_id).task
        return asked[task_id]

    return parse_ids(texts, lambda: newest_id(client), task_of)


def newest_id(client: Client) -> int:
    """The id of the newest task or array; raises `NotFound` while there is none."""
    from ganger_core.domain.errors import NotFound

    for row in client.tasks(limit=1):
        return row.task.id
    raise NotFound("there is no task yet: ganger run -- echo hello")
