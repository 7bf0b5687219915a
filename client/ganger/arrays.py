"""This module hands in arrays, and hands in again what failed."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Unpack

from ganger.build import AfterLike, TaskOptions, deadline_ms, dependencies, seconds, task_spec
from ganger.calls import MasterCalls, task_rows
from ganger.watch import fetch
from ganger_core.domain.array import MAX_INDEX, MOST_ELEMENTS, Array, Indices, Items
from ganger_core.domain.dependency import Dependency, DependencyKind
from ganger_core.domain.errors import Conflict, GangerError, Invalid, NotFound
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import Task, TaskSpec
from ganger_core.domain.validate import MAX_PRIORITY, check_array, check_int, check_spec

ITEM_VARIABLE = "GANGER_ARRAY_ITEM"  # an element finds its item in it
PART_BYTES = 2**20
PUTS = 3  # how often items are put that the master has dropped before it got the array

FAILED = (
    TaskState.FAILED,
    TaskState.TIMED_OUT,
    TaskState.EXPIRED,
    TaskState.SKIPPED,
)  # and what was skipped for that

IndicesLike = Indices | str | int | Iterable[int]
"""Indices as text such as "0-99:5", how many there are (0 to that number - 1), or one by one."""


class ArrayClient:
    """What a `Client` can do with arrays."""

    _calls: MasterCalls

    def submit_array(
        self,
        command: Sequence[str],
        indices: IndicesLike | None = None,
        *,
        items: Items | Iterable[object] | None = None,
        max_parallel: int = 0,
        max_fails: int | None = None,
        request_id: str | None = None,
        **options: Unpack[TaskOptions],
    ) -> int:
        """Hand in an array, the same task for many indices, and return its id: its elements have the ids behind it.

        `indices` is text such as "0-99", "0-99:5" or "1,3,7-9", a number of elements, or the indices themselves; an
        element finds its own in GANGER_ARRAY_INDEX. With `items` there is one element for each, by default with the
        indices from 0 on, which finds it in GANGER_ARRAY_ITEM: text as it is, anything else as its JSON text.

        At most `max_parallel` elements run at the same time (0: as many as there is room for). When more than
        `max_fails` have failed, the rest is not run any more (None: whatever fails). The other arguments are those of
        `ganger.task_spec`, and `request_id` is as for `submit`. Raises `Invalid`, naming the field.
        """
        texts = items if items is None or isinstance(items, Items) else Items.of(item_texts(items))
        chosen = read_indices(indices, None if texts is None else len(texts))
        array = Array(chosen, max_parallel, max_fails)
        return hand_in(self._calls, request_id, task_spec(command, **options), array, texts)

    def update(
        self,
        task_id: int,
        *,
        max_parallel: int | None = None,
        held: bool | None = None,
        priority: int | None = None,
        time: float | str | None = None,
        queue_timeout: float | str | None = None,
        deadline: float | str | datetime | None = None,
    ) -> bool:
        """Change a task that is not over; None leaves things as they are.

        `max_parallel` is how many elements of an array may run at the same time (0: as many as there is room for). One
        that is `held` does not start before it is released, with False; of an array, nothing more begins. The others
        are as for `ganger.task_spec`, with 0 for no limit; `time` counts for what runs already, too, and a change of an
        array for all its elements.

        Returns whether that is in force. If not, workers that cannot be reached may still start what they were given
        before. What runs already goes on. Raises `Conflict` when the task is over, waits no more, or is no array.
        """
        if max_parallel is not None:
            check_int(max_parallel, "max_parallel", 0, MOST_ELEMENTS)
        if priority is not None:
            check_int(priority, "priority", 0, MAX_PRIORITY)
        asked = {
            "max_parallel": max_parallel,
            "held": held,
            "priority": priority,
            "run_s": None if time is None else seconds(time, "time"),
            "queue_s": None if queue_timeout is None else seconds(queue_timeout, "queue_timeout"),
            "deadline_ms": None if deadline is None else deadline_ms(deadline),
        }
        return self._calls.update(uuid.uuid4().hex, task_id, asked)

    def retry(
        self,
        task_id: int,
        *,
        indices: IndicesLike | None = None,
        cancelled: bool = False,
        after: AfterLike | None = None,
        again: Mapping[int, int] | None = None,
        request_id: str | None = None,
    ) -> int:
        """Hand in again what FAILED, TIMED_OUT, EXPIRED or was SKIPPED, and with `cancelled` what was CANCELLED.

        Of an array that is over, these elements become a new array with the same limits, in which they keep their
        indices and items. `indices` takes only some of them, and then only those must be over; an element's id stands
        for its array with its index. What it was to run after and is over is not waited for again, unless `again` has
        its new id; or `after`, as of `ganger.task_spec`, says what to wait for instead. Returns the new id. Raises
        `Conflict` when something goes on or there is nothing to retry.
        """
        task = self._calls.status(task_id).task
        states = (*FAILED, TaskState.CANCELLED) if cancelled else FAILED
        if task.array_id and indices is None:
            indices, task = [task.index], self._calls.status(task.array_id).task
        if task.array is None:
            if indices is not None:
                raise Invalid(f"task {task.label} is no array: it has no indices", field="indices")
            _ended_in(states, [task])
            return self._calls.submit(
                request_id or uuid.uuid4().hex, self._again(task.spec, after, again or {})
            )
        chosen = None if indices is None else read_indices(indices, None)
        failed = _failed_elements(self._calls, task, task.array, chosen, states)
        texts = Items.of(failed.values()) if task.array.items else None
        limits = task.array.max_parallel, task.array.max_fails
        array = Array(Indices.of(failed), *limits, retry_of=task.id)
        return hand_in(
            self._calls, request_id, self._again(task.spec, after, again or {}, array.indices), array, texts
        )

    def _again(
        self,
        spec: TaskSpec,
        after: AfterLike | None,
        again: Mapping[int, int],
        indices: Indices | None = None,
    ) -> TaskSpec:
        """The spec for another try: after these, or after what goes on still, or again, of what it was to run after."""
        if after is not None:
            spec = replace(spec, after=dependencies(after))
            check_spec(spec)
        elif spec.after:
            found, _ = fetch(
                self._calls, list({again.get(each.task_id, each.task_id) for each in spec.after})
            )
            left = []
            for each in spec.after:
                other = found.get(again.get(each.task_id, each.task_id))
                if other is None or other.is_final:
                    continue
                kind = each.kind
                if kind is DependencyKind.EACH:
                    if each.task_id not in again:
                        continue  # those that are tried again have had their turn
                    if other.array is None or str(other.array.indices) != str(indices):
                        kind = DependencyKind.OK
                left.append(Dependency(other.id, kind))
            spec = replace(spec, after=tuple(dict.fromkeys(left)))
        return spec


def read_indices(indices: IndicesLike | None, items: int | None, field: str = "indices") -> Indices:
    """The indices that are meant, for this number of items; raises `Invalid`."""
    chosen = _chosen(indices, items, field)
    if len(chosen) > MOST_ELEMENTS:
        raise Invalid(f"{field}: {len(chosen)} elements; at most {MOST_ELEMENTS} are allowed", field=field)
    if items is not None and len(chosen) != items:
        raise Invalid(f"{field}: {len(chosen)} for {items} items; each element gets one", field=field)
    return chosen


def _chosen(indices: IndicesLike | None, items: int | None, field: str) -> Indices:
    if isinstance(indices, Indices):
        return indices
    if isinstance(indices, str):
        return Indices.parse(indices, field)
    if isinstance(indices, int):
        check_int(indices, field, 1, MOST_ELEMENTS)
        return Indices.first(indices)
    if indices is None:
        if items is None:
            raise Invalid(
                f'{field} or items must be given: such as "0-99", a number of elements, or a list',
                field=field,
            )
        return Indices.first(items)
    listed = list(indices)
    for position, index in enumerate(listed):
        check_int(index, f"{field}[{position}]", 0, MAX_INDEX)
    if len(set(listed)) < len(listed):
        raise Invalid(f"{field}: an index is there twice", field=field)
    return Indices.of(listed)


def item_texts(items: Iterable[object], field: str = "items") -> list[str]:
    """Text as it is and anything else as its JSON text; raises `Invalid`."""
    if isinstance(items, str):
        raise Invalid(f"{field} must be a list with something for each element, not one text", field=field)
    return [
        item if isinstance(item, str) else _json_text(item, f"{field}[{position}]")
        for position, item in enumerate(items)
    ]


def _json_text(item: object, field: str) -> str:
    try:
        return json.dumps(item, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise Invalid(
            f"{field} is neither text nor can it be written as JSON: {error}", field="items"
        ) from None


def hand_in(
    calls: MasterCalls, request_id: str | None, spec: TaskSpec, array: Array, items: Items | None
) -> int:
    """Bring the items to the master, then the array; the array's id. A master that lost the items gets them again."""
    request_id = request_id or uuid.uuid4().hex
    if items is None:
        check_array(array)
        return calls.submit_array(request_id, spec, array)
    array = Array(array.indices, array.max_parallel, array.max_fails, items.digest, array.retry_of)
    check_array(array)
    tries = 0
    while True:
        _put(calls, array.items, items.blob)
        tries += 1
        try:
            return calls.submit_array(request_id, spec, array)
        except GangerError as error:
            if error.reason != "ITEMS_MISSING" or tries == PUTS:
                raise


