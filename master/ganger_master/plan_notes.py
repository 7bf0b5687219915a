"""This module keeps what the last plans said, for whoever asks why a task waits or is where it is.

Nothing of it is stored: after a restart of the master it begins anew. One thread writes, the scheduler's; what is read
is never changed in place.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

KEPT_PLACED = 10_000  # tasks placed last of which it is known what they waited for


@dataclass(frozen=True, slots=True)
class PlanNote:
    """One plan: its number since the start of the master, who made it and why not the planner, how long that took.

    An empty `by` says that nothing could be decided: no worker may get work, or no task fits anywhere. After a restore
    nothing is planned until `held_until_ms` (0: it is).
    """

    number: int
    at_ms: int
    by: str
    why_not_planner: str = ""
    stage: str = ""
    took_ms: float = 0.0
    held_until_ms: int = 0


class Placed(NamedTuple):
    """What a task waited for before it was placed, by `str`, empty for nothing; and whom it went behind, if anybody."""

    waited_for: object
    went_behind: str = ""


NOTHING_KNOWN = Placed("")


class PlanNotes:
    """The last plan, and the tasks placed last."""

    def __init__(self) -> None:
        self.last: PlanNote | None = None
        self._placed: OrderedDict[int, Placed] = OrderedDict()

    @property
    def next_number(self) -> int:
        """The number of the plan that comes next."""
        return self.last.number + 1 if self.last else 1

    def planned(self, note: PlanNote) -> PlanNote:
        """This is the last plan now."""
        self.last = note
        return note

    def placed(self, tasks: Iterable[tuple[int, Placed]]) -> None:
        """These tasks were placed now."""
        for task_id, how in tasks:
            self._placed[task_id] = how
            self._placed.move_to_end(task_id)
        while len(self._placed) > KEPT_PLACED:
            self._placed.popitem(last=False)

    def of(self, task_id: int) -> Placed:
        """How this task was placed last, so far as that is known."""
        return self._placed.get(task_id, NOTHING_KNOWN)
