"""This module reads what a page shows: its blocks, the commands in them, and the notes that say how to run them. Pure.

A note is a comment of the page's source, `<!-- name: text -->`, above the block that it is for:

- `not run: REASON`   the block shows what cannot be run here;
- `file: NAME`        the block is the content of a file in the working folder;
- `before: COMMAND`   is run first, unseen: to prepare a file, or to wait until something is as the page tells;
- `varies: PATTERN`   text that may differ from run to run, beside what `documents.compare` knows;
- `any order`         the lines of the outputs may come in any order;
- `cluster ends`      daemons are stopped before the block, as Ctrl-C does it;
- `cluster: OPTIONS`  for the whole page: `ganger dev OPTIONS` runs from its beginning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

NOTES = {"not run", "file", "before", "varies", "any order", "cluster", "cluster ends"}
FENCE = re.compile(r"^(`{3,}|~{3,})\s*(\w*)\s*$")
NOTE = re.compile(r"^<!-- ([a-z ]+?)(?:: (.*?))? -->$")
NAMES_GANGER = re.compile(r"^(\$ )?(sudo )?ganger \w", re.MULTILINE)


class BadPage(ValueError):
    """A page that cannot be understood; the message names the line."""


@dataclass(frozen=True)
class Step:
    """One command and the output that the page shows for it, in the page's lines `first` to `end` (from 0, without)."""

    command: str
    output: tuple[str, ...]
    first: int
    end: int


@dataclass(frozen=True)
class Block:
    """One fenced block. `line` is that of its fence, from 0."""

    language: str
    lines: tuple[str, ...]
    line: int
    notes: tuple[tuple[str, str], ...]

    def note(self, name: str) -> str | None:
        """The text of its note of a name, the last one; None when it has none."""
        return dict(self.notes).get(name)

    def all_notes(self, name: str) -> list[str]:
        """The texts of all its notes of a name."""
        return [text for found, text in self.notes if found == name]

    @property
    def steps(self) -> tuple[Step, ...]:
        """The commands of a console block in their order."""
        return tuple(_steps(self.lines, self.line + 1))


def blocks(text: str) -> tuple[Block, ...]:
    """All blocks of a page in their order. Raises `BadPage`."""
    return tuple(_blocks(text.splitlines()))


def cluster_of(text: str) -> str | None:
    """The options of the cluster that runs from the page's beginning; None for no such cluster."""
    found = [
        match[2] or "" for line in text.splitlines() if (match := NOTE.match(line)) and match[1] == "cluster"
    ]
    if len(found) > 1:
        raise BadPage("a page has one cluster note at most")
    return found[0] if found else None


def unrun(text: str) -> Iterator[tuple[int, str]]:
    """Line (from 1) and fault of each block with a command that is neither run nor marked with a reason."""
    for block in blocks(text):
        reason = block.note("not run")
        if reason is not None:
            if len(reason.split()) < 3:
                yield block.line + 1, "is not run, and does not say why"
        elif block.language == "console":
            if not block.steps:
                yield block.line + 1, "is a console block without a command"
        elif block.note("file") is None and NAMES_GANGER.search("\n".join(block.lines)):
            yield (
                block.line + 1,
                f"shows a command in a block of the language {block.language!r}, not console",
            )


def _blocks(lines: list[str]) -> Iterator[Block]:
    notes: list[tuple[str, str]] = []
    number = 0
    while number < len(lines):
        line = lines[number]
        if note := NOTE.match(line):
            if note[1] in NOTES and note[1] != "cluster":
                notes.append((note[1], note[2] or ""))
        elif fence := FENCE.match(line):
            end = next((n for n in range(number + 1, len(lines)) if lines[n].rstrip() == fence[1]), None)
            if end is None:
                raise BadPage(f"line {number + 1}: the block does not end")
            yield Block(fence[2], tuple(lines[number + 1 : end]), number, tuple(notes))
            notes, number = [], end
        elif line.strip() and notes:
            raise BadPage(f"line {number + 1}: the note {notes[-1][0]!r} is not directly above a block")
        number += 1
    if notes:
        raise BadPage(f"the note {notes[-1][0]!r} is not directly above a block")


def _steps(lines: tuple[str, ...], offset: int) -> Iterator[Step]:
    number = 0
    if lines and not lines[0].startswith("$ "):
        raise BadPage(f"line {offset + 1}: a console block begins with a command, `$ ...`")
    while number < len(lines):
        command, number = [lines[number].removeprefix("$ ")], number + 1
        while number < len(lines) and (command[-1].endswith("\\") or lines[number].startswith("> ")):
            command.append(lines[number].removeprefix("> "))
            number += 1
        first = number
        while number < len(lines) and not lines[number].startswith("$ "):
            number += 1
        yield Step("\n".join(command), lines[first:number], offset + first, offset + number)
