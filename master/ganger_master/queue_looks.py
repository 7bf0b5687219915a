"""This module answers what a dry run asks of the queue: what waits of a task, and how many tasks come first."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from functools import partial
from itertools import islice

from ganger_core.domain.task import Task
from ganger_master.ageing import Rank
from ganger_master.buckets import Bucket, BucketKey
from ganger_master.queue_reads import QueueReads
from ganger_master.reasons import why_aside
from ganger_master.standing import a_few_at_a_time


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits of a task or an array: the ranks of the first that may have capacity, and how many wait in all.

    `aside` says what they wait for beside capacity, `limit` that the array runs as many as it may.
    """

    key: BucketKey
    ranks: tuple[Rank, ...]
    count: int
    aside: str = ""
    limit: str = ""


class QueueLooks(QueueReads):
    """What a dry run may ask of `TaskQueue`, which this is a part of."""

    def waiting_of(self, task: Task, key: BucketKey, most: int, now_ms: int) -> Waiting | None:
        """What waits of this task of this bucket, or array; at most `most` by their ranks. None when nothing does."""
        with self._mutex:
            aside = why_aside(self._aside.waits(task.id), self._aside.waits(key.array_id))
            if task.array is None:
                bucket = self._buckets.get(key)
                if task.id not in self._aside_since and (bucket is None or task.id not in bucket):
                    return None
                return Waiting(key, (self.ageing.rank_of(task, now_ms),), 1, aside)
            found = [each for each in self._buckets.items() if each[0].array_id == task.id]
            count = sum(len(bucket) for _, bucket in found)
            room = self._rooms.get(task.id)
            streams = [self._ranked(each, bucket.in_order(), now_ms) for each, bucket in found]
            first = islice(heapq.merge(*streams), most if room is None else min(most, room.left))
            ranks = tuple([rank for rank, _ in first])
        limit = f"array {task.id} runs at most {room.most} at a time" if room and not room.left else ""
        return Waiting(key, ranks, count, aside, limit) if count else None

    def ahead(self, mine: Rank, now_ms: int) -> int:
        """How many of those that wait for capacity come before this rank: of an array, only those that may have it.

        The mutex is held for a few buckets at a time.
        """
        found = 0
        with self._mutex:
            keys = [key for key, _ in self._in_line_locked()]
        for few in a_few_at_a_time(keys):
            with self._mutex:
                for key in few:
                    if key in self._buckets:
                        before = self._buckets[key].before(partial(self._rank, key.priority, now_ms), mine)
                        room = self._rooms.get(key.array_id)
                        found += before if room is None else min(before, room.left)
        return found

    def _in_line_locked(self) -> list[tuple[BucketKey, Bucket]]:
        """The buckets but those of arrays that wait for something else."""
        return [each for each in self._buckets.items() if each[0].array_id not in self._aside]

    def _rank(self, priority: int, now_ms: int, task_id: int, submitted_ms: int) -> Rank:
        return self.ageing.rank(priority, submitted_ms, task_id, now_ms)
