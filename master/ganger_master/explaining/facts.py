"""This module holds what an explanation is made from: a few values, each copied under one lock."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ganger_core.domain.cordon import Cordon
from ganger_core.domain.plan import Fleet
from ganger_core.domain.resources import Resources
from ganger_core.domain.states import WorkerState
from ganger_core.domain.task import Attempt, AttemptRef, Task
from ganger_core.domain.waits import Waits
from ganger_master.arrays import find
from ganger_master.plan_notes import PlanNote
from ganger_master.standing import Standing
from ganger_master.state import Rules, State


@dataclass(frozen=True, slots=True)
class WorkerLook:
    """One worker as the registry knows it: what it has, what is free, and why it may get nothing new.

    `silent_s` is the age of its last sign of life; `rests_s` for how long it gets nothing new because of what it
    refused last, in its `words`; `cordon` is the word of an operator that it gets none.
    """

    id: str
    name: str
    state: WorkerState
    capacity: Resources
    free: Resources
    silent_s: float = 0.0
    rests_s: float = 0.0
    words: str = ""
    cordon: Cordon | None = None

    @property
    def may_be_resumed(self) -> bool:
        """Whether it gets nothing new because an operator wants that, and for nothing else."""
        stands = (WorkerState.CORDONED, WorkerState.DRAINING, WorkerState.DRAINED)
        return self.cordon is not None and self.state in stands and self.rests_s <= 0

    @property
    def takes_work(self) -> bool:
        """Whether it may get work now."""
        return self.state is WorkerState.UP and self.rests_s <= 0


@dataclass(frozen=True, slots=True)
class HolderLook:
    """One attempt on a worker: what it holds there, since when, and by when it must be over (Unix ms, 0: no limit).

    `behind` is whom it waits behind, in which case it holds nothing.
    """

    label: str
    array_id: int
    name: str
    held: Resources
    since_ms: int
    until_ms: int = 0
    behind: str = ""


class Named(NamedTuple):
    """What a task is called, and of which array it is (0: of none)."""

    label: str
    name: str
    array_id: int


Owns = Callable[[str], bool]
"""Whether the caller may see what this owner has."""


def called(task: Task, owns: Owns) -> Named:
    """What the task is called to the caller; of somebody else's only whose it is."""
    if not owns(task.owner):
        return Named(f"a task of {task.owner}", "", 0)
    return Named(task.label, task.spec.name, task.array_id)


@dataclass(frozen=True, slots=True)
class Facts:
    """Why a task waits is read off these. `holders` are there for the workers that were asked about, by id."""

    task: Task
    standing: Standing
    workers: Sequence[WorkerLook]
    now_ms: int
    holders: Mapping[str, Sequence[HolderLook]] = field(default_factory=dict)
    names: Mapping[int, Named] = field(default_factory=dict)
    waits: Sequence[tuple[int, Waits]] = ()  # its own and those of its array, each with the id that has them
    upstreams: Mapping[int, str] = field(
        default_factory=dict
    )  # what is said of those that it is to run after, by id
    paused_until_ms: int = 0  # after a failure
    running: int = 0  # elements of its array that have capacity
    plan: PlanNote | None = None

    @property
    def fleet(self) -> Fleet:
        """The workers that may get work, in the order in which plans see them."""
        usable = [worker for worker in self.workers if worker.takes_work]
        return Fleet(tuple([each.id for each in usable]), tuple([each.capacity for each in usable]))

    @property
    def free(self) -> tuple[Resources, ...]:
        """What each of the fleet has left."""
        return tuple([worker.free for worker in self.workers if worker.takes_work])


def holder_looks(
    state: State,
    rules: Rules,
    held: Mapping[str, Collection[tuple[AttemptRef, Resources]]],
    owns: Owns,
) -> dict[str, tuple[HolderLook, ...]]:
    """Who these attempts are, by worker; those that are over by now are left out."""
    found = {}
    for worker_id, refs in held.items():
        looks = [_holder(state, rules, ref, request, owns) for ref, request in refs]
        found[worker_id] = tuple([look for look in looks if look is not None])
    return found


def waits_of(state: State, task: Task) -> list[tuple[int, Waits]]:
    """What the task and its array wait for beside capacity, each with the id that waits."""
    array = state.tasks.get(task.array_id)
    return [(each.id, each.waits) for each in (task, array) if each is not None]


def upstreams_of(state: State, waits: Collection[tuple[int, Waits]]) -> dict[int, str]:
    """How those stand that have not come yet of what the task is to run after: `41 "prep" (RUNNING)`."""
    said = {}
    for each in [each for _, own in waits for each in own.after]:
        upstream = find(state, each.task_id)
        if upstream is not None:
            name = f' "{upstream.spec.name}"' if upstream.spec.name else ""
            said[each.task_id] = f"{upstream.label}{name} ({upstream.state})"
    return said


def named(state: State, task_ids: Collection[int], owns: Owns) -> dict[int, Named]:
    """What these tasks are called."""
    tasks = [find(state, task_id) for task_id in task_ids]
    return {task.id: called(task, owns) for task in tasks if task is not None}


def whom_it_is_behind(state: State, attempt: Attempt, owns: Owns) -> str:
    """The label of the first attempt that this one may take the place of; empty when it has capacity of its own."""
    lane = state.lanes.of(state.tasks[attempt.ref.task_id].lane).get(attempt.worker_id)
    first = next(iter(lane.full), None) if lane and attempt.behind else None
    return called(state.tasks[first.task_id], owns).label if first else ""


def must_end_ms(task: Task, attempt: Attempt, rules: Rules) -> int:
    """When a run limit and the grace after it have ended this attempt for certain (Unix ms); 0 where none will."""
    limit_s = task.spec.limits.run_s
    if not limit_s or not attempt.started_ms:
        return 0
    return attempt.started_ms + round(1000 * (limit_s + rules.grace_of(task.spec)))


def _holder(state: State, rules: Rules, ref: AttemptRef, request: Resources, owns: Owns) -> HolderLook | None:
    task, attempt = state.tasks.get(ref.task_id), state.attempts.get(ref.task_id)
    if task is None or attempt is None or attempt.ref != ref:
        return None
    label, name, array_id = called(task, owns)
    return HolderLook(
        label=label,
        array_id=array_id,
        name=name,
        held=request,
        since_ms=attempt.started_ms or attempt.assigned_ms,
        until_ms=must_end_ms(task, attempt, rules),
        behind=whom_it_is_behind(state, attempt, owns),
    )
