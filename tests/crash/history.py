"""This module reads what a master holds: all of it from its database, specs and results through the SDK."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from crash.checkers import (
    Ack,
    AttemptRow,
    EventRow,
    Finding,
    Snapshot,
    TaskRow,
    acknowledged_is_there,
    conserved,
    finals_stay,
    ids_are_kept,
    nothing_unasked,
    one_live,
    tokens_grow,
)
from crash.truth import Span
from ganger import Client


def snapshot(folder: Path) -> Snapshot:
    """One consistent view of the database of a state folder; specs and outcomes as their stored text."""
    db = sqlite3.connect(f"file:{folder / 'ganger.db'}?mode=ro", uri=True, isolation_level=None)
    try:
        db.execute("BEGIN")
        columns = "id, spec, state, token, coalesce(outcome, ''), array IS NOT NULL"
        tasks = db.execute(f"SELECT {columns} FROM tasks").fetchall()  # noqa: S608
        attempts = db.execute("SELECT task_id, token, state FROM attempts").fetchall()
        events = db.execute("SELECT seq, task_id, state, token FROM events ORDER BY seq").fetchall()
    finally:
        db.close()
    return Snapshot(
        {row[0]: TaskRow(*row) for row in tasks},
        [AttemptRow(*row) for row in attempts],
        [EventRow(*row) for row in events],
    )


def stored_before(folder: Path, at_ms: float, newest: int = 1_000) -> set[str]:
    """The names of those of the newest tasks that the master took in before `at_ms`, in Unix milliseconds."""
    db = sqlite3.connect(f"file:{folder / 'ganger.db'}?mode=ro", uri=True)
    try:
        query = "SELECT spec FROM (SELECT * FROM tasks ORDER BY id DESC LIMIT ?) WHERE submitted_ms <= ?"
        return {json.loads(spec)["name"] for (spec,) in db.execute(query, (newest, at_ms))}
    finally:
        db.close()


def check_all(
    client: Client,
    acks: Sequence[Ack],
    sent: frozenset[str],
    spans: Sequence[Span],
    snapshots: Sequence[Snapshot],
    *,
    over: bool,
) -> Finding:
    """All invariants at once; the last snapshot is the present."""
    stored = {row.task.id: row.task for row in client.tasks()}
    names = [task.spec.name for task in stored.values()]
    for array_id in [task.id for task in stored.values() if task.array is not None]:
        stored.update((row.task.id, row.task) for row in client.tasks(array=array_id))
    tasks = {i: TaskRow(i, task.spec, task.state.value) for i, task in stored.items()}
    present = snapshots[-1]
    return (
        acknowledged_is_there(acks, tasks, over=over)
        + ids_are_kept(acks)
        + nothing_unasked(names, sent, spans, frozenset(stored))
        + one_live(spans)
        + tokens_grow(present.events, spans)
        + finals_stay(present.events, snapshots)
        + conserved(present)
    )
