"""This module reads task ids as people write them: `42`, `1,3,5-8`, `last`."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ganger_core.domain.errors import Invalid

MOST_IDS = 100_000


def parse_ids(texts: Iterable[str], newest: Callable[[], int]) -> list[int]:
    """The ids, each once, in the order written; `newest` is asked what `last` means. Raises `Invalid`."""
    ids: dict[int, None] = {}
    for text in texts:
        for part in text.split(","):
            first, last = (newest(),) * 2 if part == "last" else _bounds(part)
            if last - first >= MOST_IDS:
                raise Invalid(f"{part} is more than {MOST_IDS} tasks at once")
            ids.update(dict.fromkeys(range(first, last + 1)))
    return list(ids)


def _bounds(part: str) -> tuple[int, int]:
    first, dash, last = part.partition("-")
    if not _is_id(first) or (dash and not _is_id(last)):
        raise Invalid(f"{part!r} is not a task id; ids are written as 42, 1,3,5-8 or last")
    low, high = int(first), int(last if dash else first)
    if low > high:
        raise Invalid(f"{part!r} counts backwards; write {high}-{low}")
    return low, high


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18 and int(text) > 0
