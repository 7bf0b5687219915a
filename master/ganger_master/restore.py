"""This module puts a backup in the place of a master's database, so that no number is ever given out twice.

In order: a checked copy is brought up to date and gets its new numbers; it takes the name that stops every
master from starting; the database of before is put aside; the copy takes its place. An interruption leaves
either the old state or the one that stops masters, from which the next restore goes on.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ganger_core import state_dir
from ganger_core.domain.errors import Conflict, NotFound
from ganger_master.backup import a_draft, copy, put_in_place
from ganger_master.epochs import HOLD, NOTHING_RUNS, SKIP
from ganger_master.store.database import NAME, RESTORING, check, migrate, open_reader, sync

RECORD = "restored.json"  # the numbers after the last restore, for when the database itself is lost
NUMBERS = ("epoch", "next_task_id", "next_seq")


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did: the new numbers, and where the database of before is, if there was one."""

    epoch: int
    next_task_id: int
    aside: Path | None


def restore(file: Path, folder: Path, *, force: bool = False, nothing_runs: bool = False) -> Restored:
    """Put the backup `file` into the state folder of a master that does not run.

    `nothing_runs` says that no attempt of any task lives anywhere, so that the master need not wait for
    their leases. Raises `NotFound` without the file, and `Conflict` when a master runs, when there is a
    database already (unless `force`), or when the backup is damaged, newer or not Ganger's.
    """
    if not file.is_file():
        raise NotFound(f"there is no file {file}")
    folder = state_dir.prepare(folder)
    with state_dir.lock(folder / "master.lock", "master"):
        if (folder / RESTORING).exists():
            _finish(folder)
        path = folder / NAME
        if path.exists() and path.stat().st_size and not force:
            raise Conflict(
                f"{path} is there already: --force puts it aside and the backup in its place; "
                "`ganger backup` first keeps what it holds"
            )
        found = check(file, whole=True)
        if not found:
            raise Conflict(f"{file} holds no database of Ganger")
        numbers = {name: _highest(name, file, path, folder / RECORD) for name in NUMBERS}
        numbers = {name: value + (1 if name == "epoch" else SKIP) for name, value in numbers.items()}
        with a_draft(folder / RESTORING) as draft:
            copy(file, draft)
            _renumber(draft, found, {**numbers, "restored": NOTHING_RUNS if nothing_runs else HOLD})
            _write_record(folder / RECORD, numbers)
            put_in_place(draft, folder / RESTORING)
        aside = _finish(folder)
    return Restored(numbers["epoch"], numbers["next_task_id"], aside)


def _finish(folder: Path) -> Path | None:
    """Put aside what is there and the complete copy in its place; returns where the old one is."""
    path, ready = folder / NAME, folder / RESTORING
    aside = folder / f"{NAME}.before-epoch-{_numbers_in(ready)['epoch']}"
    for suffix in ("", "-wal", "-shm"):  # the WAL belongs to it: left here it would be read into the new one
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            os.replace(beside, aside.with_name(aside.name + suffix))
    sync(folder)
    put_in_place(ready, path)
    return aside if aside.exists() else None


def _renumber(draft: Path, found: int, counters: dict[str, int]) -> None:
    with closing(sqlite3.connect(draft, isolation_level=None)) as db:
        migrate(db, found)
        db.execute("BEGIN IMMEDIATE")
        db.executemany("UPDATE counters SET value = ? WHERE name = ?", [(v, n) for n, v in counters.items()])
        db.execute("COMMIT")


def _highest(name: str, backup: Path, present: Path, record: Path) -> int:
    """The highest value of a counter that anything here knows of."""
    known = [_numbers_in(backup).get(name, 1)]
    if present.exists() and present.stat().st_size:
        try:
            known.append(_numbers_in(present).get(name, 1))
        except sqlite3.Error:  # damaged, which is why it is replaced: the record of the last restore must do
            known.append(1)
    if record.exists():
        try:
            known.append(int(json.loads(record.read_text(encoding="ascii"))[name]))
        except (ValueError, KeyError, TypeError) as error:
            raise Conflict(
                f"{record} is damaged ({error}): bring it back, or restore into another folder"
            ) from error
    return max(known)


def _numbers_in(path: Path) -> dict[str, int]:
    with closing(open_reader(path)) as db:
        found = dict(db.execute("SELECT name, value FROM counters"))
        if "next_seq" not in found:  # schema 1
            found["next_seq"] = db.execute("SELECT coalesce(max(seq), 0) + 1 FROM events").fetchone()[0]
        return found


def _write_record(path: Path, numbers: dict[str, int]) -> None:
    with a_draft(path) as draft:
        draft.write_text(json.dumps(numbers) + "\n", encoding="ascii")
        put_in_place(draft, path)
