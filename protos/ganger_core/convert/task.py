"""This module turns what clients see (specs, tasks, attempts, events, logs) into wire messages and back.

Every `x_from_proto` raises `Invalid`, naming the field, when a message is missing or an enum unknown;
whether the values make sense is `domain.validate`'s business.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from google.protobuf.message import Message

from ganger_core.convert.enums import (
    ATTEMPT_STATE,
    DEPENDENCY_KIND,
    LOG_STREAM,
    ON_DEPENDENCY_FAILURE,
    ON_WORKER_LOST,
    OUTCOME_KIND,
    PUBLISH,
    TASK_STATE,
)
from ganger_core.domain.array import Array, Indices
from ganger_core.domain.dependency import Dependency, OnDependencyFailure
from ganger_core.domain.errors import Invalid
from ganger_core.domain.outputs import Publish
from ganger_core.domain.resources import Resources
from ganger_core.domain.retry import NO_RETRY, Retry
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import (
    NO_LIMITS,
    Attempt,
    AttemptRef,
    Event,
    Limits,
    LogStream,
    OnWorkerLost,
    Outcome,
    Task,
    TaskSpec,
)
from ganger_core.domain.waits import NO_WAITS, Waits
from ganger_core.wire.v1 import task_pb2 as pb


def require(message: Message, name: str, field: str) -> None:
    """Raise `Invalid` when the sub-message `name` of `message`, called `field` to people, was left out."""
    if not message.HasField(name):
        raise Invalid(f"{field} is missing", field=field)


def resources_to_proto(x: Resources) -> pb.Resources:
    """Amounts of each kind."""
    return pb.Resources(cpu_milli=x.cpu_milli, memory_bytes=x.memory_bytes, slots=x.slots)


def resources_from_proto(p: pb.Resources) -> Resources:
    """Amounts of each kind."""
    return Resources(p.cpu_milli, p.memory_bytes, p.slots)


def spec_to_proto(x: TaskSpec) -> pb.TaskSpec:
    """What a user asked for; the texts must have passed `check_spec`, the wire cannot hold lone surrogates."""
    return pb.TaskSpec.FromString(_spec_to_bytes(x))


@lru_cache(64)
def _spec_to_bytes(x: TaskSpec) -> bytes:
    """Kept for the last ones: equal specs mostly follow each other."""
    message = pb.TaskSpec(
        command=x.command,
        name=x.name,
        env=[pb.EnvVar(name=name, value=value) for name, value in x.env],
        workdir=x.workdir,
        resources=resources_to_proto(x.resources),
        priority=x.priority,
        limits=None if x.limits == NO_LIMITS else limits_to_proto(x.limits),
        on_worker_lost=ON_WORKER_LOST.to_proto[x.on_worker_lost],
        labels=labels_to_proto(x.labels),
        not_before_ms=x.not_before_ms,
        hold=x.hold,
        retry=None if x.retry == NO_RETRY else retry_to_proto(x.retry),
        deadline_ms=x.deadline_ms,
        after=map(dependency_to_proto, x.after),
        on_dependency_failure=ON_DEPENDENCY_FAILURE.to_proto[x.on_dependency_failure],
        publish=None if x.publish is Publish.ON_SUCCESS else PUBLISH.to_proto[x.publish],
    )
    return message.SerializeToString()


def spec_from_proto(p: pb.TaskSpec, field: str = "spec") -> TaskSpec:
    """What a user asked for, not yet checked."""
    require(p, "resources", f"{field}.resources")
    return TaskSpec(
        command=tuple(p.command),
        name=p.name,
        env=tuple([(e.name, e.value) for e in p.env]),
        workdir=p.workdir,
        resources=resources_from_proto(p.resources),
        priority=p.priority,
        limits=limits_from_proto(p.limits) if p.HasField("limits") else NO_LIMITS,
        on_worker_lost=ON_WORKER_LOST.from_proto(p.on_worker_lost, f"{field}.on_worker_lost")
        if p.on_worker_lost
        else OnWorkerLost.BY_AGE,
        labels=labels_from_proto(p.labels),
        not_before_ms=p.not_before_ms,
        hold=p.hold,
        retry=retry_from_proto(p.retry) if p.HasField("retry") else NO_RETRY,
        deadline_ms=p.deadline_ms,
        after=tuple([dependency_from_proto(each, f"{field}.after") for each in p.after]),
        on_dependency_failure=ON_DEPENDENCY_FAILURE.from_proto(
            p.on_dependency_failure, f"{field}.on_dependency_failure"
        )
        if p.on_dependency_failure
        else OnDependencyFailure.SKIP,
        publish=PUBLISH.from_proto(p.publish, f"{field}.publish") if p.publish else Publish.ON_SUCCESS,
    )


def dependency_to_proto(x: Dependency) -> pb.Dependency:
    """A task to wait for."""
    return pb.Dependency(task_id=x.task_id, kind=DEPENDENCY_KIND.to_proto[x.kind])


def dependency_from_proto(p: pb.Dependency, field: str = "after") -> Dependency:
    """A task to wait for, its id not yet checked."""
    return Dependency(p.task_id, DEPENDENCY_KIND.from_proto(p.kind, f"{field}.kind"))


def retry_to_proto(x: Retry) -> pb.Retry:
    """When a task is tried again."""
    return pb.Retry(
        limit=x.limit, on=x.on, never_on=x.never_on, on_timeout=x.on_timeout, backoff_s=x.backoff_s
    )


def retry_from_proto(p: pb.Retry) -> Retry:
    """When a task is tried again, not yet checked."""
    return Retry(p.limit, tuple(p.on), tuple(p.never_on), p.on_timeout, p.backoff_s)


def labels_to_proto(x: Iterable[tuple[str, str]]) -> list[pb.Label]:
    """Pairs of a key and a value."""
    return [pb.Label(key=key, value=value) for key, value in x]


def labels_from_proto(p: Iterable[pb.Label]) -> tuple[tuple[str, str], ...]:
    """Pairs of a key and a value, not yet checked, in the order of the keys."""
    return tuple(sorted([(label.key, label.value) for label in p]))


def limits_to_proto(x: Limits) -> pb.Limits:
    """The times that a user set."""
    return pb.Limits(
        run_s=x.run_s,
        queue_s=x.queue_s,
        grace_s=x.grace_s,
        lost_after_s=x.lost_after_s,
        warn_s=x.warn_s,
        warn_signal=x.warn_signal,
    )


def limits_from_proto(p: pb.Limits) -> Limits:
    """The times that a user set, not yet checked; None where one was left out that may be."""
    return Limits(
        run_s=p.run_s,
        queue_s=p.queue_s,
        grace_s=p.grace_s if p.HasField("grace_s") else None,
        lost_after_s=p.lost_after_s if p.HasField("lost_after_s") else None,
        warn_s=p.warn_s,
        warn_signal=p.warn_signal,
    )


def outcome_to_proto(x: Outcome) -> pb.Outcome:
    """How an attempt ended."""
    return pb.Outcome(
        kind=OUTCOME_KIND.to_proto[x.kind],
        exit_code=x.exit_code,
        signal=x.signal,
        message=x.message,
        log_incomplete=x.log_incomplete,
    )


def outcome_from_proto(p: pb.Outcome, field: str = "outcome") -> Outcome:
    """How an attempt ended; `exit_code` and `signal` are None when left out."""
    return Outcome(
        kind=OUTCOME_KIND.from_proto(p.kind, f"{field}.kind"),
        exit_code=p.exit_code if p.HasField("exit_code") else None,
        signal=p.signal if p.HasField("signal") else None,
        message=p.message,
        log_incomplete=p.log_incomplete,
    )


def attempt_ref_to_proto(x: AttemptRef) -> pb.AttemptRef:
    """The name of an attempt."""
    return pb.AttemptRef(task_id=x.task_id, token=x.token)


def attempt_ref_from_proto(p: pb.AttemptRef) -> AttemptRef:
    """The name of an attempt."""
    return AttemptRef(p.task_id, p.token)


def attempt_to_proto(x: Attempt) -> pb.Attempt:
    """One attempt, without the tails of its logs: those are the master's and are read as logs."""
    return pb.Attempt(
        ref=attempt_ref_to_proto(x.ref),
        worker_id=x.worker_id,
        worker_name=x.worker_name,
        state=ATTEMPT_STATE.to_proto[x.state],
        planned_by=x.planned_by,
        phase=x.phase,
        assigned_ms=x.assigned_ms,
        started_ms=x.started_ms,
        ended_ms=x.ended_ms,
        outcome=None if x.outcome is None else outcome_to_proto(x.outcome),
        stdout_bytes=x.stdout_bytes,
        stderr_bytes=x.stderr_bytes,
        lease_s=x.lease_s,
        stop_signal=x.stop_signal,
        stop_grace_s=x.stop_grace_s,
        behind=x.behind,
        drained=x.drained,
    )


