"""This module finds what is old in the store, up to so many rows at a time. It only reads."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path

from ganger_core.domain.states import TaskState
from ganger_master import locks
from ganger_master.store.database import open_reader


class AgedRows:
    """Looks for old rows, on one thread, by a connection of its own that it opens at the first look."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened: sqlite3.Connection | None = None

    def tasks(self, before_ms: Mapping[TaskState, int], limit: int) -> tuple[int, ...]:
        """Ids of tasks that ended, in each of these states, before its moment. Elements stay with their array."""
        found: list[int] = []
        for state, moment in before_ms.items():
            rows = self._db().execute(
                "SELECT id FROM tasks WHERE state = ? AND finished_ms > 0 AND finished_ms < ? AND array_id NOT IN "
                "(SELECT id FROM tasks WHERE array IS NOT NULL AND finished_ms = 0) ORDER BY finished_ms LIMIT ?",
                (state.value, moment, limit - len(found)),
            )
            found += [task_id for (task_id,) in rows]
        return tuple(found)

    def requests(self, before_ms: int, limit: int) -> tuple[tuple[str, str], ...]:
        """Owners and ids of requests from before this moment whose tasks are all forgotten."""
        rows = self._db().execute(
            "SELECT owner, request_id FROM requests r WHERE at_ms < ? AND NOT EXISTS "
            "(SELECT 1 FROM tasks WHERE id BETWEEN r.first_task_id AND r.last_task_id) LIMIT ?",
            (before_ms, limit),
        )
        return tuple(rows)

    def events(self, before_ms: int, limit: int) -> tuple[int, int]:
        """The last of the oldest events that are all from before this moment, and how many they are."""
        rows = self._db().execute("SELECT seq, at_ms FROM events ORDER BY seq LIMIT ?", (limit,))
        last = count = 0
        for seq, at_ms in rows:
            if at_ms >= before_ms:
                break
            last, count = seq, count + 1
        return last, count

    def task_ids(self, first: int, last: int) -> set[int]:
        """The tasks that there are, with ids from `first` to `last`."""
        rows = self._db().execute("SELECT id FROM tasks WHERE id BETWEEN ? AND ?", (first, last))
        return {task_id for (task_id,) in rows}

    def close(self) -> None:
        """Close the connection; called when the thread has ended."""
        if self._opened is not None:
            self._opened.close()

    def _db(self) -> sqlite3.Connection:
        locks.assert_none_held("read of the store")
        if self._opened is None:
            self._opened = open_reader(self._path)
        return self._opened
