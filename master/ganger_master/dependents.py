"""This module keeps which tasks wait for which others, and of whom is to be looked at what that means for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from ganger_core.domain.dependency import Dependency, DependencyKind
from ganger_core.domain.task import Task
from ganger_core.domain.waits import Waits
from ganger_master.elements import ElementStates


@dataclass(slots=True)
class Due:
    """A task that is over or has begun to run, as it was then, and those that are still to hear of it.

    With `each` these are arrays that wait element by element: it is their element at the same position that hears.
    """

    upstream: Task
    has_begun: bool
    waiting: deque[int]
    each: bool = False


@dataclass(slots=True)
class Scan:
    """An array that waits element by element is to look which elements of another are over, from `position` on."""

    task_id: int
    upstream: Task
    states: ElementStates
    position: int = 0


class Dependents:
    """Who waits for whom, by ids. `due` is worked off by the engine, a part at a time; a restart finds it again."""

    def __init__(self) -> None:
        self.due: deque[Due | Scan] = deque()
        self._of: dict[
            int, dict[DependencyKind, dict[int, None]]
        ] = {}  # who waits for it; nothing in it is empty
        self._upstreams: dict[int, tuple[Dependency, ...]] = {}  # what each of these waits for
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
        for each in set(self._upstreams.pop(task_id, ())).difference(waits.after):
            self._drop(each, task_id)
        for each in waits.after:
            self._of.setdefault(each.task_id, {}).setdefault(each.kind, {})[task_id] = None
        if waits.after:
            self._upstreams[task_id] = waits.after

    def is_element(self, task_id: int, array_id: int) -> None:
        """This task, for which somebody waits, is an element of that array."""
        self._elements.setdefault(array_id, set()).add(task_id)

    def over(self, task: Task, has_begun: bool) -> None:
        """This task is over: whoever waits for it is to hear of it."""
        waiting = self._of.pop(task.id, {})
        self._elements.pop(task.id, None)
        if task.array_id in self._elements:
            self._elements[task.array_id].discard(task.id)
        self.look(task, has_begun, dict.fromkeys(chain.from_iterable(waiting.values())))

    def begun(self, task: Task) -> None:
        """This task has begun to run: whoever waits for its start is to hear of it."""
        waiting = self._waiting(task.id, DependencyKind.START)
        for task_id in waiting:  # once is enough
            self._drop(Dependency(task.id, DependencyKind.START), task_id)
        self.look(task, True, waiting)

    def element_over(self, task: Task) -> None:
        """This element of an array is over: what waits for that element by element is to hear of it."""
        waiting = self.each(task.array_id)
        if waiting:
            self.due.append(Due(task, True, deque(waiting), each=True))

    def each(self, array_id: int) -> list[int]:
        """The arrays that wait for this one element by element."""
        return self._waiting(array_id, DependencyKind.EACH)

    def look(self, upstream: Task, has_begun: bool, waiting: Iterable[int]) -> None:
        """These are to hear how this task stands."""
        left = deque(waiting)
        if left:
            self.due.append(Due(upstream, has_begun, left))

    def take(self, due: Due) -> int:
        """Who is next to hear of this, which is the first that is due."""
        task_id = due.waiting.popleft()
        if not due.waiting:
            self.due.popleft()
        return task_id

    def _waiting(self, task_id: int, kind: DependencyKind) -> list[int]:
        return list(self._of.get(task_id, {}).get(kind, ()))

    def _drop(self, what: Dependency, task_id: int) -> None:
        kinds = self._of.get(what.task_id, {})
        kinds.get(what.kind, {}).pop(task_id, None)
        if not kinds.get(what.kind, True):
            del kinds[what.kind]
        if what.task_id in self._of and not kinds:
            del self._of[what.task_id]
