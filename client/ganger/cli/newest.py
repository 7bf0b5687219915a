"""This module finds out which task `last` means."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ganger.client import Client


def newest_id(client: Client) -> int:
    """The newest task's id; raises `NotFound` while there is none."""
    from ganger_core.domain.errors import NotFound

    for row in client.tasks(limit=1):
        return row.task.id
    raise NotFound("there is no task yet: ganger run -- echo hello")
