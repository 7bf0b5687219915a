"""This module keeps waiting tasks of the same owner, shape, priority and array in the order of their turns."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple

from ganger_core.domain.resources import Resources
from ganger_core.domain.task import LaneKey, Task
from ganger_master.ageing import Rank
from ganger_master.standing import RankOf, count_before


class BucketKey(NamedTuple):
    """What the tasks of one bucket have in common."""

    owner: str
    request: Resources
    priority: int
    array_id: int = 0

    @classmethod
    def of(cls, task: Task) -> BucketKey:
        """The bucket that this task belongs to, or that of an array's elements."""
        array_id = task.id if task.array is not None else task.array_id
        return cls(task.owner, task.spec.resources, task.spec.priority, array_id)

    @property
    def lane(self) -> LaneKey:
        """Which attempts those of this bucket may be behind."""
        return LaneKey(self.request, self.array_id)


class Bucket:
    """The tasks of one bucket. Elements of an array that have no record are a range of ids in it."""

    def __init__(self) -> None:
        self._ids: OrderedDict[int, int] = OrderedDict()  # with the moment of their submission
        self._sorted = True
        self._rest = range(0)  # elements without a record
        self._rest_ms = 0  # the moment of their submission
        self._begun: set[int] = set()  # of these, those that have one meanwhile
        self.parked: object = ""  # why the last plan left it out, by `str`; empty: it may be planned
        self.said: object = ""  # the last such reason, also when it may be planned again

    def __len__(self) -> int:
        return len(self._ids) + len(self._rest) - len(self._begun)

    def __contains__(self, task_id: int) -> bool:
        return task_id in self._ids or (task_id in self._rest and task_id not in self._begun)

    def set_rest(self, rest: range, submitted_ms: int = 0) -> None:
        """These elements wait, none of which has a record yet."""
        self._rest, self._rest_ms, self._begun = rest, submitted_ms, set()

    def take_rest(self, other: Bucket) -> None:
        """Those that wait in the other one without a record wait here."""
        self._rest, self._rest_ms, self._begun = other._rest, other._rest_ms, other._begun
        other.set_rest(range(0))

    def add(self, task_id: int, submitted_ms: int) -> None:
        """This one waits from now on."""
        if self._sorted and self._ids and next(reversed(self._ids)) > task_id:
            self._sorted = False
        self._ids[task_id] = submitted_ms

    def remove(self, task_id: int) -> None:
        """This one waits no more."""
        if task_id in self._ids:
            del self._ids[task_id]
            return
        self._begun.add(task_id)
        while self._rest and self._rest[0] in self._begun:
            self._begun.remove(self._rest[0])
            self._rest = self._rest[1:]

    def leave_out(self, why: object) -> None:
        """A plan could not place it."""
        self.parked = self.said = why

    def submitted_ms(self, task_id: int) -> int:
        """The moment of submission of one that waits."""
        return self._ids.get(task_id, self._rest_ms)

    def before(self, rank_of: RankOf, mine: Rank) -> int:
        """How many come before `mine`."""
        self._sort()
        rest = count_before(self._rest, rank_of, mine, lambda _: self._rest_ms)
        begun = sum(task_id in self._rest[:rest] for task_id in self._begun)
        return count_before(self._ids, rank_of, mine, self._ids.__getitem__) + rest - begun

    def _sort(self) -> None:
        if not self._sorted:
            self._ids = OrderedDict(sorted(self._ids.items()))
            self._sorted = True

    def in_order(self) -> Iterator[tuple[int, int]]:
        """Who waits, with the moment of submission, by id."""
        self._sort()
        if not self._rest:
            return iter(self._ids.items())
        rest = ((task_id, self._rest_ms) for task_id in self._rest if task_id not in self._begun)
        return heapq.merge(self._ids.items(), rest) if self._ids else rest
