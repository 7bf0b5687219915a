"""This module reads task ids as people write them: `42`, `1,3,5-8`, `last`, and `42.7`, `42.0-9` of an array."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ganger_core.domain.errors import Invalid

if TYPE_CHECKING:
    from ganger_core.domain.task import Task

MOST_IDS = 100_000


def parse_ids(
    texts: Iterable[str], newest: Callable[[], int], task_of: Callable[[int], Task]
) -> dict[int, str]:
    """The ids with what to call them, each once, in the order written.

    `newest` is asked what `last` means, and `task_of` for an array of which elements are named. Raises `Invalid`, and
    `NotFound` for an index that the array does not have.
    """
    ids: dict[int, str] = {}
    for text in texts:
        for part in text.split(","):
            whole, dot, indices = part.partition(".")
            first, last = (newest(),) * 2 if whole == "last" else _bounds(whole, part)
            if dot:
                ids.update(_elements(first, last, indices, part, task_of))
                continue
            if last - first >= MOST_IDS:
                raise Invalid(f"{part} is more than {MOST_IDS} tasks at once")
            ids.update((number, str(number)) for number in range(first, last + 1))
    return ids


def _bounds(text: str, part: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    if not _is_id(first) or (dash and not _is_id(last)):
        raise Invalid(f"{part!r} is not a task id; ids are written as 42, 1,3,5-8, last, or 42.7 of an array")
    low, high = int(first), int(last if dash else first)
    if low > high:
        raise Invalid(f"{part!r} counts backwards; write {high}-{low}")
    return low, high


def _elements(
    first: int, last: int, indices: str, part: str, task_of: Callable[[int], Task]
) -> dict[int, str]:
    from ganger.arrays import element_id
    from ganger_core.domain.array import Indices

    if first != last:
        raise Invalid(f"{part!r} names elements of several arrays; write them one by one: {first}.{indices}")
    chosen = Indices.parse(indices, part)
    if len(chosen) > MOST_IDS:
        raise Invalid(f"{part} is more than {MOST_IDS} tasks at once")
    array = task_of(first)
    return {element_id(array, index): f"{first}.{index}" for index in chosen}


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18 and int(text) > 0
