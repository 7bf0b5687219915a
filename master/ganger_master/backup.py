"""This module copies the database into a file, while a master may be writing to it, and checks the copy."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ganger_core.domain.errors import Conflict, NotFound
from ganger_master.store.database import check, open_reader, refuse_unfinished, refused, sync


def back_up(source: Path, target: Path, *, force: bool = False) -> int:
    """Write a copy of the database `source`, as of one moment, to `target`; returns its size in bytes.

    The copy is whole, checked page by page and on disk when this returns; until then nothing has the name
    `target`. Raises `NotFound` without a database, `Conflict` when `target` is there (unless `force`), when
    the database or its copy is damaged, or when it cannot be written.
    """
    refuse_unfinished(source)
    if not source.exists():
        raise NotFound(f"there is no database in {source.parent}: name the master's folder with --state-dir")
    _refuse_existing(target, force)
    check(source)
    with a_draft(target) as draft:
        copy(source, draft)
        check(draft, whole=True)
        _refuse_existing(target, force)  # it may have come meanwhile
        put_in_place(draft, target)
    return target.stat().st_size


@contextmanager
def a_draft(target: Path) -> Iterator[Path]:
    """A new file beside `target`, for its owner alone; gone at the end unless it was put in place.

    What the system refuses inside becomes a `Conflict` about `target`.
    """
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        yield draft
    except OSError as error:
        raise Conflict(f"{target} cannot be written: {error.strerror or error}") from error
    except sqlite3.Error as error:
        raise refused(target, error) from error
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            draft.with_name(draft.name + suffix).unlink(missing_ok=True)


def copy(source: Path, draft: Path) -> None:
    """Copy a database as of one moment, by a read-only connection that holds up no writer, into one file."""
    with closing(open_reader(source)) as reading, closing(sqlite3.connect(draft)) as writing:
        reading.backup(writing)  # all pages in one step: one snapshot, whatever is committed meanwhile
        writing.execute("PRAGMA journal_mode=DELETE")  # nothing beside the file


def put_in_place(draft: Path, target: Path) -> None:
    """Give a complete draft its name; both are on disk afterwards."""
    sync(draft)
    os.replace(draft, target)
    sync(target.parent)


def _refuse_existing(target: Path, force: bool) -> None:
    if target.is_dir():
        raise Conflict(f"{target} is a folder: name the file to write")
    if target.exists() and not force:
        raise Conflict(f"{target} is there already: name another file, or replace it with --force")
