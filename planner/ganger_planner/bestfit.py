"""This module places shapes of tasks on workers by deterministic best fit, in whole-number numpy arithmetic.

Of the workers that a task fits, it goes to the one with the least

1. *waste*: what would be left of the worker once it is full of tasks of this shape, and so is of no use to
   the shape; of several
2. *leftover*: what is left of it now; of several
3. index in the fleet.

Waste and leftover are sums over CPU and memory, each as a share of the most that any worker of the fleet
has of it. Slots limit how many tasks fit, but a slot that stays empty is no loss. Leftover alone is the "best
fit" that "Beware of Fragmentation" (USENIX ATC'23) and its public simulator measure themselves against;
there it is the second key, because on workers and tasks of differing proportions it strands what the next
tasks need and places less than first fit does, and waste, which prefers a worker of the task's own
proportions, places more (tests/unit/planner/test_planner_quality.py).

The cost grows with shapes x workers and not with tasks x workers. A task of the shape leaves the waste of the
worker that took it as it was, for that shape, makes its leftover smaller, and changes no other worker. So the
next task goes to the same worker for as long as it fits, and then to the next one in the order: a shape is
placed by one sort of the workers and one running sum, with the result of placing one by one.

Shares are fixed-point numbers, 2**60 for the largest amount, so that every comparison is exact.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ganger_core.domain.resources import KINDS, MAX_AMOUNT

IntArray: TypeAlias = NDArray[np.int64]

_ONE = 2**60  # the share of a worker that has as much of a kind as the largest worker
_SCORED = np.array([kind != "slots" for kind in KINDS], dtype=np.int64)


class Packing:
    """What the workers have left while one plan is made: the state that `take` moves on.

    Both tables have a row per worker and a column per kind; the amounts are at most 2**53, and a worker that
    has less than nothing left of a kind gets no task. `evaluations` counts the shape-worker pairs looked at.
    """

    def __init__(self, capacities: IntArray, free: IntArray) -> None:
        self.evaluations = 0
        self._free = free.copy()
        self._weights = _SCORED * (_ONE // np.maximum(capacities, free).max(axis=0, initial=1))

    def take(self, request: IntArray, count: int) -> tuple[IntArray, IntArray]:
        """Place up to `count` tasks of one shape; returns the workers in filling order, and how many each takes."""
        self.evaluations += len(self._free)
        feasible = np.flatnonzero((self._free >= request).all(axis=1))
        left = self._free[feasible]
        room = _room(left, request)
        waste = (left - room[:, np.newaxis] * request) @ self._weights
        order = np.lexsort((left @ self._weights, waste))  # stable: equal workers stay in fleet order
        room = np.minimum(room[order], count)
        before = np.cumsum(room) - room
        used = int(np.searchsorted(before, count))  # workers whose turn comes before the last task is placed
        workers = feasible[order[:used]]
        taken = np.minimum(room[:used], count - before[:used])
        self._free[workers] -= taken[:, np.newaxis] * request
        return workers, taken


def _room(free: IntArray, request: IntArray) -> IntArray:
    """How many tasks of the shape fit each row; without bound when the shape asks for nothing."""
    asked = request > 0
    room: IntArray = (free[:, asked] // request[asked]).min(axis=1, initial=MAX_AMOUNT)
    return room
