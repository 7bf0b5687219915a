"""This module opens the SQLite database: one connection that writes and checkpoints, and read-only ones.

Before the first write a read-only look decides whether the file may be used at all: a damaged, foreign or
newer one is refused and left exactly as it is.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from importlib import resources
from pathlib import Path

from ganger_core.domain.errors import Conflict
from ganger_master.store.failures import explain

SCHEMA = 6  # kept in PRAGMA user_version
BUSY_TIMEOUT_S = 30.0
NAME = "ganger.db"
RESTORING = NAME + ".restoring"  # there while `ganger restore` has begun to replace the database
CHECK_ALL_BYTES = 64 * 2**20
"""Up to this size every page is checked at the start, beyond it only the tables that memory is filled from.

A quick check takes about 3 ms per MiB, and a master has a second from its start until it serves. Damage in
the other tables (attempts, events) is met when it is read; `ganger backup` checks every page.
"""
CHECKED_ALWAYS = ("counters", "workers", "requests", "tasks")


def open_writer(path: Path, busy_timeout_s: float = BUSY_TIMEOUT_S) -> sqlite3.Connection:
    """Open for writing: an empty file gets the schema, an older one is brought up to date.

    Raises `Conflict` on a database that is damaged, newer or not Ganger's, that cannot be written, or that
    another program holds for longer than `busy_timeout_s`.

    WAL with synchronous=FULL: a commit that returned is on disk. Automatic checkpoints are off, because
    SQLite before 3.51.3 may corrupt the file when two connections checkpoint and write at once; the one
    writer checkpoints by itself.
    """
    refuse_unfinished(path)
    found = check(path, busy_timeout_s) if path.exists() and path.stat().st_size else 0
    try:
        db = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise refused(path, error) from error
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("PRAGMA wal_autocheckpoint=0")
        migrate(db, found)
        db.execute("BEGIN IMMEDIATE")  # whether it can be written shows now, not at the first commit
        db.execute("ROLLBACK")
        sync(path.parent)  # its log is new in there, and SQLite forgives when that sync fails
    except (OSError, sqlite3.Error) as error:
        db.close()
        raise refused(path, error) from error
    return db


def sync(path: Path) -> None:
    """Have what a file holds, or the names in a folder, on disk; raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_reader(path: Path) -> sqlite3.Connection:
    """Open for reading only; each reading thread has its own."""
    # Closed by another thread, when its own has ended.
    db = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
    )
    db.execute("PRAGMA wal_autocheckpoint=0")
    return db


def check(path: Path, busy_timeout_s: float = BUSY_TIMEOUT_S, *, whole: bool = False) -> int:
    """Look at a database without changing what it holds; returns its schema number, 0 for one without content.

    Raises `Conflict` when it is damaged, newer than this version, or not Ganger's. `whole` checks every
    page whatever the size.
    """
    try:
        _undo_unfinished(path, busy_timeout_s)
        db = open_reader(path)
    except sqlite3.Error as error:
        raise refused(path, error) from error
    try:
        db.execute(f"PRAGMA busy_timeout={round(busy_timeout_s * 1000)}")
        found: int = db.execute("PRAGMA user_version").fetchone()[0]
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if found > SCHEMA:
            raise Conflict(
                f"{path} has schema {found}, this version of ganger knows up to {SCHEMA}: "
                "start the version that wrote it, or name another --state-dir"
            )
        if (found or tables) and "counters" not in tables:
            raise Conflict(f"{path} is a database of another program: name another file or --state-dir")
        if found:
            _check_pages(db, path, whole)
    except sqlite3.Error as error:
        raise refused(path, error) from error
    finally:
        db.close()
    return found


def _undo_unfinished(path: Path, busy_timeout_s: float) -> None:
    """Have SQLite undo a transaction that was cut off before the database had its write-ahead log.

    That is so when a master is killed while it makes its database, or takes one that a restore put there. A
    connection for reading only may not do it.
    """
    journal = path.with_name(f"{path.name}-journal")
    if journal.exists() and journal.stat().st_size:
        with contextlib.closing(sqlite3.connect(path, timeout=busy_timeout_s)) as db:
            db.execute("PRAGMA user_version").fetchone()


def refused(path: Path, error: Exception) -> Conflict:
    """The refusal to use this database, with its cause and what to do."""
    return Conflict(f"{path} cannot be used: {explain(error)}")


def refuse_unfinished(path: Path) -> None:
    """Raise `Conflict` where a restore was interrupted, or where the database is gone though its logs are there.

    A master that began anew there would give task ids out a second time.
    """
    if path.with_name(RESTORING).exists():
        raise Conflict(
            f"a restore into {path.parent} was interrupted: run `ganger restore FILE --force` again"
        )
    wal = path.with_name(path.name + "-wal")
    if (path.exists() and path.stat().st_size) or (wal.exists() and wal.stat().st_size):
        return
    logs = path.parent / "logs"
    if logs.is_dir() and any(logs.iterdir()):
        raise Conflict(
            f"{path} is {'empty' if path.exists() else 'gone'}, though there are logs of its tasks: bring it back "
            f"with `ganger restore FILE`, or remove {logs} to begin anew"
        )


def migrate(db: sqlite3.Connection, found: int) -> None:
    """Bring a database from schema `found` (0: nothing yet) up to date, in one transaction."""
    if found == SCHEMA:
        return
    folder = resources.files("ganger_master.store")
    names = [
        "schema.sql" if number == 1 else f"schema-{number}.sql" for number in range(found + 1, SCHEMA + 1)
    ]
    script = "\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in names)
    db.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version={SCHEMA};\nCOMMIT;")


def _check_pages(db: sqlite3.Connection, path: Path, whole: bool) -> None:
    size = db.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()[0]
    checks = ["quick_check(1)"]
    if size > CHECK_ALL_BYTES and not whole:
        checks = [f"quick_check({table})" for table in CHECKED_ALWAYS]
    for name in checks:
        said = db.execute(f"PRAGMA {name}").fetchone()[0]
        if said != "ok":
            raise refused(path, sqlite3.DatabaseError(f"a check found: {said}"))
