"""This module reads arrays from the store: their items, and their elements, which may have no row yet."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator

from ganger_core.domain.array import Items
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import Task
from ganger_master.arrays import element
from ganger_master.elements import ElementStates
from ganger_master.state import State
from ganger_master.store import rows

CHUNK = 1_000  # elements that are looked at together

_TASKS = f"SELECT {rows.TASK_COLUMNS} FROM tasks"  # noqa: S608


def load_array(db: sqlite3.Connection, state: State, task: Task) -> None:
    """Note in the state which elements of an array that is not over have records, and how those stand."""
    assert task.array is not None, task
    state.arrays.note(task, _items(db, task.array.items))
    elements = state.arrays.get(task.id)
    last = task.id + len(task.array)
    for row in db.execute(f"{_TASKS} WHERE id > ? AND id <= ? ORDER BY id", (task.id, last)):
        elements.note(None, rows.task_from_row(row))


def element_states(db: sqlite3.Connection, array: Task) -> ElementStates:
    """How those elements of an array stand that have rows."""
    assert array.array is not None, array
    states = ElementStates(len(array.array))
    where = "SELECT id, state FROM tasks WHERE id > ? AND id <= ?"
    for task_id, state in db.execute(where, (array.id, array.id + len(array.array))):
        states[task_id - array.id - 1] = TaskState(state)
    return states


def array_of(db: sqlite3.Connection, task_id: int) -> Task | None:
    """The array that this task, which has no row, would be an element of."""
    where = f"{_TASKS} WHERE array IS NOT NULL AND id < ? ORDER BY id DESC LIMIT 1"
    row = db.execute(where, (task_id,)).fetchone()
    task = rows.task_from_row(row) if row else None
    return task if task and task.array is not None and task_id <= task.id + len(task.array) else None


class ItemsOf:
    """Reads items by their digest; those read last are kept, for whoever reads page after page."""

    def __init__(self) -> None:
        self._kept: tuple[str, Items | None] = ("", None)

    def __call__(self, db: sqlite3.Connection, digest: str) -> Items | None:
        kept, items = self._kept
        if kept != digest:
            items = _items(db, digest)
            self._kept = digest, items
        return items


def untouched(db: sqlite3.Connection, array: Task, ids: Iterable[int], items_of: ItemsOf) -> Iterator[Task]:
    """These elements, which have no rows: those that were never begun. The others are forgotten."""
    assert array.array is not None, array
    for task_id in ids:
        position = task_id - array.id - 1
        if array.is_final and position < array.array.made:
            continue
        yield element(array, position, items_of(db, array.array.items))


def elements(
    db: sqlite3.Connection, array: Task, before: int, states: Collection[TaskState], items_of: ItemsOf
) -> Iterator[tuple[Task, str]]:
    """The elements in these states (none: in all) with an id below `before`, the highest first.

    Each comes with its newest attempt's worker.
    """
    assert array.array is not None, array
    high = min(before, array.id + 1 + len(array.array))
    if states and (array.array.closed or TaskState.PENDING) not in states:
        marks = ", ".join("?" * len(states))
        where = f"t.id > ? AND t.id < ? AND t.state IN ({marks}) ORDER BY t.id DESC"
        values = (array.id, high, *(state.value for state in states))
        for row in db.execute(f"{rows.TASKS_WITH_WORKERS} WHERE {where}", values):
            yield rows.task_from_row(row[:-1]), row[-1]
        return
    while high > array.id + 1:
        low = max(array.id + 1, high - CHUNK)
        found = {
            row[0]: row
            for row in db.execute(f"{rows.TASKS_WITH_WORKERS} WHERE t.id >= ? AND t.id < ?", (low, high))
        }
        without = [task_id for task_id in range(low, high) if task_id not in found]
        made = {task.id: task for task in untouched(db, array, without, items_of)}
        for task_id in range(high - 1, low - 1, -1):
            if task_id in made:
                yield made[task_id], ""
            elif task_id in found and (not states or found[task_id][3] in states):
                yield rows.task_from_row(found[task_id][:-1]), found[task_id][-1]
        high = low


def _items(db: sqlite3.Connection, digest: str) -> Items | None:
    if not digest:
        return None
    row = db.execute("SELECT content FROM items WHERE digest = ?", (digest,)).fetchone()
    if row is None:
        raise ValueError(f"the items {digest} are missing")
    return Items(row[0])