def attempt_from_proto(p: pb.Attempt, field: str = "attempt") -> Attempt:
    """One attempt; its log tails are empty, the wire does not carry them."""
    require(p, "ref", f"{field}.ref")
    return Attempt(
        ref=attempt_ref_from_proto(p.ref),
        worker_id=p.worker_id,
        worker_name=p.worker_name,
        state=ATTEMPT_STATE.from_proto(p.state, f"{field}.state"),
        planned_by=p.planned_by,
        assigned_ms=p.assigned_ms,
        phase=p.phase,
        started_ms=p.started_ms,
        ended_ms=p.ended_ms,
        outcome=outcome_from_proto(p.outcome, f"{field}.outcome") if p.HasField("outcome") else None,
        stdout_bytes=p.stdout_bytes,
        stderr_bytes=p.stderr_bytes,
        lease_s=p.lease_s,
        stop_signal=p.stop_signal,
        stop_grace_s=p.stop_grace_s,
        behind=p.behind,
        drained=p.drained,
    )


def array_to_proto(x: Array) -> pb.Array:
    """What makes a task an array; the number of elements made stays with the master."""
    return pb.Array(
        indices=str(x.indices),
        max_parallel=x.max_parallel,
        max_fails=x.max_fails,
        items=x.items,
        retry_of=x.retry_of,
        counts=[pb.Array.Count(state=TASK_STATE.to_proto[state], elements=n) for state, n in x.counts],
        closed=None if x.closed is None else TASK_STATE.to_proto[x.closed],
    )


