"""This module keeps what waits: tasks in buckets of the same owner, shape and priority.

The order is total: higher priority first, to which age adds up to a cap, then lower task id (ids are given in order
of submission, so a task that returns to the queue takes its old place). In a bucket all age alike: what it is sorted
by never changes. A bucket that the last plan could not place is parked
with its reason until capacity comes free, so that blocked work never hides the rest. An array has a bucket of its
own; elements without a record are a range of ids in it, whatever their number.
"""

from __future__ import annotations

import heapq
import threading
from bisect import insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice

from ganger_core.domain.clock import Instant
from ganger_core.domain.dependency import DependencyKind
from ganger_core.domain.plan import ShapeDemand
from ganger_core.domain.task import Task
from ganger_core.domain.waits import NO_WAITS
from ganger_master.ageing import NO_AGEING, Ageing, Rank
from ganger_master.buckets import Bucket, BucketKey
from ganger_master.lateness import Late
from ganger_master.queue_looks import QueueLooks
from ganger_master.queue_reads import Room

__all__ = ["BucketKey", "Heads", "TaskQueue", "most_behind"]

LONG_AGO = Instant(0, 0.0)
MANY_RUNS = 10_000


@dataclass(frozen=True, slots=True)
class Heads:
    """The first plannable tasks in rank order, as runs of one bucket; `keys[i]` is the bucket of `shapes[i]`.

    `generation` counts how often capacity came free; see `TaskQueue.park`. `limited` are the first tasks of arrays of
    which no more may have capacity now: they can only take the place of others of their array.
    """

    keys: tuple[BucketKey, ...]
    shapes: tuple[ShapeDemand, ...]
    ranks: tuple[tuple[Rank, ...], ...]  # of the tasks of each
    generation: int
    limited: tuple[tuple[BucketKey, tuple[Rank, ...]], ...] = ()
    said: tuple[object, ...] = ()  # of each bucket, why a plan left it out last; empty: none did


