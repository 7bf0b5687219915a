"""This module reads the mappings of a job file by their table of keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ganger.jobfile.keys import Key, Table
from ganger.jobfile.kinds import Place, Unusable, read_members
from ganger.jobfile.problems import nearest
from ganger.jobfile.tree import Node


class Given(NamedTuple):
    """A value and where it stands."""

    value: Any
    place: Place


Found = dict[str, Given]
"""What was found, by `Key.to`."""


def read_table(
    keys: Sequence[Key | Table], node: Node, place: Place, also: Mapping[str, str] | None = None
) -> Found:
    """What is in a mapping of these keys and can be read; of the rest it is said what is wrong.

    `also` says of words that are no keys here what is meant by them.
    """
    found: Found = {}
    by_name = {key.name: key for key in keys}
    try:
        members = read_members(node, place)
    except Unusable:
        return {}
    for name, value in members.items():
        key, inside = by_name.get(name), place.member(name, value)
        if key is None:
            unknown(name, {**(also or {}), **meant_by(keys)}, inside)
        elif isinstance(key, Table):
            found |= read_table(key.keys, value, inside)
        else:
            try:
                found[key.to] = Given(key.kind.read(value, inside), inside)
            except Unusable:
                continue
    return found


def meant_by(keys: Sequence[Key | Table], above: str = "") -> dict[str, str]:
    """What people may mean by a word: one of these keys, or of those in their tables, by its whole path."""
    meant: dict[str, str] = {}
    for key in keys:
        if isinstance(key, Table):
            meant |= meant_by(key.keys, f"{above}{key.name}.")
        else:
            meant |= dict.fromkeys(key.also, f"{above}{key.name}")
    return meant | {key.name: f"{above}{key.name}" for key in keys}


def unknown(name: str, meant: Mapping[str, str], place: Place) -> None:
    """Say that there is no such key, and which one may be meant."""
    near = nearest(name, meant)
    place.wrong(f"unknown key; {f'did you mean {near}?' if near else '`ganger schema job` lists them'}")
