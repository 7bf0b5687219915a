"""This module puts into words what SQLite says when it cannot go on, each with what to do about it."""

from __future__ import annotations

import sqlite3

from ganger_core.domain.errors import Unavailable

_DAMAGED = "it is damaged: restore it with `ganger restore FILE`, or name another --state-dir"
_WORDS = {
    "SQLITE_BUSY": "another program holds it locked: end that program",
    "SQLITE_LOCKED": "another program holds it locked: end that program",
    "SQLITE_READONLY": "it cannot be written: see who owns the file and how its disk is mounted",
    "SQLITE_CANTOPEN": "it cannot be opened: see who owns the file and its folder, and how the disk is mounted",
    "SQLITE_FULL": "the disk is full: free some space",
    "SQLITE_IOERR": "the disk fails: look into the system's log before starting again",
    "SQLITE_CORRUPT": _DAMAGED,
    "SQLITE_NOTADB": "it is no database, or it is damaged: restore it with `ganger restore FILE`, "
    "or name another --state-dir",
}


class StoreFailed(Unavailable):
    """The store cannot take a change: the master must end, and start again once the cause is gone."""

    reason = "STORE_FAILED"


def explain(error: Exception) -> str:
    """The cause and what to do, then SQLite's own words."""
    full_name = getattr(error, "sqlite_errorname", None) or ""
    # Extended names such as SQLITE_IOERR_WRITE begin with the general one.
    name = "_".join(full_name.split("_")[:2])
    words = _WORDS.get(name)
    if words is None:
        words = _DAMAGED if isinstance(error, sqlite3.DatabaseError) and not full_name else "SQLite fails"
    return f"{words} ({error})"
