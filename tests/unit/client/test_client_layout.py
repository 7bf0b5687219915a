"""This module checks how amounts, times and tables are laid out."""

from __future__ import annotations

import pytest

from ganger.layout import WIDTH, Column, cell_width, clean, cpus, cut, duration, size, table, wrapped

COLUMNS = (Column("ID", right=True), Column("NAME", least=6), Column("REASON", least=8))


def test_a_table_is_as_wide_as_its_cells() -> None:
    assert table(COLUMNS, [["1", "a", "b"], ["23", "long", ""]]) == [
        "ID  NAME  REASON",
        " 1  a     b",
        "23  long",
    ]


def test_what_is_too_wide_is_cut_where_it_may_be() -> None:
    lines = table(COLUMNS, [["1" * 20, "n" * 60, "r" * 70]])
    assert lines[1] == f"{'1' * 20}  {'n' * 31}…  {'r' * 43}…"
    assert len(lines[1]) == WIDTH


def test_cutting_stops_at_the_least() -> None:
    assert table(COLUMNS, [["1", "n" * 20, "r" * 20]], width=10)[1] == " 1  nnnnn…  rrrrrrr…"


def test_spare_columns_give_way_on_a_narrow_terminal() -> None:
    columns = (Column("ID"), Column("PRI", spare=True), Column("CPU", spare=True), Column("REASON", least=8))
    row = ["1", "50", "4", "r" * 70]
    assert table(columns, [row], width=85)[0].split() == ["ID", "PRI", "CPU", "REASON"]
    assert table(columns, [row], width=80)[0].split() == ["ID", "PRI", "REASON"]
    assert table(columns, [row], width=60) == ["ID  REASON", f"1   {'r' * 55}…"]
    assert table(columns, [[*row[:3], "r" * 200]])[0].split() == ["ID", "PRI", "CPU", "REASON"]


def test_paint_does_not_move_columns() -> None:
    painted = (Column("STATE", paint=lambda cell: f"<{cell}>"), Column("X"))
    assert table(painted, [["UP", "x"], ["SUSPECT", "y"]]) == ["STATE    X", "<UP>       x", "<SUSPECT>  y"]


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("日本語", 6, "日本語"),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日…"),
    ],
)
def test_cut_counts_columns_of_a_terminal(text: str, width: int, shown: str) -> None:
    assert cut(text, width) == shown
    assert cell_width(shown) <= width


def test_a_combining_mark_takes_no_room() -> None:
    assert cell_width("e\N{COMBINING ACUTE ACCENT}") == 1


def test_clean_text_cannot_steer_a_terminal() -> None:
    assert clean("plain ñ 日") == "plain ñ 日"
    assert clean("a\x1b[2J\n\u202eb") == "a\\x1b[2J\\n\\u202eb"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0.0s"),
        (0.04, "0.0s"),
        (9.94, "9.9s"),
        (9.96, "10s"),
        (59.6, "1m00s"),
        (61, "1m01s"),
        (3599, "59m59s"),
        (7380, "2h03m"),
        (90_000, "1d01h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "–"),
        (1023, "1023B"),
        (1024, "1KiB"),
        (1536, "1.5KiB"),
        (8 * 2**30, "8GiB"),
        (250 * 2**20 + 1, "250MiB"),
        (3 * 2**50, "3072TiB"),
    ],
)
def test_sizes(amount: int, text: str) -> None:
    assert size(amount) == text


def test_cpus() -> None:
    assert [cpus(milli) for milli in (0, 125, 1000, 1500, 64_000)] == ["0", "0.125", "1", "1.5", "64"]


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("", 5, [""]),
        ("two words", 9, ["two words"]),
        ("two words", 8, ["two", "words"]),
        ("two words more", 9, ["two words", "more"]),
        ("a-long-word", 5, ["a-lon", "g-wor", "d"]),
        ("a long-word", 6, ["a long", "-word"]),
        ("日本語", 4, ["日本", "語"]),
        ("日本語", 1, ["日", "本", "語"]),
    ],
)
def test_what_does_not_fit_goes_on_in_the_next_line(text: str, width: int, lines: list[str]) -> None:
    assert wrapped(text, width) == lines
