"""This module checks that a page is played as a person would type it, and that what differs is found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from documents.play import play, rewritten
from documents.shell import Terminal, a_terminal, daemon_of

PAGE = """
<!-- file: words.txt -->
```
one
two
```

<!-- before: echo three >> words.txt -->
```console
$ cat words.txt
one
two
three
$ cd /; false
$ echo $? $PWD
1 /
$ cd; pwd; name=value
/home/ann
$ echo $name >&2
value
$ sort <<END
> b
> a
> END
a
b
```

<!-- not run: nothing has this name -->
```console
$ no-such-program
```
"""


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    with a_terminal(tmp_path) as terminal:
        yield terminal


def test_a_page_that_shows_what_comes_out_has_no_differences(terminal: Terminal) -> None:
    assert list(play(PAGE, terminal)) == []


@pytest.mark.parametrize(
    ("shown", "other"),
    [
        ("one\ntwo\nthree\n", "one\ntwo\n"),
        ("1 /\n", "0 /\n"),
        ("/home/ann\n", ""),
        ("a\nb\n```", "b\na\n```"),
        ("<!-- before: echo three >> words.txt -->\n", ""),
    ],
)
def test_a_page_that_shows_something_else_is_found_and_written_again(
    shown: str, other: str, terminal: Terminal
) -> None:
    page = PAGE.replace(shown, other)
    assert page != PAGE
    differences = list(play(page, terminal))
    assert len(differences) == 1
    if "before" not in shown:
        assert rewritten(page, differences) == PAGE


def test_a_command_that_fails_in_silence_is_found_unless_its_code_is_shown(terminal: Terminal) -> None:
    (found,) = play("```console\n$ false\n$ true\n```\n", terminal)
    assert "exit code 1 and no output" in str(found)
    assert list(play("```console\n$ false\n$ echo $?\n1\n```\n", terminal)) == []


def test_what_comes_before_must_succeed(terminal: Terminal) -> None:
    terminal.run("fails() { return 3; }")
    with pytest.raises(AssertionError, match="line 2: exit code 3 of fails"):
        list(play("<!-- before: fails -->\n```console\n$ true\n```\n", terminal))


def test_daemons_are_known_by_their_commands() -> None:
    assert daemon_of("ganger dev --workers 2") is not None
    assert daemon_of("ganger worker start --name w1") is not None
    assert daemon_of("ganger worker ls") is None
    assert daemon_of("ganger dev --help") is None
    assert daemon_of("echo 'ganger dev") is None
