"""This module holds what waits, and answers what can be read off it; `queue` is what changes it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from ganger_core.domain.resources import Resources
from ganger_master.ageing import Ageing, Rank
from ganger_master.aside import Aside
from ganger_master.buckets import Bucket, BucketKey
from ganger_master.locks import QUEUE_RANK, RankedLock
from ganger_master.reasons import why_aside
from ganger_master.standing import BucketLook, Standing, a_few_at_a_time


class Room(NamedTuple):
    """How many more elements of an array may have capacity, of at most how many."""

    left: int
    most: int


class QueueReads:
    """What may be read of the tasks that wait, behind one mutex; `TaskQueue` is what changes them."""

    def __init__(self, ageing: Ageing) -> None:
        self.ageing = ageing
        self._mutex = RankedLock(QUEUE_RANK)
        self._buckets: dict[BucketKey, Bucket] = {}  # never an empty bucket
        self._bucket_of: dict[int, BucketKey] = {}  # every waiting task but elements without a record
        self._aside = (
            Aside()
        )  # tasks that are not in their buckets yet, and arrays whose buckets are left out
        self._aside_since: dict[int, int] = {}  # these tasks, with the moment of their submission
        self._arrays: dict[int, BucketKey] = {}  # those that have such elements, by id in ascending order
        self._array_ids: list[int] = []  # the same ids
        self._rooms: dict[int, Room] = {}  # of arrays that have a limit

    def reason(self, task_id: int) -> str:
        """Why this task is not in line, or the last plan left its bucket out; empty for neither."""
        with self._mutex:
            key = self._bucket_of.get(task_id) or self._arrays.get(task_id) or self._array_of_locked(task_id)
            if key is None:
                return ""
            aside = why_aside(self._aside.waits(task_id), self._aside.waits(key.array_id))
            if aside or key not in self._buckets:
                return aside
            room = self._rooms.get(key.array_id)
            if room is not None and not room.left:
                return f"array {key.array_id} runs at most {room.most} at a time"
            parked = self._buckets[key].parked
        return str(parked)

    def standing(
        self,
        key: BucketKey,
        task_id: int,
        now_ms: int,
        most: Callable[[Resources], int],
        since_ms: int | None = None,
    ) -> Standing | None:
        """Where the task of this bucket stands, or would if it were in line; None when it does not wait.

        An id of 0 is the first of them that is in line. Of each bucket at most as many are named as `most` says of its
        request. The mutex is held for a few buckets at a time. `since_ms` is when a task was submitted that the queue
        does not know yet: an element that waits for that with its index.
        """
        with self._mutex:
            bucket = self._buckets.get(key, _NOBODY)
            since_ms = self._aside_since.get(task_id, None if task_id in bucket else since_ms)
            if since_ms is None and not (task_id in bucket if task_id else bucket):
                return None
            task_id = task_id or next(bucket.in_order())[0]
            submitted_ms = bucket.submitted_ms(task_id) if since_ms is None else since_ms
            said, keys, paused = bucket.said, list(self._buckets), self._aside.paused_until_s(task_id)
        mine = self.ageing.rank(key.priority, submitted_ms, task_id, now_ms)
        found = {key: BucketLook(0, 0, ())}
        for few in a_few_at_a_time(keys):
            asked = [(each, most(each.request)) for each in few]
            with self._mutex:
                there = [
                    (each, count)
                    for each, count in asked
                    if each in self._buckets and (each == key or each.array_id not in self._aside)
                ]
                found.update((each, self._look_locked(each, mine, count, now_ms)) for each, count in there)
        return Standing(task_id, mine, key, found, said, since_ms is None, paused)

    def _array_of_locked(self, task_id: int) -> BucketKey | None:
        """The bucket in which this task waits as an element without a record."""
        number = bisect_right(self._array_ids, task_id - 1)
        if not number:
            return None
        key = self._arrays[self._array_ids[number - 1]]
        bucket = self._buckets.get(key)
        return key if bucket is not None and task_id in bucket else None

    def _look_locked(self, key: BucketKey, mine: Rank, few: int, now_ms: int) -> BucketLook:
        bucket, room, rank = self._buckets[key], self._rooms.get(key.array_id), self.ageing.rank
        first = tuple([found for found, _ in self._ranked(key, islice(bucket.in_order(), few), now_ms)])
        ahead = bucket.before(lambda each, at_ms: rank(key.priority, at_ms, each, now_ms), mine)
        return BucketLook(len(bucket), ahead, first, *((room.left, room.most) if room else ()))

    def _ranked(
        self, key: BucketKey, waiting: Iterable[tuple[int, int]], now_ms: int
    ) -> Iterator[tuple[Rank, BucketKey]]:
        rank, priority = self.ageing.rank, key.priority
        return ((rank(priority, submitted_ms, task_id, now_ms), key) for task_id, submitted_ms in waiting)


_NOBODY = Bucket()
