"""This module turns tasks, attempts and workers into the JSON documents of the CLI. Keys keep their order."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from ganger_core.domain.array import Array
from ganger_core.domain.cordon import Cordon
from ganger_core.domain.dependency import Dependency
from ganger_core.domain.outputs import Outputs
from ganger_core.domain.resources import Resources
from ganger_core.domain.task import Attempt, Event, Outcome, Task, WorkerView

Document = dict[str, object]


def task_document(
    task: Task,
    worker: str | None = None,
    attempts: Sequence[Attempt] | None = None,
    events: Sequence[Event] | None = None,
    outputs: Outputs | None = None,
) -> Document:
    """A task; times in ms are Unix time by the master's clock, null while not reached; limits are null for none."""
    spec = task.spec
    fields: Document = {
        "id": task.id,
        "label": task.label,
        "array_id": task.array_id or None,
        "index": task.index if task.array_id else None,
        "array": None if task.array is None else array_document(task.array),
        "name": spec.name,
        "labels": dict(spec.labels),
        "state": task.state.value,
        "reason": task.reason,
        "owner": task.owner,
        "command": list(spec.command),
        "env": dict(spec.env),
        "workdir": spec.workdir,
        "cpu_milli": spec.resources.cpu_milli,
        "memory_bytes": spec.resources.memory_bytes,
        "priority": spec.priority,
        "time_s": spec.limits.run_s or None,
        "queue_timeout_s": spec.limits.queue_s or None,
        "grace_s": spec.limits.grace_s,
        "lost_after_s": spec.limits.lost_after_s,
        "on_worker_lost": spec.on_worker_lost.value,
        "not_before_ms": spec.not_before_ms or None,
        "held_by": task.waits.held_by or None,
        "deadline_ms": spec.deadline_ms or None,
        "warn_s": spec.limits.warn_s or None,
        "warn_signal": spec.limits.warn_signal or None,
        "retries": spec.retry.limit,
        "retry_on": [*spec.retry.on, *(["timeout"] if spec.retry.on_timeout else [])],
        "never_retry_on": list(spec.retry.never_on),
        "backoff_s": spec.retry.backoff_s,
        "failures": task.failures,
        "faults": task.faults,
        "after": [dependency_document(each) for each in spec.after],
        "on_dependency_failure": spec.on_dependency_failure.value,
        "waits_for": [] if task.is_final else [each.task_id for each in task.waits.after],
        "publish": spec.publish.value,
        "crashes": task.crashes,
        "attempt": task.token or None,
        "submitted_ms": task.submitted_ms,
        "started_ms": task.started_ms or None,
        "finished_ms": task.finished_ms or None,
        "outcome": outcome_document(task.outcome),
    }
    if worker is not None:
        fields["worker"] = worker or None
    if attempts is not None:
        fields["attempts"] = [attempt_document(attempt) for attempt in attempts]
    if events is not None:
        fields["events"] = [event_document(event) for event in events]
    if outputs is not None:
        fields["result"] = json.loads(task.result) if task.result else None
        fields["outputs"] = outputs_document(outputs)
    return fields


def dependency_document(dependency: Dependency) -> Document:
    """A task that is waited for, and what has to become of it."""
    return {"task_id": dependency.task_id, "kind": dependency.kind.value}


def outputs_document(outputs: Outputs) -> Document:
    """What the newest attempt published, and what was left out of it."""
    return {
        "count": len(outputs.files),
        "bytes": outputs.size,
        "files": [{"path": file.path, "size": file.size, "sha256": file.sha256} for file in outputs.files],
        "notes": list(outputs.notes),
    }


def array_document(array: Array) -> Document:
    """What the elements of an array are, and how many there are of each state; limits are null for none."""
    return {
        "indices": str(array.indices),
        "elements": len(array),
        "max_parallel": array.max_parallel or None,
        "max_fails": array.max_fails,
        "items": array.items or None,
        "retry_of": array.retry_of or None,
        "closed": None if array.closed is None else array.closed.value,
        "counts": {state.value: count for state, count in array.counts},
    }


def outcome_document(outcome: Outcome | None) -> Document | None:
    """How an attempt or a task ended; null while it has not."""
    if outcome is None:
        return None
    return {
        "kind": outcome.kind.value,
        "exit_code": outcome.exit_code,
        "signal": outcome.signal,
        "message": outcome.message,
        "log_incomplete": outcome.log_incomplete,
    }


def attempt_document(attempt: Attempt) -> Document:
    """One try of a task on one worker."""
    return {
        "attempt": attempt.ref.token,
        "worker": attempt.worker_name,
        "worker_id": attempt.worker_id,
        "state": attempt.state.value,
        "phase": attempt.phase,
        "planned_by": attempt.planned_by,
        "assigned_ms": attempt.assigned_ms,
        "started_ms": attempt.started_ms or None,
        "ended_ms": attempt.ended_ms or None,
        "outcome": outcome_document(attempt.outcome),
        "stdout_bytes": attempt.stdout_bytes,
        "stderr_bytes": attempt.stderr_bytes,
        "lease_s": attempt.lease_s or None,
    }


def event_document(event: Event) -> Document:
    """One change of a task."""
    return {
        "seq": event.seq,
        "at_ms": event.at_ms,
        "state": event.state.value,
        "attempt": event.token or None,
        "worker": event.worker_name or None,
        "reason": event.reason,
        "outcome": outcome_document(event.outcome),
    }


def worker_document(worker: WorkerView) -> Document:
    """One worker: what it is, what it has free, what it runs."""
    profile, usage = worker.profile, worker.usage
    return {
        "id": profile.id,
        "name": profile.name,
        "state": worker.state.value,
        "host": profile.host,
        "ganger": profile.version,
        "capacity": _resources(profile.capacity),
        "free": _resources(worker.free),
        "usage": {
            "cpu_percent": round(usage.cpu_percent, 1),
            "memory_used_bytes": usage.memory_used_bytes,
            "memory_total_bytes": usage.memory_total_bytes,
        },
        "heartbeat_age_s": round(worker.heartbeat_age_s, 3),
        "attempts": [{"task_id": ref.task_id, "attempt": ref.token} for ref in worker.attempts],
        "cordon": None if worker.cordon is None else cordon_document(worker.cordon),
    }


def worker_details(worker: WorkerView, tasks: Mapping[int, Task]) -> Document:
    """A worker with what else is known of it, and the tasks of its attempts as far as they are among `tasks`."""
    there = [tasks[ref.task_id] for ref in worker.attempts if ref.task_id in tasks]
    return {
        **worker_document(worker),
        "incarnation": worker.profile.incarnation,
        "boot_id": worker.profile.boot_id,
        "tasks": [task_document(task) for task in there],
    }


def cordon_document(cordon: Cordon) -> Document:
    """Who wants a worker to get no new work, why, and since when (Unix time by the master's clock)."""
    return {
        "by": cordon.by,
        "reason": cordon.reason,
        "since_ms": cordon.since_ms,
        "drains": cordon.drains,
        "deadline_ms": cordon.deadline_ms or None,
    }


def _resources(amounts: Resources) -> Document:
    return {
        "cpu_milli": amounts.cpu_milli,
        "memory_bytes": amounts.memory_bytes,
        "slots": amounts.slots,
    }
