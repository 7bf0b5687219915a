"""This module compares what a page shows with what a command wrote, but for what differs at each run. Pure.

Not compared are durations, dates and times of day, measured sizes such as `11.8GiB`, process ids, and how wide the
columns of a table are. A line with nothing but `…` stands for any lines, and a cell that ends with `…` was cut to fit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

MORE = "…"
GAP = "  "  # between two columns; how wide it is depends on what stands in them
VARIES = (
    (r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?)?", "DATE"),
    (r"\b\d\d-\d\d (?=\d\d:\d\d)", ""),
    (r"\b\d\d:\d\d(?::\d\d)?(?:\.\d+)?\b", "DATE"),
    (r"(?<![\w.])(?:\d+(?:\.\d+)?\s?(?:ms|s|min|m|h|d)\s?)*\d+(?:\.\d+)?\s?(?:ms|s|min|m|h|d)\b", "DURATION"),
    (r"\b1[5-9]\d{11}\b", "MILLISECONDS"),
    (r"\b\d+(?:\.\d+)?[KMGT]iB(?= memory)|\b\d+\.\d+[KMGT]iB\b", "SIZE"),
    (r"\bpid \d+", "pid PID"),
)


def plain(line: str, varies: Sequence[str] = ()) -> str:
    """A line without what differs at each run."""
    for pattern in varies:
        line = re.sub(pattern, "VARIES", line)
    for pattern, name in VARIES:
        line = re.sub(pattern, name, line)
    return GAP.join(re.split(" {2,}", line.strip()))


def agrees(
    shown: Sequence[str], written: Sequence[str], varies: Sequence[str] = (), *, ordered: bool = True
) -> bool:
    """Whether the lines that a page shows are those that were written."""
    left = [MORE if line.strip() == MORE else plain(line, varies) for line in shown]
    right = [plain(line, varies) for line in written]
    if not ordered:
        left, right = sorted(left), sorted(right)

    @cache
    def rest(i: int, j: int) -> bool:
        if i == len(left):
            return j == len(right)
        if left[i] == MORE:
            return rest(i + 1, j) or (j < len(right) and rest(i, j + 1))
        return j < len(right) and _same(left[i], right[j]) and rest(i + 1, j + 1)

    return rest(0, 0)


def _same(shown: str, written: str) -> bool:
    """Equal, cell by cell; a cell that was cut is equal as far as it goes."""
    left, right = shown.split(GAP), written.split(GAP)
    return len(left) == len(right) and all(map(_same_cell, left, right))


def _same_cell(shown: str, written: str) -> bool:
    if shown == written:
        return True
    cut = [cell.removesuffix(MORE).rstrip() for cell in (shown, written) if cell.endswith(MORE)]
    length = min(map(len, cut), default=0)
    return 0 < length < min(len(shown), len(written)) and shown[:length] == written[:length]
