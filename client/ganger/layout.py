"""This module lays out what people read: amounts, times, tables that fit. Pure: text in, text out."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

WIDTH = 100  # no table is wider
NOTHING = "–"
_GAP = "  "


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. `least` is how far it may be cut when room is short, 0 never; `paint` colours a cell."""

    title: str
    right: bool = False
    least: int = 0
    paint: Callable[[str], str] | None = None


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int = WIDTH) -> list[str]:
    """The lines of a table of at most `width` columns where that is possible; cells must be `clean`."""
    widths = _fit(columns, rows, width)
    lines = [_line(columns, widths, [column.title for column in columns], painted=False)]
    lines += [_line(columns, widths, row, painted=True) for row in rows]
    return lines


def _fit(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """The width of each column: as wide as its widest cell, then cut in proportion to the leasts."""
    cells = [[column.title for column in columns], *rows]
    widths = [max(cell_width(row[index]) for row in cells) for index in range(len(columns))]
    excess = sum(widths) + len(_GAP) * (len(columns) - 1) - width
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
    kept, used = [], 0
    for char in text:
        used += _char_width(char)
        if used > width - 1:
            break
        kept.append(char)
    return "".join(kept).rstrip() + "…"


def _char_width(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def clean(text: str) -> str:
    """`text` on one line, with everything that a terminal might obey written as an escape."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def wrapped(text: str, width: int) -> list[str]:
    """`text` on lines of at most `width` columns, broken between words; a longer word, such as a path, stays whole."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if lines[-1] and cell_width(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


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
