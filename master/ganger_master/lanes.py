"""This module keeps who is behind whom: on one worker, among the live attempts of the same lane.

An attempt that is `behind` has no capacity of its own. When one of its lane that has some is over, the first behind
it gets that: its worker starts it without asking.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ganger_core.domain.task import Attempt, AttemptRef, LaneKey

_NONE: Mapping[str, Lane] = MappingProxyType({})


@dataclass(slots=True)
class Lane:
    """The live attempts of one worker that may take each other's place, in the order in which they came."""

    full: dict[AttemptRef, None] = field(default_factory=dict)  # each has capacity of its own
    behind: dict[AttemptRef, None] = field(default_factory=dict)


class Lanes:
    """All lanes, by what their attempts have in common and by worker."""

    def __init__(self) -> None:
        self._lanes: dict[LaneKey, dict[str, Lane]] = {}  # never an empty one
        self._of_array: dict[int, LaneKey] = {}  # the elements of an array all ask for the same
        self._running: Counter[int] = Counter()  # of each array, how many have capacity of their own

    def note(self, attempt: Attempt, key: LaneKey) -> None:
        """This is the attempt now."""
        lanes = self._lanes.setdefault(key, {})
        lane = lanes.setdefault(attempt.worker_id, Lane())
        before = len(lane.full)
        for refs, belongs in ((lane.full, not attempt.behind), (lane.behind, attempt.behind)):
            if attempt.is_live and belongs:
                refs.setdefault(attempt.ref)
            else:
                refs.pop(attempt.ref, None)
        if key.array_id:
            self._of_array[key.array_id] = key
            self._running[key.array_id] += len(lane.full) - before
        if not lane.full and not lane.behind:
            del lanes[attempt.worker_id]
            if not lanes:
                del self._lanes[key]
                if key.array_id:
                    del self._of_array[key.array_id], self._running[key.array_id]

    def of(self, key: LaneKey) -> Mapping[str, Lane]:
        """The lanes of those that have this in common, by worker."""
        return self._lanes.get(key, _NONE)

    def running(self, array_id: int) -> int:
        """How many elements of this array have capacity of their own."""
        return self._running.get(array_id, 0)

    def of_array(self, array_id: int) -> Mapping[str, Lane]:
        """The lanes of the elements of this array, by worker."""
        key = self._of_array.get(array_id)
        return _NONE if key is None else self._lanes[key]

    def keys(self) -> frozenset[LaneKey]:
        """What those that are in lanes have in common."""
        return frozenset(self._lanes)

    def behind(self) -> list[AttemptRef]:
        """All that are behind."""
        return [ref for lanes in self._lanes.values() for lane in lanes.values() for ref in lane.behind]
