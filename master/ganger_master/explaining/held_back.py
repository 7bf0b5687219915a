"""This module says what keeps a task waiting whatever workers there are, and what would let it go on. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ganger_core.domain.dependency import Dependency, DependencyKind
from ganger_core.domain.explanation import Cause, CauseCode, Change, ChangeKind
from ganger_master.explaining.facts import Facts
from ganger_master.reasons import RESTORED

MOST_NAMED = 3  # of those that a task is to run after
_UNTIL = {
    DependencyKind.OK: "has succeeded",
    DependencyKind.ANY: "is over",
    DependencyKind.FAIL: "has failed",
    DependencyKind.START: "runs",
}


class HeldBack(NamedTuple):
    """One thing that keeps a task back, and the change that ends it; None where nothing but waiting does."""

    cause: Cause
    ended_by: Change | None = None


def held_back(facts: Facts) -> Iterator[HeldBack]:
    """All that keeps the task back. Whatever else a task may wait for is added here, and nowhere else."""
    for task_id, waits in facts.waits:
        whose = "" if task_id == facts.task.id else f"array {task_id} is "
        if waits.held_by:
            cause = Cause(CauseCode.HELD, f"{whose}held by {waits.held_by}")
            yield HeldBack(cause, Change(ChangeKind.RELEASE, number=task_id))
        after = [
            each for each in waits.after if each.kind is not DependencyKind.EACH
        ]  # which its elements have
        if after:
            yield HeldBack(Cause(CauseCode.DEPENDENCY, f"{whose}{_waits_for(facts, after)}"))
        if waits.until_ms > facts.now_ms:
            yield HeldBack(Cause(CauseCode.NOT_BEFORE, f"{whose}not to start yet", waits.until_ms))
    if facts.paused_until_ms > facts.now_ms:
        failed = f"failed {facts.task.failures} time{'' if facts.task.failures == 1 else 's'}"
        yield HeldBack(
            Cause(CauseCode.BACKOFF, f"{failed} and pauses before the next try", facts.paused_until_ms)
        )
    if facts.plan is not None and facts.plan.held_until_ms > facts.now_ms:
        yield HeldBack(Cause(CauseCode.RESTORED, RESTORED, facts.plan.held_until_ms))
    own = facts.standing.own
    if facts.standing.is_limited:
        text = f"array {facts.standing.key.array_id} runs at most {own.most} at a time, and {facts.running} run now"
        if own.ahead:
            text += f"; {own.ahead} of its elements come{'s' if own.ahead == 1 else ''} first"
        more = Change(ChangeKind.MAX_PARALLEL, number=facts.running + own.ahead + 1)
        yield HeldBack(Cause(CauseCode.ARRAY_LIMIT, text), more)


def _waits_for(facts: Facts, after: Sequence[Dependency]) -> str:
    named = [
        f"{facts.upstreams.get(each.task_id, each.task_id)} {_UNTIL[each.kind]}"
        for each in after[:MOST_NAMED]
    ]
    others = len(after) - len(named)
    also = f", and {others} other{'' if others == 1 else 's'}" if others else ""
    return f"to run once {' and '.join(named)}{also}"
