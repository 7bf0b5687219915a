"""This module keeps what waits for something other than capacity: a moment, other tasks, or somebody."""

from __future__ import annotations

import heapq
from math import inf

from ganger_core.domain.dependency import DependencyKind
from ganger_core.domain.task import NO_WAITS, Waits

OUTDATED_KEPT = 1_000  # entries of what is not aside any more, before they are dropped


class Aside:
    """What is not in line, by id, with what it waits for."""

    def __init__(self) -> None:
        self._waits: dict[int, Waits] = {}
        self._due: list[
            tuple[float, int]
        ] = []  # a heap; entries that `_waits` does not agree with are outdated

    def __contains__(self, number: int) -> bool:
        return number in self._waits

    def waits(self, number: int) -> Waits:
        """What this waits for; nothing when it is not aside."""
        return self._waits.get(number, NO_WAITS)

    def put(self, number: int, waits: Waits) -> bool:
        """Have this wait for that from now on; whether that is anything."""
        until_ms = ready_ms(waits)
        if not until_ms:
            self.drop(number)
            return False
        self._waits[number] = waits
        if until_ms < inf:
            heapq.heappush(self._due, (until_ms, number))
            self._drop_outdated()
        return True

    def drop(self, number: int) -> None:
        """This is not aside any more, if it was."""
        self._waits.pop(number, None)

    def take_due(self, now_ms: int) -> list[int]:
        """What need not wait any longer by now; it is not aside any more."""
        taken = []
        while self._due and self._due[0][0] <= now_ms:
            until_ms, number = heapq.heappop(self._due)
            if ready_ms(self.waits(number)) == until_ms:
                del self._waits[number]
                taken.append(number)
        return taken

    def due_in_s(self, now_ms: int) -> float:
        """How long until something is due, in seconds; infinity when nothing will be by itself."""
        while self._due and ready_ms(self.waits(self._due[0][1])) != self._due[0][0]:
            heapq.heappop(self._due)
        return max(0.0, (self._due[0][0] - now_ms) / 1000) if self._due else inf

    def _drop_outdated(self) -> None:
        if len(self._due) > 2 * len(self._waits) + OUTDATED_KEPT:
            due = [(ready_ms(waits), number) for number, waits in self._waits.items()]
            self._due = [entry for entry in due if entry[0] < inf]
            heapq.heapify(self._due)


def ready_ms(waits: Waits) -> float:
    """From when on this may be in line (Unix ms): 0 for at once, infinity while it is held or waits for other tasks.

    What waits element by element does so in its elements.
    """
    others = waits.after and any(each.kind is not DependencyKind.EACH for each in waits.after)
    return inf if waits.held_by or others else waits.until_ms
