"""This module holds what decisions are made on: the master's truth in memory, and the settings they depend on."""

from __future__ import annotations

from dataclasses import dataclass, field

from ganger_core.domain.cordon import Cordon
from ganger_core.domain.task import Attempt, OnWorkerLost, Task, TaskSpec, WorkerProfile
from ganger_master.dependents import Dependents
from ganger_master.elements import Arrays
from ganger_master.lanes import Lanes
from ganger_master.run_times import RunTimes

AGES_AFTER_S = 3_600.0
"""How long an attempt may have run until a loss of its worker costs too much to start over unasked."""


@dataclass(slots=True)
class State:
    """The master's truth in memory: live tasks with their newest attempt, recently ended ones, and the counters."""

    tasks: dict[int, Task] = field(default_factory=dict)
    attempts: dict[int, Attempt] = field(default_factory=dict)  # the newest of each task, by task id
    requests: dict[tuple[str, str], tuple[str, str]] = field(
        default_factory=dict
    )  # (owner, id) -> digest, answer
    workers: dict[str, WorkerProfile] = field(default_factory=dict)
    next_task_id: int = 1
    next_seq: int = 1
    epoch: int = 1
    restored: int = 0  # see epochs.py
    cordons: dict[str, Cordon] = field(default_factory=dict)  # by worker id
    arrays: Arrays = field(default_factory=Arrays, compare=False)  # those that are not over
    dependents: Dependents = field(default_factory=Dependents, compare=False)  # of what is not over
    lanes: Lanes = field(default_factory=Lanes, compare=False)  # of the live attempts
    run_times: RunTimes = field(default_factory=RunTimes, compare=False)


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings that decisions depend on, in seconds."""

    lease_s: float
    stop_grace_s: float
    ages_after_s: float = AGES_AFTER_S

    def lease_of(self, spec: TaskSpec) -> float:
        """The lease that an attempt begins with; 0 is none: only its worker's word or a fence ends it."""
        if spec.on_worker_lost is OnWorkerLost.WAIT:
            return 0.0
        own = spec.limits.lost_after_s
        return self.lease_s if own is None else own

    def grace_of(self, spec: TaskSpec) -> float:
        """How long a task has between the signal that stops it and SIGKILL, when nobody says otherwise."""
        own = spec.limits.grace_s
        return self.stop_grace_s if own is None else own
