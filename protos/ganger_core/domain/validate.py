"""This module holds the rules that a request must keep, whoever wrote it: CLI, SDK, worker or stranger.

Each `check_x` raises `Invalid`, naming the field at fault, and returns nothing; what people write
is read by `parse`. What passes here can be stored and sent: no NUL, no lone surrogates, no integer beyond 63 bits.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from graphlib import CycleError, TopologicalSorter

from ganger_core.domain.array import MOST_ELEMENTS, Array
from ganger_core.domain.dependency import Dependency, DependencyKind
from ganger_core.domain.errors import Invalid
from ganger_core.domain.labels import check_labels
from ganger_core.domain.plan import Snapshot
from ganger_core.domain.resources import KINDS, MAX_AMOUNT, Resources
from ganger_core.domain.retry import NO_RETRY, Retry
from ganger_core.domain.task import (
    LOG_TAIL_BYTES,
    AttemptRef,
    Limits,
    LogChunk,
    Outcome,
    Report,
    ReportKind,
    TaskSpec,
    WorkerProfile,
    WorkerUsage,
)

MAX_INT = 2**63 - 1
MAX_ARGS = 4096
MAX_COMMAND_BYTES = 128 * 1024
MAX_ENV = 4096
MAX_ENV_BYTES = 128 * 1024
MAX_NAME = 128
MAX_PATH = 4095
MAX_REASON = 500  # characters that a person says why
MAX_AFTER = 1_000  # tasks to wait for; more are an array
MOST_AFTER = 20_000  # of all tasks of one call
MAX_TEXT = 4096  # characters of a message for people
MAX_PRIORITY = 100
MAX_CPU_MILLI = 1_000_000
MAX_MEMORY_BYTES = 2**50
MAX_SLOTS = 1_000_000
MAX_SIGNAL = 64
MAX_RETRIES = 1_000
LEAST_LEASE_S = 1.0
MAX_SECONDS = 10 * 366 * 86_400.0
LATEST_MS = 32_503_680_000_000  # the year 3000, in Unix milliseconds
RESERVED_ENV_PREFIX = "GANGER_"

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_WORKER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_VISIBLE = re.compile(r"[!-~]{1,128}")


def check_text(value: str, field: str, max_len: int) -> None:
    """A text of at most `max_len` characters that can be stored and sent."""
    if len(value) > max_len:
        raise Invalid(f"{field} has {len(value)} characters; at most {max_len} are allowed", field=field)
    _encoded(value, field)


def check_id(value: int, field: str) -> None:
    """A number given out by the master: of a task, an attempt, an event."""
    check_int(value, field, 1, MAX_INT)


def check_int(value: int, field: str, least: int, most: int) -> None:
    """A whole number from `least` to `most`."""
    if type(value) is int and least <= value <= most:  # nearly always
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise Invalid(f"{field} must be a whole number, not {value!r}", field=field)
    if not least <= value <= most:
        raise Invalid(f"{field} must be from {least} to {most}, not {value}", field=field)


def check_seconds(value: float, field: str) -> None:
    """A length of time in seconds: finite, not negative, not absurd."""
    if not (math.isfinite(value) and 0 <= value <= MAX_SECONDS):
        raise Invalid(f"{field} must be from 0 to {MAX_SECONDS:.0f} seconds, not {value}", field=field)


def check_request_id(text: str) -> None:
    """The id that makes a repeated request the same request."""
    if not _VISIBLE.fullmatch(text):
        raise Invalid(
            "request_id must be 1 to 128 visible ASCII characters, such as a fresh UUID for each request",
            field="request_id",
        )


def check_worker_name(text: str, field: str = "name") -> None:
    """The name or id of a worker: it is also the name of a folder."""
    if not _WORKER_NAME.fullmatch(text):
        raise Invalid(
            f"{field} must be 1 to 128 of A-Z a-z 0-9 . _ - and begin with a letter or digit, not {text[:140]!r}",
            field=field,
        )


def check_workers(names: Sequence[str], field: str = "workers") -> None:
    """At least one name or id of a worker."""
    if not names:
        raise Invalid(f"{field}: name at least one worker, see `ganger worker ls`", field=field)
    for name in names:
        check_worker_name(name, field)


def check_reason(text: str, field: str = "reason") -> None:
    """A sentence of a person, on one line."""
    check_text(text, field, MAX_REASON)
    if text and not text.isprintable():
        raise Invalid(f"{field} may hold only printable characters", field=field)


def check_request(value: Resources, field: str) -> None:
    """What one task asks for."""
    check_int(value.cpu_milli, f"{field}.cpu_milli", 0, MAX_CPU_MILLI)
    check_int(value.memory_bytes, f"{field}.memory_bytes", 0, MAX_MEMORY_BYTES)
    check_int(value.slots, f"{field}.slots", 1, 1)


def check_spec(spec: TaskSpec, field: str = "spec", least_lease_s: float = LEAST_LEASE_S) -> None:
    """What a user asks for; `least_lease_s` is the shortest lease that makes sense where it is to run."""
    _check_command(spec.command, f"{field}.command")
    check_text(spec.name, f"{field}.name", MAX_NAME)
    if spec.name and not spec.name.isprintable():
        raise Invalid(f"{field}.name may hold only printable characters", field=f"{field}.name")
    _check_env(spec.env, f"{field}.env")
    check_text(spec.workdir, f"{field}.workdir", MAX_PATH)
    if spec.workdir and not spec.workdir.startswith("/"):
        raise Invalid(
            f"{field}.workdir must be an absolute path, not {spec.workdir[:200]!r}", field=f"{field}.workdir"
        )
    check_request(spec.resources, f"{field}.resources")
    check_int(spec.priority, f"{field}.priority", 0, MAX_PRIORITY)
    check_limits(spec.limits, f"{field}.limits", least_lease_s)
    check_labels(spec.labels, f"{field}.labels")
    check_int(spec.not_before_ms, f"{field}.not_before_ms", 0, LATEST_MS)
    check_int(spec.deadline_ms, f"{field}.deadline_ms", 0, LATEST_MS)
    if spec.retry is not NO_RETRY:
        check_retry(spec.retry, f"{field}.retry")
    check_after(spec.after, f"{field}.after")


def check_after(after: Sequence[Dependency], field: str = "after") -> None:
    """What a task is to run after, each named once."""
    if len(after) > MAX_AFTER:
        raise Invalid(
            f"{field} names {len(after)} tasks; at most {MAX_AFTER} are allowed: submit them as an array, and wait "
            "for that",
            field=field,
        )
    for each in after:
        check_int(each.task_id, field, -MAX_INT, MAX_INT)
        if not each.task_id:
            raise Invalid(f"{field} names a task 0; the first one of the same call is -1", field=field)
    if len(set(after)) < len(after):
        raise Invalid(f"{field} names a task twice", field=field)


def check_order(specs: Sequence[TaskSpec], field: str = "specs", *, is_array: bool = False) -> None:
    """Tasks of one call may be after each other (-1 is the first), but not in a circle; arrays element by element."""
    if not is_array and any(each.kind is DependencyKind.EACH for spec in specs for each in spec.after):
        raise Invalid("after: each goes element by element, and this is no array", field="after")
    named = sum([len(spec.after) for spec in specs])
    if named > MOST_AFTER:
        raise Invalid(
            f"{field}: after names {named} tasks in one call; at most {MOST_AFTER} are allowed", field=field
        )
    if not any(each.task_id < 0 for spec in specs for each in spec.after):  # nearly always
        return
    graph: dict[int, list[int]] = {}
    for number, spec in enumerate(specs):
        graph[-1 - number] = [each.task_id for each in spec.after if each.task_id < 0]
        for other in graph[-1 - number]:
            if other < -len(specs):
                raise Invalid(
                    f"{field}[{number}].after names the task {other} of this call, which has {len(specs)}",
                    field=f"{field}[{number}].after",
                )
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = [
            f'{each} "{name}"' if (name := specs[-1 - each].name) else f"{each}" for each in error.args[1]
        ]
        raise Invalid(f"{field}: tasks wait for each other: {' before '.join(circle)}", field=field) from None


def check_limits(limits: Limits, field: str = "limits", least_lease_s: float = LEAST_LEASE_S) -> None:
    """The times that a user set. A lease has a least length, so that a late heartbeat does not end the task."""
    check_seconds(limits.run_s, f"{field}.run_s")
    check_seconds(limits.queue_s, f"{field}.queue_s")
    if limits.warn_s or limits.warn_signal:
        _check_warning(limits, field)
    if limits.grace_s is not None:
        check_seconds(limits.grace_s, f"{field}.grace_s")
    if limits.lost_after_s is not None:
        check_seconds(limits.lost_after_s, f"{field}.lost_after_s")
        if limits.lost_after_s < least_lease_s:
            raise Invalid(
                f"{field}.lost_after_s must be at least {least_lease_s:g} seconds, some heartbeats of a worker, "
                f"not {limits.lost_after_s:g}",
                field=f"{field}.lost_after_s",
            )


def _check_warning(limits: Limits, field: str) -> None:
    check_seconds(limits.warn_s, f"{field}.warn_s")
    check_signal(limits.warn_signal, f"{field}.warn_signal")
    if limits.warn_s >= limits.run_s:
        raise Invalid(
            f"{field}.warn_s needs a run limit that is longer, to warn of: {limits.warn_s:g} s of {limits.run_s:g} s",
            field=f"{field}.warn_s",
        )


def check_retry(retry: Retry, field: str = "retry") -> None:
    """When a task is tried again."""
    check_int(retry.limit, f"{field}.limit", 0, MAX_RETRIES)
    for name, codes in (("on", retry.on), ("never_on", retry.never_on)):
        for code in codes:
            check_int(code, f"{field}.{name}", 1, 255)
        if sorted(set(codes)) != list(codes):
            raise Invalid(f"{field}.{name} must be sorted, each code once", field=f"{field}.{name}")
    check_seconds(retry.backoff_s, f"{field}.backoff_s")


def check_array(array: Array, field: str = "array") -> None:
    """What a user asks for with an array."""
    if not len(array):
        raise Invalid(
            f"{field}.indices is empty: an array has an element for each index", field=f"{field}.indices"
        )
    check_int(array.max_parallel, f"{field}.max_parallel", 0, MOST_ELEMENTS)
    if array.max_fails is not None:
        check_int(array.max_fails, f"{field}.max_fails", 0, MOST_ELEMENTS)
    if array.items:
        check_digest(array.items, f"{field}.items")
    check_int(array.retry_of, f"{field}.retry_of", 0, MAX_INT)


def check_digest(text: str, field: str = "digest") -> None:
    """A SHA-256 in hexadecimal digits."""
    if not _DIGEST.fullmatch(text):
        raise Invalid(f"{field} must be a SHA-256 in 64 hexadecimal digits, not {text[:80]!r}", field=field)


def check_signal(number: int, field: str = "signal") -> None:
    """The number of a signal."""
    check_int(number, field, 1, MAX_SIGNAL)


def check_profile(profile: WorkerProfile) -> None:
    """What a worker says of itself."""
    check_worker_name(profile.id, "profile.id")
    check_worker_name(profile.name, "profile.name")
    check_id(profile.incarnation, "profile.incarnation")
    check_text(profile.host, "profile.host", 255)
    check_text(profile.boot_id, "profile.boot_id", MAX_NAME)
    check_text(profile.version, "profile.version", MAX_NAME)
    check_int(profile.capacity.cpu_milli, "profile.capacity.cpu_milli", 1, MAX_CPU_MILLI)
    check_int(profile.capacity.memory_bytes, "profile.capacity.memory_bytes", 0, MAX_MEMORY_BYTES)
    check_int(profile.capacity.slots, "profile.capacity.slots", 1, MAX_SLOTS)


def check_usage(usage: WorkerUsage) -> None:
    """What a worker measured."""
    if not 0 <= usage.cpu_percent <= 100:  # also false for NaN
        raise Invalid(
            f"usage.cpu_percent must be from 0 to 100, not {usage.cpu_percent}", field="usage.cpu_percent"
        )
    check_int(usage.memory_used_bytes, "usage.memory_used_bytes", 0, MAX_MEMORY_BYTES)
    check_int(usage.memory_total_bytes, "usage.memory_total_bytes", 0, MAX_MEMORY_BYTES)


def check_ref(ref: AttemptRef, field: str = "ref") -> None:
    """The name of an attempt."""
    check_id(ref.task_id, f"{field}.task_id")
    check_id(ref.token, f"{field}.token")


def check_report(report: Report) -> None:
    """What a worker tells of an attempt."""
    check_ref(report.ref, "report.ref")
    check_seconds(report.age_s, "report.age_s")
    if report.started_age_s is not None:
        check_seconds(report.started_age_s, "report.started_age_s")
    check_text(report.message, "report.message", MAX_TEXT)
    if report.handed_to is not None:
        check_ref(report.handed_to, "report.handed_to")
    if report.outcome is not None:
        _check_outcome(report.outcome, "report.outcome")
    elif report.kind is ReportKind.ENDED:
        raise Invalid("report.outcome is missing: an ENDED report says how it ended", field="report.outcome")
    _check_tail(report.stdout_bytes, report.stdout_tail, "report.stdout")
    _check_tail(report.stderr_bytes, report.stderr_tail, "report.stderr")


def check_log_chunk(chunk: LogChunk) -> None:
    """Raw bytes of one stream."""
    check_ref(chunk.ref, "chunk.ref")
    check_int(chunk.offset, "chunk.offset", 0, MAX_INT - len(chunk.data))


def check_snapshot(snapshot: Snapshot) -> None:
    """A view to plan from: amounts in range, one amount of each kind per worker, no task twice."""
    workers = len(snapshot.fleet.worker_ids)
    if not len(snapshot.fleet.capacities) == len(snapshot.free) == workers:
        raise Invalid("snapshot.free must have one entry for each worker", field="snapshot.free")
    _check_amounts(snapshot.fleet.capacities, "snapshot.fleet.capacities", 0)
    _check_amounts(snapshot.free, "snapshot.free", -MAX_AMOUNT)
    _check_amounts([shape.request for shape in snapshot.shapes], "snapshot.shapes.request", 0)
    ids: set[int] = set()
    for shape in snapshot.shapes:
        check_int(shape.priority, "snapshot.shapes.priority", 0, MAX_PRIORITY)
        ids.update(shape.task_ids)
    if len(ids) != sum(len(shape.task_ids) for shape in snapshot.shapes):
        raise Invalid("snapshot.shapes names a task twice", field="snapshot.shapes.task_ids")
    if ids:
        check_id(min(ids), "snapshot.shapes.task_ids")
        check_id(max(ids), "snapshot.shapes.task_ids")


def _encoded(value: str, field: str, what: str = "") -> bytes:
    """The text in UTF-8; refuses what cannot be stored or sent. `what` names it where `field` is too coarse."""
    try:
        raw = value.encode()
    except UnicodeEncodeError:
        raise Invalid(f"{what or field} holds bytes that are not UTF-8", field=field) from None
    if b"\0" in raw:
        raise Invalid(f"{what or field} holds a NUL character", field=field)
    return raw


def _check_command(command: tuple[str, ...], field: str) -> None:
    if not command or not command[0]:
        raise Invalid(f"{field} is empty: say which program to run", field=field)
    if len(command) > MAX_ARGS:
        raise Invalid(f"{field} has {len(command)} parts; at most {MAX_ARGS} are allowed", field=field)
    size = sum([len(_encoded(arg, field)) for arg in command])
    if size > MAX_COMMAND_BYTES:
        raise Invalid(f"{field} has {size} bytes; at most {MAX_COMMAND_BYTES} are allowed", field=field)


def _check_env(env: tuple[tuple[str, str], ...], field: str) -> None:
    if len(env) > MAX_ENV:
        raise Invalid(f"{field} has {len(env)} variables; at most {MAX_ENV} are allowed", field=field)
    seen: set[str] = set()
    size = 0
    for name, value in env:
        if not _ENV_NAME.fullmatch(name):
            raise Invalid(f"{field}: {name[:140]!r} is no name of a variable", field=field)
        if name.startswith(RESERVED_ENV_PREFIX):
            raise Invalid(
                f"{field}: {name[:140]} is reserved: names in {RESERVED_ENV_PREFIX} are Ganger's", field=field
            )
        if name in seen:
            raise Invalid(f"{field}: {name[:140]} is set twice", field=field)
        seen.add(name)
        size += len(name) + len(_encoded(value, field, f"{field}: {name[:140]}"))
    if size > MAX_ENV_BYTES:
        raise Invalid(f"{field} has {size} bytes; at most {MAX_ENV_BYTES} are allowed", field=field)


def _check_outcome(outcome: Outcome, field: str) -> None:
    if outcome.exit_code is not None:
        check_int(outcome.exit_code, f"{field}.exit_code", 0, 255)
    if outcome.signal is not None:
        check_int(outcome.signal, f"{field}.signal", 1, 127)
    check_text(outcome.message, f"{field}.message", MAX_TEXT)


def _check_tail(length: int, tail: bytes, field: str) -> None:
    check_int(length, f"{field}_bytes", 0, MAX_INT)
    if len(tail) > min(length, LOG_TAIL_BYTES):
        raise Invalid(
            f"{field}_tail has {len(tail)} bytes; at most {LOG_TAIL_BYTES} and no more than the stream's "
            f"{length} are allowed",
            field=f"{field}_tail",
        )


def _check_amounts(values: Iterable[Resources], field: str, least: int) -> None:
    for kind, column in zip(KINDS, zip(*[value.amounts() for value in values], strict=True), strict=False):
        check_int(min(column), f"{field}.{kind}", least, MAX_AMOUNT)
        check_int(max(column), f"{field}.{kind}", least, MAX_AMOUNT)
