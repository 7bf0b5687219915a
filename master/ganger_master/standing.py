"""This module says where a waiting task stands among all that wait, as values that leave the queue's mutex."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ganger_master.ageing import Rank

if TYPE_CHECKING:
    from ganger_master.buckets import BucketKey

BUCKETS_AT_ONCE = 100  # that are looked at while the mutex is held once

RankOf = Callable[[int, int], Rank]
"""The rank of a task with this id that was submitted at this moment."""


class BucketLook(NamedTuple):
    """One bucket: how many wait in it, how many of them before the task asked about, and the first few of all.

    `room` is how many more of its array may have capacity, None without a limit, of at most `most`.
    """

    waiting: int
    ahead: int
    first: tuple[Rank, ...]
    room: int | None = None
    most: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """A waiting task, its bucket, and all buckets; `said` is why the last plan that looked at its like left it out.

    One that waits for something else than capacity is not `in_line`: it is in no bucket, and has the rank that it will
    have; after a failure it pauses until `paused_until_s` (steady). The buckets are looked at a few at a time, so that
    they may be a moment apart.
    """

    task_id: int
    rank: Rank
    key: BucketKey
    buckets: Mapping[BucketKey, BucketLook]
    said: object = ""
    in_line: bool = True
    paused_until_s: float = 0.0

    @property
    def own(self) -> BucketLook:
        """The task's own bucket."""
        return self.buckets[self.key]

    @property
    def is_limited(self) -> bool:
        """Whether it is beyond what its array may run now."""
        return self.own.room is not None and self.own.ahead >= self.own.room

    def before(self, key: BucketKey) -> int:
        """How many of this bucket come first: of another array only those that may have capacity now."""
        ahead = self.buckets[key].ahead
        return ahead if key == self.key else min(ahead, self.may_be_planned(key))

    def may_be_planned(self, key: BucketKey) -> int:
        """How many of this bucket may have capacity, if there is any."""
        look = self.buckets[key]
        return look.waiting if look.room is None else min(look.room, look.waiting)


def a_few_at_a_time(keys: Sequence[BucketKey]) -> Iterator[Sequence[BucketKey]]:
    """The keys, in parts that are looked at while the mutex is held once."""
    for start in range(0, len(keys), BUCKETS_AT_ONCE):
        yield keys[start : start + BUCKETS_AT_ONCE]


def count_before(
    ids: Collection[int], rank_of: RankOf, mine: Rank, submitted_ms: Callable[[int], int]
) -> int:
    """How many of these tasks of one bucket, whose ids ascend, come before `mine`.

    In a bucket all age alike, so that ranks ascend with the ids. Only a bucket in whose midst `mine` is costs a copy.
    """
    if not ids:
        return 0

    def rank(task_id: int) -> Rank:
        return rank_of(task_id, submitted_ms(task_id))

    first, last = next(iter(ids)), next(reversed(ids))  # type: ignore[call-overload]  # a range, or an ordered dictionary
    if rank(last) < mine:
        return len(ids)
    if rank(first) >= mine:
        return 0
    return bisect_left(ids if isinstance(ids, range) else list(ids), mine, key=rank)
