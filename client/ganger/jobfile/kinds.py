"""This module says what a value in a job file can be: how it is read, and its JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ganger.jobfile.problems import Problems
from ganger.jobfile.tree import Node, Scalar

Schema = dict[str, Any]

SHELL = ("sh", "-c")
_WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)


class Unusable(Exception):
    """A value that is not what it should be; the message has been added to the problems."""


@dataclass(frozen=True)
class Place:
    """Where in a file something stands."""

    path: str
    line: int
    problems: Problems

    def wrong(self, message: str) -> Unusable:
        """Note what is wrong here; raise what this returns."""
        self.problems.add(self.path, self.line, message)
        return Unusable()

    def member(self, key: str, node: Node) -> Place:
        """Where a value of a mapping stands."""
        shown = key if key.isidentifier() else repr(key[:60])
        return Place(f"{self.path}.{shown}" if self.path else shown, node.line or self.line, self.problems)

    def item(self, number: int, node: Node) -> Place:
        """Where a value of a list stands."""
        return Place(f"{self.path}[{number}]", node.line or self.line, self.problems)


@dataclass(frozen=True)
class Kind:
    """What a value can be. `read` raises `Unusable` for what it cannot be."""

    read: Callable[[Node, Place], Any]
    schema: Mapping[str, Any]


def read_text(node: Node, place: Place) -> str:
    """The text as it was written, also of what looks like a number or a truth."""
    if not isinstance(node.value, Scalar):
        raise place.wrong(f"must be a text, not {node.kind}")
    if node.value.is_null:
        raise place.wrong('is empty: leave the key out, or write "" for an empty text')
    return node.value.text


def read_texts(node: Node, place: Place) -> list[str]:
    """A list of texts."""
    if not isinstance(node.value, list):
        raise place.wrong(f"must be a list, not {node.kind}")
    return [read_text(each, place.item(number, each)) for number, each in enumerate(node.value)]


def read_members(node: Node, place: Place) -> dict[str, Node]:
    """What is in a mapping."""
    if not isinstance(node.value, dict):
        raise place.wrong(f"must be a mapping of keys and values, not {node.kind}")
    return node.value


def read_values(node: Node, place: Place) -> list[object]:
    """A list of anything: texts and numbers as they were written, of other things what JSON makes of them."""
    if not isinstance(node.value, list):
        raise place.wrong(f"must be a list with something for each element, not {node.kind}")
    return [
        each.value.text if isinstance(each.value, Scalar) and not each.value.is_null else plain_value(each)
        for each in node.value
    ]


def plain_value(node: Node) -> object:
    """What JSON would hold for it: as YAML 1.2 reads it, with true, false and numbers, and everything else a text."""
    if isinstance(node.value, dict):
        return {key: plain_value(each) for key, each in node.value.items()}
    if isinstance(node.value, list):
        return [plain_value(each) for each in node.value]
    scalar = node.value
    if scalar.is_null:
        return None
    if not scalar.quoted and scalar.text in ("true", "false"):
        return scalar.text == "true"
    if not scalar.quoted and _WHOLE.fullmatch(scalar.text):
        return int(scalar.text)
    if not scalar.quoted and re.fullmatch(
        r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]{1,2})?", scalar.text, re.ASCII
    ):
        return float(scalar.text)
    return scalar.text


def _read_command(node: Node, place: Place) -> list[str]:
    return [*SHELL, read_text(node, place)] if isinstance(node.value, Scalar) else read_texts(node, place)


def _read_joined(node: Node, place: Place) -> str:
    return read_text(node, place) if isinstance(node.value, Scalar) else ",".join(read_texts(node, place))


def _read_some(node: Node, place: Place) -> list[str]:
    return [read_text(node, place)] if isinstance(node.value, Scalar) else read_texts(node, place)


def _read_pairs(node: Node, place: Place) -> dict[str, str]:
    members = read_members(node, place).items()
    return {key: read_text(each, place.member(key, each)) for key, each in members}


def _read_whole(node: Node, place: Place) -> int:
    text = node.value.text if isinstance(node.value, Scalar) else ""
    if not _WHOLE.fullmatch(text):
        raise place.wrong(f"must be a whole number, not {node.kind}")
    return int(text)


def _read_flag(node: Node, place: Place) -> bool:
    text = node.value.text if isinstance(node.value, Scalar) and not node.value.quoted else ""
    if text not in ("true", "false"):
        raise place.wrong(f"must be true or false, not {node.kind}")
    return text == "true"


_ONE: Schema = {"type": ["string", "number", "boolean"]}
_SOME: Schema = {"type": "array", "items": _ONE}

TEXT = Kind(read_text, _ONE)
COMMAND = Kind(_read_command, {"oneOf": [_ONE, _SOME]})
JOINED = Kind(_read_joined, {"oneOf": [_ONE, _SOME]})
SOME = Kind(_read_some, {"oneOf": [_ONE, _SOME]})
PAIRS = Kind(_read_pairs, {"type": "object", "additionalProperties": _ONE})
VALUES = Kind(read_values, {"type": "array"})
WHOLE = Kind(_read_whole, {"type": "integer", "minimum": 0})
FLAG = Kind(_read_flag, {"type": "boolean"})
