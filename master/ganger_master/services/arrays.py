"""This module answers clients about arrays: their items, which come before them, and themselves."""

from __future__ import annotations

from collections.abc import Mapping
from operator import eq

from ganger_core.convert import task as convert
from ganger_core.domain import validate
from ganger_core.domain.array import Array, Items
from ganger_core.domain.dependency import DependencyKind
from ganger_core.domain.errors import GangerError, Invalid, NotFound
from ganger_core.domain.task import Task, TaskSpec
from ganger_core.wire.v1 import task_pb2
from ganger_master.changes import SubmitArray
from ganger_master.elements import ElementStates
from ganger_master.services.calls import ClientCalls, caller, request_of
from ganger_master.services.uploads import checked_items
from ganger_master.store.rows import array_to_text, spec_to_json


class ArrayCalls(ClientCalls):
    """What clients may ask about arrays alone."""

    async def SubmitArray(
        self, request: task_pb2.SubmitArrayRequest, context: object
    ) -> task_pb2.SubmitArrayResponse:
        """Accept an array, whose items have been put before."""
        convert.require(request, "spec", "spec")
        convert.require(request, "array", "array")
        spec = convert.spec_from_proto(request.spec)
        array = await self._read(convert.array_from_proto, request.array)  # it may name many indices
        validate.check_spec(spec, "spec", self._least_lease_s)
        validate.check_order([spec], is_array=True)
        validate.check_array(array)
        key = request_of(request.request_id, f"{spec_to_json(spec)}\n{array_to_text(array)}")
        items = None
        if self._engine.stored_answer(key) is None:  # a repeated request gets its answer all the same
            self._disk.check()
            if array.items:
                items = await self._items(key.owner, array)
        known = await self._upstreams(key, (spec,))
        states = await self._states(spec, array, known)
        applied = self._engine.apply([SubmitArray(key, spec, array, items, known, states)], self._clock.now())
        task_id = applied.only()
        await self._gate.passed(applied.ticket)
        assert isinstance(task_id, int)
        self._uploads.drop(key.owner, array.items)
        return task_pb2.SubmitArrayResponse(task_id=task_id, count=len(array))

    async def _states(
        self, spec: TaskSpec, array: Array, known: Mapping[int, Task]
    ) -> dict[int, ElementStates]:
        """How the elements stand of those arrays that are over and that this one waits for element by element.

        Raises `Invalid` where there is no element for each of the array's own, `NotFound` where these are forgotten.
        """
        found = {}
        for task_id in [each.task_id for each in spec.after if each.kind is DependencyKind.EACH]:
            other = known.get(task_id)
            if other is None:  # a repeated request, which is not done again
                continue
            if other.array is None:
                raise Invalid(
                    f"after: each goes element by element, and task {task_id} is no array", field="after"
                )
            if not await self._read(_same_indices, array, other.array):
                raise Invalid(
                    f"after: each goes element by element, but array {task_id} has other indices: "
                    f"{str(other.array.indices)[:80]}, not {str(array.indices)[:80]}",
                    field="after",
                )
            if other.is_final:
                found[task_id] = states = await self._read(self._reader.element_states, other)
                if any(states[position] is None for position in range(other.array.made)):
                    raise NotFound(f"after: elements of array {task_id} are forgotten", field="after")
        return found

    async def PutItems(self, request: task_pb2.PutItemsRequest, context: object) -> task_pb2.PutItemsResponse:
        """Take in a part of the items of an array that is to come."""
        next_offset = self._uploads.put(
            caller().name, request.digest, request.size, request.offset, request.data
        )
        return task_pb2.PutItemsResponse(next_offset=next_offset)

    async def _items(self, owner: str, array: Array) -> Items:
        """The items that were put for this array; what is wrong with them is not kept."""
        blob = self._uploads.take(owner, array.items)
        try:
            return await self._read(checked_items, blob, array.items, len(array))
        except GangerError:
            self._uploads.drop(owner, array.items)
            raise


def _same_indices(one: Array, other: Array) -> bool:
    return len(one) == len(other) and all(map(eq, one.indices, other.indices))
