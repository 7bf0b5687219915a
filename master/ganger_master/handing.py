"""This module decides where the capacity of an attempt goes that is over. Pure."""

from __future__ import annotations

from collections.abc import Collection

from ganger_core.domain.states import AttemptState
from ganger_core.domain.task import Attempt, AttemptRef, RevokeOrder, StartOrder
from ganger_master.changes import Change, HandOver, Release, Tell
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
        spec = state.tasks[next_.ref.task_id].spec
        change.effects.append(Tell(next_.worker_id, StartOrder(next_.ref, spec, next_.lease_s)))


def ask_back(attempt: Attempt, reason: str) -> Change:
    """Ask for an attempt that waits behind another, once; one that has started goes on."""
    if not may_revoke(attempt):
        return Change()
    attempt = attempt._replace(phase=reason)
    return Change(attempts=[attempt], effects=[Tell(attempt.worker_id, RevokeOrder(attempt.ref))])


def may_revoke(attempt: Attempt) -> bool:
    """Whether it may still wait behind another, and was not asked for yet."""
    return attempt.behind and attempt.state is AttemptState.ASSIGNED and not attempt.phase


def _next(
    state: State, attempt: Attempt, handed_to: AttemptRef | None, gone: Collection[AttemptRef]
) -> Attempt | None:
    request = state.tasks[attempt.ref.task_id].spec.resources
    lane = state.lanes.of(request).get(attempt.worker_id)
    behind = [ref for ref in lane.behind if ref not in gone] if lane else []
    if handed_to is not None and handed_to in behind:
        return state.attempts[handed_to.task_id]
    waiting = [state.attempts[ref.task_id] for ref in behind]
    started = (other for other in waiting if other.state is not AttemptState.ASSIGNED)
    return next(started, waiting[0] if waiting else None)
