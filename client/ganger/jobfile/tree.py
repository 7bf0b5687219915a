"""This module reads YAML and TOML into one kind of tree, in which every value still is the text that somebody wrote.

Whoever knows what is meant reads the text: `no` is a word where a text is meant, `010` is no octal number, and 14:30 no
number of minutes. So YAML needs no types here, and what of it surprises people is refused: tags, anchors, aliases, keys
that stand twice. In a document of 1 MiB nothing can grow beyond it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ganger.jobfile.problems import Problems

if TYPE_CHECKING:
    from yaml.events import Event

MOST_BYTES = 2**20
MOST_DEEP = 32
NULLS = frozenset({"", "~", "null", "Null", "NULL"})


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text; one that was `quoted` is nothing else than that."""

    text: str
    quoted: bool = False

    @property
    def is_null(self) -> bool:
        """Whether nothing was written."""
        return not self.quoted and self.text in NULLS


@dataclass(frozen=True, slots=True)
class Node:
    """A value with the line that it begins in; 0 where that is not known."""

    value: Scalar | dict[str, Node] | list[Node]
    line: int = 0

    @property
    def kind(self) -> str:
        """What it is, in a word for people."""
        if isinstance(self.value, Scalar):
            return "empty" if self.value.is_null else repr(self.value.text[:60])
        return "a mapping" if isinstance(self.value, dict) else "a list"


def read_tree(data: bytes, problems: Problems, *, is_toml: bool) -> Node:
    """The tree of a document. Raises `Invalid` when it is not one; what else is wrong is added to the problems."""
    if len(data) > MOST_BYTES:
        raise problems.stop(
            f"more than {MOST_BYTES >> 20} MiB; what is large goes into the files that eachLine and fromJson name"
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise problems.stop("no UTF-8 text", line=data.count(b"\n", 0, error.start) + 1) from None
    if not is_toml:
        return _read_yaml(text, problems)
    try:
        document = tomllib.loads(text, parse_float=Scalar)
    except tomllib.TOMLDecodeError as error:
        raise problems.stop(f"no TOML: {error}") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, thousands of brackets
        raise problems.stop(f"not usable as TOML: {error}") from None
    return _of_toml(document)


def _of_toml(value: Any) -> Node:
    if isinstance(value, dict):
        return Node({key: _of_toml(each) for key, each in value.items()})
    if isinstance(value, list):
        return Node([_of_toml(each) for each in value])
    if isinstance(value, Scalar):
        return Node(value)
    if isinstance(value, str):
        return Node(Scalar(value, quoted=True))
    if isinstance(value, bool):
        return Node(Scalar("true" if value else "false"))
    return Node(Scalar(str(value) if isinstance(value, int) else value.isoformat()))


def _read_yaml(text: str, problems: Problems) -> Node:
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # many times as fast, where it was built
    try:
        return _Yaml(yaml.parse(text, Loader=loader), problems).document()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise problems.stop(f"no YAML: {error.problem or error.context}", line=line) from None
    except yaml.YAMLError as error:
        raise problems.stop(f"no YAML: {str(error).splitlines()[0]}") from None


class _Yaml:
    """Builds the tree from the events of a parser: so aliases are seen before anything is made of them."""

    def __init__(self, events: Iterator[Event], problems: Problems) -> None:
        self._events = events
        self._problems = problems

    def document(self) -> Node:
        from yaml import events as kinds

        next(self._events)  # the start of the stream
        if isinstance(next(self._events), kinds.StreamEndEvent):
            raise self._problems.stop("it is empty")
        root = self._node(next(self._events), 0)
        next(self._events)  # the end of the document
        after = next(self._events)
        if not isinstance(after, kinds.StreamEndEvent):
            raise self._problems.stop("a second document begins; one file holds one", line=_line(after))
        return root

    def _node(self, event: Any, depth: int) -> Node:
        from yaml import events as kinds

        line = _line(event)
        if depth > MOST_DEEP:
            raise self._problems.stop(f"nested more than {MOST_DEEP} deep", line=line)
        if isinstance(event, kinds.AliasEvent):
            self._problems.add(
                "", line, f"*{event.anchor}: aliases are not taken; defaults hold what is common"
            )
            return Node(Scalar("", quoted=True), line)
        if event.anchor:
            self._problems.add(
                "", line, f"&{event.anchor}: anchors are not taken; defaults hold what is common"
            )
        if event.tag is not None:
            self._problems.add("", line, f"{event.tag}: tags are not taken")
        if isinstance(event, kinds.ScalarEvent):
            return Node(Scalar(event.value, quoted=bool(event.style)), line)
        if isinstance(event, kinds.SequenceStartEvent):
            return Node(list(self._items(depth)), line)
        return Node(self._members(depth), line)

    def _items(self, depth: int) -> Iterator[Node]:
        from yaml import events as kinds

        while not isinstance(event := next(self._events), kinds.SequenceEndEvent):
            yield self._node(event, depth + 1)

    def _members(self, depth: int) -> dict[str, Node]:
        from yaml import events as kinds

        found: dict[str, Node] = {}
        while not isinstance(event := next(self._events), kinds.MappingEndEvent):
            key = self._node(event, depth + 1)
            value = self._node(next(self._events), depth + 1)
            if not isinstance(key.value, Scalar):
                self._problems.add("", key.line, f"{key.kind} cannot be a key")
            elif key.value.text in found:
                before = found[key.value.text].line
                self._problems.add(key.value.text, key.line, f"stands twice, before in line {before}")
            else:
                found[key.value.text] = Node(value.value, key.line)
        return found


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1
