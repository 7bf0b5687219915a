"""This module decides what the reports of workers do: an attempt is accepted, starts, ends, or is gone. Pure."""

from __future__ import annotations

from dataclasses import replace

from ganger_core.domain.clock import Instant
from ganger_core.domain.errors import StaleAttempt
from ganger_core.domain.outputs import publishes
from ganger_core.domain.published import Published
from ganger_core.domain.states import AttemptEvent, AttemptState, IllegalMove, TaskEvent, TaskState
from ganger_core.domain.task import Attempt, Outcome, OutcomeKind, Report, ReportKind, Task
from ganger_master.changes import Answer, Change, SettleLog, Told
from ganger_master.handing import vacate
from ganger_master.losing import Loss, give_back, lose, put_back
from ganger_master.moves import ago, awaits_log, current, move, put, step_attempt
from ganger_master.retrying import try_again
from ganger_master.state import State


def told(state: State, command: Told, now: Instant) -> tuple[Change, Answer]:
    """What this report does; raises `StaleAttempt` for one that comes too late to do anything."""
    report = command.report
    task, attempt = current(state, report.ref, command.worker_id)
    try:
        match report.kind:
            case ReportKind.ACCEPTED:
                return _accepted(state, task, attempt, report, now), None
            case ReportKind.STARTED:
                return _started(state, task, attempt, report, now), None
            case ReportKind.ENDED:
                return _attempt_ended(state, task, attempt, command, now), None
            case ReportKind.REJECTED:
                return _given_back(state, task, attempt, AttemptEvent.REJECTED, report, now), None
            case ReportKind.REVOKED:
                return _given_back(state, task, attempt, AttemptEvent.REVOKED, report, now), None
            case ReportKind.LOST:
                started = bool(attempt.started_ms) or report.started_age_s is not None
                loss = Loss(report.message, is_crash=started and not report.orderly)
                return lose(state, task, attempt, loss, now, handed_to=report.handed_to), None
    except IllegalMove as error:
        raise StaleAttempt(f"attempt {report.ref}: {error}") from error


def settle_log(state: State, command: SettleLog, now: Instant) -> tuple[Change, Answer]:
    """An ended attempt's task becomes final, now that its log is whole or given up."""
    task = state.tasks.get(command.ref.task_id)
    attempt = state.attempts.get(command.ref.task_id)
    if task is None or attempt is None or attempt.ref != command.ref or not awaits_log(task, attempt):
        return Change(), None
    if command.incomplete and attempt.outcome is not None:
        attempt = attempt._replace(outcome=replace(attempt.outcome, log_incomplete=True))
    return _finish(state, Change(), task, attempt, now), None


def _given_back(
    state: State, task: Task, attempt: Attempt, event: AttemptEvent, report: Report, now: Instant
) -> Change:
    return give_back(state, task, attempt, event, report.message, now, report.handed_to)


def _accepted(state: State, task: Task, attempt: Attempt, report: Report, now: Instant) -> Change:
    if attempt.state is not AttemptState.ASSIGNED:  # told again, or overtaken by a later report or a stop
        return Change()
    attempt = step_attempt(attempt, AttemptEvent.ACCEPTED, phase=report.message)
    return put(state, Change(), move(task, TaskEvent.ACCEPTED, reason=""), now, attempt)


def _started(state: State, task: Task, attempt: Attempt, report: Report, now: Instant) -> Change:
    started_ms = ago(now, report.age_s)
    if attempt.state is AttemptState.STOPPING:  # it started while the stop was on its way
        if attempt.started_ms:
            return Change()
        attempt = attempt._replace(started_ms=started_ms)
        return put(
            state, Change(), replace(task, started_ms=started_ms, version=task.version + 1), now, attempt
        )
    if attempt.state is AttemptState.RUNNING:
        return Change()
    attempt = step_attempt(attempt, AttemptEvent.STARTED, started_ms=started_ms, phase="")
    task = move(task, TaskEvent.STARTED, started_ms=started_ms, reason="")
    return put(state, Change(), task, now, attempt)


def _attempt_ended(state: State, task: Task, attempt: Attempt, command: Told, now: Instant) -> Change:
    report = command.report
    if report.outcome is None:
        raise StaleAttempt(f"attempt {report.ref}: an ENDED report without an outcome")
    started_ms = attempt.started_ms
    if report.started_age_s is not None and not started_ms:
        started_ms = ago(now, report.started_age_s)
    attempt = step_attempt(
        attempt,
        AttemptEvent.ENDED,
        phase="",
        started_ms=started_ms,
        ended_ms=ago(now, report.age_s),
        outcome=report.outcome,
        stdout_bytes=report.stdout_bytes,
        stderr_bytes=report.stderr_bytes,
        stdout_tail=report.stdout_tail,
        stderr_tail=report.stderr_tail,
    )
    change = Change()
    if report.outputs and publishes(task.spec.publish, succeeded=report.outcome.kind is OutcomeKind.OK):
        change.outputs.append(Published(attempt.ref, attempt.worker_id, attempt.worker_name, report.outputs))
    vacate(state, change, attempt, report.handed_to)
    if command.log_complete:
        return _finish(state, change, task, attempt, now)
    # Why it is being stopped is still to be told then.
    reason = task.reason if task.state is TaskState.STOPPING else "its last log bytes are on their way"
    waiting = replace(task, started_ms=started_ms, reason=reason, version=task.version + 1)
    return put(state, change, waiting, now, attempt)


def _finish(state: State, change: Change, task: Task, attempt: Attempt, now: Instant) -> Change:
    outcome = attempt.outcome
    assert outcome is not None, attempt
    if (
        attempt.drained and outcome.kind is OutcomeKind.CANCELLED
    ):  # stopped as told, and nobody wants the task ended
        return put_back(state, change, task, attempt, now)
    event = _final_event(task, outcome)
    if event in (TaskEvent.FAILED, TaskEvent.TIMED_OUT):
        again = try_again(state, change, task, attempt, outcome, now)
        if again is not None:
            return again
    reason = task.reason if event is TaskEvent.CANCELLED else outcome.message
    task = move(
        task,
        event,
        reason=reason,
        started_ms=attempt.started_ms,
        finished_ms=attempt.ended_ms,
        outcome=outcome if outcome.message == reason else replace(outcome, message=reason),
    )
    return put(state, change, task, now, attempt)


def _final_event(task: Task, outcome: Outcome) -> TaskEvent:
    """What becomes of the task. A worker that stopped it for what nobody asked makes it fail."""
    match outcome.kind:
        case OutcomeKind.OK:
            return TaskEvent.SUCCEEDED
        case OutcomeKind.CANCELLED if task.state is TaskState.STOPPING:
            return TaskEvent.CANCELLED
        case OutcomeKind.TIMED_OUT if task.spec.limits.run_s:
            return TaskEvent.TIMED_OUT
        case _:
            return TaskEvent.FAILED
