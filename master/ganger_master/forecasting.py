"""This module makes dry runs: the present snapshot with some tasks more, planned as by a cycle and not carried out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ganger_core.domain.clock import Clock, Instant
from ganger_core.domain.forecast import Demand, Forecast
from ganger_core.domain.states import WorkerState
from ganger_core.domain.task import Task
from ganger_master.ageing import Rank
from ganger_master.cycle import MAX_HEADS, MIN_HEADS, MIN_RUNS
from ganger_master.lateness import latest_start_ms
from ganger_master.outlooks import Present, Wish, outlooks, snapshot_with
from ganger_master.planning import Planning
from ganger_master.queue import BucketKey, TaskQueue
from ganger_master.queue_looks import Waiting
from ganger_master.reasons import why_none
from ganger_master.registry import WorkerRegistry

FIRST_ID = 2**62 + 1  # of tasks that are only thought of: behind all that there are


class Forecaster:
    """Makes dry runs, for one thread at a time; it holds no lock while the planner is asked.

    It has a planning of its own, so that no cycle hears of what it misses. `held` gives the reason for which nothing
    starts now, whoever waits; empty for none.
    """

    def __init__(
        self,
        queue: TaskQueue,
        registry: WorkerRegistry,
        planning: Planning,
        clock: Clock,
        held: Callable[[Instant], str] = lambda _: "",
    ) -> None:
        self._queue = queue
        self._registry = registry
        self._planning = planning
        self._clock = clock
        self._held = held

    def of_demands(self, demands: Sequence[Demand], asides: Sequence[str], owner: str) -> Forecast:
        """What would become of these, each of which waits for what `asides` say (empty: for capacity alone)."""
        now = self._clock.now()
        present = self._present(now)
        most, rank = _most(present), self._queue.ageing.rank
        wishes, next_id = [], FIRST_ID
        for number, (demand, aside) in enumerate(zip(demands, asides, strict=True)):
            spec = demand.spec
            ids = range(next_id, next_id + min(demand.count, demand.max_parallel or demand.count, most))
            next_id = ids.stop
            ranks = tuple([rank(spec.priority, now.wall_ms, each, now.wall_ms) for each in ids])
            key = BucketKey(owner, spec.resources, spec.priority, -1 - number)
            late = spec.deadline_ms and now.wall_ms >= latest_start_ms(spec)
            never = "it could not be over by its deadline" if late else ""
            wishes.append(Wish(Waiting(key, ranks, demand.count, aside), never))
        return self._forecast(wishes, present, now)

    def of_task(self, task: Task, aside: str = "") -> Forecast | None:
        """What becomes of what waits of this task or array; None when nothing does.

        `aside` is what it waits for, in case that it is not in the queue.
        """
        now = self._clock.now()
        present = self._present(now)
        waiting = self._queue.waiting_of(task, BucketKey.of(task), _most(present), now.wall_ms)
        if waiting is None and aside:
            waiting = Waiting(BucketKey.of(task), (), 1 if task.array is None else len(task.array), aside)
        return None if waiting is None else self._forecast([Wish(waiting)], present, now)

    def _forecast(self, wishes: Sequence[Wish], present: Present, now: Instant) -> Forecast:
        most = _most(present)
        heads = self._queue.heads(most, now.wall_ms, max(MIN_RUNS, most))
        snapshot = snapshot_with(heads, wishes, present)
        began_s = self._clock.now().steady_s
        planned = self._planning.plan(snapshot)
        plan_ms = 1000 * (self._clock.now().steady_s - began_s)
        known: dict[Rank, int] = {}

        def ahead(rank: Rank) -> int:
            # Whatever their ids, tasks to come of one priority have the same before them.
            key = Rank(rank.behind, min(rank.task_id, FIRST_ID))
            if key not in known:
                known[key] = self._queue.ahead(key, now.wall_ms)
            return known[key]

        found = tuple(outlooks(wishes, planned.plan, present, ahead))
        workers = len(present.fleet.worker_ids)
        return Forecast(found, planned.by, planned.why_not_planner, planned.plan.stage, plan_ms, workers)

    def _present(self, now: Instant) -> Present:
        fleet, free = self._registry.fleet(now.steady_s)
        names = tuple([self._registry.name(each) for each in fleet.worker_ids])
        views = self._registry.views(now.steady_s)
        there = tuple([view.profile.capacity for view in views if view.state is not WorkerState.LOST])
        why = self._held(now)
        if not why and not fleet.worker_ids:
            why = why_none(self._registry.resting(now.steady_s), self._registry.excluded())
        return Present(fleet, free, names, there, why)


def _most(present: Present) -> int:
    """How many tasks are looked at, and of each kind may matter: more of them have no room at the same time."""
    return max(MIN_HEADS, min(MAX_HEADS, 2 * sum(max(0, left.slots) for left in present.free)))
