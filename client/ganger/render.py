"""This module writes to the terminal: text, colours, JSON and raw bytes. Nothing else in the client prints."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO

from ganger.layout import WIDTH, Column, table

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
}


def say(text: str = "") -> None:
    """One line of result, to stdout."""
    _write(sys.stdout, text + "\n")


def note(text: str) -> None:
    """One line beside the result - a hint, progress, a failure - to stderr."""
    _write(sys.stderr, text + "\n")


def raw(data: bytes, *, error: bool) -> None:
    """A task's own bytes as they are, to stdout or stderr."""
    stream = sys.stderr if error else sys.stdout
    stream.buffer.write(data)
    stream.buffer.flush()


def document(fields: Mapping[str, object]) -> None:
    """A JSON document of the present version; the order of the keys is that of `fields`."""
    say(json.dumps({"version": JSON_VERSION, **fields}, indent=2))


def show_table(columns: Sequence[Column], rows: Sequence[Sequence[str]], indent: str = "") -> None:
    """A table to stdout, never wider than the terminal or 100 columns."""
    width = min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns) if sys.stdout.isatty() else WIDTH
    for line in table(columns, rows, width - len(indent)):
        say(indent + line)


def show_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Names and values, one pair per line, to stdout; pairs without a value are left out."""
    shown = [(name, value) for name, value in facts if value]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        say(f"{name:<{width}}  {value}")


def state_colour(state: str) -> str:
    """The name of a state in its colour, on a terminal that wants colours."""
    code = _COLOURS.get(state)
    if code is None or os.environ.get("NO_COLOR") or not sys.stdout.isatty():
        return state
    return f"\x1b[{code}m{state}\x1b[0m"


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
    _write(sys.stderr, f"{question} [y/N] ")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _write(stream: TextIO, text: str) -> None:
    """Write `text`; what the stream's encoding lacks becomes an escape instead of an error."""
    try:
        stream.write(text)
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()
