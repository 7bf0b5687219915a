"""This module is the line of attempts that wait behind others, for the capacity of one that asks for the same."""

from __future__ import annotations

from collections import OrderedDict

from ganger_core.domain.resources import Resources
from ganger_core.domain.task import AttemptRef, StartOrder


class Waiting:
    """Who waits, by what they ask for, in order. Whoever owns it guards it."""

    def __init__(self) -> None:
        self._lanes: dict[Resources, OrderedDict[AttemptRef, None]] = {}  # none of them empty

    def add(self, order: StartOrder) -> None:
        """This one waits, as the last of its lane."""
        self._lanes.setdefault(order.spec.resources, OrderedDict())[order.ref] = None

    def discard(self, order: StartOrder) -> None:
        """This one waits no more, if it did."""
        request = order.spec.resources
        lane = self._lanes.get(request)
        if lane is not None:
            lane.pop(order.ref, None)
            if not lane:
                del self._lanes[request]

    def next_after(self, order: StartOrder) -> AttemptRef | None:
        """The first that can have the capacity of this one."""
        lane = self._lanes.get(order.spec.resources)
        return None if lane is None else next(iter(lane))

    def everyone(self) -> list[AttemptRef]:
        """All that wait."""
        return [ref for lane in self._lanes.values() for ref in lane]
