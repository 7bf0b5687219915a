"""This module knows when output reached the master: marks beside a log file, each a time and an offset.

A mark is made at most once in a second, and the first one is written together with the second, so that the short logs
of most tasks have no such file. Marks are not synced: where some are missing, more output counts as new, never less.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

MARK_EVERY_MS = 1_000


class Mark(NamedTuple):
    """What is at this offset and behind it came at this time or later, by the master's clock."""

    at_ms: int
    offset: int


def marks_path(log: Path) -> Path:
    """The file of the marks of a log file."""
    return log.with_name(f"{log.name}.times")


def next_marks(newest: Mark | None, offset: int, now_ms: int) -> tuple[Mark, tuple[Mark, ...]]:
    """The newest mark once bytes have come at `offset`, and which marks to write down."""
    if newest is None:
        first = Mark(now_ms, offset)
        return first, (first,) if offset else ()
    if 0 <= now_ms - newest.at_ms < MARK_EVERY_MS:
        return newest, ()
    mark = Mark(now_ms, offset)
    return mark, (mark,) if newest.offset else (newest, mark)


def write_marks(log: Path, marks: Sequence[Mark]) -> None:
    """Write marks down behind those that are there."""
    if marks:
        with marks_path(log).open("a", encoding="ascii") as file:
            file.write("".join(f"{mark.at_ms} {mark.offset}\n" for mark in marks))


def read_marks(log: Path) -> list[Mark]:
    """The marks that were written down; half a line, after a crash, counts as none."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for line in marks_path(log).read_text(encoding="ascii", errors="replace").splitlines():
            at_ms, _, offset = line.partition(" ")
            if at_ms.isdigit() and offset.isdigit():
                found.append(Mark(int(at_ms), int(offset)))
    return found


def offset_since(since_ms: int, marks: Sequence[Mark], size: int, written_ms: int) -> int:
    """Where in a file of `size` bytes, last written at `written_ms`, that begins which came at `since_ms` or later.

    Bytes from a mark on came within a second of it, or the next mark would be nearer.
    """
    if written_ms < since_ms:
        return size
    for number, mark in enumerate(marks):
        if mark.at_ms + MARK_EVERY_MS > since_ms:
            return mark.offset if number else 0
    return marks[-1].offset if marks else 0
