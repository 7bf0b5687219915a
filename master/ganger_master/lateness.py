"""This module says when a waiting task has waited too long: beyond its queue limit, or its deadline."""

from __future__ import annotations

import heapq

from ganger_core.domain.task import Task, TaskSpec

OUTDATED_KEPT = (
    1_000  # entries of tasks that wait no more, before they are dropped: far limits must not gather
)


class Late:
    """The moments at which waiting tasks may be late."""

    def __init__(self) -> None:
        self._moments: dict[int, set[float]] = {}  # of each task those that have not come
        self._heap: list[tuple[float, int]] = []  # entries that `_moments` does not have are outdated

    def note(self, task: Task) -> None:
        """These are the moments of this task from now on."""
        moments = set(late_moments(task))
        for moment in moments - self._moments.get(task.id, set()):
            heapq.heappush(self._heap, (moment, task.id))
        if moments:
            self._moments[task.id] = moments
        else:
            self.drop(task.id)

    def drop(self, task_id: int) -> None:
        """This task waits no more."""
        self._moments.pop(task_id, None)
        if len(self._heap) > 2 * len(self._moments) + OUTDATED_KEPT:
            self._heap = [(moment, number) for number, left in self._moments.items() for moment in left]
            heapq.heapify(self._heap)

    def take(self, now_ms: int) -> list[int]:
        """The tasks of which a moment has come by now; each is given once for each."""
        late = []
        while self._heap and self._heap[0][0] <= now_ms:
            moment, task_id = heapq.heappop(self._heap)
            if moment in self._moments.get(task_id, ()):
                self._moments[task_id].remove(moment)
                late.append(task_id)
        return late


def late_moments(task: Task) -> tuple[float, ...]:
    """When (Unix ms) a task that has not started by then may be late."""
    moments = []
    if task.spec.limits.queue_s:
        moments.append(task.submitted_ms + 1000 * task.spec.limits.queue_s)
    if task.spec.deadline_ms:
        moments.append(latest_start_ms(task.spec))
    return tuple(moments)


def latest_start_ms(spec: TaskSpec) -> float:
    """When one with this deadline must begin at the latest to be over by then, as far as its run limit tells."""
    return spec.deadline_ms - 1000 * spec.limits.run_s


def why_late(task: Task, has_started: bool, now_ms: int) -> str:
    """Why it waits no longer; empty when it may. The queue limit counts until a first start, the deadline always."""
    limit_s = task.spec.limits.queue_s
    if limit_s and not has_started and now_ms >= task.submitted_ms + 1000 * limit_s:
        return f"waited longer than its limit of {limit_s:g}s"
    if task.spec.deadline_ms and now_ms >= latest_start_ms(task.spec):
        return "could not be over by its deadline any more"
    return ""
