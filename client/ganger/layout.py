"""This module lays out what people read: amounts, times, tables that fit. Pure: text in, text out."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

WIDTH = 100  # no table is wider
NARROW = 90  # on a terminal that is less wide, spare columns give way to the others
NOTHING = "–"
_GAP = "  "


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. `least` is how far it may be cut when room is short, 0 never; `paint` colours a cell.

    `key` is where its value is in the document of a row, for what is no table; `wide` columns are shown only when wide.
    `spare` ones are left out, the last first, where a narrow terminal has no room for them.
    """

    title: str
    right: bool = False
    least: int = 0
    paint: Callable[[str], str] | None = None
    key: str = ""
    wide: bool = False
    spare: bool = False


def table(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    width: int | None = WIDTH,
    *,
    header: bool = True,
) -> list[str]:
    """The lines of a table of at most `width` columns where that is possible; cells must be `clean`."""
    titles = [[column.title for column in columns]] if header else []
    if not titles and not rows:
        return []
    if width is not None and width < NARROW:
        kept = _kept(columns, [*titles, *rows], width)
        columns = [columns[index] for index in kept]
        titles, rows = ([[row[index] for index in kept] for row in part] for part in (titles, rows))
    widths = _fit(columns, [*titles, *rows], width)
    lines = [_line(columns, widths, row, painted=False) for row in titles]
    lines += [_line(columns, widths, row, painted=True) for row in rows]
    return lines


def _kept(columns: Sequence[Column], cells: Sequence[Sequence[str]], width: int) -> list[int]:
    """Which columns there is room for; only spare ones are left out."""
    widths = [max(cell_width(row[index]) for row in cells) for index in range(len(columns))]
    kept = list(range(len(columns)))
    for index in reversed(kept[:]):
        needed = sum(widths[each] for each in kept) + len(_GAP) * (len(kept) - 1)
        if needed > width and columns[index].spare:
            kept.remove(index)
    return kept


def _fit(columns: Sequence[Column], cells: Sequence[Sequence[str]], width: int | None) -> list[int]:
    """The width of each column: as wide as its widest cell, then cut in proportion to the leasts."""
    widths = [max(cell_width(row[index]) for row in cells) for index in range(len(columns))]
    excess = 0 if width is None else sum(widths) + len(_GAP) * (len(columns) - 1) - width
    while excess > 0:
        cuttable = [i for i, column in enumerate(columns) if column.least and widths[i] > column.least]
        if not cuttable:
            break
        widest = max(cuttable, key=lambda i: widths[i] / columns[i].least)
        widths[widest] -= 1
        excess -= 1
    return widths


def _line(columns: Sequence[Column], widths: Sequence[int], cells: Sequence[str], *, painted: bool) -> str:
    parts = []
    for column, width, cell in zip(columns, widths, cells, strict=True):
        text = cut(cell, width)
        padding = " " * (width - cell_width(text))
        if painted and column.paint is not None:
            text = column.paint(text)
        parts.append(padding + text if column.right else text + padding)
    return _GAP.join(parts).rstrip()


def cell_width(text: str) -> int:
    """How many columns of a terminal `text` takes."""
    if text.isascii():
        return len(text)
    return sum(_char_width(char) for char in text)


def cut(text: str, width: int) -> str:
    """`text`, with an ellipsis at its end where it is longer than `width` columns."""
    if cell_width(text) <= width:
        return text
    return _head(text, width - 1).rstrip() + "…"


def _head(text: str, width: int) -> str:
    """As much of the beginning as `width` columns have room for."""
    used = 0
    for position, char in enumerate(text):
        used += _char_width(char)
        if used > width:
            return text[:position]
    return text


def wrapped(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` columns, broken at spaces where that leaves a line at least a third full."""
    lines = []
    while cell_width(text) > width and len(text) > 1:
        end = len(_head(text, width)) or 1
        space = text.rfind(" ", 0, end + 1)
        if space * 3 >= end:
            end = space
        lines.append(text[:end])
        text = text[end:].removeprefix(" ")
    return [*lines, text]


def _char_width(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def clean(text: str) -> str:
    """`text` on one line, with everything that a terminal might obey written as an escape."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def cpus(cpu_milli: int) -> str:
    """Thousandths of a CPU as people write CPUs: 1500 is 1.5."""
    return f"{cpu_milli / 1000:g}"


def size(amount: int) -> str:
    """Bytes with a binary unit, in the way that `--mem` takes them; nothing for 0."""
    if not amount:
        return NOTHING
    value, unit = float(amount), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.0f}{unit}" if value == round(value) or value >= 100 else f"{value:.1f}{unit}"


def duration(seconds: float) -> str:
    """A length of time in at most two units."""
    seconds = max(0.0, seconds)
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02}h"
