"""This module tests what the keeper's journal still knows after the keeper died."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from ganger_worker import keeper_journal
from ganger_worker.keeper_journal import Journal


def exit_of(task: int, token: int = 1) -> dict[str, Any]:
    return {"task": task, "token": token, "started": 1.5, "ended": 2.5, "cause": "", "code": 3}


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "journal")


def known(
    journal: Journal,
) -> tuple[dict[int, int], set[tuple[int, int]], dict[tuple[int, int], dict[str, Any]]]:
    journal.close()
    return dict(journal.tokens), journal.open, journal.exits


def test_everything_is_known_again(path: str) -> None:
    journal = Journal(path)
    journal.started([(1, 1), (2, 1), (3, 4)])
    journal.ended([exit_of(1), exit_of(2)])
    journal.acknowledged([(1, 1), (9, 9)])
    expected = ({1: 1, 2: 1, 3: 4}, {(3, 4)}, {(2, 1): exit_of(2)})
    assert known(journal) == expected
    assert known(Journal(path)) == expected
    assert known(Journal(path)) == expected  # also from the shortened file


def test_the_highest_token_counts(path: str) -> None:
    journal = Journal(path)
    journal.started([(1, 5)])
    journal.ended([exit_of(1, 5)])
    journal.started([(1, 7)])
    journal.close()
    tokens, opened, exits = known(Journal(path))
    assert (tokens, opened, set(exits)) == ({1: 7}, {(1, 7)}, {(1, 5)})


def test_a_line_that_was_cut_short_is_passed_over(path: str) -> None:
    journal = Journal(path)
    journal.started([(1, 1)])
    journal.close()
    with open(path, "ab") as file:
        file.write(b'{"exit": [{"task": 1, "tok')
    assert known(Journal(path)) == ({1: 1}, {(1, 1)}, {})


def test_old_tokens_are_forgotten_but_not_those_of_what_lives(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper_journal, "KEEP_TOKENS", 3)
    journal = Journal(path)
    journal.started([(task, 1) for task in range(1, 11)])
    journal.ended([exit_of(task) for task in range(2, 11)])
    journal.acknowledged([(task, 1) for task in range(3, 11)])
    journal.close()
    tokens, opened, exits = known(Journal(path))
    assert (opened, set(exits)) == ({(1, 1)}, {(2, 1)})
    assert set(tokens) == {1, 2, 10}


def test_it_is_shortened_while_it_runs(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_journal, "KEEP_TOKENS", 10)
    monkeypatch.setattr(keeper_journal, "COMPACT_BYTES", 5_000)
    journal = Journal(path)
    for task in range(1, 501):
        journal.started([(task, 1)])
        journal.ended([exit_of(task)])
        journal.acknowledged([(task, 1)])
    assert os.stat(path).st_size < 6_000
    journal.close()
    assert max(known(Journal(path))[0]) == 500


def test_a_full_disk_stops_starts_and_spoils_nothing(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(path)
    journal.started([(1, 1)])
    write = os.write

    def half(fd: int, data: bytes) -> int:
        return write(fd, data[: len(data) // 2])

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", half)
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            journal.started([(2, 1)])
        journal.ended([exit_of(1)])
    assert journal.exits == {(1, 1): exit_of(1)}
    journal.started([(3, 1)])
    journal.close()
    assert known(Journal(path)) == ({1: 1, 3: 1}, {(1, 1), (3, 1)}, {})
