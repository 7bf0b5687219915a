"""This module keeps which tasks wait for which others, and of whom is to be looked at what that means for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from ganger_core.domain.dependency import DependencyKind
from ganger_core.domain.task import Task
from ganger_core.domain.waits import Waits


@dataclass(slots=True)
class Due:
    """A task that is over or has begun to run, as it was then, and those that are still to hear of it."""

    upstream: Task
    has_begun: bool
    waiting: deque[int]


class Dependents:
    """Who waits for whom, by ids. `due` is worked off by the engine, a part at a time; a restart finds it again."""

    def __init__(self) -> None:
        self.due: deque[Due] = deque()
        self._of: dict[int, dict[int, bool]] = {}  # who waits for it, and whether for its start; never empty
        self._upstreams: dict[int, tuple[int, ...]] = {}  # what each of these waits for
        self._elements: dict[
            int, set[int]
        ] = {}  # by array, its elements that somebody waits for by themselves

    def __bool__(self) -> bool:
        return bool(self._of)

    def __contains__(self, task_id: int) -> bool:
        return task_id in self._of

    def upstreams(self) -> list[int]:
        """All that somebody waits for."""
        return list(self._of)

    def elements(self, array_id: int) -> list[int]:
        """The elements of this array that somebody waits for by themselves."""
        return sorted(self._elements.get(array_id, ()))

    def waits(self, task_id: int, waits: Waits) -> None:
        """This task waits for that now, and for nothing else any more."""
        kinds: dict[int, bool] = {}
        for each in waits.after:
            kinds[each.task_id] = kinds.get(each.task_id, False) or each.kind is DependencyKind.START
        for upstream in self._upstreams.pop(task_id, ()):
            if upstream not in kinds and upstream in self._of:
                self._of[upstream].pop(task_id, None)
                if not self._of[upstream]:
                    del self._of[upstream]
        for upstream, for_start in kinds.items():
            self._of.setdefault(upstream, {})[task_id] = for_start
        if kinds:
            self._upstreams[task_id] = tuple(kinds)

    def is_element(self, task_id: int, array_id: int) -> None:
        """This task, for which somebody waits, is an element of that array."""
        self._elements.setdefault(array_id, set()).add(task_id)

    def over(self, task: Task, has_begun: bool) -> None:
        """This task is over: whoever waits for it is to hear of it."""
        waiting = self._of.pop(task.id, {})
        self._elements.pop(task.id, None)
        if task.array_id in self._elements:
            self._elements[task.array_id].discard(task.id)
        self.look(task, has_begun, waiting)

    def begun(self, task: Task) -> None:
        """This task has begun to run: whoever waits for its start is to hear of it."""
        of = self._of.get(task.id, {})
        waiting = [task_id for task_id, for_start in of.items() if for_start]
        for task_id in waiting:
            of[task_id] = False  # once is enough
        self.look(task, True, waiting)

    def look(self, upstream: Task, has_begun: bool, waiting: Iterable[int]) -> None:
        """These are to hear how this task stands."""
        left = deque(waiting)
        if left:
            self.due.append(Due(upstream, has_begun, left))

    def take(self) -> tuple[Due, int]:
        """The next that is to hear of something; there must be one."""
        due = self.due[0]
        task_id = due.waiting.popleft()
        if not due.waiting:
            self.due.popleft()
        return due, task_id
