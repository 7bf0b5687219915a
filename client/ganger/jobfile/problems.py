"""This module gathers what is wrong with a job file, so that all of it is said at once."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from ganger_core.domain.errors import Invalid

MOST_SHOWN = 20


class Problems:
    """What is wrong with one file: where, and what; only the first 20 are kept."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._found: dict[tuple[int, str, str], None] = {}  # each once, in the order found

    def __len__(self) -> int:
        return len(self._found)

    @property
    def is_full(self) -> bool:
        """Whether there is no use in looking for more."""
        return len(self._found) > MOST_SHOWN

    def add(self, path: str, line: int, message: str) -> None:
        """Something is wrong with what is at this path; a `line` of 0 is not known."""
        if not self.is_full:
            self._found[line, path, message] = None

    def stop(self, message: str, *, line: int = 0) -> Invalid:
        """The error for what makes no sense to read on after; what was found before is said, too."""
        self.add("", line, message)
        return self.error()

    def error(self) -> Invalid:
        """All of it as one error."""
        found = [_said(*each) for each in sorted(self._found, key=lambda each: each[0])]
        if len(found) == 1:
            comma = ", " if found[0].startswith("line ") else ": "
            return Invalid(f"{self._file}{comma}{found[0]}")
        more = ["and more"] * (len(found) > MOST_SHOWN)
        count = "more than 20" if more else str(len(found))
        lines = "".join(f"\n  {each}" for each in found[:MOST_SHOWN] + more)
        return Invalid(f"{self._file}: {count} things are wrong with it{lines}")


def _said(line: int, path: str, message: str) -> str:
    return ": ".join(part for part in (f"line {line}" if line else "", path, message) if part)


def nearest(word: str, known: Mapping[str, str]) -> str:
    """What was probably meant, of the `known` by what each is called; empty when nothing is like it."""
    plain = {_plain(each): shown for each, shown in known.items()}
    wanted = _plain(word)
    begin = [each for each in plain if len(wanted) > 2 and each.startswith(wanted)]
    found = begin or get_close_matches(wanted, plain, n=1, cutoff=0.7)
    return plain[found[0]] if found else ""


def without_field(error: Invalid) -> str:
    """What the error says, without the name that the field has elsewhere."""
    return error.message.removeprefix(error.field).lstrip(": ") if error.field else error.message


def _plain(word: str) -> str:
    return word.replace("_", "").replace("-", "").lower()
