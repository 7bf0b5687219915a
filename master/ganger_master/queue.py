"""This module keeps what waits: tasks in buckets of the same owner, shape and priority.

The order is total: higher priority first, then lower task id (ids are given in order of submission, so a
task that returns to the queue takes its old place). A bucket that the last plan could not place is parked
with its reason until capacity comes free, so that blocked work never hides the rest.
"""

from __future__ import annotations

import heapq
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ganger_core.domain.plan import ShapeDemand
from ganger_core.domain.resources import Resources
from ganger_core.domain.task import Task
from ganger_master.locks import QUEUE_RANK, RankedLock

MANY_RUNS = 10_000
OUTDATED_KEPT = 1_000  # entries of tasks that wait no more, before they are looked for


class BucketKey(NamedTuple):
    """What the tasks of one bucket have in common."""

    owner: str
    request: Resources
    priority: int

    @classmethod
    def of(cls, task: Task) -> BucketKey:
        """The bucket that this task belongs to."""
        return cls(task.owner, task.spec.resources, task.spec.priority)


@dataclass(frozen=True, slots=True)
class Heads:
    """The first plannable tasks in rank order, as runs of one bucket; `keys[i]` is the bucket of `shapes[i]`.

    `generation` counts how often capacity came free; see `TaskQueue.park`.
    """

    keys: tuple[BucketKey, ...]
    shapes: tuple[ShapeDemand, ...]
    generation: int


class _Bucket:
    def __init__(self) -> None:
        self._ids: OrderedDict[int, None] = OrderedDict()
        self._sorted = True
        self.parked: object = ""  # why the last plan left it out, by `str`; empty: it may be planned

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, task_id: int) -> None:
        if self._sorted and self._ids and next(reversed(self._ids)) > task_id:
            self._sorted = False
        self._ids[task_id] = None

    def remove(self, task_id: int) -> None:
        del self._ids[task_id]

    def in_order(self) -> Iterator[int]:
        if not self._sorted:
            self._ids = OrderedDict.fromkeys(sorted(self._ids))
            self._sorted = True
        return iter(self._ids)


