"""This module hands batch scripts in: reads the file, the moment and the environment, and calls the master."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from ganger.slurm.batch import Batch, Place
from ganger.slurm.commands import user_name
from ganger.slurm.jobs import ids_of, read_name
from ganger.slurm.script import MOST_BYTES, Script, has_options, read_script
from ganger_core.domain.errors import Invalid

if TYPE_CHECKING:
    from ganger.client import Client
    from ganger_core.domain.array import Items
    from ganger_core.domain.dependency import Dependency

_HEAD_BYTES = 65_536


def place_here(env: Mapping[str, str]) -> Place:
    """This moment, folder, user and host."""
    return Place(datetime.now(), os.getcwd(), user_name(), socket.gethostname(), env)


def load_script(path: str) -> Script:
    """The script in a file, `-` for stdin; raises `Invalid`."""
    try:
        if path == "-":
            return replace(
                read_script("the script on stdin", sys.stdin.buffer.read(MOST_BYTES + 1)), path="sbatch"
            )
        with open(path, "rb") as file:
            return read_script(path, file.read(MOST_BYTES + 1))
    except OSError as error:
        raise Invalid(f"{path}: {error.strerror}") from None


def is_batch_script(path: str) -> bool:
    """Whether this names a file here that begins with `#!` and has `#SBATCH` or `#GANGER` lines at its head."""
    try:
        if not os.path.isfile(path):
            return False
        with open(path, "rb") as file:
            return has_options(file.read(_HEAD_BYTES))
    except (OSError, ValueError):  # whatever it is, it is no script that can be read
        return False


def hand_in(
    client: Client,
    batch: Batch,
    *,
    items: Items | None = None,
    max_fails: int | None = None,
    after: Sequence[Dependency] = (),
) -> int:
    """Submit it and return the id; what it is to run `after` stands above what it says itself. Raises `Invalid`."""
    options = batch.options
    options["after"] = after or dependencies(client, batch)
    if batch.indices is None:
        return client.submit(batch.command, **options)
    return client.submit_array(
        batch.command,
        batch.indices,
        items=items,
        max_parallel=batch.max_parallel,
        max_fails=max_fails,
        **options,
    )


def dependencies(client: Client, batch: Batch) -> list[tuple[str, int]]:
    """What it is to run after, by the ids of the tasks; raises `Invalid`, `NotFound`."""
    return [
        (condition, task_id) for condition, name in batch.after for task_id in ids_of(client, read_name(name))
    ]
