"""This module looks for the smallest changes that would let a waiting task start now. Pure.

What is offered was tried: with it, first-fit places the task on the present workers, after all that come first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ganger_core.domain.explanation import Change, ChangeKind, Remedy
from ganger_core.domain.placement import first_fit
from ganger_core.domain.plan import Snapshot
from ganger_core.domain.resources import Resources
from ganger_core.domain.states import WorkerState
from ganger_master.ageing import GRAIN
from ganger_master.explaining.facts import Facts
from ganger_master.explaining.groups import distance
from ganger_master.explaining.held_back import held_back
from ganger_master.explaining.trial import Case, competitors, shapes_of, starts, starts_with

MAX_PRIORITY = 100
LEAST_SHARE = 8  # a request is cut to an eighth of it at the least
CPU_STEP, MEMORY_STEP = 100, 2**20  # amounts that are offered are whole multiples
MOST_CUTS = 4  # workers for which a smaller request is tried
MOST_BACK = 4  # workers whose return is tried
MOST_ON_NEW = 32  # tasks that come first, for which a new worker is made large enough

_EASE = {WorkerState.SUSPECT: 2, WorkerState.LOST: 3, WorkerState.UP: 4}


def remedies(facts: Facts, case: Case) -> tuple[Remedy, ...]:
    """The smallest change of each kind that lets the task start now; none when it starts anyhow.

    What must be changed in any case, such as the limit of its array, stands first in each of them.
    """
    back = [each.ended_by for each in held_back(facts)]
    gates = tuple([change for change in back if change is not None])
    if starts(case) or None in back:
        return ()  # it starts anyhow, or nothing helps but waiting
    if gates and starts_with(case, gates, facts):
        return (Remedy(gates),)
    found = []
    for kind, gated in ((_request, ()), (_priority, gates), (_worker_back, gates), (_new_worker, gates)):
        change = kind(case, facts, _helps(case, gated, facts))
        if change is not None:
            found.append(Remedy((*gated, change)))
    return tuple(found)


Helps = Callable[[Change], bool]


def _helps(case: Case, gates: tuple[Change, ...], facts: Facts) -> Helps:
    return lambda change: starts_with(case, (*gates, change), facts)


def _request(case: Case, facts: Facts, helps: Helps) -> Change | None:
    """Less of what is short, as little less as will do: what fits beside all that the others take."""
    nearest = sorted(set(_left_by_others(case)), key=lambda left: (distance(case.request, left), left))
    for left in nearest[:MOST_CUTS]:
        cpu = _cut(case.request.cpu_milli, left.cpu_milli, CPU_STEP)
        memory = _cut(case.request.memory_bytes, left.memory_bytes, MEMORY_STEP)
        enough = (
            LEAST_SHARE * cpu >= case.request.cpu_milli and LEAST_SHARE * memory >= case.request.memory_bytes
        )
        change = Change(ChangeKind.REQUEST, amounts=Resources(cpu, memory))
        if enough and change.amounts != case.request._replace(slots=0) and helps(change):
            return change
    return None


def _cut(wanted: int, left: int, step: int) -> int:
    return wanted if wanted <= left else left // step * step


def _left_by_others(case: Case) -> list[Resources]:
    """What the workers have left once first-fit has placed all the others that it can."""
    waiting = [(rank, each.request, each.priority) for each in competitors(case) for rank in each.ranks]
    shapes, left = shapes_of(waiting), list(case.free)
    request_of = {task_id: shape.request for shape in shapes for task_id in shape.task_ids}
    for given in first_fit(Snapshot(case.fleet, case.free, shapes)).assignments:
        left[given.worker] = left[given.worker].minus(request_of[given.task_id])
    return left


def _priority(case: Case, facts: Facts, helps: Helps) -> Change | None:
    """The lowest priority at which it comes before enough of the others; nothing unless there is room at all."""
    if not any(case.request.fits(left) for left in case.free):
        return None
    others = case.others if case.in_array else (*case.others, case.siblings)
    first = [each.ranks[0] for each in others if each.ranks and each.ranks[0] < case.rank]
    steps = sorted({(case.rank.behind - rank.behind) // GRAIN + 1 for rank in first})
    changes = [
        Change(ChangeKind.PRIORITY, number=case.priority + step)
        for step in steps
        if case.priority + step <= MAX_PRIORITY
    ]
    if not changes or not helps(changes[-1]):
        return None
    return _lowest(changes, helps)


def _lowest(changes: Sequence[Change], helps: Helps) -> Change:
    """The first that helps, where the last one does; a few trials, as if all that come after it helped, too."""
    low, high = 0, len(changes) - 1
    while low < high:
        middle = (low + high) // 2
        if helps(changes[middle]):
            high = middle
        else:
            low = middle + 1
    return changes[high]


def _worker_back(case: Case, facts: Facts, helps: Helps) -> Change | None:
    """One that gets nothing new now but has room, the one that is easiest to have back first."""
    away = [each for each in facts.workers if not each.takes_work and case.request.fits(each.free)]
    away.sort(key=lambda each: (not each.may_be_resumed, _EASE.get(each.state, 1), each.name))
    changes = (
        Change(ChangeKind.RESUME_WORKER if each.may_be_resumed else ChangeKind.WORKER_BACK, name=each.name)
        for each in away[:MOST_BACK]
    )
    return next(filter(helps, changes), None)


def _new_worker(case: Case, facts: Facts, helps: Helps) -> Change | None:
    """One for the task alone, else one with room as well for those that come first and would take it."""
    alone = case.request._replace(slots=max(1, case.request.slots))
    sizes = (alone, _with_those_before(case, alone))
    changes = (Change(ChangeKind.NEW_WORKER, amounts=size) for size in dict.fromkeys(sizes))
    return next(filter(helps, changes), None)


def _with_those_before(case: Case, size: Resources) -> Resources:
    """Larger by what those take who come first and fit into it; what does not fit into all of it is in nobody's way."""
    before = [(rank, each.request) for each in competitors(case) for rank in each.ranks if rank < case.rank]
    left, taken = [request for _, request in sorted(before)], 0
    while taken < MOST_ON_NEW:
        fitting = next((request for request in left if request.fits(size)), None)
        if fitting is None:
            break
        left.remove(fitting)
        size, taken = size.plus(fitting), taken + 1
    return size
