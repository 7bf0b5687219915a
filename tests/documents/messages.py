"""This module looks for the messages that a page quotes in the code that says them. Pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from architecture.sources import Source

VALUE = "\0"  # stands for what an f-string fills in
ROW = re.compile(r"^\| (?!it says|the reason|---)(.*?) \|")
QUOTED = re.compile(r"`([^`]+)`")


def quoted(text: str) -> Iterator[tuple[int, str]]:
    """Line (from 1) and text of each message in the first column of a page's tables."""
    for number, line in enumerate(text.splitlines(), start=1):
        if row := ROW.match(line):
            yield from ((number, message) for message in QUOTED.findall(row[1]))


def said_in(sources: Iterable[Source]) -> str:
    """Every text in the code, one after the other, with `VALUE` in place of what is filled in."""
    found = []
    for source in sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.JoinedStr):
                parts = node.values
                found.append("".join(p.value if isinstance(p, ast.Constant) else VALUE for p in parts))  # type: ignore[misc]
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n\n".join(found)


def is_said(message: str, said: str) -> bool:
    """Whether a text in the code says the message; `…` in it stands for something that is filled in."""
    parts = [part.strip() for part in message.split("…")]
    pattern = ".*?".join(re.escape(part).replace("\\ ", " ") for part in parts)
    return any(parts) and re.search(pattern, said) is not None
