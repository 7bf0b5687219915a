"""This module finds what the tasks of a job file wait for: each other by name, and others by their ids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter

from ganger.jobfile.job import After
from ganger.jobfile.problems import Problems, nearest
from ganger.jobfile.tables import Given
from ganger_core.domain.dependency import DependencyKind
from ganger_core.domain.validate import MAX_INT

KINDS = tuple(each.value.lower() for each in DependencyKind)
MOST_NAMED = 10  # of tasks that wait for each other

Named = tuple[str, Given | None]
"""The name of a task, and what it was said to wait for."""


def resolved(tasks: Sequence[Named | None], problems: Problems) -> list[tuple[After, ...]]:
    """What each task waits for; what cannot be found, and what waits for itself, is said.

    A task of which nothing is known is None: then nothing is said about names that may be its own.
    """
    positions: dict[str, list[int]] = {}
    for number, task in enumerate(tasks):
        if task is not None and task[0]:
            positions.setdefault(task[0], []).append(number)
    afters = [tuple(_of(task, positions, problems)) if task else () for task in tasks]
    if None not in tasks:
        waits = {number: {each.position for each in after} - {-1} for number, after in enumerate(afters)}
        try:
            TopologicalSorter(waits).prepare()
        except CycleError as error:
            called = [task[0] for number in error.args[1] if (task := tasks[number])]
            if len(called) > MOST_NAMED:
                called[3:-2] = ["…"]
            problems.add("after", 0, f"tasks wait for each other: {' before '.join(called)}")
    return afters


def _of(task: Named, positions: dict[str, list[int]], problems: Problems) -> Iterator[After]:
    given = task[1]
    if given is None:
        return
    for text in given.value:
        kind, colon, name = text.partition(":")
        if not colon or kind not in KINDS:
            kind, name = "ok", text
        if name.isascii() and name.isdigit() and name not in positions:
            if not 1 <= int(name[:20]) <= MAX_INT:
                given.place.wrong(f"{name[:30]} is no id of a task")
            yield After(kind, task_id=int(name[:20]))
            continue
        found = positions.get(name, [])
        if len(found) == 1:
            yield After(kind, position=found[0])
            continue
        near = nearest(name, {each: each for each in positions})
        hint = f"; did you mean {near}?" if near else ""
        why = (
            "several tasks of this file are called so"
            if found
            else f"there is no such task in this file{hint}"
        )
        given.place.wrong(f"{name[:60]!r}: {why}")
