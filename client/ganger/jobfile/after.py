"""This module finds what the tasks of a job file wait for: each other by name, and others by their ids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

from ganger.jobfile.job import After, Elements
from ganger.jobfile.kinds import Unusable
from ganger.jobfile.problems import Problems, nearest, without_field
from ganger.jobfile.tables import Given
from ganger_core.domain.dependency import Dependency, DependencyKind
from ganger_core.domain.errors import Invalid
from ganger_core.domain.validate import MAX_INT, MOST_AFTER, check_after

KINDS = tuple(each.value.lower() for each in DependencyKind)
MOST_NAMED = 10  # of tasks that wait for each other


class Named(NamedTuple):
    """A task of a file: its name, what makes it an array, and what it was said to wait for."""

    name: str
    array: Elements | None
    after: Given | None


def resolved(tasks: Sequence[Named | None], problems: Problems) -> list[tuple[After, ...]]:
    """What each task waits for; what cannot be found, and what waits for itself, is said.

    A task that could not be read is None: then nothing is said about names, any of which may be its own.
    """
    positions: dict[str, list[int]] = {}
    for number, task in enumerate(tasks):
        if task is not None and task.name:
            positions.setdefault(task.name, []).append(number)
    afters: list[tuple[After, ...]] = []
    for task in tasks:
        found: tuple[After, ...] = ()
        if task is not None and task.after is not None and None not in tasks:
            try:
                found = tuple(_of(task, task.after, tasks, positions))
                _check(found, task.after)
            except Unusable:
                found = ()
        afters.append(found)
    if sum(map(len, afters)) > MOST_AFTER:
        problems.add("after", 0, f"tasks wait for more than {MOST_AFTER} others in all; arrays wait as one")
    waits = {number: {each.position for each in after} - {-1} for number, after in enumerate(afters)}
    try:
        TopologicalSorter(waits).prepare()
    except CycleError as error:
        called = [task.name for number in error.args[1] if (task := tasks[number])]
        if len(called) > MOST_NAMED:
            called[3:-2] = ["…"]
        problems.add("after", 0, f"tasks wait for each other: {' before '.join(called)}")
    return afters


def _of(
    task: Named, given: Given, tasks: Sequence[Named | None], positions: dict[str, list[int]]
) -> Iterator[After]:
    for text in given.value:
        kind, colon, name = text.partition(":")
        if not colon or kind not in KINDS:
            kind, name = "ok", text
        if kind == "each" and task.array is None:
            raise given.place.wrong(f"{text[:60]!r}: each goes element by element, and this is no array")
        if name.isascii() and name.isdigit() and name not in positions:
            if not 1 <= int(name[:20]) <= MAX_INT:
                raise given.place.wrong(f"{name[:30]} is no id of a task")
            yield After(kind, task_id=int(name[:20]))
            continue
        found = positions.get(name, [])
        if len(found) != 1:
            near = nearest(name, {each: each for each in positions})
            hint = f"; did you mean {near}?" if near else ""
            why = "several tasks of this file are" if found else f"there is no such task in this file{hint}"
            raise given.place.wrong(f"{name[:60]!r}: {why}{' called so' if found else ''}")
        other = tasks[found[0]]
        if kind == "each" and task.array and not (other and _fits(task.array, other.array)):
            raise given.place.wrong(f"{text[:60]!r}: each needs an array with the same indices as this one's")
        yield After(kind, position=found[0])


def _fits(array: Elements, other: Elements | None) -> bool:
    return other is not None and list(array.indices) == list(other.indices)


def _check(found: Sequence[After], given: Given) -> None:
    """What would be refused only once others have been submitted."""
    dependencies = [
        Dependency(each.task_id or -1 - each.position, DependencyKind(each.kind.upper())) for each in found
    ]
    try:
        check_after(dependencies)
    except Invalid as error:
        raise given.place.wrong(without_field(error)) from None