def _put(calls: MasterCalls, digest: str, blob: bytes) -> None:
    """Send the parts that the master says it lacks; the first one always, because it says so in its answer."""
    offset = calls.put_items(digest, len(blob), 0, blob[:PART_BYTES])
    while offset < len(blob):
        offset = calls.put_items(digest, len(blob), offset, blob[offset : offset + PART_BYTES])


def _failed_elements(
    calls: MasterCalls, task: Task, array: Array, chosen: Indices | None, states: Collection[TaskState]
) -> dict[int, str]:
    """The item (empty where there are none) of each element that ended in one of `states`, by index, in their order."""

    def item(element: Task) -> str:
        return dict(element.spec.env)[ITEM_VARIABLE] if array.items else ""

    if chosen is not None:
        found, _ = fetch(calls, [element_id(task, index) for index in chosen])
        elements = _ended_in(states, sorted(found.values(), key=lambda element: element.index))
        return {element.index: item(element) for element in elements}
    if not task.is_final:
        raise Conflict(
            f"array {task.label} goes on: wait until it is over, or name elements of it that are, "
            f"such as {task.label}.{array.indices.at(0)}"
        )
    there = {state for state, count in array.counts if count}
    if not there.intersection(states):
        raise _nothing_to_retry(f"array {task.label}", there)
    # Of what may be a million elements only this is kept.
    rows = task_rows(calls, sorted(states), array_id=task.id)
    newest_first = [(row.task.index, item(row.task)) for row in rows]
    return dict(reversed(newest_first))


