"""This module is the line of attempts that wait behind others, for the capacity of one of their lane."""

from __future__ import annotations

from collections import OrderedDict

from ganger_core.domain.task import AttemptRef, LaneKey, StartOrder


class Waiting:
    """Who waits, by lane, in order. Whoever owns it guards it."""

    def __init__(self) -> None:
        self._lanes: dict[LaneKey, OrderedDict[AttemptRef, None]] = {}  # none of them empty
        self._lengths: dict[LaneKey, int] = {}  # of each lane when one was added last

    def add(self, order: StartOrder) -> None:
        """This one waits, as the last of its lane."""
        key = order.lane
        lane = self._lanes.setdefault(key, OrderedDict())
        lane[order.ref] = None
        self._lengths[key] = len(lane)

    def discard(self, order: StartOrder) -> None:
        """This one waits no more, if it did."""
        key = order.lane
        lane = self._lanes.get(key)
        if lane is not None:
            lane.pop(order.ref, None)
            if not lane:
                del self._lanes[key], self._lengths[key]

    def next_after(self, order: StartOrder) -> AttemptRef | None:
        """The first that can have the capacity of this one."""
        lane = self._lanes.get(order.lane)
        return None if lane is None else next(iter(lane))

    def suffices(self, order: StartOrder) -> bool:
        """Whether more than half of the lane is left since one was added last: nobody need hurry to send more."""
        key = order.lane
        lane = self._lanes.get(key)
        return lane is not None and 2 * len(lane) > self._lengths[key]

    def everyone(self) -> list[AttemptRef]:
        """All that wait."""
        return [ref for lane in self._lanes.values() for ref in lane]
