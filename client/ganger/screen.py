"""This module redraws a part of the terminal in place, without flicker: what changes is written over."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from ganger import render

_NO_WRAP, _WRAP = "\x1b[?7l", "\x1b[?7h"
_LINE, _BELOW = "\x1b[2K", "\x1b[J"  # the line first: behind a full one, the rest of it is its last column


class Screen:
    """Lines at the cursor of the terminal that is stdout or stderr, drawn again and again."""

    def __init__(self, *, to_stderr: bool = False) -> None:
        self._to_stderr = to_stderr
        self._drawn = 0

    def draw(self, lines: Sequence[str]) -> None:
        """Show these lines in the place of those before; as many as there is room for."""
        shown = fitting(lines, shutil.get_terminal_size((80, 24)).lines - 1)
        render.write(frame(shown, self._drawn), to_stderr=self._to_stderr)
        self._drawn = len(shown)


def fitting(lines: Sequence[str], height: int) -> list[str]:
    """The lines, cut to `height` with a word about the rest."""
    if len(lines) <= height:
        return list(lines)
    return [*lines[: max(0, height - 1)], f"… and {len(lines) - max(0, height - 1)} more"]


def frame(lines: Sequence[str], drawn: int) -> str:
    """What to write to have these lines stand where `drawn` lines end now."""
    up = f"\x1b[{drawn}A" if drawn else ""
    body = "".join(f"{_LINE}{line}\n" for line in lines)
    return f"{_NO_WRAP}\r{up}{body}{_BELOW}{_WRAP}"
