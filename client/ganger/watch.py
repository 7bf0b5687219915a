"""This module follows what goes on: events, waiting for ends, and logs, each carried on where a connection broke."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import grpc

from ganger.calls import PAGE_SIZE, MasterCalls, TaskStatus
from ganger.errors import WaitTimeout
from ganger_core.domain.errors import NotFound
from ganger_core.domain.states import TASK_FINAL
from ganger_core.domain.task import AttemptRef, Event, LogChunk, LogStream, Task


def follow_events(
    calls: MasterCalls,
    after_seq: int,
    task_ids: Sequence[int],
    timeout_s: float | None = None,
    *,
    only_ends: bool = False,
) -> Iterator[Event]:
    """Every event after `after_seq`, or every end, once and in order, over broken connections.

    Raises `WaitTimeout` after `timeout_s`.
    """
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    effort = calls.effort()
    while True:
        left_s = None if deadline is None else max(0.0, deadline - time.monotonic())
        failure: grpc.RpcError | None = None
        try:
            for batch in calls.watch(after_seq, task_ids, left_s, only_ends=only_ends):
                effort.succeeded()
                for event in batch.events:
                    if event.seq > after_seq:
                        after_seq = event.seq
                        yield event
                after_seq = max(after_seq, batch.as_of_seq)
        except grpc.RpcError as error:
            failure = error
        if deadline is not None and time.monotonic() >= deadline:
            raise WaitTimeout(f"not within {timeout_s:g} s")
        effort.failed(failure)


def wait_for(calls: MasterCalls, task_ids: Sequence[int], timeout_s: float | None) -> list[Task]:
    """The tasks once all are over, in the order asked. Raises `NotFound`, and `WaitTimeout` after `timeout_s`."""
    found, as_of_seq = _fetch(calls, task_ids)
    missing = [task_id for task_id in task_ids if task_id not in found]
    if missing:
        raise NotFound(f"there is no task {', '.join(map(str, missing))}", field="task_ids")
    open_ids = {task.id for task in found.values() if not task.is_final}
    try:
        _await_ends(calls, open_ids, as_of_seq, timeout_s)
    except WaitTimeout:
        names = ", ".join(map(str, sorted(open_ids)[:5])) + (" …" if len(open_ids) > 5 else "")
        raise WaitTimeout(
            f"{len(open_ids)} of {len(found)} not over after {timeout_s:g} s: {names}"
        ) from None
    ended, _ = _fetch(calls, [task_id for task_id in task_ids if not found[task_id].is_final])
    found.update(ended)
    return [found[task_id] for task_id in task_ids]


def _await_ends(calls: MasterCalls, open_ids: set[int], as_of_seq: int, timeout_s: float | None) -> None:
    """Return once `open_ids` is empty; ids leave it as their tasks end."""
    if not open_ids:
        return
    for event in follow_events(calls, as_of_seq, sorted(open_ids), timeout_s, only_ends=True):
        open_ids.discard(event.task_id)
        if not open_ids:
            return


def _fetch(calls: MasterCalls, task_ids: Sequence[int]) -> tuple[dict[int, Task], int]:
    """The tasks by id, and an event before which nothing is missing in any of them."""
    if len(task_ids) == 1:  # the master knows a single task's status without a look at its disk
        try:
            status = calls.status(task_ids[0])
        except NotFound:
            return {}, 0
        return {status.task.id: status.task}, status.as_of_seq
    found: dict[int, Task] = {}
    seqs = []
    for start in range(0, len(task_ids), PAGE_SIZE):
        page = calls.task_page((), task_ids[start : start + PAGE_SIZE], PAGE_SIZE, "")
        found.update((row.task.id, row.task) for row in page.rows)
        seqs.append(page.as_of_seq)
    return found, min(seqs, default=0)


def read_attempt(calls: MasterCalls, ref: AttemptRef, follow: bool) -> Iterator[LogChunk]:
    """The attempt's bytes, each once, over broken connections; with `follow` until its log is complete."""
    offsets = dict.fromkeys(LogStream, 0)
    effort = calls.effort()
    while True:
        try:
            for chunk in calls.read_logs(ref, offsets, follow):
                effort.succeeded()
                known = max(0, offsets[chunk.stream] - chunk.offset)
                fresh = chunk.data[known:]
                if fresh:
                    offset = chunk.offset + known
                    offsets[chunk.stream] = offset + len(fresh)
                    yield LogChunk(ref, chunk.stream, offset, fresh)
        except grpc.RpcError as error:
            effort.failed(error)
        else:
            return


def follow_logs(calls: MasterCalls, task_id: int) -> Iterator[LogChunk]:
    """The task's output from its newest attempt on, through later attempts, until the task is over."""
    token = 0
    while True:
        status = calls.status(task_id)
        following = _next_attempt(status, token)
        if following:
            token = following
            yield from read_attempt(calls, AttemptRef(task_id, token), follow=True)
        elif status.task.is_final:
            return
        else:
            _await_attempt(calls, status, token)


def _next_attempt(status: TaskStatus, token: int) -> int:
    """The attempt to read after `token`: at first the newest, then one after the other; 0 while there is none."""
    if token == 0:
        return status.task.token
    return min((attempt.ref.token for attempt in status.attempts if attempt.ref.token > token), default=0)


def _await_attempt(calls: MasterCalls, status: TaskStatus, token: int) -> None:
    for event in follow_events(calls, status.as_of_seq, [status.task.id]):
        if event.token > token or event.state in TASK_FINAL:
            return