class TaskQueue:
    """The waiting tasks, behind one mutex and one condition; the scheduler blocks in `wait_for_work`."""

    def __init__(self) -> None:
        self._mutex = RankedLock(QUEUE_RANK)
        self._work = threading.Condition(self._mutex)  # type: ignore[arg-type]  # it has a lock's methods
        self._buckets: dict[BucketKey, _Bucket] = {}  # never an empty bucket
        self._bucket_of: dict[int, BucketKey] = {}  # every waiting task
        self._late_at: list[tuple[float, int]] = []  # a heap: when (wall ms) which task has waited too long
        self._limited: set[int] = set()  # the waiting tasks with an entry in it; other entries are outdated
        self._generation = 0  # how often capacity came free
        self._woken = False  # something may have become plannable since the scheduler last looked

    def __len__(self) -> int:
        with self._mutex:
            return len(self._bucket_of)

    def push(self, tasks: Iterable[Task]) -> None:
        """Add waiting tasks and wake the scheduler."""
        with self._mutex:
            for task in tasks:
                key = BucketKey.of(task)
                self._buckets.setdefault(key, _Bucket()).add(task.id)
                self._bucket_of[task.id] = key
                if task.spec.limits.queue_s and task.id not in self._limited:
                    late_ms = task.submitted_ms + 1000 * task.spec.limits.queue_s
                    heapq.heappush(self._late_at, (late_ms, task.id))
                    self._limited.add(task.id)
            self._wake_locked()

    def remove(self, task_ids: Iterable[int]) -> None:
        """Take tasks out; those that do not wait are left alone."""
        with self._mutex:
            for task_id in task_ids:
                key = self._bucket_of.pop(task_id, None)
                if key is not None:
                    self._buckets[key].remove(task_id)
                    if not self._buckets[key]:
                        del self._buckets[key]
                    self._limited.discard(task_id)
            self._drop_outdated_locked()

    def take_late(self, now_ms: int) -> list[int]:
        """The waiting tasks whose queue limit is over by now; each is given once for each time that it is pushed."""
        late: list[int] = []
        with self._mutex:
            while self._late_at and self._late_at[0][0] <= now_ms:
                _, task_id = heapq.heappop(self._late_at)
                if task_id in self._limited:
                    self._limited.remove(task_id)
                    late.append(task_id)
        return late

    def park(
        self,
        reasons: Iterable[tuple[BucketKey, object]],
        generation: int,
        rest: Callable[[BucketKey], object] = lambda _: "",
    ) -> None:
        """Leave these buckets out, each for its reason (`str` gives it), until capacity comes free.

        `rest` gives the reasons of the others, empty to leave one in; nobody asks it if something was pushed meanwhile.

        `generation` is that of the heads which the plan was made for: when capacity came free since, the
        reasons may be outdated and the buckets stay in. If others are left to plan, the scheduler wakes.
        """
        with self._mutex:
            if generation != self._generation:
                return
            for key, reason in reasons:
                if key in self._buckets:
                    self._buckets[key].parked = reason
            if not self._woken:
                for key, bucket in self._buckets.items():
                    bucket.parked = bucket.parked or rest(key)
            if any(not bucket.parked for bucket in self._buckets.values()):
                self._wake_locked()

    def unpark_all(self) -> None:
        """Capacity came free or joined: every bucket may be planned again, and the scheduler wakes."""
        with self._mutex:
            self._unpark_locked()
            self._wake_locked()

    def reason(self, task_id: int) -> str:
        """Why the last plan left this task's bucket out; empty when it did not or the task does not wait."""
        with self._mutex:
            key = self._bucket_of.get(task_id)
            parked = self._buckets[key].parked if key else ""
        return str(parked)

    def wait_for_work(self, timeout_s: float) -> None:
        """Block until something was pushed or freed, at most `timeout_s`.

        A wait in vain unparks every bucket: the upper bound between two looks at it.
        """
        with self._mutex:
            self._work.wait_for(lambda: self._woken, timeout_s)
            if not self._woken:
                self._unpark_locked()
            self._woken = False

    def heads(self, limit: int, most_runs: int = MANY_RUNS) -> Heads:
        """The first `limit` plannable tasks in rank order, or fewer, of at most `most_runs` runs."""
        with self._mutex:
            return self._heads_locked(limit, most_runs)

    def wake(self) -> None:
        """Make the scheduler look again now."""
        with self._mutex:
            self._wake_locked()

    def _drop_outdated_locked(self) -> None:
        """Entries of tasks that wait no more are dropped when they are most: far limits must not gather."""
        if len(self._late_at) > 2 * len(self._limited) + OUTDATED_KEPT:
            self._late_at = [entry for entry in set(self._late_at) if entry[1] in self._limited]
            heapq.heapify(self._late_at)

    def _wake_locked(self) -> None:
        self._woken = True
        self._work.notify_all()

    def _unpark_locked(self) -> None:
        self._generation += 1
        for bucket in self._buckets.values():
            bucket.parked = ""

    def _heads_locked(self, limit: int, most_runs: int) -> Heads:
        runs: list[tuple[BucketKey, list[int]]] = []
        streams = [self._ranked(key, bucket) for key, bucket in self._buckets.items() if not bucket.parked]
        for taken, (_, task_id, key) in enumerate(heapq.merge(*streams, key=lambda entry: entry[:2])):
            if taken == limit:
                break
            if not runs or runs[-1][0] != key:
                if len(runs) == most_runs:
                    break
                runs.append((key, []))
            runs[-1][1].append(task_id)
        return Heads(
            keys=tuple(key for key, _ in runs),
            shapes=tuple(ShapeDemand(key.request, key.priority, tuple(ids)) for key, ids in runs),
            generation=self._generation,
        )

    @staticmethod
    def _ranked(key: BucketKey, bucket: _Bucket) -> Iterator[tuple[int, int, BucketKey]]:
        return ((-key.priority, task_id, key) for task_id in bucket.in_order())
