"""This module reads the options of `ganger submit` that make an array, and the files that they name."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ganger_core.domain.array import Indices, Items

MOST_FILE_BYTES = 2**28  # several times what the items may have: JSON may write a character in six

ArrayOption = Annotated[
    str | None,
    typer.Option(
        "--array",
        help="An element for each index: 0-99, 0-99:5 or 1,3,7-9; 0-99%8 for at most 8 at a time.",
        metavar="INDICES",
    ),
]
EachLine = Annotated[
    str | None, typer.Option(help="An element for each line of this file, - for stdin.", metavar="FILE")
]
FromJson = Annotated[
    str | None, typer.Option(help="An element for each value of the JSON list in this file.", metavar="FILE")
]
MaxParallel = Annotated[
    int | None,
    typer.Option(
        help="At most so many elements at a time; 0 for as many as there is room for.",
        metavar="NUMBER",
        min=0,
        show_default=False,
    ),
]
MaxFails = Annotated[
    int | None,
    typer.Option(
        help="When more have failed, the rest is not run any more; 0 stops at the first.",
        metavar="NUMBER",
        min=0,
        show_default=False,
    ),
]


@dataclass(frozen=True)
class ArrayAsked:
    """The array that a command line describes."""

    indices: Indices
    items: Items | None
    max_parallel: int
    max_fails: int | None


def read_array(
    array: str | None,
    each_line: str | None,
    from_json: str | None,
    max_parallel: int | None,
    max_fails: int | None,
) -> ArrayAsked | None:
    """What the options say, None when nothing of an array; raises `Invalid`, naming the option."""
    from ganger_core.domain.array import Indices
    from ganger_core.domain.errors import Invalid

    sources = {"--array": array, "--each-line": each_line, "--from-json": from_json}
    given = [(option, value) for option, value in sources.items() if value is not None]
    if len(given) > 1:
        raise Invalid(
            f"{' and '.join(option for option, _ in given)}: only one of them can say which elements there are"
        )
    if not given:
        for option, value in (("--max-parallel", max_parallel), ("--max-fails", max_fails)):
            if value is not None:
                raise Invalid(f"{option} is for arrays: say also {', '.join(sources)}, one of them")
        return None
    if array is None:
        items = read_items(*given[0])
        return ArrayAsked(Indices.first(len(items)), items, max_parallel or 0, max_fails)
    text, limit = split_limit(array)
    if limit is not None and max_parallel is not None:
        raise Invalid(f"--max-parallel {max_parallel} and --array …%{limit} say the same: give one of them")
    return ArrayAsked(Indices.parse(text, "--array"), None, limit or max_parallel or 0, max_fails)


def split_limit(text: str) -> tuple[str, int | None]:
    """The indices, and the limit behind a `%`; raises `Invalid`."""
    from ganger_core.domain.errors import Invalid

    indices, percent, limit = text.partition("%")
    if not percent:
        return indices, None
    if not re.fullmatch("[1-9][0-9]{0,6}", limit, re.ASCII):
        raise Invalid(
            f"--array: {limit!r} is no number of elements; write {indices}%8 for at most 8 at a time"
        )
    return indices, int(limit)


def read_items(option: str, path: str) -> Items:
    """The items in a file, `-` for stdin; raises `Invalid`, naming the option and the file."""
    from ganger.arrays import item_texts
    from ganger_core.domain.array import Items
    from ganger_core.domain.errors import Invalid

    where = f"{option} {path}"
    try:
        if path == "-":
            data = sys.stdin.buffer.read(MOST_FILE_BYTES + 1)
        else:
            with open(path, "rb") as file:
                data = file.read(MOST_FILE_BYTES + 1)
    except OSError as error:
        raise Invalid(f"{where}: {error.strerror}") from None
    if len(data) > MOST_FILE_BYTES:
        raise Invalid(
            f"{where}: more than {MOST_FILE_BYTES >> 20} MiB; put the data into files, and list their names"
        )
    texts = lines_of(data, where) if option == "--each-line" else item_texts(values_of(data, where), option)
    if not texts:
        raise Invalid(f"{where}: it is empty, and an array has at least one element")
    return Items.of(texts, option)


def lines_of(data: bytes, where: str) -> list[str]:
    """The lines without their ends; what follows the last line's end is a line only when it is something."""
    from ganger_core.domain.errors import Invalid

    try:
        lines = re.split("\r?\n", data.decode())
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise Invalid(f"{where}: line {number} is no UTF-8 text") from None
    return lines if lines[-1] else lines[:-1]


def values_of(data: bytes, where: str) -> list[object]:
    """What a JSON list holds."""
    from ganger_core.domain.errors import Invalid

    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"{where}: no JSON: {error}") from None
    if not isinstance(values, list):
        raise Invalid(f"{where}: the JSON must be a list with something for each element")
    return values
