"""This module follows what goes on: events, waiting for ends, and logs, each carried on where a connection broke."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import grpc

from ganger.calls import PAGE_SIZE, LogPart, MasterCalls, TaskStatus
from ganger.errors import WaitTimeout
from ganger.wording import describe_late
from ganger_core.domain.errors import Invalid, NotFound
from ganger_core.domain.states import TASK_FINAL
from ganger_core.domain.task import AttemptRef, Event, LogChunk, LogStream, Task

ALL = LogPart()
LONGEST_WAIT_S = 30.0  # of one call; then another follows


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


def wait_for(
    calls: MasterCalls, task_ids: Sequence[int], timeout_s: float | None, *, until_any: bool = False
) -> list[Task]:
    """The tasks once all are over, or those that are once any is, in the order asked.

    Raises `NotFound`, and `WaitTimeout` after `timeout_s`.
    """
    if len(task_ids) == 1:
        return [_wait_for_one(calls, task_ids[0], timeout_s)]
    found, as_of_seq = fetch(calls, task_ids)
    missing = [task_id for task_id in task_ids if task_id not in found]
    if missing:
        raise NotFound(f"there is no task {', '.join(map(str, missing))}", field="task_ids")
    if until_any and any(task.is_final for task in found.values()):
        return [found[task_id] for task_id in task_ids if found[task_id].is_final]
    live = {task.id: task for task in found.values() if not task.is_final}
    try:
        _await_ends(calls, live, as_of_seq, timeout_s, until_any=until_any)
    except WaitTimeout:
        late = [live[task_id].label for task_id in sorted(live)]
        raise WaitTimeout(describe_late(late, len(found), timeout_s)) from None
    ended, _ = fetch(calls, [task_id for task_id in task_ids if not found[task_id].is_final])
    found.update(ended)
    return [found[task_id] for task_id in task_ids if found[task_id].is_final]


def _wait_for_one(calls: MasterCalls, task_id: int, timeout_s: float | None) -> Task:
    """One call to the master answers when the task is over: no list, no stream of events."""
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    while True:
        left_s = LONGEST_WAIT_S if deadline is None else max(0.0, deadline - time.monotonic())
        task = calls.status(task_id, min(left_s, LONGEST_WAIT_S)).task
        if task.is_final:
            return task
        if deadline is not None and time.monotonic() >= deadline:
            raise WaitTimeout(describe_late([task.label], 1, timeout_s))


def _await_ends(
    calls: MasterCalls,
    live: dict[int, Task],
    as_of_seq: int,
    timeout_s: float | None,
    *,
    until_any: bool,
) -> None:
    """Return once `live` is empty, or one has left it; tasks leave it as they end.

    Elements of an array that never began may end with its rest, and have no event of their own then: they are looked
    at again whenever something is told of their array.
    """
    if not live:
        return
    enough = len(live) - 1 if until_any else 0
    arrays = {task.array_id for task in live.values() if task.array_id}
    watched = sorted(live.keys() | arrays)
    for event in follow_events(calls, as_of_seq, watched, timeout_s, only_ends=not arrays):
        if event.task_id in arrays:
            elements, _ = fetch(calls, [each.id for each in live.values() if each.array_id == event.task_id])
            for element in elements.values():
                if element.is_final:
                    del live[element.id]
        if event.state in TASK_FINAL:
            live.pop(event.task_id, None)
        if len(live) <= enough:
            return


def fetch(calls: MasterCalls, task_ids: Sequence[int]) -> tuple[dict[int, Task], int]:
    """The tasks by id, and an event before which nothing is missing in any of them."""
    found: dict[int, Task] = {}
    seqs = []
    for start in range(0, len(task_ids), PAGE_SIZE):
        page = calls.task_page((), task_ids[start : start + PAGE_SIZE], PAGE_SIZE, "")
        found.update((row.task.id, row.task) for row in page.rows)
        seqs.append(page.as_of_seq)
    return found, min(seqs, default=0)


def read_attempt(
    calls: MasterCalls, ref: AttemptRef, follow: bool, part: LogPart = ALL
) -> Iterator[LogChunk]:
    """This part of the attempt's bytes, each once, over broken connections; with `follow` until its log is complete."""
    offsets = dict.fromkeys(part.streams, 0)
    begins: set[LogStream] = set()  # the streams of which it is known where the end that is asked for begins
    rest = replace(part, lines=None, since_s=0.0)
    effort = calls.effort()
    while True:
        is_known = not part.is_end or len(begins) == len(offsets)
        if not is_known:
            offsets, begins = dict.fromkeys(part.streams, 0), set()
        try:
            for chunk in calls.read_logs(ref, offsets, follow, rest if is_known else part):
                effort.succeeded()
                if not chunk.data:
                    begins.add(chunk.stream)
                    offsets[chunk.stream] = chunk.offset
                    continue
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


def follow_logs(calls: MasterCalls, task_id: int, part: LogPart = ALL) -> Iterator[LogChunk]:
    """The task's output from this part of its newest attempt on, through later attempts, until the task is over."""
    token = 0
    while True:
        status = calls.status(task_id)
        check_has_output(status.task)
        following = _next_attempt(status, token)
        if following:
            yield from read_attempt(calls, AttemptRef(task_id, following), follow=True, part=part)
            token, part = following, LogPart(streams=part.streams)
        elif status.task.is_final:
            return
        else:
            _await_attempt(calls, status, token)


def check_has_output(task: Task) -> None:
    """Raise `Invalid` for an array: only its elements write."""
    if task.array is not None:
        example = f"{task.label}.{task.array.indices.at(0)}"
        raise Invalid(
            f"{task.label} is an array, which writes nothing itself: ask for an element, such as {example}",
            field="task_id",
        )


def _next_attempt(status: TaskStatus, token: int) -> int:
    """The attempt to read after `token`: at first the newest, then one after the other; 0 while there is none."""
    if token == 0:
        return status.task.token
    return min((attempt.ref.token for attempt in status.attempts if attempt.ref.token > token), default=0)


def _await_attempt(calls: MasterCalls, status: TaskStatus, token: int) -> None:
    """Return when there is another attempt, or there may be none any more: an element may end with its array's rest."""
    task = status.task
    watched = [task.id, task.array_id] if task.array_id else [task.id]
    for event in follow_events(calls, status.as_of_seq, watched):
        if event.token > token or event.state in TASK_FINAL or event.task_id == task.array_id:
            return
