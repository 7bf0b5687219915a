"""This module is the master's simulated disk: exactly what was committed, and nothing that was not.

Every commit is checked against what was there before and against what the simulated processes did.
`StoredDisk` keeps the same in the real SQLite store besides, and finds both equal at every load.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Sequence
from copy import copy
from pathlib import Path

from ganger_core.domain.cordon import Cordon
from ganger_core.domain.published import Published
from ganger_core.domain.task import Attempt, AttemptRef, Event, LogStream, Task, WorkerProfile
from ganger_master import settling
from ganger_master.arrays import element
from ganger_master.elements import ElementStates
from ganger_master.remembering import KnownOutputs
from ganger_master.state import State
from ganger_master.store import reader
from ganger_master.store.database import open_writer
from ganger_master.store.writer import Entry, commit_group
from simulation.publishing import check_stored
from simulation.violation import Violation

Watch = Callable[[Sequence[Task], Sequence[Attempt]], None]
"""Told what a commit wrote."""


class Disk:
    """The durable truth. Also answers what `StoreReader` answers."""

    def __init__(self) -> None:
        self.tasks: dict[int, Task] = {}
        self.tries: dict[AttemptRef, Attempt] = {}
        self.events: list[Event] = []
        self.logs: dict[tuple[AttemptRef, LogStream], int] = {}
        self.ids: dict[str, int] = {}  # label -> task id
        self._published: dict[int, Published] = {}
        self.watch: Watch = lambda tasks, attempts: None
        self.commits = 0
        self._requests: dict[tuple[str, str], tuple[str, str]] = {}
        self._workers: dict[str, WorkerProfile] = {}
        self.cordons: dict[str, Cordon] = {}
        self._next_task_id = 1

    def commit(self, group: Sequence[Entry]) -> None:
        """Write a group, all or nothing."""
        self.commits += 1
        for entry in group:
            change = entry.change
            for task in change.tasks:
                self._put_task(task, change.respecified)
            for attempt in change.attempts:
                self._put_attempt(attempt)
            for published in change.outputs:
                task_id = published.ref.task_id
                check_stored(self.tasks[task_id], published, self._published.get(task_id))
                self._published[task_id] = published
            for event in change.events:
                if event.seq != len(self.events) + 1:
                    raise Violation(f"I6 event {event.seq} follows event {len(self.events)}")
                self.events.append(event)
            for told in change.answered:
                request = told.request
                key = (request.owner, request.request_id)
                if key in self._requests:
                    raise Violation(f"I3 request {request.request_id} is answered a second time")
                self._requests[key] = (request.digest, told.answer)
            for profile in change.workers:
                self._workers[profile.id] = profile
            for worker_id, cordon in change.cordons:
                self.cordons.pop(worker_id, None)
                if cordon is not None:
                    self.cordons[worker_id] = cordon
            self._next_task_id = entry.next_task_id
            self.watch(change.tasks, change.attempts)

    def load(self) -> State:
        """What a master starts from, as `reader.load`."""
        live = {task.id: task for task in self.tasks.values() if not task.is_final}
        newest = {t.id: self.tries[AttemptRef(t.id, t.token)] for t in live.values() if t.token}
        state = State(
            live, newest, copy(self._requests), copy(self._workers), self._next_task_id, len(self.events) + 1
        )
        state.cordons = copy(self.cordons)
        for array in [task for task in live.values() if task.array is not None]:
            state.arrays.note(array, None)
            for task in self.tasks.values():
                if task.array_id == array.id:
                    state.arrays.get(array.id).note(None, task)
        settling.load(state, self.task, self.element_states)
        return state

    def close(self) -> None:
        """Nothing is open."""

    def task(self, task_id: int) -> Task | None:
        """As `StoreReader.task`."""
        if task_id in self.tasks:
            return self.tasks[task_id]
        for array in [task for task in self.tasks.values() if task.array is not None]:
            if array.array and array.id < task_id <= array.id + len(array.array):
                return element(array, task_id - array.id - 1, None)
        return None

    def element_states(self, array: Task) -> ElementStates:
        """As `StoreReader.element_states`."""
        assert array.array is not None
        states = ElementStates(len(array.array))
        for task in self.tasks.values():
            if task.array_id == array.id:
                states[task.id - array.id - 1] = task.state
        return states

    def attempts(self, task_id: int) -> list[Attempt]:
        """As `StoreReader.attempts`."""
        return [attempt for ref, attempt in self.tries.items() if ref.task_id == task_id]

    def attempt(self, ref: AttemptRef) -> Attempt | None:
        """As `StoreReader.attempt`."""
        return self.tries.get(ref)

    def published(self, task_id: int) -> Published | None:
        """As `StoreReader.published`."""
        return self._published.get(task_id)

    def known_outputs(self, task_ids: Collection[int]) -> dict[int, KnownOutputs]:
        """As `StoreReader.known_outputs`."""
        stored = {i: found.ref.token for i, found in self._published.items()}
        tasks = [self.tasks[i] for i in task_ids if i in self.tasks]
        return {t.id: KnownOutputs(t.token, t.is_final, stored.get(t.id, 0)) for t in tasks}

    def _put_task(self, task: Task, respecified: Sequence[int]) -> None:
        before = self.tasks.get(task.id)
        label = task.spec.command[1] + (f"[{task.index}]" if task.array_id else "")
        if before is None:
            if self.ids.setdefault(label, task.id) != task.id:
                raise Violation(f"I3 {label} became task {self.ids[label]} and task {task.id}")
            if task.id >= self._next_task_id + 100:
                raise Violation(f"I3 task id {task.id} was skipped to")
        elif before.spec.command != task.spec.command:
            raise Violation(f"I3 the id {task.id} of {before.spec.command[1]} was given to {label}")
        elif before.spec != task.spec and task.id not in respecified:
            raise Violation(f"I1 task {task.id} has another spec, which would not be written")
        elif before.is_final:
            raise Violation(f"I6 task {task.id} was {before.state} and becomes {task.state}")
        elif task.version <= before.version or task.token < before.token:
            raise Violation(f"I7 task {task.id} goes back to version {task.version}, token {task.token}")
        self.tasks[task.id] = task

    def _put_attempt(self, attempt: Attempt) -> None:
        before = self.tries.get(attempt.ref)
        if before is None and attempt.worker_id in self.cordons:
            raise Violation(f"I23 attempt {attempt.ref} is new on {attempt.worker_name}, which is cordoned")
        if before is not None and not before.is_live and before.state is not attempt.state:
            raise Violation(f"I6 attempt {attempt.ref} was {before.state} and becomes {attempt.state}")
        if attempt.ref.token != self.tasks[attempt.ref.task_id].token:
            raise Violation(f"I7 attempt {attempt.ref} is written, but its task's token is another")
        self.tries[attempt.ref] = attempt


def _arrays_of(state: State) -> dict[int, object]:
    """What a state knows of arrays."""
    return {
        array_id: (each.made, each.open, each._ahead, +each._counts, each.worst)
        for array_id, each in state.arrays._elements.items()
    }


class StoredDisk(Disk):
    """The same, and in the real store."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._path = folder / "ganger.db"
        self._db: sqlite3.Connection | None = None

    def commit(self, group: Sequence[Entry]) -> None:
        """Write a group to both."""
        super().commit(group)
        assert self._db is not None
        commit_group(self._db, group)

    def load(self) -> State:
        """Open the database as a restarted master does."""
        self.close()
        self._db = open_writer(self._path)
        self._db.execute("PRAGMA synchronous=OFF")  # the simulated crash is not one of this host
        stored, kept = reader.load(self._db), super().load()
        if stored != kept or _arrays_of(stored) != _arrays_of(kept):
            raise Violation("I1 the store does not hold what was committed")
        return stored

    def close(self) -> None:
        """Close the connection, as the end of the process does."""
        if self._db is not None:
            self._db.close()
            self._db = None
