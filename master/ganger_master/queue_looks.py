"""This module answers what a dry run asks of the queue: what waits of a task, and how many tasks come first."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from ganger_core.domain.forecast import MOST_AHEAD
from ganger_core.domain.task import Task
from ganger_master.ageing import GRAIN, Ageing, Rank
from ganger_master.reasons import why_aside

if TYPE_CHECKING:
    from ganger_master.aside import Aside
    from ganger_master.locks import RankedLock
    from ganger_master.queue import BucketKey, _Bucket, _Room


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


class QueueLooks:
    """What may be asked of `TaskQueue`, which this is a part of, without changing it."""

    ageing: Ageing
    _mutex: RankedLock
    _buckets: dict[BucketKey, _Bucket]
    _aside: Aside
    _aside_since: dict[int, int]
    _rooms: dict[int, _Room]

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
        """How many of those that wait for capacity come before this rank; counted up to MOST_AHEAD."""
        found = 0
        with self._mutex:
            for key, bucket in self._in_line_locked():
                room, base = self._rooms.get(key.array_id), -GRAIN * key.priority
                most = min(MOST_AHEAD - found, len(bucket) if room is None else room.left)
                # A rank without age that is behind all ids, as that of a task to come, needs no look at each.
                if mine > Rank(base, 2**62):
                    found += min(most, len(bucket))
                elif mine.behind >= base - GRAIN * self.ageing.most:
                    ranks = islice(self._ranked(key, bucket.in_order(), now_ms), most)
                    found += sum(1 for rank, _ in ranks if rank < mine)
                if found >= MOST_AHEAD:
                    break
        return found

    def _in_line_locked(self) -> list[tuple[BucketKey, _Bucket]]:
        """The buckets but those of arrays that wait for something else."""
        return [each for each in self._buckets.items() if each[0].array_id not in self._aside]

    def _ranked(
        self, key: BucketKey, waiting: Iterable[tuple[int, int]], now_ms: int
    ) -> Iterator[tuple[Rank, BucketKey]]:
        rank, priority = self.ageing.rank, key.priority
        return ((rank(priority, submitted_ms, task_id, now_ms), key) for task_id, submitted_ms in waiting)
