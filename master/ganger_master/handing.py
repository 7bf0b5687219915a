"""This module decides where the capacity of an attempt goes that is over. Pure."""

from __future__ import annotations

from collections.abc import Collection

from ganger_core.domain.states import AttemptState
from ganger_core.domain.task import Attempt, AttemptRef, RevokeOrder
from ganger_master.changes import Change, HandOver, Release, Tell
from ganger_master.moves import start_order
from ganger_master.state import State


def vacate(
    state: State,
    change: Change,
    attempt: Attempt,
    handed_to: AttemptRef | None = None,
    gone: Collection[AttemptRef] = (),
) -> None:
    """The attempt is over: what it had goes to one that is behind it, or becomes free.

    `handed_to` is who has it already, by the word of their worker. Without that, it is one that has started, or else
    the first, which is told so. Those in `gone` are over as well.
    """
    next_ = None if attempt.behind else _next(state, attempt, handed_to, gone)
    if next_ is None:
        change.effects.append(Release(attempt))
        return
    next_ = next_._replace(behind=False)
    change.attempts.append(next_)
    change.effects.append(HandOver(attempt, next_))
    if next_.ref != handed_to and next_.state is AttemptState.ASSIGNED:
        change.effects.append(Tell(next_.worker_id, start_order(state.tasks[next_.ref.task_id], next_)))


def ask_back(attempt: Attempt, reason: str) -> Change:
    """Ask for an attempt that waits behind another, once; one that has started goes on."""
    if not may_revoke(attempt):
        return Change()
    attempt = attempt._replace(phase=reason)
    return Change(attempts=[attempt], effects=[Tell(attempt.worker_id, RevokeOrder(attempt.ref))])


def may_revoke(attempt: Attempt) -> bool:
    """Whether it may still wait behind another, and was not asked for yet."""
    return attempt.behind and attempt.state is AttemptState.ASSIGNED and not attempt.phase


def is_asked_back(attempt: Attempt) -> bool:
    """Whether it was asked for and no answer has come."""
    return attempt.behind and attempt.state is AttemptState.ASSIGNED and bool(attempt.phase)


def _next(
    state: State, attempt: Attempt, handed_to: AttemptRef | None, gone: Collection[AttemptRef]
) -> Attempt | None:
    task = state.tasks[attempt.ref.task_id]
    lane = state.lanes.of(task.lane).get(attempt.worker_id)
    behind = [ref for ref in lane.behind if ref not in gone] if lane else []
    if handed_to is not None and handed_to in behind:
        return state.attempts[handed_to.task_id]
    waiting = [state.attempts[ref.task_id] for ref in behind]
    started = (other for other in waiting if other.state is not AttemptState.ASSIGNED)
    # What is behind others on a cordoned worker was asked back, and is not told to start meanwhile.
    is_shut = attempt.worker_id in state.cordons
    may_start = waiting and not is_shut and not is_over_its_limit(state, task.array_id)
    return next(started, waiting[0] if may_start else None)


def is_over_its_limit(state: State, array_id: int) -> bool:
    """Whether more elements run than the array may have now: none takes the place of one that is over."""
    array = state.tasks[array_id].array if array_id else None
    return array is not None and 0 < array.max_parallel < state.lanes.running(array_id)
