"""This module gathers what an explanation is made from: one lock at a time, a little under each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from ganger_core.domain.clock import Instant
from ganger_core.domain.dependency import DependencyKind
from ganger_core.domain.explanation import Explanation, Living, Waiting
from ganger_core.domain.placement import not_worse
from ganger_core.domain.resources import Resources
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import Attempt, Task
from ganger_master.arrays import find
from ganger_master.engine import Engine
from ganger_master.explaining.facts import (
    Facts,
    Owns,
    WorkerLook,
    holder_looks,
    named,
    upstreams_of,
    waits_of,
    whom_it_is_behind,
)
from ganger_master.explaining.groups import nearest_busy
from ganger_master.explaining.living import explain_living
from ganger_master.explaining.trial import MOST_TRIED
from ganger_master.explaining.waiting import explain_waiting, first_ahead
from ganger_master.plan_notes import PlanNotes
from ganger_master.queue import BucketKey, TaskQueue
from ganger_master.registry import WorkerRegistry
from ganger_master.state import Rules, State

MOST_OF_A_BUCKET = 256  # tasks that are looked at one by one

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Explained:
    """An explanation, and the ticket that it depends on."""

    explanation: Explanation
    ticket: int


class Explainer:
    """Explains why tasks stand as they do. May be asked by several threads; changes nothing."""

    def __init__(
        self, engine: Engine, queue: TaskQueue, registry: WorkerRegistry, notes: PlanNotes, rules: Rules
    ) -> None:
        self._engine = engine
        self._queue = queue
        self._registry = registry
        self._notes = notes
        self._rules = rules

    def explain(
        self, task: Task, attempts: Sequence[Attempt], now: Instant, owns: Owns = lambda _: True
    ) -> Explained:
        """Why the task stands as it does, as of `now`; of its attempts the newest is the last.

        Of tasks that the caller does not own is told what they hold and whose they are, and no more.
        """
        ticket, _ = self._engine.position()
        waiting: Waiting | None = None
        living: Living | None = None
        if task.state is TaskState.PENDING or (task.array is not None and not task.is_final):
            waiting, ticket = self._waiting(task, now, owns)
        elif not task.is_final and attempts:
            living, ticket = self._living(task, attempts[-1], now, owns)
        return Explained(Explanation(task, tuple(attempts), now.wall_ms, waiting, living), ticket)

    def _waiting(self, task: Task, now: Instant, owns: Owns) -> tuple[Waiting | None, int]:
        """None when nothing of it waits any more."""
        workers = self._registry.looks(now.steady_s)
        asked = 0 if task.array is not None else task.id
        standing = self._queue.standing(BucketKey.of(task), asked, now.wall_ms, _worth_a_look(workers))
        if standing is None:
            next_id = self._engine.look(partial(_next_waiting, task))
            if next_id is None:
                return None, self._engine.position()[0]
            key, most = BucketKey.of(task), _worth_a_look(workers)
            standing = self._queue.standing(key, next_id, now.wall_ms, most, task.submitted_ms)
            assert standing is not None, task
        near = nearest_busy(task.spec.resources, workers)
        held = self._registry.holdings([worker.id for worker in near])
        requests = {
            worker_id: [(ref, reservation.request) for ref, reservation in each]
            for worker_id, each in held.items()
        }
        first = [look.first[0].task_id for _, look in first_ahead(standing)]

        def look(state: State) -> Facts | None:
            found = find(state, standing.task_id)
            if found is None or found.state is not TaskState.PENDING:
                return None
            waits = waits_of(state, found)
            return Facts(
                task=found,
                standing=standing,
                workers=workers,
                now_ms=now.wall_ms,
                holders=holder_looks(state, self._rules, requests, owns),
                names=named(state, first, owns),
                waits=waits,
                upstreams=upstreams_of(state, waits),
                paused_until_ms=now.wall_ms + round(1000 * max(0.0, standing.paused_until_s - now.steady_s)),
                running=state.lanes.running(standing.key.array_id),
                plan=self._notes.last,
            )

        facts, ticket = self._read(look)
        return (None if facts is None else explain_waiting(facts)), ticket

    def _living(self, task: Task, attempt: Attempt, now: Instant, owns: Owns) -> tuple[Living, int]:
        looks = {worker.id: worker for worker in self._registry.looks(now.steady_s)}
        held = dict(self._registry.holdings([attempt.worker_id]).get(attempt.worker_id, ()))
        reservation, lease_s = held.get(attempt.ref), attempt.lease_s
        if reservation is not None and reservation.told:
            lease_s = max(0.0, reservation.lease_from_s + reservation.lease_s - now.steady_s)

        def behind(state: State) -> str:
            known = state.attempts.get(task.id)
            return whom_it_is_behind(state, known, owns) if known and known.ref == attempt.ref else ""

        label, ticket = self._read(behind)
        worker = looks.get(attempt.worker_id)
        return explain_living(task, attempt, worker, lease_s, label, self._notes.of(task.id)), ticket

    def _read(self, look: Callable[[State], T]) -> tuple[T, int]:
        """What `look` finds under the engine lock, and the ticket that this depends on."""
        found = self._engine.look(look)
        return found, self._engine.position()[0]  # or a later one, which comes no earlier


def _worth_a_look(workers: Iterable[WorkerLook]) -> Callable[[Resources], int]:
    """How many tasks of a request are looked at one by one: one, unless some worker has room for it."""
    best, left = not_worse([worker.free for worker in workers]), MOST_TRIED

    def most(request: Resources) -> int:
        nonlocal left
        if left <= 0 or not any(request.fits(free) for free in best):
            return 1
        left -= MOST_OF_A_BUCKET
        return MOST_OF_A_BUCKET

    return most


def _next_waiting(task: Task, state: State) -> int | None:
    """Of what waits beside the queue the next: this task, or an element of this array; None where nothing does."""
    if task.array is None:
        array = state.tasks.get(task.array_id)
        one_by_one = array and any(each.kind is DependencyKind.EACH for each in array.waits.after)
        return task.id if one_by_one else None
    elements = state.arrays.get(task.id)
    aside = [number for number in elements.open if state.tasks[number].state is TaskState.PENDING]
    if aside:
        return min(aside)
    return task.id + 1 + elements.made if elements.untouched else None
