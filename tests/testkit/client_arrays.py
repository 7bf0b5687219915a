"""This module keeps the arrays of `ScriptedMaster`: their items, elements and counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from ganger_core.domain.array import Array, Items
from ganger_core.domain.errors import Conflict
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import Outcome, OutcomeKind, Task, TaskSpec
from ganger_core.domain.validate import check_array

if TYPE_CHECKING:
    from testkit.client_master import ScriptedMaster


class ScriptedArrays:
    """What a real master knows of arrays, as far as clients see it; every element is a task from the beginning."""

    def __init__(self, master: ScriptedMaster) -> None:
        self._master = master
        self.items: dict[str, bytearray] = {}
        self.forgets = 0  # so many arrays find their items dropped
        self.out_of_reach = False  # a worker cannot be reached: a new limit is not in force

    def put(self, digest: str, size: int, offset: int, data: bytes) -> int:
        """Take a part, unless it is not the next one; returns where to go on."""
        held = self.items.setdefault(digest, bytearray())
        if offset <= len(held):
            held[offset : offset + len(data)] = data
        assert len(held) <= size
        return len(held)

    def submit(self, spec: TaskSpec, array: Array) -> int:
        """A new array whose elements wait."""
        check_array(array)
        if array.items and self.forgets:
            self.forgets -= 1
            del self.items[array.items]
        if array.items and array.items not in self.items:
            raise Conflict("the items are not here (any more): put them again", reason="ITEMS_MISSING")
        items = Items(bytes(self.items[array.items])) if array.items else None
        assert items is None or (items.digest, len(items)) == (array.items, len(array))
        master = self._master
        with master.changed:
            array_id = master.submit(spec)
            master.tasks[array_id] = replace(master.tasks[array_id], array=array)
            for position, index in enumerate(array.indices):
                env = [("ID", array_id), ("INDEX", index), ("COUNT", len(array))]
                env += [("ITEM", items[position])] if items else []
                own = tuple((f"GANGER_ARRAY_{name}", str(value)) for name, value in env)
                element = master.submit(replace(spec, env=spec.env + own))
                master.tasks[element] = replace(master.tasks[element], array_id=array_id, index=index)
        return array_id

    def update(self, task_id: int, max_parallel: int) -> bool:
        """Set the limit; whether it is in force."""
        task = self._master.tasks[task_id]
        if task.array is None or task.is_final:
            raise Conflict(f"task {task_id} is no array that goes on")
        array = replace(task.array, max_parallel=max_parallel)
        self._master.tasks[task_id] = replace(task, array=array)
        return not self.out_of_reach

    def close(self, array_id: int) -> None:
        """Cancel what has not begun, without an event for each, and the array."""
        with self._master.changed:
            for task in list(self._master.tasks.values()):
                if task.array_id == array_id and not task.is_final:
                    self._master.tasks[task.id] = replace(task, state=TaskState.CANCELLED)
            array = self._master.tasks[array_id].array
            assert array
            closed = replace(array, closed=TaskState.CANCELLED)
            why = "cancelled by tester"
            outcome = Outcome(OutcomeKind.CANCELLED, message="some elements were cancelled")
            self._master.change(
                array_id, state=TaskState.CANCELLED, array=closed, reason=why, outcome=outcome
            )

    def shown(self, task: Task) -> Task:
        """The task as it is told: an array with its counts."""
        if task.array is None:
            return task
        elements = [each.state for each in self._master.tasks.values() if each.array_id == task.id]
        return replace(task, array=replace(task.array, counts=tuple(Counter(elements).items())))
