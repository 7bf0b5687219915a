"""This module decides what an operator's word does by which workers get no new work, or have it again. Pure.

A cordon is durable, as tasks are: it outlasts the master and every start of the worker.
"""

from __future__ import annotations

from ganger_core.domain.clock import Instant
from ganger_master.changes import Answer, Answered, Change, Cordoned, SetCordon
from ganger_master.handing import ask_back
from ganger_master.remembering import answer_of
from ganger_master.state import State


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
