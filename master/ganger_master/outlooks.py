"""This module decides what a dry run says: for which tasks a plan is asked, and what that means for some. Pure."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import groupby

from ganger_core.domain.forecast import Outlook, Prospect, Share
from ganger_core.domain.placement import explain_refusal, not_worse
from ganger_core.domain.plan import Fleet, Plan, ShapeDemand, Snapshot
from ganger_core.domain.resources import Resources
from ganger_master.ageing import Rank
from ganger_master.queue import Heads
from ganger_master.queue_looks import Waiting
from ganger_master.reasons import why_refused


@dataclass(frozen=True, slots=True)
class Wish:
    """Tasks that are asked about; with `never`, a reason for which they would not run at all."""

    waiting: Waiting
    never: str = ""

    @property
    def first(self) -> Rank:
        """The rank of the first of them; of nobody's when none may have capacity."""
        return self.waiting.ranks[0] if self.waiting.ranks else Rank(0, 0)

    @property
    def may_start(self) -> bool:
        """Whether they wait for capacity alone."""
        return bool(self.waiting.ranks) and not (self.waiting.aside or self.never)


@dataclass(frozen=True)
class Present:
    """The workers as they are: those that may get work, and what they have left.

    `capacities` are those of all workers that are there, also of those that get nothing new. `nothing_starts` is why
    nothing does, whoever waits.
    """

    fleet: Fleet
    free: tuple[Resources, ...]
    names: tuple[str, ...]
    capacities: tuple[Resources, ...]
    nothing_starts: str = ""


def snapshot_with(heads: Heads, wishes: Iterable[Wish], present: Present) -> Snapshot:
    """What waits and what is wished, in one rank order; what is there already is not taken twice."""
    streams = [
        [(rank, wish.waiting.key.request, wish.waiting.key.priority) for rank in wish.waiting.ranks]
        for wish in wishes
        if wish.may_start
    ]
    wished = {rank.task_id for stream in streams for rank, _, _ in stream}
    there = [
        (rank, key.request, key.priority)
        for key, ranks in zip(heads.keys, heads.ranks, strict=True)
        for rank in ranks
        if rank.task_id not in wished
    ]
    merged = heapq.merge(there, *streams, key=lambda each: each[0])
    shapes = [
        ShapeDemand(request, priority, tuple([rank.task_id for rank, _, _ in run]))
        for (request, priority), run in groupby(merged, key=lambda each: each[1:])
    ]
    return Snapshot(present.fleet, present.free, tuple(shapes))


def outlooks(
    wishes: Sequence[Wish], plan: Plan, present: Present, ahead: Callable[[Rank], int]
) -> Iterator[Outlook]:
    """What the plan means for each wish; `ahead` gives how many of those that wait come before a rank."""
    workers = {each.task_id: each.worker for each in plan.assignments}
    busy = cache(lambda request: why_refused(request, explain_refusal(request, present.fleet, present.free)))
    too_large = cache(partial(_why_too_large, present.capacities))
    nevers = [wish.never or too_large(wish.waiting.key.request) for wish in wishes]
    free = not_worse(present.free)
    before = _before(wishes, nevers)
    for number, (wish, never) in enumerate(zip(wishes, nevers, strict=True)):
        waiting, request = wish.waiting, wish.waiting.key.request
        if never:
            yield Outlook(Prospect.NEVER, waiting.count, reason=never)
        elif waiting.aside or waiting.limit:
            yield Outlook(Prospect.LATER, waiting.count, reason=waiting.aside or waiting.limit)
        elif present.nothing_starts:
            yield Outlook(Prospect.NO_ROOM, waiting.count, reason=present.nothing_starts)
        elif placed := Counter(workers[r.task_id] for r in waiting.ranks if r.task_id in workers):
            yield _starting(waiting, placed, present.names)
        else:
            count = ahead(wish.first) + before[number]
            if any(request.fits(left) for left in free):
                several = f"{count} tasks come" if count > 1 else "another task comes"
                why = f"there is room, but {several} first"
                yield Outlook(Prospect.BEHIND, waiting.count, ahead=count, reason=why)
            else:
                yield Outlook(Prospect.NO_ROOM, waiting.count, ahead=count, reason=busy(request))


def _why_too_large(capacities: Sequence[Resources], request: Resources) -> str:
    """Why none of these workers could run it while it does nothing else; empty when one could."""
    if not capacities or any(request.fits(each) for each in not_worse(capacities)):
        return ""
    idle = Fleet(("",) * len(capacities), tuple(capacities))
    return why_refused(request, explain_refusal(request, idle, capacities))


def _starting(waiting: Waiting, placed: Counter[int], names: Sequence[str]) -> Outlook:
    shares = tuple([Share(names[worker], tasks) for worker, tasks in sorted(placed.items())])
    reason = ""
    if placed.total() < waiting.count:
        all_that_may = placed.total() == len(waiting.ranks)
        reason = "no more of it may run at the same time" if all_that_may else "the rest waits for room"
    return Outlook(Prospect.STARTS, waiting.count, shares, reason=reason)


def _before(wishes: Sequence[Wish], nevers: Sequence[str]) -> list[int]:
    """How many tasks of other wishes come before each."""
    counts, before = [0] * len(wishes), 0
    for number in sorted(range(len(wishes)), key=lambda each: wishes[each].first):
        counts[number] = before
        before += wishes[number].waiting.count if wishes[number].may_start and not nevers[number] else 0
    return counts
