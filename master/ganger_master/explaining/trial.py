"""This module tries whether first-fit would place a waiting task, on the present values or with a change made to them.

Pure. A trial never says yes on what was not looked at: of a bucket with very many tasks only the first are known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ganger_core.domain.explanation import CauseCode, Change, ChangeKind
from ganger_core.domain.placement import first_fit, not_worse
from ganger_core.domain.plan import Fleet, ShapeDemand, Snapshot
from ganger_core.domain.resources import Resources
from ganger_master.ageing import GRAIN, Rank
from ganger_master.explaining.facts import Facts
from ganger_master.explaining.held_back import held_back
from ganger_master.standing import BucketLook

MOST_TRIED = 1_000  # waiting tasks that one trial looks at
NEWEST = 2**62  # the id of a task that is submitted after all others
FIRST_ID, LAST_ID = (
    "",
    "\U0010ffff",
)  # of a worker that joins: plans see workers by id, and its own is not known


@dataclass(frozen=True, slots=True)
class Others:
    """Waiting tasks of one bucket that may be planned, in rank order.

    Where these are only the first, `more_after` is the rank behind which others may be; None when these are all.
    """

    request: Resources
    priority: int
    ranks: tuple[Rank, ...]
    more_after: Rank | None


@dataclass(frozen=True, slots=True)
class Case:
    """What first-fit is asked: the workers, the others that wait, and the task.

    `siblings` are the others of its own bucket, of which only so many may be planned as its array has `room` for
    (None: as many as there are). The task needs some of that room where it is `in_array`; `before` it come so many.
    `holds` are the things that keep it back whatever room there is.
    """

    fleet: Fleet
    free: tuple[Resources, ...]
    others: tuple[Others, ...]
    siblings: Others
    request: Resources
    priority: int
    rank: Rank
    room: int | None
    before: int
    in_array: bool
    holds: int = 0


def case_of(facts: Facts) -> Case:
    """The present."""
    standing, spec = facts.standing, facts.task.spec
    left, others, siblings = MOST_TRIED, [], Others(spec.resources, spec.priority, (), None)
    in_order = sorted(standing.buckets.items(), key=lambda each: (each[0] != standing.key, each[1].first[:1]))
    for key, look in in_order:
        is_own, may = key == standing.key, standing.may_be_planned(key)
        first = look.first[: max(0, left)] if is_own else look.first[: max(0, min(left, may))]
        left -= len(first)
        is_all = len(first) == (look.waiting if is_own else may)
        ranks = tuple([rank for rank in first if rank.task_id != standing.task_id])
        found = Others(key.request, key.priority, ranks, None if is_all else _last(first, look))
        if is_own:
            siblings = found
        else:
            others.append(found)
    return Case(
        fleet=facts.fleet,
        free=facts.free,
        others=tuple(others),
        siblings=siblings,
        request=spec.resources,
        priority=spec.priority,
        rank=standing.rank,
        room=standing.own.room,
        before=standing.own.ahead,
        in_array=bool(standing.key.array_id),
        holds=sum(each.cause.code is not CauseCode.ARRAY_LIMIT for each in held_back(facts)),
    )


def _last(first: Sequence[Rank], look: BucketLook) -> Rank:
    """The rank behind which those are that are not looked at."""
    return first[-1] if first else look.first[0]._replace(task_id=look.first[0].task_id - 1)


def competitors(case: Case) -> list[Others]:
    """All others that may be planned."""
    siblings, room = case.siblings, case.room
    if room is None:
        return [*case.others, siblings]
    if case.in_array and case.before < room:
        room -= 1  # the task itself takes some
    if len(siblings.ranks) >= room:
        siblings = replace(siblings, ranks=siblings.ranks[:room], more_after=None)
    return [*case.others, siblings]


def is_beyond_its_array(case: Case) -> bool:
    """Whether its array may not run it, whatever room there is."""
    return case.in_array and case.room is not None and case.before >= case.room


def starts(case: Case) -> bool:
    """Whether first-fit places the task. Where that depends on tasks that were not looked at: no."""
    free = not_worse(case.free)
    if case.holds or is_beyond_its_array(case) or not any(case.request.fits(left) for left in free):
        return False
    useful = [each for each in competitors(case) if any(each.request.fits(left) for left in free)]
    waiting = [(rank, each.request, each.priority) for each in useful for rank in each.ranks]
    waiting.append((case.rank, case.request, case.priority))
    plan = first_fit(Snapshot(case.fleet, case.free, shapes_of(waiting)))
    placed = {given.task_id for given in plan.assignments}
    if case.rank.task_id not in placed:
        return False
    return not any(_may_hide_one_before(each, placed, case.rank) for each in useful)


def with_change(case: Case, change: Change, facts: Facts, new_id: str = FIRST_ID) -> Case:
    """The case with this change made; a worker that joins gets the id `new_id`."""
    match change.kind:
        case ChangeKind.REQUEST:  # submitted again, it is the newest of its priority and of no array
            rank = Rank(-GRAIN * case.priority, NEWEST)
            return replace(case, request=change.amounts._replace(slots=1), rank=rank, in_array=False, holds=0)
        case ChangeKind.PRIORITY:
            more = GRAIN * (change.number - case.priority)
            ranks = case.siblings.ranks
            if case.in_array:  # the array rises as a whole
                ranks = tuple([rank._replace(behind=rank.behind - more) for rank in ranks])
            rank = case.rank._replace(behind=case.rank.behind - more)
            after = case.siblings.more_after
            if case.in_array and after is not None:
                after = after._replace(behind=after.behind - more)
            siblings = replace(case.siblings, ranks=ranks, more_after=after)
            return replace(case, priority=change.number, rank=rank, siblings=siblings)
        case ChangeKind.MAX_PARALLEL:
            return replace(case, room=change.number - facts.running)
        case ChangeKind.RELEASE:
            return replace(case, holds=case.holds - 1)
        case ChangeKind.NEW_WORKER:
            return _with_worker(case, new_id, change.amounts, change.amounts)
        case ChangeKind.WORKER_BACK | ChangeKind.RESUME_WORKER:
            back = [each for each in facts.workers if each.name == change.name and not each.takes_work]
            for worker in back[:1]:
                case = _with_worker(case, worker.id, worker.capacity, worker.free)
            return case


def starts_with(case: Case, changes: Sequence[Change], facts: Facts) -> bool:
    """Whether first-fit places the task with these changes, wherever among the others a worker that joins stands."""
    for new_id in (FIRST_ID, LAST_ID):
        changed = case
        for change in changes:
            changed = with_change(changed, change, facts, new_id)
        if not starts(changed):
            return False
        if all(change.kind is not ChangeKind.NEW_WORKER for change in changes):
            break
    return True


def shapes_of(waiting: Iterable[tuple[Rank, Resources, int]]) -> tuple[ShapeDemand, ...]:
    """Tasks in rank order, as runs of the same request and priority."""
    shapes: list[tuple[Resources, int, list[int]]] = []
    for rank, request, priority in sorted(waiting):
        if not shapes or shapes[-1][:2] != (request, priority):
            shapes.append((request, priority, []))
        shapes[-1][2].append(rank.task_id)
    return tuple([ShapeDemand(request, priority, tuple(ids)) for request, priority, ids in shapes])


def _may_hide_one_before(others: Others, placed: set[int], mine: Rank) -> bool:
    """Whether first-fit placed all that were looked at, so that the next, which was not, may come before `mine`."""
    if others.more_after is None or others.more_after >= mine:
        return False
    return all(rank.task_id in placed for rank in others.ranks)


def _with_worker(case: Case, worker_id: str, capacity: Resources, free: Resources) -> Case:
    workers = sorted(
        [
            *zip(case.fleet.worker_ids, case.fleet.capacities, case.free, strict=True),
            (worker_id, capacity, free),
        ]
    )
    ids, capacities, lefts = zip(*workers, strict=True)
    return replace(case, fleet=Fleet(ids, capacities), free=lefts)
