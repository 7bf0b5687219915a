"""This module checks how a task's own bytes are written: as they are, for people, or behind a label."""

from __future__ import annotations

import io
import sys

import hypothesis.strategies as st
import pytest
from hypothesis import given

from ganger.cli.logs import Prefixed
from ganger.render import TaskOutput, note


class Terminal(io.StringIO):
    """A stream at which a person sits."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_text_and_a_file_gets_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, file = Terminal(), io.BytesIO()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(file, encoding="utf-8"))
    output = TaskOutput()
    for data in (b"caf\xc3", b"\xa9 \xff", b"\n\xe2\x82"):
        output.write(data, error=False)
        output.write(data, error=True)
    assert screen.getvalue() == "café \ufffd\n"
    output.end()
    assert screen.getvalue() == "café \ufffd\n\ufffd"
    assert file.getvalue() == b"caf\xc3\xa9 \xff\n\xe2\x82"


def test_a_note_is_broken_for_a_terminal_and_stays_whole_for_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    for stream, expected in (
        (Terminal(), "no master answers at\n/a/socket\n  hint\n"),
        (io.StringIO(), None),
    ):
        monkeypatch.setattr(sys, "stderr", stream)
        note("no master answers at /a/socket\n  hint")
        assert stream.getvalue() == (expected or "no master answers at /a/socket\n  hint\n")


@given(st.lists(st.text("a\n", max_size=5), max_size=6))
def test_each_line_has_its_label_however_it_comes(pieces: list[str]) -> None:
    written = Prefixed(b"42.7 | ")
    got = b"".join([written.more(piece.encode()) for piece in pieces]) + written.end()
    lines = "".join(pieces).encode().split(b"\n")
    lines = lines if lines[-1] else lines[:-1]
    assert got == b"".join([b"42.7 | " + line + b"\n" for line in lines])
