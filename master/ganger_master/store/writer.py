"""This module commits changes in groups: what arrived while the last commit ran goes into the next one."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ganger_core.domain.states import TaskState
from ganger_core.domain.task import Attempt, Task
from ganger_master import locks
from ganger_master.changes import Answered, Change
from ganger_master.engine import Leaving
from ganger_master.store import rows
from ganger_master.store.failures import StoreFailed, explain

MAX_ROWS = 1_000  # about how many rows one transaction takes, so that none holds the file for long
CHECKPOINT_EVERY_ROWS = 10_000  # a few megabytes of WAL

_MARKS = ", ".join("?" * len(rows.TASK_COLUMNS.split(",")))
_INSERT_TASK = f"INSERT INTO tasks ({rows.TASK_COLUMNS}) VALUES ({_MARKS})"  # noqa: S608
_UPDATE_TASK = (
    "UPDATE tasks SET state=?, version=?, reason=?, token=?, started_ms=?, finished_ms=?, outcome=?, crashes=?, "
    "array=?, waits=?, failures=?, faults=? WHERE id=?"
)
_UPDATE_SPEC = "UPDATE tasks SET spec=? WHERE id=?"
_PUT_ATTEMPT = (
    f"INSERT OR REPLACE INTO attempts ({rows.ATTEMPT_COLUMNS}) "  # noqa: S608
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_EVENT = f"INSERT INTO events ({rows.EVENT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
_INSERT_REQUEST = (
    "INSERT INTO requests (owner, request_id, digest, answer, at_ms, first_task_id, last_task_id) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_LABEL = "INSERT INTO labels (task_id, key, value) VALUES (?, ?, ?)"
_INSERT_ITEMS = "INSERT OR IGNORE INTO items (digest, content) VALUES (?, ?)"
_DROP_ITEMS = (
    "DELETE FROM items WHERE NOT EXISTS "
    "(SELECT 1 FROM tasks WHERE array IS NOT NULL AND json_extract(array, '$.items') = digest)"
)
_PUT_OUTPUTS = f"INSERT OR REPLACE INTO outputs ({rows.OUTPUT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
_PUT_WORKER = "INSERT OR REPLACE INTO workers (id, profile) VALUES (?, ?)"
_PUT_CORDON = "INSERT OR REPLACE INTO cordons (worker_id, cordon) VALUES (?, ?)"
_PUT_COUNTER = "UPDATE counters SET value=? WHERE name=?"


@dataclass(frozen=True, slots=True)
class Entry:
    """One change on its way to disk."""

    ticket: int
    change: Change
    next_task_id: int
    leaving: Leaving

    def rows(self) -> int:
        """About how many rows it writes."""
        change = self.change
        forgotten = sum(len(old.task_ids) + len(old.requests) for old in change.forgotten)
        return len(change.tasks) + len(change.attempts) + len(change.events) + len(change.outputs) + forgotten


Durable = Callable[[Sequence[tuple[int, Leaving]]], None]
"""Told after each commit: the tickets now on disk, in order, each with what may leave the master."""


class StoreWriter:
    """The store thread. A commit that fails is not repeated: `on_failure` ends the process."""

    def __init__(
        self, db: sqlite3.Connection, on_durable: Durable, on_failure: Callable[[BaseException], None]
    ) -> None:
        self._db = db
        self._on_durable = on_durable
        self._on_failure = on_failure
        self._arrived = threading.Condition()
        self._entries: list[Entry] = []
        self._stopping = False
        self._rows_since_checkpoint = 0
        self._thread = threading.Thread(target=self._run, name="store")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Commit what has arrived, then end the thread and close the database."""
        with self._arrived:
            self._stopping = True
            self._arrived.notify()
        self._thread.join()
        self._db.close()

    def submit(self, ticket: int, change: Change, next_task_id: int, leaving: Leaving) -> None:
        """Queue a change; called in ticket order."""
        with self._arrived:
            self._entries.append(Entry(ticket, change, next_task_id, leaving))
            self._arrived.notify()

    def run_once(self) -> bool:
        """Commit what has arrived; returns whether there was anything."""
        with self._arrived:
            group = self._take_group_locked()
        if not group:
            return False
        commit_group(self._db, group)
        self._on_durable([(entry.ticket, entry.leaving) for entry in group])
        self._checkpoint(sum(entry.rows() for entry in group))
        return True

    def _take_group_locked(self) -> list[Entry]:
        taken = size = 0
        while taken < len(self._entries) and (not taken or size + self._entries[taken].rows() <= MAX_ROWS):
            size += self._entries[taken].rows()
            taken += 1
        group, self._entries = self._entries[:taken], self._entries[taken:]
        return group

    def _run(self) -> None:
        try:
            while True:
                with self._arrived:
                    self._arrived.wait_for(lambda: self._entries or self._stopping)
                    if not self._entries:
                        return
                self.run_once()
        except sqlite3.Error as error:
            failed = StoreFailed(f"the database cannot take a change: {explain(error)}")
            failed.__cause__ = error
            self._on_failure(failed)
            raise failed from error
        except BaseException as error:
            self._on_failure(error)
            raise

    def _checkpoint(self, rows_written: int) -> None:
        """Move the WAL into the database when it has grown, so that it is reused; a reader only delays that."""
        self._rows_since_checkpoint += rows_written
        if self._rows_since_checkpoint >= CHECKPOINT_EVERY_ROWS:
            self._rows_since_checkpoint = 0
            self._db.execute("PRAGMA wal_checkpoint(PASSIVE)")


