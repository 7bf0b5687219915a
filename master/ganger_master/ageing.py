"""This module says what it counts that a task has waited: its rank is its priority and, up to a cap, its age. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ganger_core.domain.task import Task

MS_PER_HOUR = 3_600_000
GRAIN = 1_000  # ranks are counted in thousandths of a point of priority


class Rank(NamedTuple):
    """What comes first is smaller: more points of priority and age, then the lower id."""

    behind: int  # minus the points, in thousandths
    task_id: int


@dataclass(frozen=True, slots=True)
class Ageing:
    """What waiting adds to a priority: `per_hour` points for every hour since the submission, at most `most`.

    All that have the same priority age alike, so that their order never changes; one of a low priority comes before
    newer ones that are at most `most` points above it, and never before others.
    """

    per_hour: float
    most: float

    def rank(self, priority: int, submitted_ms: int, task_id: int, now_ms: int) -> Rank:
        """The rank at `now_ms` (both times are Unix milliseconds)."""
        age_ms = max(0, now_ms - submitted_ms)
        points = min(GRAIN * self.most, GRAIN * self.per_hour * age_ms / MS_PER_HOUR)
        return Rank(-GRAIN * priority - int(points), task_id)

    def rank_of(self, task: Task, now_ms: int) -> Rank:
        """The rank of this task at `now_ms`."""
        return self.rank(task.spec.priority, task.submitted_ms, task.id, now_ms)


NO_AGEING = Ageing(0.0, 0.0)