class TaskQueue(QueueLooks):
    """The waiting tasks, behind one mutex and one condition; the scheduler blocks in `wait_for_work`."""

    def __init__(self, ageing: Ageing = NO_AGEING) -> None:
        super().__init__(ageing)
        self._work = threading.Condition(self._mutex)  # type: ignore[arg-type]  # it has a lock's methods
        self._late = Late()
        self._generation = 0  # how often capacity came free
        self._woken = False  # something may have become plannable since the scheduler last looked

    def __len__(self) -> int:
        with self._mutex:
            return sum(map(len, self._buckets.values())) + len(self._aside_since)

    def push(self, tasks: Iterable[Task], now: Instant) -> None:
        """Have tasks wait, of an array all its elements, and wake the scheduler.

        Each waits for what its `waits` say: one that is there already for what they say now.
        """
        with self._mutex:
            for task in tasks:
                if task.array is not None:
                    self._push_array_locked(task, now)
                else:
                    self._push_task_locked(task, now)
                self._late.note(task)
            self._wake_locked()

    def remove(self, task_ids: Iterable[int]) -> None:
        """Take tasks out; those that do not wait are left alone."""
        with self._mutex:
            for task_id in task_ids:
                if self._take_out_locked(task_id):
                    self._late.drop(task_id)

    def close_array(self, array_id: int, *, over: bool = False) -> None:
        """The elements of this array that have no record wait no more; of one that is over nothing is remembered."""
        with self._mutex:
            self._late.drop(array_id)
            if over:
                self._rooms.pop(array_id, None)
                self._aside.drop(array_id)
            key = self._arrays.pop(array_id, None)
            if key is None:
                return
            self._array_ids.remove(array_id)
            bucket = self._buckets.get(key)
            if bucket is not None:
                bucket.set_rest(range(0))
                if not bucket:
                    del self._buckets[key]

    def limit_array(self, array_id: int, left: int, most: int) -> None:
        """So many more elements of the array may have capacity, of at most `most`; 0 is no limit."""
        with self._mutex:
            before = self._rooms.pop(array_id, None)
            if most:
                self._rooms[array_id] = Room(left, most)
            if before is not None and (not most or left > before.left):
                self._wake_locked()

    def take_late(self, now_ms: int) -> list[int]:
        """The waiting tasks that may be late by now; each is given once for each of its moments."""
        with self._mutex:
            return self._late.take(now_ms)

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
                    self._buckets[key].leave_out(reason)
            if not self._woken:
                for key, bucket in self._in_line_locked():
                    if not bucket.parked and (reason := rest(key)):
                        bucket.leave_out(reason)
            if any(not bucket.parked for _, bucket in self._in_line_locked()):
                self._wake_locked()

    def unpark_all(self) -> None:
        """Capacity came free or joined: every bucket may be planned again, and the scheduler wakes."""
        with self._mutex:
            self._unpark_locked()
            self._wake_locked()

    def wait_for_work(self, timeout_s: float, now: Instant = LONG_AGO) -> None:
        """Block until something was pushed or freed, or is in line by itself, at most `timeout_s`.

        A wait in vain unparks every bucket: the upper bound between two looks at it.
        """
        with self._mutex:
            due_s = self._aside.due_in_s(now)
            self._work.wait_for(lambda: self._woken, min(timeout_s, due_s))
            if not self._woken and timeout_s <= due_s:
                self._unpark_locked()
            self._woken = False

    def heads(self, limit: int, now_ms: int, most_runs: int = MANY_RUNS) -> Heads:
        """The first `limit` plannable tasks in rank order as of `now_ms`, or fewer, of at most `most_runs` runs."""
        with self._mutex:
            return self._heads_locked(limit, now_ms, most_runs)

    def bring_in_line(self, now: Instant) -> None:
        """What waited for something else than capacity, and need not any longer, may be planned."""
        with self._mutex:
            for task_id in self._aside.take_due(now):
                submitted_ms = self._aside_since.pop(task_id, None)
                if submitted_ms is not None:  # else it is an array
                    self._buckets.setdefault(self._bucket_of[task_id], Bucket()).add(task_id, submitted_ms)

    def wake(self) -> None:
        """Make the scheduler look again now."""
        with self._mutex:
            self._wake_locked()

    def _push_task_locked(self, task: Task, now: Instant) -> None:
        key, paused_until_s = BucketKey.of(task), None
        if task.id in self._bucket_of:
            paused_until_s = self._aside.paused_until_s(task.id)
        if task.array_id or task.id in self._bucket_of:
            self._take_out_locked(task.id)
        self._bucket_of[task.id] = key
        may_wait = (
            task.waits is not NO_WAITS or paused_until_s is not None
        )  # nearly none of those that are new
        if may_wait and self._aside.put(task.id, task.waits, now, paused_until_s):
            self._aside_since[task.id] = task.submitted_ms
        else:
            self._buckets.setdefault(key, Bucket()).add(task.id, task.submitted_ms)

    def _push_array_locked(self, task: Task, now: Instant) -> None:
        assert task.array is not None, task
        self._aside.put(task.id, task.waits, now)
        one_by_one = any(each.kind is DependencyKind.EACH for each in task.waits.after)  # as they get records
        key, before = BucketKey.of(task), self._arrays.get(task.id)
        if before is not None and before != key:
            self._move_rest_locked(task.id, before, key)
        elif before is None and task.array.closed is None and not one_by_one:
            self._push_rest_locked(task, key)

    def _take_out_locked(self, task_id: int) -> bool:
        """Whether this task waited."""
        key = self._bucket_of.pop(task_id, None)
        if self._aside_since.pop(task_id, None) is not None:
            self._aside.drop(task_id)
            return True
        key = key or self._array_of_locked(task_id)
        if key is None:
            return False
        self._buckets[key].remove(task_id)
        if not self._buckets[key]:
            del self._buckets[key]
        return True

    def _push_rest_locked(self, task: Task, key: BucketKey) -> None:
        assert task.array is not None, task
        first = task.id + 1
        bucket = self._buckets.setdefault(key, Bucket())
        bucket.set_rest(range(first, first + len(task.array)), task.submitted_ms)
        self._arrays[task.id] = key
        insort(self._array_ids, task.id)

    def _move_rest_locked(self, array_id: int, before: BucketKey, key: BucketKey) -> None:
        """The elements without a record have another priority now."""
        self._arrays[array_id] = key
        bucket = self._buckets.get(before)
        if bucket is not None:
            self._buckets.setdefault(key, Bucket()).take_rest(bucket)
            if not bucket:
                del self._buckets[before]

    def _wake_locked(self) -> None:
        self._woken = True
        self._work.notify_all()

    def _unpark_locked(self) -> None:
        self._generation += 1
        for bucket in self._buckets.values():
            bucket.parked = ""

    def _heads_locked(self, limit: int, now_ms: int, most_runs: int) -> Heads:
        runs: list[tuple[BucketKey, list[Rank]]] = []
        limited = []
        streams = []
        for key, bucket in self._in_line_locked():
            room = self._rooms.get(key.array_id)
            if room is not None:
                beyond = islice(bucket.in_order(), room.left, room.left + most_behind(room.most))
                ranks = tuple([rank for rank, _ in self._ranked(key, beyond, now_ms)])
                if ranks:
                    limited.append((key, ranks))
            if not bucket.parked and (room is None or room.left):
                waiting = islice(bucket.in_order(), room.left if room else None)
                streams.append(self._ranked(key, waiting, now_ms))
        for taken, (rank, key) in enumerate(heapq.merge(*streams, key=lambda entry: entry[0])):
            if taken == limit:
                break
            if not runs or runs[-1][0] != key:
                if len(runs) == most_runs:
                    break
                runs.append((key, []))
            runs[-1][1].append(rank)
        return Heads(
            keys=tuple([key for key, _ in runs]),
            shapes=tuple(
                [
                    ShapeDemand(key.request, key.priority, tuple([r.task_id for r in ranks]))
                    for key, ranks in runs
                ]
            ),
            ranks=tuple([tuple(ranks) for _, ranks in runs]),
            generation=self._generation,
            limited=tuple(limited),
            said=tuple([self._buckets[key].said for key, _ in runs]),
        )


def most_behind(running: int) -> int:
    """How many tasks of an array are looked at beyond those that may have capacity: enough to wait behind these."""
    return min(32 * running, 256)
