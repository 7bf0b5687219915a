"""This module decides what every command does to tasks and attempts: pure functions of values.

`step(state, command, now)` reads the state, raises a domain error or returns a `Change` and the answer; it
changes nothing itself. Which move is legal is in `ganger_core.domain.states`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ganger_core.domain.clock import Instant
from ganger_core.domain.errors import NotFound, StaleAttempt, UnknownWorker
from ganger_core.domain.states import (
    ATTEMPT_MOVES,
    TASK_FINAL,
    TASK_MOVES,
    AttemptEvent,
    AttemptState,
    IllegalMove,
    TaskEvent,
    TaskState,
    advance,
)
from ganger_core.domain.task import (
    Attempt,
    AttemptRef,
    Event,
    Outcome,
    OutcomeKind,
    Report,
    ReportKind,
    StartOrder,
    StopOrder,
    Task,
    WorkerProfile,
)
from ganger_master.changes import (
    Answer,
    Answered,
    Assign,
    Cancel,
    Change,
    Command,
    Dequeue,
    Enqueue,
    Forget,
    LoseAttempt,
    Register,
    Release,
    Reserve,
    SettleLog,
    SettleRestore,
    Submit,
    Tell,
    Told,
    Withdraw,
)
from ganger_master.epochs import next_token
from ganger_master.remembering import answer_of, forgettable


@dataclass(slots=True)
class State:
    """The master's truth in memory: live tasks with their newest attempt, recently ended ones, and the counters."""

    tasks: dict[int, Task] = field(default_factory=dict)
    attempts: dict[int, Attempt] = field(default_factory=dict)  # the newest of each task, by task id
    requests: dict[tuple[str, str], tuple[str, str]] = field(
        default_factory=dict
    )  # (owner, id) -> digest, answer
    workers: dict[str, WorkerProfile] = field(default_factory=dict)
    next_task_id: int = 1
    next_seq: int = 1
    epoch: int = 1
    restored: int = 0  # see epochs.py


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings that decisions depend on, in seconds."""

    lease_s: float
    stop_grace_s: float


def step(state: State, rules: Rules, command: Command, now: Instant) -> tuple[Change, Answer]:
    """What `command` does to `state` at `now`; raises a `GangerError` when it is refused, and then does nothing."""
    match command:
        case Submit():
            return _submit(state, command, now)
        case Cancel():
            return _cancel(state, rules, command, now)
        case Assign():
            return _assign(state, rules, command, now)
        case Told():
            return _told(state, command, now)
        case SettleLog():
            return _settle_log(state, command, now)
        case Withdraw() | LoseAttempt():
            return _take_back(state, command, now)
        case Register():
            return _register(state, command)
        case Forget():
            return Change(forgotten=[forgettable(command, state.tasks)]), None
        case SettleRestore():
            return Change(restore_settled=[command]), None


def _submit(state: State, command: Submit, now: Instant) -> tuple[Change, Answer]:
    known = answer_of(state.requests, command.request)
    if known is not None:
        return Change(), int(known)
    change = Change()
    first = state.next_task_id
    owner = command.request.owner
    for number, spec in enumerate(command.specs):
        task = Task(first + number, owner, spec, TaskState.PENDING, submitted_ms=now.wall_ms)
        change.tasks.append(task)
        change.effects.append(Enqueue(task))
        change.events.append(_event(state, change, task, now))
    last = first + len(command.specs) - 1
    change.answered.append(Answered(command.request, str(first), now.wall_ms, first, last))
    return change, first


def _cancel(state: State, rules: Rules, command: Cancel, now: Instant) -> tuple[Change, Answer]:
    known = answer_of(state.requests, command.request)
    if known is not None:
        return Change(), known
    task = state.tasks.get(command.task_id)
    if task is None:
        if command.ended is None:
            raise NotFound(f"there is no task {command.task_id}", field="task_id")
        return Change(answered=[_note(command, command.ended, now)]), command.ended.value
    change = Change()
    why = f"cancelled by {command.request.owner}" + (f": {command.reason}" if command.reason else "")
    if task.state is TaskState.PENDING:
        ended = Outcome(OutcomeKind.CANCELLED, message=why)
        task = _move(task, TaskEvent.CANCELLED, reason=why, finished_ms=now.wall_ms, outcome=ended)
        change.effects.append(Dequeue(task.id))
        _put(state, change, task, now)
    elif not task.is_final and task.state is not TaskState.STOPPING and not _ended(state.attempts[task.id]):
        attempt = _step_attempt(state.attempts[task.id], AttemptEvent.STOP_ASKED)
        task = _move(task, TaskEvent.STOP_ASKED, reason=why)
        order = StopOrder(attempt.ref, rules.stop_grace_s, why)
        change.effects.append(Tell(attempt.worker_id, order))
        _put(state, change, task, now, attempt)
    change.answered.append(_note(command, task.state, now))
    return change, task.state.value


def _note(command: Cancel, state: TaskState, now: Instant) -> Answered:
    return Answered(command.request, state.value, now.wall_ms, command.task_id, command.task_id)


def _assign(state: State, rules: Rules, command: Assign, now: Instant) -> tuple[Change, Answer]:
    task = state.tasks.get(command.task_id)
    if task is None or task.state is not TaskState.PENDING:
        return Change(), None
    ref = AttemptRef(task.id, next_token(state.epoch, task.token))
    attempt = Attempt(
        ref=ref,
        worker_id=command.worker_id,
        worker_name=command.worker_name,
        state=AttemptState.ASSIGNED,
        planned_by=command.planned_by,
        assigned_ms=now.wall_ms,
    )
    task = _move(task, TaskEvent.ASSIGNED, token=ref.token, reason=f"placed by {command.planned_by}")
    change = Change()
    change.effects += [Dequeue(task.id), Reserve(attempt, task)]
    change.effects.append(Tell(attempt.worker_id, StartOrder(ref, task.spec, rules.lease_s)))
    _put(state, change, task, now, attempt)
    return change, ref


def _told(state: State, command: Told, now: Instant) -> tuple[Change, Answer]:
    report = command.report
    task, attempt = _current(state, report.ref, command.worker_id)
    try:
        match report.kind:
            case ReportKind.ACCEPTED:
                return _accepted(state, task, attempt, report, now), None
            case ReportKind.STARTED:
                return _started(state, task, attempt, report, now), None
            case ReportKind.ENDED:
                return _attempt_ended(state, task, attempt, command, now), None
            case ReportKind.REJECTED:
                return _gone(state, task, attempt, AttemptEvent.REJECTED, report.message, now), None
            case ReportKind.REVOKED:
                return _gone(state, task, attempt, AttemptEvent.REVOKED, report.message, now), None
            case ReportKind.LOST:
                return _gone(state, task, attempt, AttemptEvent.LOST, report.message, now), None
    except IllegalMove as error:
        raise StaleAttempt(f"attempt {report.ref}: {error}") from error


def _accepted(state: State, task: Task, attempt: Attempt, report: Report, now: Instant) -> Change:
    if attempt.state is not AttemptState.ASSIGNED:  # told again, or overtaken by a later report or a stop
        return Change()
    attempt = replace(_step_attempt(attempt, AttemptEvent.ACCEPTED), phase=report.message)
    return _put(state, Change(), _move(task, TaskEvent.ACCEPTED, reason=""), now, attempt)


def _started(state: State, task: Task, attempt: Attempt, report: Report, now: Instant) -> Change:
    started_ms = _ago(now, report.age_s)
    if attempt.state is AttemptState.STOPPING:  # it started while the stop was on its way
        if attempt.started_ms:
            return Change()
        attempt = replace(attempt, started_ms=started_ms)
        return _put(
            state, Change(), replace(task, started_ms=started_ms, version=task.version + 1), now, attempt
        )
    if attempt.state is AttemptState.RUNNING:
        return Change()
    attempt = replace(_step_attempt(attempt, AttemptEvent.STARTED), started_ms=started_ms, phase="")
    task = _move(task, TaskEvent.STARTED, started_ms=started_ms, reason="")
    return _put(state, Change(), task, now, attempt)


def _attempt_ended(state: State, task: Task, attempt: Attempt, command: Told, now: Instant) -> Change:
    report = command.report
    if report.outcome is None:
        raise StaleAttempt(f"attempt {report.ref}: an ENDED report without an outcome")
    started_ms = attempt.started_ms
    if report.started_age_s is not None and not started_ms:
        started_ms = _ago(now, report.started_age_s)
    attempt = replace(
        _step_attempt(attempt, AttemptEvent.ENDED),
        phase="",
        started_ms=started_ms,
        ended_ms=_ago(now, report.age_s),
        outcome=report.outcome,
        stdout_bytes=report.stdout_bytes,
        stderr_bytes=report.stderr_bytes,
        stdout_tail=report.stdout_tail,
        stderr_tail=report.stderr_tail,
    )
    change = Change(effects=[Release(attempt)])
    if command.log_complete:
        return _finish(state, change, task, attempt, now)
    waiting = replace(
        task, started_ms=started_ms, reason="its last log bytes are on their way", version=task.version + 1
    )
    return _put(state, change, waiting, now, attempt)


def _settle_log(state: State, command: SettleLog, now: Instant) -> tuple[Change, Answer]:
    task = state.tasks.get(command.ref.task_id)
    attempt = state.attempts.get(command.ref.task_id)
    if task is None or attempt is None or attempt.ref != command.ref or task.is_final or not _ended(attempt):
        return Change(), None
    if command.incomplete and attempt.outcome is not None:
        attempt = replace(attempt, outcome=replace(attempt.outcome, log_incomplete=True))
    return _finish(state, Change(), task, attempt, now), None


def _finish(state: State, change: Change, task: Task, attempt: Attempt, now: Instant) -> Change:
    outcome = attempt.outcome
    assert outcome is not None, attempt
    kinds = {OutcomeKind.OK: TaskEvent.SUCCEEDED, OutcomeKind.CANCELLED: TaskEvent.CANCELLED}
    event = kinds.get(outcome.kind, TaskEvent.FAILED)
    if event is TaskEvent.CANCELLED and task.state is not TaskState.STOPPING:
        event = TaskEvent.FAILED  # a worker cancelled what nobody asked it to
    reason = task.reason if event is TaskEvent.CANCELLED else outcome.message
    task = _move(
        task,
        event,
        reason=reason,
        started_ms=attempt.started_ms,
        finished_ms=attempt.ended_ms,
        outcome=replace(outcome, message=reason),
    )
    return _put(state, change, task, now, attempt)


def _take_back(state: State, command: Withdraw | LoseAttempt, now: Instant) -> tuple[Change, Answer]:
    task, attempt = state.tasks.get(command.ref.task_id), state.attempts.get(command.ref.task_id)
    if task is None or attempt is None or attempt.ref != command.ref or not attempt.is_live:
        return Change(), None
    event = AttemptEvent.REVOKED if isinstance(command, Withdraw) else AttemptEvent.LOST
    return _gone(state, task, attempt, event, command.reason, now), None


def _gone(state: State, task: Task, attempt: Attempt, event: AttemptEvent, why: str, now: Instant) -> Change:
    """The attempt ends without an outcome of its program: the task waits again, or is cancelled if that was asked."""
    kind = OutcomeKind.CANCELLED if task.state is TaskState.STOPPING else OutcomeKind.LOST
    attempt = replace(
        _step_attempt(attempt, event),
        ended_ms=now.wall_ms,
        outcome=Outcome(kind, message=why) if event is AttemptEvent.LOST else None,
    )
    change = Change(effects=[Release(attempt)])
    if task.state is TaskState.STOPPING:
        ended = Outcome(OutcomeKind.CANCELLED, message=task.reason)
        task = _move(task, TaskEvent.CANCELLED, finished_ms=now.wall_ms, outcome=ended)
    else:
        moved = TaskEvent.REQUEUED if event is AttemptEvent.LOST else TaskEvent.WITHDRAWN
        told = {AttemptEvent.LOST: "lost", AttemptEvent.REJECTED: "refused"}.get(event, "taken back")
        reason = f"attempt {attempt.ref.token} on {attempt.worker_name} was {told}" + (
            f": {why}" if why else ""
        )
        task = _move(task, moved, started_ms=0, reason=reason)
        change.effects.append(Enqueue(task))
    return _put(state, change, task, now, attempt)


def _register(state: State, command: Register) -> tuple[Change, Answer]:
    known = state.workers.get(command.profile.id)
    if known is not None and known.incarnation > command.profile.incarnation:
        raise UnknownWorker(
            f"worker {command.profile.name} was started again since (start {known.incarnation}, this is "
            f"{command.profile.incarnation})",
            reason="OLD_INCARNATION",
        )
    return Change(workers=[command.profile]), None


def _current(state: State, ref: AttemptRef, worker_id: str) -> tuple[Task, Attempt]:
    task, attempt = state.tasks.get(ref.task_id), state.attempts.get(ref.task_id)
    if task is None or attempt is None or attempt.ref != ref:
        newest = f"; the newest is {attempt.ref}" if attempt else ""
        raise StaleAttempt(f"attempt {ref} is not the task's current one{newest}")
    if attempt.worker_id != worker_id:
        raise StaleAttempt(f"attempt {ref} is not this worker's")
    return task, attempt


def _move(
    task: Task,
    event: TaskEvent,
    *,
    reason: str | None = None,
    token: int | None = None,
    started_ms: int | None = None,
    finished_ms: int | None = None,
    outcome: Outcome | None = None,
) -> Task:
    """The task after `event`; what is not given stays."""
    return Task(
        id=task.id,
        owner=task.owner,
        spec=task.spec,
        state=advance(TASK_MOVES, task.state, event),
        submitted_ms=task.submitted_ms,
        version=task.version + 1,
        reason=task.reason if reason is None else reason,
        token=task.token if token is None else token,
        started_ms=task.started_ms if started_ms is None else started_ms,
        finished_ms=task.finished_ms if finished_ms is None else finished_ms,
        outcome=task.outcome if outcome is None else outcome,
    )


def _step_attempt(attempt: Attempt, event: AttemptEvent) -> Attempt:
    return replace(attempt, state=advance(ATTEMPT_MOVES, attempt.state, event))


def _put(state: State, change: Change, task: Task, now: Instant, attempt: Attempt | None = None) -> Change:
    change.tasks.append(task)
    if attempt is not None:
        change.attempts.append(attempt)
    change.events.append(_event(state, change, task, now, attempt))
    return change


def _event(state: State, change: Change, task: Task, now: Instant, attempt: Attempt | None = None) -> Event:
    return Event(
        seq=state.next_seq + len(change.events),
        at_ms=now.wall_ms,
        task_id=task.id,
        owner=task.owner,
        state=task.state,
        token=attempt.ref.token if attempt else 0,
        worker_name=attempt.worker_name if attempt else "",
        reason=task.reason,
        outcome=task.outcome if task.state in TASK_FINAL else None,
    )


def _ended(attempt: Attempt) -> bool:
    return attempt.state is AttemptState.ENDED


def _ago(now: Instant, age_s: float) -> int:
    return now.wall_ms - round(age_s * 1000)
