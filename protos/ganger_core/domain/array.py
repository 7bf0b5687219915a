"""This module says what an array is: one spec for many tasks, which differ by an index and maybe an item."""

from __future__ import annotations

import re
from array import array as packed
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from itertools import accumulate, pairwise

from ganger_core.domain.errors import Invalid
from ganger_core.domain.states import TaskState

MOST_ELEMENTS = 1_000_000
MAX_INDEX = 10**9
MAX_ITEM_BYTES = 100_000  # an item is the value of a variable, of which a system takes 128 KiB
MAX_ITEMS_BYTES = 64 * 2**20

_RUN = re.compile(r"([0-9]{1,10})(?:-([0-9]{1,10})(?::([0-9]{1,10}))?)?", re.ASCII)


@dataclass(frozen=True)
class Indices:
    """Distinct indices in ascending order, as runs: `range`s that do not overlap.

    Its text, such as `0-99:5,200`, is what people write and what is stored and sent.
    """

    runs: tuple[range, ...]

    @classmethod
    def parse(cls, text: str, field: str = "array") -> Indices:
        """From `0-99`, `0-99:5` (every fifth), `1,3,7-9`; in any order. Raises `Invalid`."""
        runs = sorted((_run(part.strip(), field) for part in text.split(",")), key=lambda run: run.start)
        found = cls(_joined(runs, field))
        if len(found) > MOST_ELEMENTS:
            raise Invalid(f"{field}: {len(found)} elements; at most {MOST_ELEMENTS} are allowed", field=field)
        return found

    @classmethod
    def first(cls, count: int) -> Indices:
        """The indices 0 to `count` - 1."""
        return cls((range(count),))

    @classmethod
    def of(cls, indices: Iterable[int]) -> Indices:
        """These distinct indices; those that follow a pattern become one run."""
        runs: list[range] = []
        for index in sorted(indices):
            last = runs[-1] if runs else range(0)
            if len(last) == 1 or (last and index == last[-1] + last.step):
                runs[-1] = range(last[0], index + 1, index - last[-1])
            elif len(last) == 2 and last.step > 1:  # two are no pattern yet
                runs[-1:] = [range(last[0], last[0] + 1), range(last[1], index + 1, index - last[1])]
            else:
                runs.append(range(index, index + 1))
        if runs and len(runs[-1]) == 2 and runs[-1].step > 1:
            first, second = runs.pop()
            runs += [range(first, first + 1), range(second, second + 1)]
        return cls(tuple(runs))

    def __str__(self) -> str:
        return ",".join(map(_text, self.runs))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __iter__(self) -> Iterator[int]:
        for run in self.runs:
            yield from run

    def at(self, position: int) -> int:
        """The index at this position, counted from 0."""
        number = bisect_right(self._ends, position)
        return self.runs[number][position - (self._ends[number - 1] if number else 0)]

    def position(self, index: int) -> int | None:
        """Where this index is, counted from 0; None where there is none such."""
        number = bisect_right(self.runs, index, key=lambda run: run.start) - 1
        if number < 0 or index not in self.runs[number]:
            return None
        return (self._ends[number - 1] if number else 0) + self.runs[number].index(index)

    @cached_property
    def _ends(self) -> Sequence[int]:
        return tuple(accumulate(map(len, self.runs)))


