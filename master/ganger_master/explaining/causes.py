"""This module says what the workers keep a task waiting for. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ganger_core.domain.explanation import Cause, CauseCode, Verdict, WorkerGroup
from ganger_master.explaining.facts import Facts
from ganger_master.explaining.held_back import held_back
from ganger_master.explaining.trial import Case, starts
from ganger_master.reasons import NO_WORKER, amounts


def worker_causes(facts: Facts, case: Case, groups: Sequence[WorkerGroup]) -> Iterator[Cause]:
    """What the workers keep it waiting for."""
    room = [group for group in groups if group.verdicts == (Verdict.ROOM,)]
    busy = [group for group in groups if group.verdicts == (Verdict.BUSY,)]
    could = [group for group in groups if Verdict.TOO_LARGE not in group.verdicts]
    if not groups:
        yield Cause(CauseCode.NO_WORKER, NO_WORKER)
    elif not could:
        nearest = groups[0]
        yield Cause(
            CauseCode.INFEASIBLE,
            f"asks for more than any worker has: the nearest, {nearest.nearest}, is short of "
            f"{amounts(nearest.shortage)}",
        )
    elif room and starts(case):
        yield Cause(CauseCode.NEXT_PLAN, f"there is room on {_some(room)}: the next plan can place it")
    elif room and not any(held_back(facts)):
        ahead = sum(map(facts.standing.before, facts.standing.buckets))
        yield Cause(
            CauseCode.RANK,
            f"what is free on {_some(room)} goes to others first: {ahead} come{'s' if ahead == 1 else ''} before it",
        )
    elif busy:
        nearest = busy[0]
        yield Cause(
            CauseCode.NO_ROOM,
            f"{_some(busy)} could run it and {'has' if len(busy) == nearest.workers == 1 else 'have'} no room now: "
            f"{nearest.nearest} is short of {amounts(nearest.shortage)}",
        )
    elif not room:
        one = sum(group.workers for group in could) == 1
        text = f"{_some(could)} could run it, but take{'s' if one else ''} no work now"
        yield Cause(CauseCode.WORKERS_AWAY, text)


def _some(groups: Sequence[WorkerGroup]) -> str:
    """w1, or 3 workers."""
    count = sum(group.workers for group in groups)
    return groups[0].nearest if count == 1 else f"{count} workers"
