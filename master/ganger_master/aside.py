"""This module keeps what waits for something other than capacity: a moment, other tasks, or somebody.

Moments that people name are of the wall clock; pauses are measured on the steady one, so that a clock that is set does
not make them longer. A pause begins anew with the master.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from math import inf

from ganger_core.domain.clock import Instant
from ganger_core.domain.dependency import DependencyKind
from ganger_core.domain.waits import NO_WAITS, Waits

OUTDATED_KEPT = 1_000  # entries of what is not aside any more, before they are dropped


@dataclass(frozen=True, slots=True)
class _Entry:
    waits: Waits
    paused_until_s: float

    def ready(self, now: Instant) -> bool:
        return not is_held_back(self.waits, now.wall_ms) and self.paused_until_s <= now.steady_s


class Aside:
    """What is not in line, by id, with what it waits for."""

    def __init__(self) -> None:
        self._entries: dict[int, _Entry] = {}
        self._by_wall = _Due()  # in milliseconds
        self._by_steady = _Due()  # in seconds

    def __contains__(self, number: int) -> bool:
        return number in self._entries

    def waits(self, number: int) -> Waits:
        """What this waits for; nothing when it is not aside."""
        entry = self._entries.get(number)
        return entry.waits if entry else NO_WAITS

    def paused_until_s(self, number: int) -> float:
        """Until when (steady) this pauses after a failure; long ago when it does not."""
        entry = self._entries.get(number)
        return entry.paused_until_s if entry else -inf

    def put(self, number: int, waits: Waits, now: Instant, paused_until_s: float | None = None) -> bool:
        """Have this wait for that from now on; whether that is anything. A pause that has begun ends as it was to."""
        if paused_until_s is None:
            paused_until_s = now.steady_s + waits.pause_s if waits.pause_s else -inf
        entry = _Entry(waits, paused_until_s)
        if entry.ready(now):
            self.drop(number)
            return False
        self._entries[number] = entry
        self._note(number, entry, now)
        return True

    def drop(self, number: int) -> None:
        """This is not aside any more, if it was."""
        self._entries.pop(number, None)

    def take_due(self, now: Instant) -> list[int]:
        """What need not wait any longer by now; it is not aside any more."""
        taken = []
        for number in (*self._by_wall.take(now.wall_ms), *self._by_steady.take(now.steady_s)):
            entry = self._entries.get(number)
            if entry is None:
                continue
            if entry.ready(now):
                del self._entries[number]
                taken.append(number)
            else:
                self._note(number, entry, now)
        return taken

    def due_in_s(self, now: Instant) -> float:
        """How long until something may be due, in seconds; infinity when nothing will be by itself."""
        wall_s = (self._by_wall.next() - now.wall_ms) / 1000
        return max(0.0, min(wall_s, self._by_steady.next() - now.steady_s))

    def _note(self, number: int, entry: _Entry, now: Instant) -> None:
        """Look at it again at the later of its two moments, as far as that can be told now."""
        if _has_no_end(entry.waits):
            return
        if entry.paused_until_s > now.steady_s:
            self._by_steady.add(entry.paused_until_s, number)
        else:
            self._by_wall.add(entry.waits.until_ms, number)
        if len(self._by_wall) + len(self._by_steady) > 2 * len(self._entries) + OUTDATED_KEPT:
            self._by_wall, self._by_steady = _Due(), _Due()
            for other, known in self._entries.items():
                if not _has_no_end(known.waits):
                    self._by_steady.add(known.paused_until_s, other)


class _Due:
    """Ids in the order of their moments; outdated ones do no harm."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, moment: float, number: int) -> None:
        heapq.heappush(self._heap, (moment, number))

    def next(self) -> float:
        return self._heap[0][0] if self._heap else inf

    def take(self, until: float) -> list[int]:
        taken = []
        while self._heap and self._heap[0][0] <= until:
            taken.append(heapq.heappop(self._heap)[1])
        return taken


def is_held_back(waits: Waits, now_ms: int) -> bool:
    """Whether somebody holds this, it waits for other tasks, or its moment has not come (Unix milliseconds)."""
    return _has_no_end(waits) or waits.until_ms > now_ms


def _has_no_end(waits: Waits) -> bool:
    """Whether no moment ends this wait: somebody does, or other tasks.

    What waits element by element does so in its elements.
    """
    return bool(waits.held_by) or any(each.kind is not DependencyKind.EACH for each in waits.after)
