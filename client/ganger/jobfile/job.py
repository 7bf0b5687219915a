"""This module holds what a job file says once it is read, and in which order its tasks are handed in. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ganger.build import TaskOptions
    from ganger_core.domain.array import Indices, Items
    from ganger_core.domain.task import TaskSpec


@dataclass(frozen=True)
class After:
    """What a task waits for: a task by its id, or one of the same file by its position there."""

    kind: str
    task_id: int = 0
    position: int = -1


@dataclass(frozen=True)
class Elements:
    """What makes a task an array."""

    indices: Indices
    items: Items | None
    max_parallel: int
    max_fails: int | None


@dataclass(frozen=True)
class Entry:
    """One task or array of a file: what `ganger.task_spec` was told, what that gave, and what it waits for."""

    command: tuple[str, ...]
    options: TaskOptions
    spec: TaskSpec
    array: Elements | None = None
    after: tuple[After, ...] = ()

    @property
    def count(self) -> int:
        """How many tasks that are."""
        return 1 if self.array is None else len(self.array.indices)


@dataclass(frozen=True)
class Job:
    """A job file. The same text has the same digest, which is SHA-256 in hexadecimal digits."""

    file: str
    name: str
    digest: str
    entries: tuple[Entry, ...]


def batches(entries: Sequence[Entry]) -> Iterator[tuple[int, ...]]:
    """The positions of the entries in the order in which they can be handed in, those of one call together.

    What is submitted comes after what it waits for, and none may wait for itself. An array takes a call of its own;
    tasks go together, as many as wait for nothing but each other and what came before.
    """
    waits = {number: {each.position for each in entry.after} - {-1} for number, entry in enumerate(entries)}
    left = list(TopologicalSorter(waits).static_order())
    if not any(waits.values()):
        left.sort()
    done: set[int] = set()
    while left:
        tasks: list[int] = []
        together = set(done)
        for number in left:
            if entries[number].array is None and waits[number] <= together:
                tasks.append(number)
                together.add(number)
        if tasks:
            yield tuple(tasks)
        arrays = [n for n in left if entries[n].array is not None and waits[n] <= together]
        for number in arrays:
            yield (number,)
        done = together.union(arrays)
        left = [number for number in left if number not in done]
