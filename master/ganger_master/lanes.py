"""This module keeps who is behind whom: on one worker, among the live attempts that ask for the same.

An attempt that is `behind` has no capacity of its own. When one of its lane that has some is over, the first behind
it gets that: its worker starts it without asking.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ganger_core.domain.resources import Resources
from ganger_core.domain.task import Attempt, AttemptRef

_NONE: Mapping[str, Lane] = MappingProxyType({})


@dataclass(slots=True)
class Lane:
    """The live attempts of one worker that ask for the same, in the order in which they came."""

    full: dict[AttemptRef, None] = field(default_factory=dict)  # each has capacity of its own
    behind: dict[AttemptRef, None] = field(default_factory=dict)


class Lanes:
    """All lanes, by what is asked for and by worker."""

    def __init__(self) -> None:
        self._lanes: dict[Resources, dict[str, Lane]] = {}  # never an empty one

    def note(self, attempt: Attempt, request: Resources) -> None:
        """This is the attempt now."""
        lanes = self._lanes.setdefault(request, {})
        lane = lanes.setdefault(attempt.worker_id, Lane())
        for refs, belongs in ((lane.full, not attempt.behind), (lane.behind, attempt.behind)):
            if attempt.is_live and belongs:
                refs.setdefault(attempt.ref)
            else:
                refs.pop(attempt.ref, None)
        if not lane.full and not lane.behind:
            del lanes[attempt.worker_id]
            if not lanes:
                del self._lanes[request]

    def of(self, request: Resources) -> Mapping[str, Lane]:
        """The lanes of those that ask for this, by worker."""
        return self._lanes.get(request, _NONE)

    def requests(self) -> frozenset[Resources]:
        """What is asked for by those that are in lanes."""
        return frozenset(self._lanes)

    def behind(self) -> list[AttemptRef]:
        """All that are behind."""
        return [ref for lanes in self._lanes.values() for lane in lanes.values() for ref in lane.behind]