def _ended_in(states: Collection[TaskState], tasks: Sequence[Task]) -> list[Task]:
    """Those of these tasks, which must all be over; raises `Conflict` when there are none."""
    for task in tasks:
        if not task.is_final:
            raise Conflict(
                f"task {task.label} goes on: it is {task.state}; wait until it is over, or cancel it"
            )
    found = [task for task in tasks if task.state in states]
    if not found:
        names = ", ".join([f"task {task.label}" for task in tasks[:5]]) + (" …" if len(tasks) > 5 else "")
        raise _nothing_to_retry(names, {task.state for task in tasks})
    return found


def _nothing_to_retry(names: str, states: Collection[TaskState]) -> Conflict:
    some_were_cancelled = TaskState.CANCELLED in states
    hint = "; what was cancelled is retried only when that is asked for (--cancelled)" * some_were_cancelled
    return Conflict(f"nothing to retry: of {names} nothing failed, timed out or expired{hint}")


def element_id(array: Task, index: int) -> int:
    """The id of the element with this index; raises `Invalid` for what is no array, `NotFound` for no such index."""
    if array.array is None:
        raise Invalid(f"{array.label}.{index}: task {array.label} is no array", field="index")
    position = array.array.indices.position(index)
    if position is None:
        raise NotFound(
            f"array {array.label} has no index {index}; its indices are {_short(str(array.array.indices))}",
            field="index",
        )
    return array.id + 1 + position


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"
