"""This module writes to the terminal: text, colours, JSON and raw bytes. Nothing else in the client prints."""

from __future__ import annotations

import codecs
import json
import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO

from ganger.layout import WIDTH, Column, table, wrapped

JSON_VERSION = 1  # of all JSON documents; grows when a field is taken away or changes its meaning

_COLOURS = {
    "SUCCEEDED": "32",
    "RUNNING": "36",
    "STARTING": "36",
    "SCHEDULED": "36",
    "STOPPING": "33",
    "FAILED": "31",
    "CANCELLED": "33",
    "TIMED_OUT": "31",
    "EXPIRED": "31",
    "SKIPPED": "33",
    "UP": "32",
    "SUSPECT": "33",
    "CORDONED": "33",
    "DRAINING": "33",
    "DRAINED": "33",
    "LOST": "31",
    "ok": "32",
    "WARNING": "33",
    "PROBLEM": "31",
}


def say(text: str = "") -> None:
    """One line of result, to stdout."""
    _write(sys.stdout, text + "\n")


def note(text: str) -> None:
    """A line beside the result - a hint, progress, a failure - to stderr; on a terminal broken where it is too long."""
    _write(sys.stderr, (_broken(text) if on_terminal() else text) + "\n")


def _broken(text: str) -> str:
    """The text in lines that fit the terminal that is stderr."""
    fits = width(to_stderr=True)
    return "\n".join(part for line in text.split("\n") for part in wrapped(line, fits))


class TaskOutput:
    """Writes a task's own bytes to stdout and stderr: as they are, or for a terminal with what is no UTF-8 replaced."""

    def __init__(self) -> None:
        self._decoders = {
            stream: codecs.getincrementaldecoder("utf-8")("replace")
            for stream in (sys.stdout, sys.stderr)
            if stream.isatty()
        }

    def write(self, data: bytes, *, error: bool) -> None:
        """The next bytes of a stream; a character may be cut anywhere."""
        stream = sys.stderr if error else sys.stdout
        if stream in self._decoders:
            _write(stream, self._decoders[stream].decode(data))
        else:
            stream.buffer.write(data)
            stream.buffer.flush()

    def end(self) -> None:
        """Write what looked like the beginning of a character, now that nothing follows it."""
        for stream, decoder in self._decoders.items():
            _write(stream, decoder.decode(b"", final=True))


def document(fields: Mapping[str, object]) -> None:
    """A JSON document of the present version; the order of the keys is that of `fields`."""
    say(json.dumps({"version": JSON_VERSION, **fields}, indent=2))


def width(*, to_stderr: bool = False) -> int:
    """How wide a line may be: as wide as the terminal, and at most 100 columns."""
    stream = sys.stderr if to_stderr else sys.stdout
    return min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns) if stream.isatty() else WIDTH


def show_table(columns: Sequence[Column], rows: Sequence[Sequence[str]], indent: str = "") -> None:
    """A table to stdout, never wider than the terminal or 100 columns."""
    for line in table(columns, rows, width() - len(indent)):
        say(indent + line)


def show_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Names and values, one pair per line, to stdout; pairs without a value are left out.

    What does not fit goes on in the next line, below its beginning.
    """
    shown = [(name, value) for name, value in facts if value]
    indent = max((len(name) for name, _ in shown), default=0) + 2
    for name, value in shown:
        for number, line in enumerate(wrapped(value, width() - indent)):
            say(f"{'' if number else name:<{indent}}{line}")


def state_colour(state: str) -> str:
    """The name of a state in its colour, on a terminal that wants colours."""
    code = _COLOURS.get(state)
    if code is None or os.environ.get("NO_COLOR") or not sys.stdout.isatty():
        return state
    return f"\x1b[{code}m{state}\x1b[0m"


def write(text: str, *, to_stderr: bool = False) -> None:
    """Text as it is, without the end of a line: for what draws on the terminal."""
    _write(sys.stderr if to_stderr else sys.stdout, text)


def encodes(text: str, *, to_stderr: bool = False) -> bool:
    """Whether the stream's encoding has this text."""
    try:
        text.encode((sys.stderr if to_stderr else sys.stdout).encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def stdout_is_terminal() -> bool:
    """Whether a person reads the result as it comes."""
    return sys.stdout.isatty()


def on_terminal() -> bool:
    """Whether a person reads stderr as it comes."""
    return sys.stderr.isatty()


def can_ask() -> bool:
    """Whether somebody sits at the terminal who reads a question and may answer it."""
    return sys.stdin.isatty() and on_terminal()


def confirmed(question: str) -> bool:
    """Ask whoever sits at the terminal; no, when nobody does."""
    if not can_ask():
        return False
    _write(sys.stderr, _broken(f"{question} [y/N] "))
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _write(stream: TextIO, text: str) -> None:
    """Write `text`; what the stream's encoding lacks becomes an escape instead of an error."""
    try:
        stream.write(text)
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()
