"""This module checks that a task's events are found without reading those of all others."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from ganger_core.domain.states import TaskState
from ganger_core.domain.task import Task
from ganger_master.store.database import open_writer
from ganger_master.store.reader import StoreReader
from testkit.builders import a_spec

EVERY_MS = 10_000


def a_task(submitted_ms: int, finished_ms: int = 0) -> Task:
    state = TaskState.SUCCEEDED if finished_ms else TaskState.RUNNING
    return Task(7, "ann", a_spec(), state, submitted_ms, started_ms=submitted_ms, finished_ms=finished_ms)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Events 20 to 119, one every ten seconds; each tenth is of task 7."""
    db = open_writer(tmp_path / "ganger.db")
    for seq in range(20, 120):
        row = (seq, seq * EVERY_MS, 7 if seq % 10 == 0 else 8, "ann", "RUNNING", 1, "w1", "", None)
        db.execute(f"INSERT INTO events VALUES ({', '.join('?' * 9)})", row)  # noqa: S608
    db.close()
    return tmp_path / "ganger.db"


@pytest.mark.parametrize(
    ("task", "up_to_seq", "limit", "seqs"),
    [
        (a_task(0), 119, 99, list(range(20, 120, 10))),
        (a_task(50 * EVERY_MS), 119, 99, [50, 60, 70, 80, 90, 100, 110]),
        (a_task(50 * EVERY_MS + 59_000), 119, 99, [50, 60, 70, 80, 90, 100, 110]),  # the clock was set back
        (a_task(50 * EVERY_MS, 70 * EVERY_MS), 119, 99, [50, 60, 70]),
        (a_task(50 * EVERY_MS), 90, 99, [50, 60, 70, 80, 90]),
        (a_task(50 * EVERY_MS), 119, 2, [50, 60]),
        (a_task(2000 * EVERY_MS), 119, 99, []),
        (a_task(0), 10, 99, []),  # all are forgotten that the view contains
    ],
)
def test_the_events_of_a_task(path: Path, task: Task, up_to_seq: int, limit: int, seqs: list[int]) -> None:
    reader = StoreReader(path)
    assert [event.seq for event in reader.history(task, up_to_seq, limit)] == seqs
    reader.close()


def test_only_those_of_its_life_are_read(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("UPDATE events SET task_id = 7 WHERE seq = 20")
    db.commit()
    db.close()
    reader = StoreReader(path)
    found = reader.history(a_task(100 * EVERY_MS, 101 * EVERY_MS), 119, 99)
    assert [event.seq for event in found] == [100]
    reader.close()


def test_without_events_there_is_no_history(tmp_path: Path) -> None:
    open_writer(tmp_path / "ganger.db").close()
    reader = StoreReader(tmp_path / "ganger.db")
    assert reader.history(a_task(5), 0, 9) == []
    reader.close()
