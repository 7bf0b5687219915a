"""This module keeps, for every array that is not over, which of its elements have records and how those stand."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter

from ganger_core.domain.array import Items
from ganger_core.domain.states import TASK_FINAL, TaskState
from ganger_core.domain.task import Outcome, OutcomeKind, Task

NO_CODE = 125  # what an end without an exit code counts as, beside those that have one


_CODES = {state: number for number, state in enumerate(TaskState, start=1)}
_STATES = {number: state for state, number in _CODES.items()}


class ElementStates:
    """How each element of an array stands that has a record, in a byte."""

    def __init__(self, count: int) -> None:
        self._codes = bytearray(count)

    def __len__(self) -> int:
        return len(self._codes)

    def __getitem__(self, position: int) -> TaskState | None:
        """The state of the element at this position; None where it has no record."""
        return _STATES.get(self._codes[position])

    def __setitem__(self, position: int, state: TaskState) -> None:
        self._codes[position] = _CODES[state]


class Elements:
    """The elements of one array. Those without a record wait, or are what the rest of the array was closed as."""

    def __init__(self, array_id: int, count: int, items: Items | None) -> None:
        self.array_id = array_id
        self.items = items
        self.made = 0  # all before this position have records
        self.begun = False  # whether one has a process, or had one
        self.open: set[int] = set()  # ids of those that have records and are not over
        self.worst: Outcome | None = None  # of those that failed: the one with the highest exit code
        self.count = count
        self._ahead: set[int] = set()  # positions from `made` on that have records, too
        self._counts: Counter[TaskState] = Counter()  # of those that have records
        self.states = ElementStates(count)

    def has_record(self, position: int) -> bool:
        """Whether the element at this position has a record."""
        return position < self.made or position in self._ahead

    def with_records(self) -> set[int]:
        """The ids of those beyond `made` that have records."""
        return {self.array_id + 1 + position for position in self._ahead}

    @property
    def untouched(self) -> int:
        """How many have no record."""
        return self.count - self.made - len(self._ahead)

    def counts(self, closed: TaskState | None) -> Counter[TaskState]:
        """How many there are of each state; those without a record are `closed`, or PENDING."""
        counts = +self._counts
        if self.untouched:
            counts[closed or TaskState.PENDING] += self.untouched
        return counts

    def note(self, before: TaskState | None, task: Task) -> None:
        """This is the element's record now; it was in the state `before`, or had none."""
        if before is None:
            self._make(task.id - self.array_id - 1)
        else:
            self._counts[before] -= 1
        self._counts[task.state] += 1
        self.begun |= bool(task.started_ms)
        self.states[task.id - self.array_id - 1] = task.state
        if task.state not in TASK_FINAL:
            self.open.add(task.id)
            return
        self.open.discard(task.id)
        if task.state in (TaskState.SUCCEEDED, TaskState.CANCELLED) or task.outcome is None:
            return
        if self.worst is None or _code(task.outcome) > _code(self.worst):
            self.worst = task.outcome

    def _make(self, position: int) -> None:
        self._ahead.add(position)
        while self.made in self._ahead:
            self._ahead.remove(self.made)
            self.made += 1


class Arrays:
    """Every array that is not over, by its id."""

    def __init__(self) -> None:
        self._elements: dict[int, Elements] = {}
        self._ids: list[int] = []  # in ascending order

    def note(self, task: Task, items: Items | None) -> None:
        """This is the array's own record now; `items` are those of a new one."""
        assert task.array is not None, task
        if task.is_final:
            if self._elements.pop(task.id, None):
                self._ids.remove(task.id)
        elif task.id not in self._elements:
            self._elements[task.id] = Elements(task.id, len(task.array), items)
            self._ids.append(task.id)  # ids grow

    def get(self, array_id: int) -> Elements:
        """The elements of an array that is not over."""
        return self._elements[array_id]

    def of(self, task_id: int) -> Elements | None:
        """The elements that this task is one of; None for any other task, and where the array is over."""
        number = bisect_right(self._ids, task_id - 1)
        if not number:
            return None
        elements = self._elements[self._ids[number - 1]]
        return elements if task_id - elements.array_id <= elements.count else None

    def is_live(self, array_id: int) -> bool:
        """Whether this is an array that is not over."""
        return array_id in self._elements


def _code(outcome: Outcome) -> int:
    if outcome.kind is OutcomeKind.SKIPPED:
        return 0  # it failed for another, and what failed by itself says more
    return NO_CODE if outcome.exit_code is None else outcome.exit_code
