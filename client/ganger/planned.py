"""This module asks a master for dry runs: what would start now, where, and why the rest would not."""

from __future__ import annotations

from collections.abc import Iterable

from ganger.calls import MasterCalls
from ganger_core.domain.forecast import Demand, Forecast
from ganger_core.domain.task import TaskSpec
from ganger_core.domain.validate import check_id


class PlanningClient:
    """What a `Client` can do with plans that nobody carries out."""

    _calls: MasterCalls

    def plan(self, what: int | Iterable[TaskSpec | Demand]) -> Forecast:
        """What would become now of tasks if they were submitted, or of a task or an array that waits, by its id.

        The master's own planner is asked, with what waits already and with what is free at this moment; nothing
        changes. A `Demand` is a spec with the number of elements of an array. Raises `Conflict` when nothing of the
        task waits.
        """
        if isinstance(what, int):
            check_id(what, "task_id")
            return self._calls.plan_task(what)
        return self._calls.plan_tasks([Demand(each) if isinstance(each, TaskSpec) else each for each in what])
