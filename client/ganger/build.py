"""This module makes values from the terms that people use: CPUs, sizes and times with units, names of signals."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypedDict

from ganger.moments import moment_ms
from ganger_core.domain.dependency import Dependency, DependencyKind, OnDependencyFailure
from ganger_core.domain.errors import Invalid
from ganger_core.domain.outputs import Publish
from ganger_core.domain.parse import parse_cpus, parse_duration, parse_exit_codes, parse_memory
from ganger_core.domain.resources import Resources
from ganger_core.domain.retry import NO_RETRY, Retry
from ganger_core.domain.task import DEFAULT_PRIORITY, Limits, OnWorkerLost, TaskSpec
from ganger_core.domain.validate import check_seconds, check_signal, check_spec

TIMEOUT = "timeout"  # among the exit codes to retry on: its run limit was over
AfterLike = Iterable[int | tuple[str, int] | Dependency]
"""Ids of tasks, or pairs of a kind and an id, such as ("any", 41)."""


class TaskOptions(TypedDict, total=False):
    """What can be said of a task beside its command; `task_spec` explains."""

    name: str
    env: Mapping[str, str] | None
    workdir: str
    cpus: float | str
    memory: int | str
    priority: int
    time: float | str
    queue_timeout: float | str
    grace: float | str | None
    lost_after: float | str | None
    on_worker_lost: OnWorkerLost | str
    labels: Mapping[str, str] | None
    not_before: float | str | datetime | None
    hold: bool
    retries: int
    retry_on: str | Iterable[int | str]
    never_retry_on: str | Iterable[int]
    backoff: float | str
    deadline: float | str | datetime
    warn: str
    after: AfterLike
    on_dependency_failure: OnDependencyFailure | str
    publish: Publish | str


def task_spec(
    command: Sequence[str],
    *,
    name: str = "",
    env: Mapping[str, str] | None = None,
    workdir: str = "",
    cpus: float | str = 1,
    memory: int | str = 0,
    priority: int = DEFAULT_PRIORITY,
    time: float | str = 0,
    queue_timeout: float | str = 0,
    grace: float | str | None = None,
    lost_after: float | str | None = None,
    on_worker_lost: OnWorkerLost | str = OnWorkerLost.BY_AGE,
    labels: Mapping[str, str] | None = None,
    not_before: float | str | datetime | None = None,
    hold: bool = False,
    retries: int = 0,
    retry_on: str | Iterable[int | str] = (),
    never_retry_on: str | Iterable[int] = (),
    backoff: float | str = NO_RETRY.backoff_s,
    deadline: float | str | datetime = 0,
    warn: str = "",
    after: AfterLike = (),
    on_dependency_failure: OnDependencyFailure | str = OnDependencyFailure.SKIP,
    publish: Publish | str = Publish.ON_SUCCESS,
) -> TaskSpec:
    """A task to submit. Raises `Invalid`, naming the field.

    `command` is the program and its arguments; no shell takes part. `cpus` may be a fraction, `memory` is
    bytes or a size such as "8GiB" (0: none asked for). An empty `workdir` means a fresh folder; otherwise it
    is a folder on the worker's host.

    Times are seconds or text such as "1h30m". The task may run for `time` and is then stopped, and may wait for
    its first start for `queue_timeout`; 0 sets no limit. `grace` is what it gets between the signal that stops it
    and SIGKILL. Its worker ends it when the master has not answered for `lost_after`; None leaves both to the
    cluster. `on_worker_lost` says what becomes of it then: "requeue" runs it elsewhere, "wait" lets it run on
    without a lease and waits for its worker, "fail" fails it, "by-age" requeues in its first hour and waits later.

    It does not start before `not_before`: seconds from now, or a moment such as "14:30", "2026-12-24T08:00" or a
    datetime; nor, with `hold`, before `Client.update(id, held=False)` or `ganger release`. It is not started when it
    could not be over by its `deadline`, such a moment (0: none), as far as `time` tells. `warn` such as "USR1@2m" sends
    it a signal so long before `time` is over. `labels` are words of your own to find it by, {"project": "vision"}.

    A task that fails is tried again `retries` times: after any exit code, or those of `retry_on` such as "75,80-90",
    of which "timeout" stands for its run limit; never after `never_retry_on`. Before the first retry it waits up to
    `backoff`, then up to twice as long each time, at most ten minutes. A lost worker is no failure of the task.

    `after` are ids of tasks to wait for until they have succeeded, or pairs such as ("any", 41): "any" waits until it
    is over, "fail" until it has failed, "start" until it runs, "each" lets every element of an array wait for that with
    its index. An array has succeeded when all its elements have. Once that cannot come any more `on_dependency_failure`
    counts: "skip" ends the task as SKIPPED, "hold", "run", or "fail"; an outcome SKIPPED says that it never ran.
    """
    if isinstance(command, str):
        raise Invalid('command must be a list of arguments, such as ["python", "train.py"]', field="command")
    spec = TaskSpec(
        command=tuple(command),
        name=name,
        env=tuple((env or {}).items()),
        workdir=workdir,
        resources=Resources(parse_cpus(str(cpus)), parse_memory(str(memory)), 1),
        priority=priority,
        limits=_limits(time, queue_timeout, grace, lost_after, warn),
        on_worker_lost=_policy(on_worker_lost),
        labels=label_pairs(labels),
        not_before_ms=0
        if not_before is None
        else moment_ms(not_before, "not_before", datetime.now().astimezone()),
        hold=hold,
        retry=_retry(retries, retry_on, never_retry_on, backoff),
        deadline_ms=deadline_ms(deadline),
        after=dependencies(after),
        on_dependency_failure=_failure_policy(on_dependency_failure),
        publish=_publish(publish),
    )
    check_spec(spec)
    return spec


def seconds(value: float | str, field: str) -> float:
    """Seconds from a number or from text such as `1h30m`; raises `Invalid`."""
    if isinstance(value, str):
        return parse_duration(value, field)
    check_seconds(value, field)
    return float(value)


def deadline_ms(value: float | str | datetime) -> int:
    """Unix milliseconds of a deadline; 0, also as text, is none. Raises `Invalid`."""
    return 0 if value in (0, "0") else moment_ms(value, "deadline", datetime.now().astimezone())


def _warning(text: str) -> tuple[float, int]:
    """From `USR1@2m`: how long before, and which signal."""
    if not text:
        return 0.0, 0
    name, at, before = text.partition("@")
    warn_s = seconds(before, "warn") if at else 0.0
    if not warn_s:
        raise Invalid(f"warn: {text!r} does not say how long before the end, as USR1@2m does", field="warn")
    return warn_s, signal_number(name)


def label_pairs(labels: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    """Labels in the order of their keys, not yet checked but for their types; raises `Invalid`."""
    if labels is not None and not isinstance(labels, Mapping):
        raise Invalid('labels must be a mapping, such as {"project": "vision"}', field="labels")
    pairs = tuple((labels or {}).items())
    for key, value in pairs:
        if not isinstance(key, str) or not isinstance(value, str):
            raise Invalid(f"labels: keys and values are text, not {key!r}: {value!r}", field="labels")
    return tuple(sorted(pairs))


def dependencies(after: AfterLike) -> tuple[Dependency, ...]:
    """What to wait for, from ids and pairs of a kind and an id; raises `Invalid`."""
    if isinstance(after, (int, str)) or not isinstance(after, Iterable):
        raise Invalid('after must be a list of task ids, such as [41, ("any", 42)]', field="after")
    return tuple(_dependency(each) for each in after)


def _dependency(each: object) -> Dependency:
    if isinstance(each, Dependency):
        return each
    if not isinstance(each, tuple):
        return Dependency(each)  # type: ignore[arg-type]  # what is no id is refused with the task
    if len(each) != 2:
        raise Invalid(f'after: {each!r:.80} is no pair such as ("any", 41)', field="after")
    kind, task_id = each
    return Dependency(task_id, dependency_kind(str(kind)))


def dependency_kind(text: str) -> DependencyKind:
    """A kind as people write it: ok, any, fail, start; raises `Invalid`."""
    try:
        return DependencyKind(text.upper())
    except ValueError:
        known = ", ".join(each.value.lower() for each in DependencyKind)
        raise Invalid(f"after: {text[:40]!r} is none of {known}", field="after") from None


def _failure_policy(value: OnDependencyFailure | str) -> OnDependencyFailure:
    try:
        return OnDependencyFailure(value.upper())
    except ValueError:
        known = ", ".join(each.value.lower() for each in OnDependencyFailure)
        raise Invalid(
            f"on_dependency_failure: {value!r} is none of {known}", field="on_dependency_failure"
        ) from None


def signal_number(value: int | str) -> int:
    """The number of a signal from 15, "15", "TERM" or "SIGTERM"; raises `Invalid`."""
    text = str(value).strip().upper()
    if text.isascii() and text.isdigit():
        number = int(text[:9])
        check_signal(number)
        return number
    try:
        return int(signal.Signals[text if text.startswith("SIG") else f"SIG{text}"])
    except KeyError:
        raise Invalid(
            f"signal: there is no {value!r}; write INT, SIGINT or 2, for example", field="signal"
        ) from None


def _retry(
    retries: int, on: str | Iterable[int | str], never_on: str | Iterable[int], backoff: float | str
) -> Retry:
    wanted = [part.strip() for part in _written(on).split(",") if part.strip()]
    codes = [part for part in wanted if part != TIMEOUT]
    never = _written(never_on)
    return Retry(
        retries,
        parse_exit_codes(",".join(codes), "retry_on") if codes else (),
        parse_exit_codes(never, "never_retry_on") if never.strip() else (),
        TIMEOUT in wanted,
        seconds(backoff, "backoff"),
    )


def _written(codes: str | Iterable[int | str]) -> str:
    return codes if isinstance(codes, str) else ",".join(map(str, codes))


def _limits(
    time: float | str,
    queue_timeout: float | str,
    grace: float | str | None,
    lost_after: float | str | None,
    warn: str,
) -> Limits:
    return Limits(
        seconds(time, "time"),
        seconds(queue_timeout, "queue_timeout"),
        None if grace is None else seconds(grace, "grace"),
        None if lost_after is None else seconds(lost_after, "lost_after"),
        *_warning(warn),
    )


def _policy(value: OnWorkerLost | str) -> OnWorkerLost:
    try:
        return OnWorkerLost(value.upper().replace("-", "_"))
    except ValueError:
        known = ", ".join(policy_name(each) for each in OnWorkerLost)
        raise Invalid(f"on_worker_lost: {value!r} is none of {known}", field="on_worker_lost") from None


def _publish(value: Publish | str) -> Publish:
    try:
        return Publish(value.upper().replace("-", "_"))
    except ValueError:
        known = ", ".join(policy_name(each) for each in Publish)
        raise Invalid(f"publish: {value!r} is none of {known}", field="publish") from None


def policy_name(policy: OnWorkerLost | Publish) -> str:
    """How people write it: by-age."""
    return policy.value.lower().replace("_", "-")
