"""This module says whose published outputs are meant, and which part of them."""

from __future__ import annotations

from typing import NamedTuple

from ganger_core.domain.outputs import Outputs
from ganger_core.domain.task import AttemptRef


class Published(NamedTuple):
    """What an attempt published, and on which worker that lies."""

    ref: AttemptRef
    worker_id: str
    worker_name: str
    outputs: Outputs


class OutputRange(NamedTuple):
    """A part of a published file: up to `most` bytes from `offset` on."""

    ref: AttemptRef
    path: str
    offset: int
    most: int


class OutputPart(NamedTuple):
    """What was read of a published file, or why it could not be."""

    range: OutputRange
    data: bytes = b""
    error: str = ""
