"""This module checks what is drawn over what stands on the terminal, on a terminal of a few lines."""

from __future__ import annotations

import re

from ganger.screen import fitting, frame


def a_terminal(*frames: str) -> list[str]:
    """What stands on a terminal after these were written, as far as `frame` uses one."""
    lines, row = [""], 0
    for part in re.findall(r"\x1b\[\??\d*[A-Za-z]|\r|\n|[^\x1b\r\n]+", "".join(frames)):
        if part.endswith("A") and part[0] == "\x1b":
            row -= int(part[2:-1])
        elif part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part == "\x1b[J":
            del lines[row:]
            lines.append("")
        elif part == "\x1b[2K":
            lines[row] = ""
        elif part[0] not in "\x1b\r":
            lines[row] = part + lines[row][len(part) :]
    return lines[:-1]


def test_a_frame_stands_in_the_place_of_the_one_before() -> None:
    first, second, third = ["long line", "two"], ["short", "2", "3"], ["end"]
    drawn = [frame(first, 0), frame(second, 2), frame(third, 3)]
    assert a_terminal(*drawn[:1]) == first
    assert a_terminal(*drawn[:2]) == second
    assert a_terminal(*drawn) == third


def test_what_has_no_room_is_counted() -> None:
    lines = ["1", "2", "3", "4"]
    assert fitting(lines, 4) == lines
    assert fitting(lines, 3) == ["1", "2", "… and 2 more"]
    assert fitting(lines, 1) == ["… and 4 more"]
