"""This module reads the store: everything once at start, and pages of tasks, attempts and events later."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Collection, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

from ganger_core.domain.published import Published
from ganger_core.domain.selection import EVERYTHING, Selection
from ganger_core.domain.states import TASK_FINAL, TaskState
from ganger_core.domain.task import Attempt, AttemptRef, Event, Task
from ganger_master import locks, settling
from ganger_master.elements import ElementStates
from ganger_master.remembering import KnownOutputs
from ganger_master.state import State
from ganger_master.store import rows
from ganger_master.store.array_rows import ItemsOf, array_of, element_states, elements, load_array, untouched
from ganger_master.store.choosing import chosen_by
from ganger_master.store.database import BUSY_TIMEOUT_S, open_reader, open_writer, refused

_FINAL = ", ".join(f"'{state}'" for state in sorted(TASK_FINAL))
_TASKS = f"SELECT {rows.TASK_COLUMNS} FROM tasks"  # noqa: S608
CLOCK_SET_MS = 60_000  # so far may a task's events lie outside its times, because the clock was set
_ATTEMPTS = f"SELECT {rows.ATTEMPT_COLUMNS} FROM attempts"  # noqa: S608
_OUTPUTS = f"SELECT {rows.OUTPUT_COLUMNS} FROM outputs"  # noqa: S608
_KNOWN_OUTPUTS = "SELECT t.id, t.token, t.finished_ms > 0, coalesce(o.token, 0) FROM tasks t"
_EVENTS = f"SELECT {rows.EVENT_COLUMNS} FROM events"  # noqa: S608


def open_store(path: Path, busy_timeout_s: float = BUSY_TIMEOUT_S) -> tuple[sqlite3.Connection, State]:
    """The writer's connection and the state to go on from; raises `Conflict` when the database cannot be used."""
    db = open_writer(path, busy_timeout_s)
    try:
        return db, load(db)
    except (
        sqlite3.Error,
        ValueError,
        KeyError,
        TypeError,
    ) as error:  # unreadable pages, or rows without sense
        db.close()
        raise refused(path, error) from error


def load(db: sqlite3.Connection) -> State:
    """The state to go on from: live tasks with their newest attempts, requests, workers, counters."""
    state = State()
    for row in db.execute(f"{_TASKS} WHERE state NOT IN ({_FINAL})"):
        task = rows.task_from_row(row)
        state.tasks[task.id] = task
    for task in [each for each in state.tasks.values() if each.array is not None]:
        load_array(db, state, task)
    live = (
        f"SELECT {', '.join('a.' + c for c in rows.ATTEMPT_COLUMNS.split(', '))} FROM tasks t "  # noqa: S608
        f"JOIN attempts a ON a.task_id = t.id AND a.token = t.token WHERE t.state NOT IN ({_FINAL})"
    )
    settling.load(state, partial(stored_task, db), partial(element_states, db))
    for row in db.execute(live):
        attempt = rows.attempt_from_row(row)
        state.attempts[attempt.ref.task_id] = attempt
    for owner, request_id, digest, answer in db.execute(
        "SELECT owner, request_id, digest, answer FROM requests"
    ):
        state.requests[owner, request_id] = (digest, answer)
    for (profile,) in db.execute("SELECT profile FROM workers"):
        worker = rows.profile_from_json(profile)
        state.workers[worker.id] = worker
    for worker_id, cordon in db.execute("SELECT worker_id, cordon FROM cordons"):
        state.cordons[worker_id] = rows.cordon_from_json(cordon)
    counters = dict(db.execute("SELECT name, value FROM counters"))
    state.next_task_id, state.next_seq = counters["next_task_id"], counters["next_seq"]
    state.epoch, state.restored = counters["epoch"], counters["restored"]
    return state


def stored_task(db: sqlite3.Connection, task_id: int, items_of: ItemsOf | None = None) -> Task | None:
    """The task as stored, also an element that has no record."""
    row = db.execute(f"{_TASKS} WHERE id = ?", (task_id,)).fetchone()
    if row:
        return rows.task_from_row(row)
    array = array_of(db, task_id)
    return next(untouched(db, array, [task_id], items_of or ItemsOf()), None) if array else None


