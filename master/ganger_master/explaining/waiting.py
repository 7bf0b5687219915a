"""This module explains why a task waits: who holds what it lacks, who comes first, when it starts. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ganger_core.domain.explanation import (
    AheadGroup,
    AheadWhy,
    Cause,
    CauseCode,
    Line,
    NextUp,
    PlanWord,
    Start,
    Waiting,
)
from ganger_core.domain.resources import Resources
from ganger_master.explaining.causes import worker_causes
from ganger_master.explaining.facts import Facts, HolderLook, WorkerLook
from ganger_master.explaining.groups import groups_of
from ganger_master.explaining.held_back import held_back
from ganger_master.explaining.remedies import remedies
from ganger_master.explaining.trial import case_of
from ganger_master.queue import BucketKey
from ganger_master.reasons import Nobody, NoRoom, Refused
from ganger_master.standing import BucketLook, Standing

_UNTIL = {
    CauseCode.HELD: "not before it is released",
    CauseCode.NOT_BEFORE: "not before the moment that it waits for",
    CauseCode.DEPENDENCY: "not before what it is to run after has come",
    CauseCode.BACKOFF: "not before its pause is over",
    CauseCode.RESTORED: "not before the restore is settled",
    CauseCode.ARRAY_LIMIT: "not before running elements of its array are over",
    CauseCode.NO_WORKER: "not before a worker is there",
    CauseCode.INFEASIBLE: "not before a larger worker is there",
    CauseCode.WORKERS_AWAY: "not before such a worker takes work again",
    CauseCode.RANK: "not before others have started",
}
GROUPS_AHEAD = 3
NEXT_UP = 2


def explain_waiting(facts: Facts) -> Waiting:
    """All that keeps the task waiting, and what would help."""
    request = facts.task.spec.resources
    case = case_of(facts)
    groups = groups_of(request, facts.workers, facts.holders)
    own = [each.cause for each in held_back(facts)]
    causes = (*own, *worker_causes(facts, case, groups))
    return Waiting(
        label=facts.task.label,
        request=request,
        causes=causes,
        groups=groups,
        line=_line(facts),
        start=_start(facts, causes),
        remedies=remedies(facts, case),
        plan=_plan(facts),
    )


def first_ahead(standing: Standing) -> list[tuple[BucketKey, BucketLook]]:
    """The buckets of those that come first, in rank order; only the first few."""
    found = [(key, look) for key, look in standing.buckets.items() if look.first and standing.before(key)]
    return sorted(found, key=lambda each: each[1].first[0])[:GROUPS_AHEAD]


def _line(facts: Facts) -> Line:
    standing, groups = facts.standing, []
    for key, look in first_ahead(standing):
        first = facts.names.get(look.first[0].task_id)
        if first is not None:
            groups.append(
                AheadGroup(
                    tasks=standing.before(key),
                    label=first.label,
                    name=first.name,
                    array_id=first.array_id,
                    priority=key.priority,
                    request=key.request,
                    why=_why(key.priority, standing.key.priority),
                )
            )
    behind = [
        NextUp(look.label, worker.name, look.behind)
        for worker in facts.workers
        for look in facts.holders.get(worker.id, ())
        if look.behind
    ]
    own_too = not standing.in_line
    return Line(
        waiting=sum(look.waiting for look in standing.buckets.values()) + own_too,
        ahead=sum(map(standing.before, standing.buckets)),
        groups=tuple(groups),
        next_up=tuple(behind[:NEXT_UP]),
        behind=len(behind),
    )


def _why(theirs: int, mine: int) -> AheadWhy:
    if theirs == mine:
        return AheadWhy.OLDER
    return AheadWhy.HIGHER if theirs > mine else AheadWhy.AGED


def _start(facts: Facts, causes: Sequence[Cause]) -> Start:
    """The latest moment that follows from run limits alone: nothing is guessed."""
    codes = {cause.code for cause in causes}
    if codes == {CauseCode.NEXT_PLAN}:
        return Start(0, "with the next plan, in a moment")
    if codes != {CauseCode.NO_ROOM}:
        return Start(0, next((_UNTIL[code] for code in CauseCode if code in codes and code in _UNTIL), ""))
    request = facts.task.spec.resources
    found = []
    for worker in facts.workers:
        holders = facts.holders.get(worker.id)
        if worker.takes_work and holders is not None and request.fits(worker.capacity):
            if _is_wanted_by_others(facts, worker):
                return Start(0, "others come first")
            by = _room_by(request, worker, holders)
            if by is not None:
                found.append((by[0], worker.name, by[1]))
    if not found:
        return Start(0, "what holds its place has no run limit")
    by_ms, worker_name, label = min(found)
    who = label if label.startswith("a task") else f"task {label}"
    return Start(by_ms, f"{who} on {worker_name} must be over by then, and nothing comes before this one now")


def _is_wanted_by_others(facts: Facts, worker: WorkerLook) -> bool:
    """Whether somebody who comes first could take what comes free there."""
    standing = facts.standing
    return any(standing.before(key) and key.request.fits(worker.capacity) for key in standing.buckets)


def _room_by(request: Resources, worker: WorkerLook, holders: Sequence[HolderLook]) -> tuple[int, str] | None:
    """When the run limits of those that run there have made room, and whose is the last; None without."""
    if any(look.behind for look in holders):
        return None  # what comes free goes to them
    free = worker.free
    for look in sorted(holders, key=lambda each: each.until_ms):
        if look.until_ms:
            free = free.plus(look.held)
            if request.fits(free):
                return look.until_ms, look.label
    return None


def _plan(facts: Facts) -> PlanWord | None:
    """What the last plan said that looked at its like; else which was the last at all."""
    said, note, asked, placed = facts.standing.said, facts.plan, 0, 0
    if isinstance(said, Nobody | NoRoom | Refused):
        note = said.plan
    if isinstance(said, Refused):
        asked, placed = said.asked, said.asked - said.left
    if note is None:
        return None
    return PlanWord(
        number=note.number,
        at_ms=note.at_ms,
        by=note.by,
        why_not_planner=note.why_not_planner,
        stage=note.stage,
        took_ms=note.took_ms,
        asked=asked,
        placed=placed,
        said=str(said),
    )
