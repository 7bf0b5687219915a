"""This module reads how people name tasks: `42`, `1,3,5-8`, `last`, `all`, `42.7` and `42.0-9` of an array, a name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from ganger_core.domain.errors import Invalid

if TYPE_CHECKING:
    from ganger_core.domain.task import Task

MOST_IDS = 100_000
IDS = "ids are written as 42, 1,3,5-8, last, all, or 42.7 of an array"

_OF_IDS = re.compile(r"[0-9.:-]*|last(?:\..*)?|all", re.ASCII)


class Known(Protocol):
    """What the master is asked for while ids are read, each only when it is needed."""

    def newest(self) -> int:
        """The id that `last` stands for; raises `NotFound`."""

    def going_on(self) -> Iterable[int]:
        """The ids that `all` stands for; raises `Invalid` where it stands for nothing."""

    def named(self, name: str) -> Iterable[int]:
        """The ids that this name, or how it begins, stands for; raises `NotFound`, `Invalid` when it is not unique."""

    def task(self, task_id: int) -> Task:
        """The array of which elements are named; raises `NotFound`."""


def parse_ids(texts: Iterable[str], known: Known) -> dict[int, str]:
    """The ids with what to call them, each once, in the order written. Raises `Invalid` and `NotFound`.

    A text that does not look like ids in all its parts is a name as a whole, also with its commas.
    """
    ids: dict[int, str] = {}
    for text in texts:
        parts = text.split(",")
        if not all(map(_OF_IDS.fullmatch, parts)):
            ids.update((number, str(number)) for number in known.named(text))
            continue
        for part in parts:
            ids.update(_ids_of(part, known))
    return ids


def _ids_of(part: str, known: Known) -> dict[int, str]:
    if part == "all":
        return {number: str(number) for number in known.going_on()}
    whole, dot, indices = part.partition(".")
    first, last = (known.newest(),) * 2 if whole == "last" else _bounds(whole, part)
    if dot:
        return _elements(first, last, indices, part, known)
    if last - first >= MOST_IDS:
        raise Invalid(f"{part} is more than {MOST_IDS} tasks at once")
    return {number: str(number) for number in range(first, last + 1)}


def _bounds(text: str, part: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    if not _is_id(first) or (dash and not _is_id(last)):
        raise Invalid(f"{part!r} is not a task id; {IDS}")
    low, high = int(first), int(last if dash else first)
    if low > high:
        raise Invalid(f"{part!r} counts backwards; write {high}-{low}")
    return low, high


def _elements(first: int, last: int, indices: str, part: str, known: Known) -> dict[int, str]:
    from ganger.arrays import element_id
    from ganger_core.domain.array import Indices

    if first != last:
        raise Invalid(f"{part!r} names elements of several arrays; write them one by one: {first}.{indices}")
    chosen = Indices.parse(indices, part)
    if len(chosen) > MOST_IDS:
        raise Invalid(f"{part} is more than {MOST_IDS} tasks at once")
    array = known.task(first)
    return {element_id(array, index): f"{first}.{index}" for index in chosen}


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18 and int(text) > 0
