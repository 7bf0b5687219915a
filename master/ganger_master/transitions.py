"""This module decides what every command does to tasks and attempts: pure functions of values.

`step(state, command, now)` reads the state, raises a domain error or returns a `Change` and the answer; it
changes nothing itself. What people ask for is decided in `asked`, what workers report in `reported`, what a lost
attempt means in `losing`, an operator's word about workers in `cordons`, what becomes of arrays in `arrays`; all of
them are made of `moves`.
"""

from __future__ import annotations

from ganger_core.domain.clock import Instant
from ganger_core.domain.errors import UnknownWorker
from ganger_core.domain.states import AttemptState, TaskEvent, TaskState
from ganger_core.domain.task import Attempt, AttemptRef, OnWorkerLost
from ganger_core.domain.waits import NO_WAITS
from ganger_master import arrays, asked, cordons, losing, reported
from ganger_master.changes import (
    Age,
    Answer,
    Assign,
    Cancel,
    Change,
    Command,
    Dequeue,
    Evict,
    Expire,
    Fence,
    Forget,
    LoseAttempt,
    Register,
    Relet,
    Reserve,
    Revoke,
    SetCordon,
    SettleLog,
    SettleRestore,
    Submit,
    SubmitArray,
    Tell,
    Told,
    Update,
    Withdraw,
)
from ganger_master.epochs import next_token
from ganger_master.moves import live, move, put, start_order
from ganger_master.remembering import forgettable
from ganger_master.state import Rules, State

__all__ = ["Rules", "State", "ages", "step"]


def step(state: State, rules: Rules, command: Command, now: Instant) -> tuple[Change, Answer]:
    """What `command` does to `state` at `now`; raises a `GangerError` when it is refused, and then does nothing."""
    match command:
        case Submit() | SubmitArray() | Update() | Cancel():
            return asked.answer(state, rules, command, now)
        case Expire():
            return asked.expire(state, rules, command, now)
        case Assign():
            return _assign(state, rules, command, now)
        case Age():
            return _age(state, rules, command, now)
        case Told():
            return reported.told(state, command, now)
        case SettleLog():
            return reported.settle_log(state, command, now)
        case Withdraw() | LoseAttempt() | Revoke():
            return losing.take_back(state, command, now)
        case Fence():
            return losing.fence(state, command, now)
        case SetCordon() | Evict():
            return cordons.carry_out(state, rules, command, now)
        case Register():
            return _register(state, command)
        case Forget():
            return Change(forgotten=[forgettable(command, state)]), None
        case SettleRestore():
            return Change(restore_settled=[command]), None


def _assign(state: State, rules: Rules, command: Assign, now: Instant) -> tuple[Change, Answer]:
    task = arrays.in_line(state, command.task_id, now)
    if task is None or task.state is not TaskState.PENDING or task.array is not None:
        return Change(), None
    change = Change()
    if task.id not in state.tasks:
        change.tasks.append(task)  # an element gets its record
    ref = AttemptRef(task.id, next_token(state.epoch, task.token))
    attempt = Attempt(
        ref=ref,
        worker_id=command.worker_id,
        worker_name=command.worker_name,
        state=AttemptState.ASSIGNED,
        planned_by=command.planned_by,
        assigned_ms=now.wall_ms,
        lease_s=rules.lease_of(task.spec),
        behind=command.behind,
    )
    reason = f"placed by {command.planned_by}"
    if command.behind:
        reason += f", next on {command.worker_name} with what comes free there"
    task = move(task, TaskEvent.ASSIGNED, token=ref.token, reason=reason, waits=NO_WAITS)
    order = start_order(task, attempt)
    change.effects += [Dequeue(task.id), Reserve(attempt, task), Tell(attempt.worker_id, order)]
    put(state, change, task, now, attempt)
    return change, ref


def ages(state: State, rules: Rules, ref: AttemptRef, now: Instant) -> bool:
    """Whether this attempt has run for so long that it must not be started over unasked: it has its lease no more."""
    found = live(state, ref)
    if found is None:
        return False
    task, attempt = found
    return (
        task.spec.on_worker_lost is OnWorkerLost.BY_AGE
        and attempt.state is AttemptState.RUNNING
        and attempt.lease_s > 0
        and now.wall_ms - attempt.started_ms >= 1000 * rules.ages_after_s
    )


def _age(state: State, rules: Rules, command: Age, now: Instant) -> tuple[Change, Answer]:
    """The lease ends for good, here first: the worker is told once that is on disk."""
    if not ages(state, rules, command.ref, now):
        return Change(), None
    task = state.tasks[command.ref.task_id]
    attempt = state.attempts[command.ref.task_id]._replace(lease_s=0.0)
    order = start_order(task, attempt)
    return Change(attempts=[attempt], effects=[Relet(attempt), Tell(attempt.worker_id, order)]), None


def _register(state: State, command: Register) -> tuple[Change, Answer]:
    known = state.workers.get(command.profile.id)
    if known is not None and known.incarnation > command.profile.incarnation:
        raise UnknownWorker(
            f"worker {command.profile.name} was started again since (start {known.incarnation}, this is "
            f"{command.profile.incarnation})",
            reason="OLD_INCARNATION",
        )
    return Change(workers=[command.profile]), None