class StoreReader:
    """Reads for answers; each thread that calls it gets a connection of its own, read-only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._items_of = ItemsOf()

    def task(self, task_id: int) -> Task | None:
        """The task as stored, also an element that has no record."""
        return stored_task(self._db(), task_id, self._items_of)

    def element_states(self, array: Task) -> ElementStates:
        """How those elements of an array stand that have rows."""
        return element_states(self._db(), array)

    def attempts(self, task_id: int) -> list[Attempt]:
        """The task's attempts, from the first to the newest."""
        found = self._db().execute(f"{_ATTEMPTS} WHERE task_id = ? ORDER BY token", (task_id,))
        return [rows.attempt_from_row(row) for row in found]

    def attempt(self, ref: AttemptRef) -> Attempt | None:
        """One attempt as stored."""
        where = f"{_ATTEMPTS} WHERE task_id = ? AND token = ?"
        row = self._db().execute(where, (ref.task_id, ref.token)).fetchone()
        return rows.attempt_from_row(row) if row else None

    def published(self, task_id: int) -> Published | None:
        """What the task published last."""
        row = self._db().execute(f"{_OUTPUTS} WHERE task_id = ?", (task_id,)).fetchone()
        return rows.published_from_row(row) if row else None

    def known_outputs(self, task_ids: Collection[int]) -> dict[int, KnownOutputs]:
        """What is known of the outputs of these tasks; those that are not known are left out."""
        marks = ", ".join("?" * len(task_ids))
        query = f"{_KNOWN_OUTPUTS} LEFT JOIN outputs o ON o.task_id = t.id WHERE t.id IN ({marks})"
        found = self._db().execute(query, list(task_ids))
        return {row[0]: KnownOutputs(row[1], bool(row[2]), row[3]) for row in found}

    def tasks(
        self,
        *,
        before: int,
        limit: int,
        owner: str,
        states: Collection[TaskState],
        ids: Collection[int],
        chosen: Selection = EVERYTHING,
    ) -> list[tuple[Task, str]]:
        """Up to `limit` tasks with an id below `before`, newest first, each with its newest attempt's worker.

        An empty `owner`, `states` or `ids` does not filter; without `ids` there are no elements of arrays.
        """
        clauses, values = ["t.id < ?"], [before]
        query, order = rows.TASKS_WITH_WORKERS, "t.id"
        filters: list[tuple[str, Iterable[object]]] = [
            ("t.owner", [owner] if owner else []),
            ("t.state", [state.value for state in states]),
            ("t.id", ids),
        ]
        for column, wanted in filters:
            listed = list(wanted)
            if listed:
                clauses.append(f"{column} IN ({', '.join('?' * len(listed))})")
                values += listed  # type: ignore[arg-type]
        if not ids:
            clauses.append("t.array_id = 0")
            more, of_choice = chosen_by(chosen)
            clauses += more
            values += of_choice  # type: ignore[arg-type]
            if chosen.labels:  # in the order of its index, so that a page reads no more than its rows
                query, order = f"{query} JOIN labels l ON l.task_id = t.id", "l.task_id"
        query = f"{query} WHERE {' AND '.join(clauses)} ORDER BY {order} DESC LIMIT ?"
        most = len(ids) or limit
        found = [
            (rows.task_from_row(row[:-1]), row[-1]) for row in self._db().execute(query, (*values, most))
        ]
        if not ids:
            return found
        found += [
            (task, "")
            for task in self._untouched(ids)
            if task.id < before
            and (not owner or task.owner == owner)
            and (not states or task.state in states)
        ]
        named = sorted(found, key=lambda each: -each[0].id)
        return [(task, worker) for task, worker in named if chosen.fits(task.spec)][:limit]

    def elements(
        self,
        array_id: int,
        *,
        before: int,
        limit: int,
        owner: str,
        states: Collection[TaskState],
        chosen: Selection = EVERYTHING,
    ) -> list[tuple[Task, str]]:
        """Up to `limit` elements of an array, as `tasks` gives them, also those that have no record."""
        array = self.task(array_id)
        if array is None or array.array is None or (owner and array.owner != owner):
            return []
        if not chosen.fits(array.spec):
            return []
        return list(islice(elements(self._db(), array, before, states, self._items_of), limit))

    def _untouched(self, ids: Collection[int]) -> Iterator[Task]:
        """Those of these tasks that are elements without a row."""
        marks = ", ".join("?" * len(ids))
        query = f"SELECT id FROM tasks WHERE id IN ({marks})"  # noqa: S608
        known = {task_id for (task_id,) in self._db().execute(query, list(ids))}
        left = sorted(set(ids) - known)
        while left:
            array = array_of(self._db(), left[-1])
            if array is None:
                left.pop()
                continue
            mine = [task_id for task_id in left if task_id > array.id]
            del left[len(left) - len(mine) :]
            yield from untouched(self._db(), array, mine, self._items_of)

    def events(self, after_seq: int, limit: int) -> list[Event]:
        """Up to `limit` events after a sequence number, in order."""
        found = self._db().execute(f"{_EVENTS} WHERE seq > ? ORDER BY seq LIMIT ?", (after_seq, limit))
        return [rows.event_from_row(row) for row in found]

    def history(self, task: Task, up_to_seq: int, limit: int) -> list[Event]:
        """The first `limit` of a task's events that are kept, up to a sequence number, in order.

        Events have no index by task: those of its life are looked through, with a minute for a clock that was set.
        """
        first = self._first_after(task.submitted_ms - CLOCK_SET_MS, up_to_seq)
        last = up_to_seq
        if task.finished_ms:
            last = min(last, self._first_after(task.finished_ms + CLOCK_SET_MS, up_to_seq))
        where = f"{_EVENTS} WHERE seq BETWEEN ? AND ? AND task_id = ? ORDER BY seq LIMIT ?"
        return [rows.event_from_row(row) for row in self._db().execute(where, (first, last, task.id, limit))]

    def _first_after(self, at_ms: int, up_to_seq: int) -> int:
        """The first event from this moment on; `up_to_seq` when there is none before it."""
        (low,) = self._db().execute("SELECT min(seq) FROM events").fetchone()
        high = up_to_seq
        low = high if low is None else low
        while low < high:
            middle = (low + high) // 2
            row = self._db().execute("SELECT at_ms FROM events WHERE seq >= ? LIMIT 1", (middle,)).fetchone()
            if row is None or row[0] >= at_ms:
                high = middle
            else:
                low = middle + 1
        return low

    def close(self) -> None:
        """Close every connection; called when no thread reads any more."""
        for db in self._opened:
            db.close()

    def _db(self) -> sqlite3.Connection:
        locks.assert_none_held("read of the store")
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None:
            db = self._local.db = open_reader(self._path)
            self._opened.append(db)
        return db
