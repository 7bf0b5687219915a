"""This module makes the elements of an array of what a job file says about them, and of the files that it names."""

from __future__ import annotations

import os
from collections.abc import Callable

from ganger.arrays import item_texts, read_indices
from ganger.cli.array_options import MOST_FILE_BYTES, lines_of, values_of
from ganger.jobfile.job import Elements
from ganger.jobfile.kinds import Place
from ganger.jobfile.problems import without_field
from ganger.jobfile.tables import Found, Given
from ganger_core.domain.array import MOST_ELEMENTS, Array, Items
from ganger_core.domain.errors import Invalid
from ganger_core.domain.validate import check_array

Texts = Callable[[Given, str], list[str]]


def read_elements(found: Found, place: Place, folder: str) -> Elements:
    """The elements; files are named from `folder` on. Raises `Unusable`."""
    sources = [(found[name], read) for name, read in SOURCES.items() if name in found]
    if len(sources) > 1:
        named = " and ".join(given.place.path.rpartition(".")[2] for given, _ in sources)
        raise place.wrong(f"{named}: only one of them can say which items there are")
    if not sources and "indices" not in found:
        raise place.wrong("says of no elements: it needs indices, items, eachLine or fromJson")
    here = place
    try:
        items = None
        if sources:
            (given, read), here = sources[0], sources[0][0].place
            items = Items.of(read(given, folder), "items")
        indices = found.get("indices")
        here = indices.place if indices else here
        chosen = read_indices(indices.value if indices else None, None if items is None else len(items))
        here = place
        limits = {name: found[name].value for name in ("max_parallel", "max_fails") if name in found}
        for name, value in limits.items():
            here = found[name].place
            if value > MOST_ELEMENTS:
                raise here.wrong(f"must be from 0 to {MOST_ELEMENTS}, not {value}")
        check_array(Array(chosen, limits.get("max_parallel", 0), limits.get("max_fails")))
    except Invalid as error:
        raise here.wrong(without_field(error)) from None
    return Elements(chosen, items, limits.get("max_parallel", 0), limits.get("max_fails"))


def _values(given: Given, folder: str) -> list[str]:
    return item_texts(given.value)


def _lines(given: Given, folder: str) -> list[str]:
    return lines_of(_content(given, folder), given.value)


def _json_values(given: Given, folder: str) -> list[str]:
    return item_texts(values_of(_content(given, folder), given.value))


SOURCES: dict[str, Texts] = {"items": _values, "each_line": _lines, "from_json": _json_values}


def _content(given: Given, folder: str) -> bytes:
    path = os.path.join(folder, given.value)
    try:
        with open(path, "rb") as file:
            data = file.read(MOST_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise given.place.wrong(f"{path}: {getattr(error, 'strerror', error)}") from None
    if len(data) > MOST_FILE_BYTES:
        raise given.place.wrong(f"{path}: more than {MOST_FILE_BYTES >> 20} MiB; put names of files into it")
    return data
