"""This module says what a planner is asked and what it answers.

Workers and shapes are named by their index in the snapshot, so that ten thousand tasks on a thousand
workers are a few packed arrays on the wire. `shape` means: tasks that ask for the same thing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ganger_core.domain.resources import Resources


@dataclass(frozen=True, slots=True)
class Fleet:
    """The workers that may get work, in a fixed order, and each one's whole capacity. Known by its digest."""

    worker_ids: tuple[str, ...]
    capacities: tuple[Resources, ...]


@dataclass(frozen=True, slots=True)
class ShapeDemand:
    """Waiting tasks of one shape and one priority, first come first served: their ids in rank order."""

    request: Resources
    priority: int
    task_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The frozen view a plan is made from: `free[i]` is what worker i has left, `shapes` stand in rank order."""

    fleet: Fleet
    free: tuple[Resources, ...]
    shapes: tuple[ShapeDemand, ...]


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """What a caller may ask of the planner. The same snapshot, options and seed give the same plan, byte for byte."""

    seed: int = 0


class RefusalCode(StrEnum):
    """Why a group of workers could not take a task of a shape."""

    TOO_LARGE = "TOO_LARGE"  # the workers' whole capacity is below the request
    BUSY = "BUSY"  # it would fit were they idle; it does not fit beside what they run


@dataclass(frozen=True, slots=True)
class GroupRefusal:
    """Why the workers of one capacity cannot take one more task of the shape.

    `shortage` is the least that the nearest of them is short of, kind by kind.
    """

    capacity: Resources
    workers: int
    code: RefusalCode
    shortage: Resources


@dataclass(frozen=True, slots=True)
class Refusal:
    """`count` tasks of shape `shape` (its last ones in rank order) got no worker, for these reasons."""

    shape: int
    count: int
    groups: tuple[GroupRefusal, ...]


@dataclass(frozen=True, slots=True)
class Assignment:
    """Start this task on worker number `worker` of the fleet."""

    task_id: int
    worker: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The planner's proposal: only what the snapshot, options and seed determine.

    `value` is the sum over placed tasks of priority + 1; `upper_bound` is proven: no plan for this
    snapshot is worth more. `stage` names the algorithm that made the plan.
    """

    assignments: tuple[Assignment, ...]
    refusals: tuple[Refusal, ...]
    value: int
    upper_bound: int
    stage: str
    work_units: int
    seed: int
    snapshot_digest: str

    @property
    def gap(self) -> float:
        """How far the value may be from the best possible, as a share of the bound: 0 is proven optimal."""
        return (self.upper_bound - self.value) / self.upper_bound if self.upper_bound else 0.0


@dataclass(frozen=True, slots=True)
class PlanReport:
    """What making the plan cost: not part of the plan, because it differs from run to run."""

    wall_ms: float