def array_from_proto(p: pb.Array, field: str = "array") -> Array:
    """What makes a task an array; its limits are not yet checked."""
    return Array(
        indices=Indices.parse(p.indices, f"{field}.indices"),
        max_parallel=p.max_parallel,
        max_fails=p.max_fails if p.HasField("max_fails") else None,
        items=p.items,
        retry_of=p.retry_of,
        closed=task_state_from_proto(p.closed, f"{field}.closed") if p.closed else None,
        counts=tuple(
            [(task_state_from_proto(c.state, f"{field}.counts.state"), c.elements) for c in p.counts]
        ),
    )


def waits_to_proto(x: Waits) -> pb.Waits:
    """What a task waits for beside capacity."""
    after = map(dependency_to_proto, x.after)
    return pb.Waits(held_by=x.held_by, until_ms=x.until_ms, pause_s=x.pause_s, after=after)


def waits_from_proto(p: pb.Waits) -> Waits:
    """What a task waits for beside capacity."""
    after = tuple([dependency_from_proto(each, "waits.after") for each in p.after])
    return Waits(p.held_by, p.until_ms, p.pause_s, after)


def task_to_proto(x: Task) -> pb.Task:
    """One task."""
    return pb.Task(
        id=x.id,
        owner=x.owner,
        spec=spec_to_proto(x.spec),
        state=TASK_STATE.to_proto[x.state],
        reason=x.reason,
        version=x.version,
        token=x.token,
        submitted_ms=x.submitted_ms,
        started_ms=x.started_ms,
        finished_ms=x.finished_ms,
        outcome=None if x.outcome is None else outcome_to_proto(x.outcome),
        crashes=x.crashes,
        array=None if x.array is None else array_to_proto(x.array),
        array_id=x.array_id,
        index=x.index,
        waits=None if x.waits == NO_WAITS else waits_to_proto(x.waits),
        failures=x.failures,
        faults=x.faults,
        result=x.result,
    )


def task_from_proto(p: pb.Task, field: str = "task") -> Task:
    """One task."""
    require(p, "spec", f"{field}.spec")
    return Task(
        id=p.id,
        owner=p.owner,
        spec=spec_from_proto(p.spec, f"{field}.spec"),
        state=task_state_from_proto(p.state, f"{field}.state"),
        submitted_ms=p.submitted_ms,
        version=p.version,
        reason=p.reason,
        token=p.token,
        started_ms=p.started_ms,
        finished_ms=p.finished_ms,
        outcome=outcome_from_proto(p.outcome, f"{field}.outcome") if p.HasField("outcome") else None,
        crashes=p.crashes,
        array=array_from_proto(p.array, f"{field}.array") if p.HasField("array") else None,
        array_id=p.array_id,
        index=p.index,
        waits=waits_from_proto(p.waits) if p.HasField("waits") else NO_WAITS,
        failures=p.failures,
        faults=p.faults,
        result=p.result,
    )


def event_to_proto(x: Event) -> pb.Event:
    """One transition of one task."""
    return pb.Event(
        seq=x.seq,
        at_ms=x.at_ms,
        task_id=x.task_id,
        owner=x.owner,
        state=TASK_STATE.to_proto[x.state],
        token=x.token,
        worker_name=x.worker_name,
        reason=x.reason,
        outcome=None if x.outcome is None else outcome_to_proto(x.outcome),
    )


def event_from_proto(p: pb.Event, field: str = "event") -> Event:
    """One transition of one task."""
    return Event(
        seq=p.seq,
        at_ms=p.at_ms,
        task_id=p.task_id,
        owner=p.owner,
        state=task_state_from_proto(p.state, f"{field}.state"),
        token=p.token,
        worker_name=p.worker_name,
        reason=p.reason,
        outcome=outcome_from_proto(p.outcome, f"{field}.outcome") if p.HasField("outcome") else None,
    )


def task_state_to_proto(x: TaskState) -> Any:
    """A task's state, as the number that the stubs call `TaskState`."""
    return TASK_STATE.to_proto[x]


def task_state_from_proto(p: int, field: str = "state") -> TaskState:
    """A task's state."""
    return TASK_STATE.from_proto(p, field)


def log_stream_to_proto(x: LogStream) -> Any:
    """One of the two streams of an attempt, as the number that the stubs call `LogStream`."""
    return LOG_STREAM.to_proto[x]


def log_stream_from_proto(p: int, field: str = "stream") -> LogStream:
    """One of the two streams of an attempt."""
    return LOG_STREAM.from_proto(p, field)
