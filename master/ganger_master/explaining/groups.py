"""This module says what each worker means for a task that waits, and gathers those that mean the same. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from ganger_core.domain.explanation import Holder, Verdict, WorkerGroup
from ganger_core.domain.resources import Resources
from ganger_core.domain.states import WorkerState
from ganger_master.explaining.facts import HolderLook, WorkerLook

NAMES = 4  # of workers in one group
HOLDERS = 4  # of one group
ASKED_ABOUT = 8  # workers of which it is asked who holds them

_SILENT = {WorkerState.SUSPECT: Verdict.LATE, WorkerState.LOST: Verdict.LOST}
_EMPTIED = (WorkerState.DRAINING, WorkerState.DRAINED)
_ORDER = list(Verdict)


def verdicts(request: Resources, worker: WorkerLook) -> tuple[Verdict, ...]:
    """All that keeps the task from this worker; ROOM alone when nothing does."""
    found = []
    if worker.state in _SILENT:
        found.append(_SILENT[worker.state])
    if worker.state in _EMPTIED or (worker.cordon and worker.cordon.drains):
        found.append(Verdict.DRAINING)
    elif worker.cordon:
        found.append(Verdict.CORDONED)
    elif worker.state is WorkerState.UP and worker.rests_s > 0:
        found.append(Verdict.RESTING)
    if not request.fits(worker.capacity):
        found.append(Verdict.TOO_LARGE)
    elif not request.fits(worker.free):
        found.append(Verdict.BUSY)
    return tuple(found) or (Verdict.ROOM,)


def nearest_busy(request: Resources, workers: Iterable[WorkerLook]) -> list[WorkerLook]:
    """The workers that take work and lack least for the task, nearest first: of these it counts who holds them."""
    busy = [worker for worker in workers if verdicts(request, worker) == (Verdict.BUSY,)]
    return sorted(busy, key=lambda worker: (distance(request, worker.free), worker.name))[:ASKED_ABOUT]


def distance(request: Resources, have: Resources) -> float:
    """How much is short, each kind as a share of the request."""
    return sum(
        short / max(1, need) for short, need in zip(request.missing(have), request.amounts(), strict=True)
    )


def groups_of(
    request: Resources, workers: Sequence[WorkerLook], holders: Mapping[str, Sequence[HolderLook]]
) -> tuple[WorkerGroup, ...]:
    """The workers by what they mean for the task, those nearest to taking it first."""

    def alike(worker: WorkerLook) -> tuple[list[int], str, list[bool]]:
        found = verdicts(request, worker)
        words = _words(worker, found)
        short = [amount > 0 for amount in _shortage(request, worker)]
        return sorted(map(_ORDER.index, found)), words, short

    return tuple(
        [_group(request, list(group), holders) for _, group in groupby(sorted(workers, key=alike), alike)]
    )


def _words(worker: WorkerLook, found: Sequence[Verdict]) -> str:
    """Why it refused what it was given, or who wants that it gets nothing new."""
    if worker.cordon:
        return worker.cordon.told(empty=worker.state is WorkerState.DRAINED)
    return worker.words if Verdict.RESTING in found else ""


def _shortage(request: Resources, worker: WorkerLook) -> Resources:
    """Of its capacity, if that is too small; else of what is free."""
    return request.missing(worker.free if request.fits(worker.capacity) else worker.capacity)


def _group(
    request: Resources, workers: Sequence[WorkerLook], holders: Mapping[str, Sequence[HolderLook]]
) -> WorkerGroup:
    def how_far(worker: WorkerLook) -> tuple[float, str]:
        have = worker.free if request.fits(worker.capacity) else worker.capacity
        return distance(request, have), worker.name

    near = sorted(workers, key=how_far)
    nearest = near[0]
    shortage = _shortage(request, nearest)
    # Of a few workers it counts who holds any of them, of many who holds the nearest.
    asked = near if len(near) <= NAMES else near[:1]
    found = [each for worker in asked for each in _holders(worker, holders.get(worker.id, ()), shortage)]
    found.sort(key=lambda each: (-share(each.held, shortage), each.since_ms, each.label))
    return WorkerGroup(
        verdicts=verdicts(request, nearest),
        workers=len(workers),
        names=tuple([worker.name for worker in near[:NAMES]]),
        nearest=nearest.name,
        capacity=nearest.capacity,
        free=nearest.free,
        shortage=shortage,
        holders=tuple(found[:HOLDERS]),
        more_holders=sum(each.tasks for each in found[HOLDERS:]),
        silent_s=max(worker.silent_s for worker in workers),
        rests_s=max(0.0, min(worker.rests_s for worker in workers)),
        words=_words(nearest, verdicts(request, nearest)),
        since_ms=nearest.cordon.since_ms if nearest.cordon else 0,
    )


def share(held: Resources, shortage: Resources) -> float:
    """How much of what is short somebody holds."""
    return sum(
        amount / short for amount, short in zip(held.amounts(), shortage.amounts(), strict=True) if short
    )


def _holders(worker: WorkerLook, looks: Sequence[HolderLook], shortage: Resources) -> list[Holder]:
    """Who holds some of what is short on this worker; elements of one array count together."""
    by_array: dict[tuple[int, int], list[HolderLook]] = {}
    for number, look in enumerate(looks):
        if not look.behind and share(look.held, shortage):
            key = (look.array_id, 0) if look.array_id else (0, number)
            by_array.setdefault(key, []).append(look)
    found = []
    for (array_id, _), group in by_array.items():
        held = Resources()
        for look in group:
            held = held.plus(look.held)
        until = [look.until_ms for look in group]
        found.append(
            Holder(
                label=group[0].label if len(group) == 1 else str(array_id),
                name=group[0].name,
                tasks=len(group),
                held=held,
                worker=worker.name,
                since_ms=min(look.since_ms for look in group),
                until_ms=max(until) if all(until) else 0,
            )
        )
    return found
