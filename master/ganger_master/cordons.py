"""This module decides what an operator's word does by which workers get no new work, or have it again. Pure.

A cordon is durable, as tasks are: it outlasts the master and every start of the worker.
"""

from __future__ import annotations

from ganger_core.domain.clock import Instant
from ganger_core.domain.states import AttemptState
from ganger_core.domain.task import AttemptRef
from ganger_master.changes import Answer, Answered, Change, Cordoned, Evict, SetCordon
from ganger_master.ending import Stopping, stop
from ganger_master.handing import ask_back, is_asked_back
from ganger_master.moves import live
from ganger_master.remembering import answer_of
from ganger_master.state import Rules, State


def carry_out(state: State, rules: Rules, command: SetCordon | Evict, now: Instant) -> tuple[Change, Answer]:
    """What an operator's word does, at once and at its deadline."""
    if isinstance(command, Evict):
        return evict(state, rules, command, now), None
    return set_cordon(state, command, now)


def set_cordon(state: State, command: SetCordon, now: Instant) -> tuple[Change, Answer]:
    """These workers get no new work, or have it again. What waits there behind others is asked back."""
    known = answer_of(state.requests, command.request)
    if known is not None:
        return Change(), known
    change = Change()
    for worker_id in command.worker_ids:
        change.cordons.append((worker_id, command.cordon))
        change.effects.append(Cordoned(worker_id, command.cordon))
    if command.cordon is not None:
        for ref in state.lanes.behind():
            attempt = state.attempts[ref.task_id]
            if attempt.worker_id in command.worker_ids:
                change.extend(ask_back(attempt, f"asked back: {attempt.worker_name} is {command.cordon}"))
    answer = " ".join(command.worker_ids)
    change.answered.append(Answered(command.request, answer, now.wall_ms, 0, 0))
    return change, answer


def evict(state: State, rules: Rules, command: Evict, now: Instant) -> Change:
    """A live attempt is told to stop, and its task waits again; what only waits behind others is asked back."""
    found = live(state, command.ref)
    if found is None:
        return Change()
    task, attempt = found
    if attempt.behind and attempt.state is AttemptState.ASSIGNED:
        return ask_back(attempt, command.reason)
    change = Change()
    if attempt.state is not AttemptState.STOPPING:
        stop(state, rules, change, task, command.reason, Stopping(), now, drained=True)
    return change


def is_leaving(state: State, ref: AttemptRef) -> bool:
    """Whether this attempt was told to stop, or asked back."""
    attempt = state.attempts[ref.task_id]
    return attempt.state is AttemptState.STOPPING or is_asked_back(attempt)
