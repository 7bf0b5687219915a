"""This module says what a dry run is asked and what it answers: what would start now, and why the rest would not."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ganger_core.domain.task import TaskSpec


class Prospect(StrEnum):
    """What becomes of tasks now."""

    STARTS = "STARTS"  # at least one of them has a worker now
    LATER = "LATER"  # it waits for something else than capacity
    BEHIND = "BEHIND"  # there is room, but others come first
    NO_ROOM = "NO_ROOM"  # no worker has room now
    NEVER = "NEVER"  # no worker that is there could ever run it


@dataclass(frozen=True, slots=True)
class Demand:
    """So many tasks of one spec, of which at most `max_parallel` run at the same time (0: no limit).

    Those of one dry run may be after each other: -1 is the first demand, -2 the second.
    """

    spec: TaskSpec
    count: int = 1
    max_parallel: int = 0


@dataclass(frozen=True, slots=True)
class Share:
    """A worker, and how many of the tasks it would start now."""

    worker_name: str
    tasks: int


@dataclass(frozen=True, slots=True)
class Outlook:
    """What becomes of `count` tasks: `ahead` come first, and `reason` says why those wait that do not start."""

    prospect: Prospect
    count: int
    shares: tuple[Share, ...] = ()
    ahead: int = 0
    reason: str = ""

    @property
    def starts(self) -> int:
        """How many would start now."""
        return sum(share.tasks for share in self.shares)


@dataclass(frozen=True, slots=True)
class Forecast:
    """A dry run: an outlook of each demand, who planned it by which algorithm, in how long, and for how many workers.

    `planned_by` is empty when nothing was to be decided.
    """

    outlooks: tuple[Outlook, ...]
    planned_by: str
    why_not_planner: str
    stage: str
    plan_ms: float
    workers: int