def commit_group(db: sqlite3.Connection, group: Sequence[Entry]) -> None:
    """Write the changes of a group in one transaction; only the last version of a task or attempt is written."""
    locks.assert_none_held("commit")
    new: dict[int, Task] = {}
    changed: dict[int, Task] = {}
    attempts: dict[tuple[int, int], Attempt] = {}
    for entry in group:
        for task in entry.change.tasks:
            is_new = task.id in new or (task.version == 1 and task.state is TaskState.PENDING)
            (new if is_new else changed)[task.id] = task
        for attempt in entry.change.attempts:
            attempts[attempt.ref.task_id, attempt.ref.token] = attempt
    events = [event for entry in group for event in entry.change.events]
    db.execute("BEGIN IMMEDIATE")
    try:
        _forget(db, group)  # first: a request id that is forgotten may be used again in the same group
        db.executemany(
            _INSERT_ITEMS, ((items.digest, items.blob) for entry in group for items in entry.change.items)
        )
        db.executemany(_INSERT_TASK, map(rows.task_to_row, new.values()))
        labels = [
            (task.id, *label) for task in new.values() if not task.array_id for label in task.spec.labels
        ]
        db.executemany(_INSERT_LABEL, labels)
        db.executemany(_UPDATE_TASK, map(_task_update, changed.values()))
        respecified = {task_id for entry in group for task_id in entry.change.respecified} & changed.keys()
        db.executemany(_UPDATE_SPEC, ((rows.spec_to_json(changed[i].spec), i) for i in sorted(respecified)))
        db.executemany(_PUT_ATTEMPT, map(rows.attempt_to_row, attempts.values()))
        db.executemany(_INSERT_EVENT, map(rows.event_to_row, events))
        db.executemany(
            _PUT_OUTPUTS, (rows.published_to_row(each) for entry in group for each in entry.change.outputs)
        )
        db.executemany(
            _INSERT_REQUEST,
            (_answered_to_row(answered) for entry in group for answered in entry.change.answered),
        )
        db.executemany(
            _PUT_WORKER, ((p.id, rows.profile_to_json(p)) for entry in group for p in entry.change.workers)
        )
        _put_cordons(db, group)
        counters = [(group[-1].next_task_id, "next_task_id")]
        if events:
            counters.append((events[-1].seq + 1, "next_seq"))
        if any(entry.change.restore_settled for entry in group):
            counters.append((0, "restored"))
        db.executemany(_PUT_COUNTER, counters)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _put_cordons(db: sqlite3.Connection, group: Sequence[Entry]) -> None:
    for worker_id, cordon in (pair for entry in group for pair in entry.change.cordons):
        if cordon is None:
            db.execute("DELETE FROM cordons WHERE worker_id = ?", (worker_id,))
        else:
            db.execute(_PUT_CORDON, (worker_id, rows.cordon_to_json(cordon)))


def _answered_to_row(answered: Answered) -> rows.Row:
    request = answered.request
    about = (answered.at_ms, answered.first_task_id, answered.last_task_id)
    return (request.owner, request.request_id, request.digest, answered.answer, *about)


def _forget(db: sqlite3.Connection, group: Sequence[Entry]) -> None:
    for old in (old for entry in group for old in entry.change.forgotten):
        ids = [(task_id,) for task_id in old.task_ids]
        db.executemany("DELETE FROM attempts WHERE task_id = ?", ids)
        db.executemany("DELETE FROM labels WHERE task_id = ?", ids)
        db.executemany("DELETE FROM outputs WHERE task_id = ?", ids)
        db.executemany("DELETE FROM tasks WHERE id = ?", ids)
        db.executemany("DELETE FROM requests WHERE owner = ? AND request_id = ?", old.requests)
        db.execute("DELETE FROM events WHERE seq <= ?", (old.events_up_to,))
        if ids:
            db.execute(_DROP_ITEMS)


def _task_update(task: Task) -> rows.Row:
    return (*rows.task_to_changed(task), task.id)
