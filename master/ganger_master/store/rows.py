"""This module turns the master's values into rows and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from ganger_core.domain.array import Array, Indices
from ganger_core.domain.cordon import Cordon
from ganger_core.domain.dependency import Dependency, DependencyKind, OnDependencyFailure
from ganger_core.domain.outputs import OutputFile, Outputs, Publish
from ganger_core.domain.published import Published
from ganger_core.domain.resources import Resources
from ganger_core.domain.retry import NO_RETRY, Retry
from ganger_core.domain.states import AttemptState, TaskState
from ganger_core.domain.task import (
    NO_LIMITS,
    Attempt,
    AttemptRef,
    Event,
    Limits,
    OnWorkerLost,
    Outcome,
    OutcomeKind,
    Task,
    TaskSpec,
    WorkerProfile,
)
from ganger_core.domain.waits import NO_WAITS, Waits

Row = Sequence[Any]
KEPT_SPECS, KEPT_OUTCOMES = 64, 256  # the last ones are mostly asked for again: tasks come in equal ones
TASK_COLUMNS = (
    "id, owner, spec, state, submitted_ms, version, reason, token, started_ms, finished_ms, outcome, crashes, array, "
    "waits, failures, faults, array_id, array_index"
)
ATTEMPT_COLUMNS = (
    "task_id, token, worker_id, worker_name, state, planned_by, assigned_ms, phase, started_ms, ended_ms, outcome, "
    "stdout_bytes, stderr_bytes, stdout_tail, stderr_tail, lease_s, stop_signal, stop_grace_s, behind, "
    "drained"
)
TASKS_WITH_WORKERS = (  # the columns of a task, and the name of its newest attempt's worker
    f"SELECT {', '.join('t.' + column for column in TASK_COLUMNS.split(', '))}, coalesce(a.worker_name, '') "  # noqa: S608
    "FROM tasks t LEFT JOIN attempts a ON a.task_id = t.id AND a.token = t.token"
)
OUTPUT_COLUMNS = "task_id, token, worker_id, worker_name, files, result, notes"
EVENT_COLUMNS = "seq, at_ms, task_id, owner, state, token, worker_name, reason, outcome"

# Made once: `json.dumps` with settings of one's own makes an encoder at each call.
_PLAIN = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_SORTED = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def task_to_row(task: Task) -> Row:
    """In the order of `TASK_COLUMNS`."""
    return (
        task.id,
        task.owner,
        spec_to_json(task.spec),
        task.state.value,
        task.submitted_ms,
        *task_to_changed(task)[1:],
        task.array_id,
        task.index,
    )


def task_to_changed(task: Task) -> Row:
    """What changes of a task: `state`, and the columns from `version` to `faults`."""
    return (
        task.state.value,
        task.version,
        task.reason,
        task.token,
        task.started_ms,
        task.finished_ms,
        _outcome_to_json(task.outcome),
        task.crashes,
        None if task.array is None else _array_to_json(task.array),
        None if task.waits is NO_WAITS or task.waits == NO_WAITS else _waits_to_json(task.waits),
        task.failures,
        task.faults,
    )


def task_from_row(row: Row) -> Task:
    """From the columns `TASK_COLUMNS`."""
    task_id, owner, spec, state, submitted, version, reason, token, started, finished, outcome = row[:11]
    crashes, array, waits, failures, faults, array_id, index = row[11:]
    return Task(
        id=task_id,
        owner=owner,
        spec=spec_from_json(spec),
        state=TaskState(state),
        submitted_ms=submitted,
        version=version,
        reason=reason,
        token=token,
        started_ms=started,
        finished_ms=finished,
        outcome=_outcome_from_json(outcome),
        crashes=crashes,
        array=None if array is None else _array_from_json(array),
        array_id=array_id,
        index=index,
        waits=NO_WAITS if waits is None else _waits_from_json(waits),
        failures=failures,
        faults=faults,
    )


def attempt_to_row(attempt: Attempt) -> Row:
    """In the order of `ATTEMPT_COLUMNS`."""
    return (
        attempt.ref.task_id,
        attempt.ref.token,
        attempt.worker_id,
        attempt.worker_name,
        attempt.state.value,
        attempt.planned_by,
        attempt.assigned_ms,
        attempt.phase,
        attempt.started_ms,
        attempt.ended_ms,
        _outcome_to_json(attempt.outcome),
        attempt.stdout_bytes,
        attempt.stderr_bytes,
        attempt.stdout_tail,
        attempt.stderr_tail,
        attempt.lease_s,
        attempt.stop_signal,
        attempt.stop_grace_s,
        attempt.behind,
        attempt.drained,
    )


def attempt_from_row(row: Row) -> Attempt:
    """From the columns `ATTEMPT_COLUMNS`."""
    task_id, token, worker_id, worker_name, state, planned_by, assigned, phase, started, ended, outcome = row[
        :11
    ]
    return Attempt(
        ref=AttemptRef(task_id, token),
        worker_id=worker_id,
        worker_name=worker_name,
        state=AttemptState(state),
        planned_by=planned_by,
        assigned_ms=assigned,
        phase=phase,
        started_ms=started,
        ended_ms=ended,
        outcome=_outcome_from_json(outcome),
        stdout_bytes=row[11],
        stderr_bytes=row[12],
        stdout_tail=row[13],
        stderr_tail=row[14],
        lease_s=row[15],
        stop_signal=row[16],
        stop_grace_s=row[17],
        behind=bool(row[18]),
        drained=bool(row[19]),
    )


def event_to_row(event: Event) -> Row:
    """In the order of `EVENT_COLUMNS`."""
    return (
        event.seq,
        event.at_ms,
        event.task_id,
        event.owner,
        event.state.value,
        event.token,
        event.worker_name,
        event.reason,
        _outcome_to_json(event.outcome),
    )


def event_from_row(row: Row) -> Event:
    """From the columns `EVENT_COLUMNS`."""
    seq, at_ms, task_id, owner, state, token, worker_name, reason, outcome = row
    return Event(
        seq, at_ms, task_id, owner, TaskState(state), token, worker_name, reason, _outcome_from_json(outcome)
    )


def published_to_row(published: Published) -> Row:
    """In the order of `OUTPUT_COLUMNS`."""
    outputs = published.outputs
    files = [(file.path, file.size, file.sha256) for file in outputs.files]
    told = (_PLAIN.encode(files), outputs.result, _PLAIN.encode(outputs.notes))
    return (*published.ref, published.worker_id, published.worker_name, *told)


def published_from_row(row: Row) -> Published:
    """From the columns `OUTPUT_COLUMNS`."""
    task_id, token, worker_id, worker_name, files, result, notes = row
    outputs = Outputs(
        tuple([OutputFile(*file) for file in json.loads(files)]), result, tuple(json.loads(notes))
    )
    return Published(AttemptRef(task_id, token), worker_id, worker_name, outputs)


@lru_cache(KEPT_SPECS)
def spec_to_json(spec: TaskSpec) -> str:
    """The spec in canonical JSON: the same spec gives the same text, in every version that knows all of it."""
    fields: dict[str, object] = {
        "command": spec.command,
        "name": spec.name,
        "env": spec.env,
        "workdir": spec.workdir,
        "resources": spec.resources.amounts(),
        "priority": spec.priority,
    }
    # Left out where nothing was said, so that the digests of requests from before they were known stay the same.
    if spec.limits is not NO_LIMITS and spec.limits != NO_LIMITS:
        limits = spec.limits
        warning = (limits.warn_s, limits.warn_signal) if limits.warn_s else ()
        fields["limits"] = (limits.run_s, limits.queue_s, limits.grace_s, limits.lost_after_s, *warning)
    if spec.on_worker_lost is not OnWorkerLost.BY_AGE:
        fields["on_worker_lost"] = spec.on_worker_lost.value
    if spec.labels:
        fields["labels"] = spec.labels
    if spec.not_before_ms:
        fields["not_before_ms"] = spec.not_before_ms
    if spec.hold:
        fields["hold"] = True
    if spec.retry is not NO_RETRY and spec.retry != NO_RETRY:
        retry = spec.retry
        fields["retry"] = (retry.limit, retry.on, retry.never_on, retry.on_timeout, retry.backoff_s)
    if spec.deadline_ms:
        fields["deadline_ms"] = spec.deadline_ms
    if spec.after:
        fields["after"] = spec.after
    if spec.on_dependency_failure is not OnDependencyFailure.SKIP:
        fields["on_dependency_failure"] = spec.on_dependency_failure.value
    if spec.publish is not Publish.ON_SUCCESS:
        fields["publish"] = spec.publish.value
    return _SORTED.encode(fields)


@lru_cache(KEPT_SPECS)
def spec_from_json(text: str) -> TaskSpec:
    """The spec that `spec_to_json` wrote."""
    fields = json.loads(text)
    return TaskSpec(
        command=tuple(fields["command"]),
        name=fields["name"],
        env=tuple((name, value) for name, value in fields["env"]),
        workdir=fields["workdir"],
        resources=Resources(*fields["resources"]),
        priority=fields["priority"],
        limits=Limits(*fields["limits"]) if "limits" in fields else NO_LIMITS,
        on_worker_lost=OnWorkerLost(fields.get("on_worker_lost", OnWorkerLost.BY_AGE)),
        labels=tuple((key, value) for key, value in fields.get("labels", ())),
        not_before_ms=fields.get("not_before_ms", 0),
        hold=fields.get("hold", False),
        retry=_retry(*fields["retry"]) if "retry" in fields else NO_RETRY,
        deadline_ms=fields.get("deadline_ms", 0),
        after=_dependencies(fields.get("after", ())),
        on_dependency_failure=OnDependencyFailure(
            fields.get("on_dependency_failure", OnDependencyFailure.SKIP)
        ),
        publish=Publish(fields.get("publish", Publish.ON_SUCCESS)),
    )


def _retry(limit: int, on: list[int], never_on: list[int], on_timeout: bool, backoff_s: float) -> Retry:
    return Retry(limit, tuple(on), tuple(never_on), on_timeout, backoff_s)


def array_to_text(array: Array) -> str:
    """What a user asked for with the array: the same gives the same text."""
    asked = (str(array.indices), array.max_parallel, array.max_fails, array.items, array.retry_of)
    return _PLAIN.encode(asked)


def profile_to_json(profile: WorkerProfile) -> str:
    """The profile as JSON."""
    fields = {
        "id": profile.id,
        "name": profile.name,
        "incarnation": profile.incarnation,
        "host": profile.host,
        "boot_id": profile.boot_id,
        "capacity": profile.capacity.amounts(),
        "version": profile.version,
    }
    return _PLAIN.encode(fields)


def profile_from_json(text: str) -> WorkerProfile:
    """The profile that `profile_to_json` wrote."""
    fields = json.loads(text)
    return WorkerProfile(**{**fields, "capacity": Resources(*fields["capacity"])})


def _waits_to_json(waits: Waits) -> str:
    fields = (waits.held_by, waits.until_ms, waits.pause_s)
    return _PLAIN.encode((*fields, waits.after) if waits.after else fields)


def _waits_from_json(text: str) -> Waits:
    held_by, until_ms, pause_s, *after = json.loads(text)
    return Waits(held_by, until_ms, pause_s, *map(_dependencies, after))


def cordon_to_json(cordon: Cordon) -> str:
    """The cordon as JSON."""
    return _PLAIN.encode(asdict(cordon))


def cordon_from_json(text: str) -> Cordon:
    """The cordon that `cordon_to_json` wrote."""
    return Cordon(**json.loads(text))


def _dependencies(fields: Iterable[tuple[int, str]]) -> tuple[Dependency, ...]:
    return tuple([Dependency(task_id, DependencyKind(kind)) for task_id, kind in fields])


def _array_to_json(array: Array) -> str:
    fields = {
        "indices": str(array.indices),
        "max_parallel": array.max_parallel,
        "max_fails": array.max_fails,
        "items": array.items,
        "retry_of": array.retry_of,
        "closed": array.closed,
        "made": array.made,
        "counts": array.counts,
    }
    return _PLAIN.encode(fields)


def _array_from_json(text: str) -> Array:
    fields = json.loads(text)
    return Array(
        indices=Indices.parse(fields["indices"]),
        max_parallel=fields["max_parallel"],
        max_fails=fields["max_fails"],
        items=fields["items"],
        retry_of=fields["retry_of"],
        closed=None if fields["closed"] is None else TaskState(fields["closed"]),
        made=fields["made"],
        counts=tuple([(TaskState(state), count) for state, count in fields["counts"]]),
    )


@lru_cache(KEPT_OUTCOMES)
def _outcome_to_json(outcome: Outcome | None) -> str | None:
    if outcome is None:
        return None
    fields = (outcome.kind.value, outcome.exit_code, outcome.signal, outcome.message, outcome.log_incomplete)
    return _PLAIN.encode(fields)


@lru_cache(KEPT_OUTCOMES)
def _outcome_from_json(text: str | None) -> Outcome | None:
    if text is None:
        return None
    kind, exit_code, signal, message, log_incomplete = json.loads(text)
    return Outcome(OutcomeKind(kind), exit_code, signal, message, log_incomplete)