class Items:
    """What the elements of an array get, one text for each, as one blob: UTF-8 with a NUL between two."""

    def __init__(self, blob: bytes) -> None:
        self.blob = blob
        starts = packed("L", [0])
        starts.extend(found.end() for found in re.finditer(b"\0", blob))
        self._starts = starts

    @classmethod
    def of(cls, texts: Iterable[str], field: str = "items") -> Items:
        """From one text for each element; raises `Invalid`."""
        parts = []
        for number, text in enumerate(texts):
            if not isinstance(text, str):
                raise Invalid(f"{field}[{number}] must be text, not {text!r}", field=field)
            try:
                parts.append(text.encode())
            except UnicodeEncodeError:
                raise Invalid(f"{field}[{number}] holds bytes that are not UTF-8", field=field) from None
            if b"\0" in parts[-1]:
                raise Invalid(f"{field}[{number}] holds a NUL character", field=field)
        if not parts:
            raise Invalid(f"{field} is empty: an array has an element for each item", field=field)
        items = cls(b"\0".join(parts))
        items.check(field)
        return items

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, position: int) -> str:
        start = self._starts[position]
        end = self._starts[position + 1] - 1 if position + 1 < len(self._starts) else len(self.blob)
        return self.blob[start:end].decode()

    @property
    def digest(self) -> str:
        """The content's address: SHA-256 in hexadecimal digits."""
        return sha256(self.blob).hexdigest()

    def check(self, field: str = "items") -> None:
        """Raise `Invalid` unless every item can be the value of a variable, and all can be kept."""
        if len(self.blob) > MAX_ITEMS_BYTES:
            raise Invalid(
                f"{field} have {len(self.blob)} bytes; at most {MAX_ITEMS_BYTES} are allowed: put the data into "
                "files, and their names into the items",
                field=field,
            )
        for number, start in enumerate(self._starts):
            end = self._starts[number + 1] - 1 if number + 1 < len(self._starts) else len(self.blob)
            if end - start > MAX_ITEM_BYTES:
                raise Invalid(
                    f"{field}[{number}] has {end - start} bytes; at most {MAX_ITEM_BYTES} are allowed",
                    field=field,
                )
        try:
            self.blob.decode()
        except UnicodeDecodeError:
            raise Invalid(f"{field} hold bytes that are not UTF-8", field=field) from None


@dataclass(frozen=True, slots=True)
class Array:
    """What makes a task an array. Its elements are the tasks whose ids follow its own, in the order of the indices.

    At most `max_parallel` elements have a process at the same time (0: as many as there is room for). When more than
    `max_fails` have failed, the rest is not run any more (None: whatever fails). `items` is the digest of what they
    get, empty for nothing. `retry_of` is the array whose failed elements these are, 0 for none.

    An element without a record of its own is PENDING, or `closed` once that is set: the rest was cancelled or expired.
    All before the position `made` have records. `counts` says how many elements there are of each state.
    """

    indices: Indices
    max_parallel: int = 0
    max_fails: int | None = None
    items: str = ""
    retry_of: int = 0
    closed: TaskState | None = None
    made: int = 0
    counts: tuple[tuple[TaskState, int], ...] = field(default=())

    def __len__(self) -> int:
        return len(self.indices)


def _run(part: str, field: str) -> range:
    match = _RUN.fullmatch(part)
    if match is None:
        raise Invalid(f"{field}: {part[:80]!r} is no index; write 0-99, 0-99:5 or 1,3,7-9", field=field)
    first, last, step = int(match[1]), int(match[2] or match[1]), int(match[3] or 1)
    if last < first:
        raise Invalid(f"{field}: {part!r} counts backwards; write {last}-{first}", field=field)
    if last > MAX_INDEX:
        raise Invalid(f"{field}: {last} is beyond the highest index, {MAX_INDEX}", field=field)
    if not step:
        raise Invalid(f"{field}: {part!r} has a step of 0", field=field)
    run = range(first, last + 1, step)
    if len(run) > MOST_ELEMENTS:
        raise Invalid(f"{field}: {len(run)} elements; at most {MOST_ELEMENTS} are allowed", field=field)
    return run


def _joined(runs: Sequence[range], field: str) -> tuple[range, ...]:
    """Runs in ascending order that do not overlap; those that interleave are taken apart."""
    if all(earlier[-1] < later.start for earlier, later in pairwise(runs)):
        return tuple(range(run.start, run[-1] + 1, run.step) for run in runs)
    if sum(map(len, runs)) > MOST_ELEMENTS:
        raise Invalid(f"{field}: more than {MOST_ELEMENTS} elements", field=field)
    seen: set[int] = set()
    for run in runs:
        twice = seen.intersection(run)
        if twice:
            raise Invalid(f"{field}: {min(twice)} is there twice", field=field)
        seen.update(run)
    return Indices.of(seen).runs


def _text(run: range) -> str:
    if len(run) == 1:
        return str(run.start)
    return f"{run.start}-{run[-1]}" + (f":{run.step}" if run.step > 1 else "")
