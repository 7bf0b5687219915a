"""This module plants bugs into what production code does with arrays, for `simulation.bugs`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

Patches = Mapping[str, Any]
"""What to put where: `package.module:name` or `package.module:Class.name`."""


def _limit_in_force_at_once() -> Patches:
    """A lower limit is acknowledged while workers still hold what may start beyond it."""
    return {"ganger_master.engine:is_in_force": lambda state, array_id: True}


def _limit_forgotten() -> Patches:
    """Elements are given capacity whatever the limit says."""

    def limit_array(self: Any, array_id: int, left: int, most: int) -> None:
        return

    return {
        "ganger_master.queue:TaskQueue.limit_array": limit_array,
        "ganger_master.cycle:room": lambda state, array_id: None,
    }


def _elements_among_others() -> Patches:
    """An element may be behind any attempt that asks for the same."""
    from ganger_core.domain.task import LaneKey

    lane = property(lambda self: LaneKey(self.spec.resources))
    key = property(lambda self: LaneKey(self.request))
    return {
        "ganger_core.domain.task:Task.lane": lane,
        "ganger_core.domain.task:StartOrder.lane": lane,
        "ganger_master.queue:BucketKey.lane": key,
    }


def _element_begins_again() -> Patches:
    """A restarted master takes elements that have records for ones that never began."""
    from ganger_master.elements import Elements

    real = Elements.note

    def note(self: Any, before: Any, task: Any) -> None:
        if before is not None or task.version < 3:
            real(self, before, task)

    return {"ganger_master.elements:Elements.note": note}


def _cancelled_rest_still_waits() -> Patches:
    """What was never begun of a cancelled array stays in the queue."""
    return {"ganger_master.queue:TaskQueue.close_array": lambda self, array_id, over=False: None}


def _hold_is_only_noted() -> Patches:
    """What is held waits in the queue like anything else."""
    from ganger_master.aside import Aside, is_held_back

    put = Aside.put

    def let_go(waits: Any) -> Any:
        return replace(waits, held_by="")

    return {
        "ganger_master.aside:Aside.put": lambda self, number, waits, now: put(
            self, number, let_go(waits), now
        ),
        "ganger_master.arrays:is_held_back": lambda waits, now_ms: is_held_back(let_go(waits), now_ms),
    }


def _retries_without_end() -> Patches:
    """The retries that were used are not counted."""
    from ganger_master.moves import move

    def forgetful(task: Any, *args: Any, **others: Any) -> Any:
        return move(replace(task, failures=0), *args, **others)

    return {"ganger_master.retrying:move": forgetful}


ARRAY_BUGS: Mapping[str, Callable[[], Patches]] = {
    "limit of an array forgotten": _limit_forgotten,
    "lower limit in force at once": _limit_in_force_at_once,
    "elements behind others": _elements_among_others,
    "element begins again": _element_begins_again,
    "cancelled rest still waits": _cancelled_rest_still_waits,
    "hold is only noted": _hold_is_only_noted,
    "retries are not counted": _retries_without_end,
}
