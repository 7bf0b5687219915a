"""This module checks what is told of how far tasks are, and when a pace is told at all."""

from __future__ import annotations

import pytest

from ganger.layout import cell_width
from ganger.progress import Counts, Pace, Progress, bar, counts_of, describe_pace
from ganger_core.domain.array import Array, Indices
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import Outcome, OutcomeKind, Task, TaskSpec

S = TaskState
NOW_MS = 1_700_000_000_000


def an_array(indices: str = "0-99", **counts: int) -> Task:
    """An array that began a hundred seconds ago."""
    array = Array(Indices.parse(indices), 8, counts=tuple((S(name), count) for name, count in counts.items()))
    spec = TaskSpec(("work",), name="train")
    return Task(42, "me", spec, S.RUNNING, NOW_MS - 110_000, started_ms=NOW_MS - 100_000, array=array)


def test_what_is_counted() -> None:
    array = an_array(SUCCEEDED=50, FAILED=2, TIMED_OUT=1, CANCELLED=3, RUNNING=8, SCHEDULED=1, PENDING=35)
    counts = counts_of(array)
    assert (counts, counts.waits) == (Counts(100, 56, 8, 3), 36)
    single = Task(1, "me", TaskSpec(("x",)), S.FAILED, 0)
    assert counts_of(single) == Counts(1, 1, 0, 1)


def test_a_pace_needs_ends_and_follows_the_last_ten_minutes() -> None:
    pace = Pace()
    began = NOW_MS - 50_000
    pace.see(NOW_MS, 4)
    assert pace.per_second(began) is None
    pace.see(NOW_MS + 10, 10)  # since it began: what a second look sees at once says nothing
    assert pace.per_second(began) == pytest.approx(600)
    pace = Pace()
    pace.see(NOW_MS, 10)
    assert pace.per_second(began) == pytest.approx(0.2)
    assert pace.per_second(0) is None
    pace.see(NOW_MS + 590_000, 69)
    pace.see(NOW_MS + 601_000, 80)
    assert pace.per_second(began) == pytest.approx(1.0)


def test_a_line_and_a_row() -> None:
    array = an_array(SUCCEEDED=48, FAILED=2, RUNNING=8, PENDING=42)
    progress = Progress()
    progress.see([array], NOW_MS)
    assert progress.line(array) == "42 train: 50/100 done, 8 running, 42 waiting, 2 failed"
    assert progress.table([array], 100, plain=False) == [
        "ID  NAME   PROGRESS                          DONE  RUN  WAIT  FAIL    PACE    LEFT",
        f"42  train  {'█' * 15}{'░' * 15}  50/100    8    42     2  30/min  ~1m40s",
    ]


def test_it_fits() -> None:
    array = an_array("0-200043", SUCCEEDED=100_000, FAILED=2, RUNNING=10_000, PENDING=42)
    for width in (80, 100):
        progress = Progress()
        progress.see([array], NOW_MS)
        for line in progress.table([array], width, plain=True):
            assert cell_width(line) <= width


def test_an_end_and_a_task_of_its_own() -> None:
    progress = Progress()
    running = Task(7, "me", TaskSpec(("x",), name="\x1b[2J"), S.RUNNING, 0, started_ms=NOW_MS - 5)
    over = Task(8, "me", TaskSpec(("y",)), S.FAILED, 0, outcome=Outcome(OutcomeKind.EXIT_NONZERO, 3))
    progress.see([running, over], NOW_MS)
    assert progress.line(running) == "7 \\x1b[2J: RUNNING"
    assert progress.line(over) == "8: failed with exit code 3"
    rows = progress.table([running, over], 80, plain=True)
    assert rows[1].split() == ["all", "2", "tasks", "######......", "1/2", "1", "–", "1", "–", "–"]
    assert [row.split()[2:4] for row in rows[2:]] == [["RUNNING", "0/1"], ["FAILED", "1/1"]]


@pytest.mark.parametrize(
    ("over", "room", "drawn"), [(0, 4, "...."), (99, 4, "###."), (100, 4, "####"), (50, 5, "##...")]
)
def test_a_bar_is_full_only_when_all_are_over(over: int, room: int, drawn: str) -> None:
    assert bar(Counts(100, over, 0, 0), room, plain=True) == drawn


@pytest.mark.parametrize(
    ("pace", "text"), [(120, "120/s"), (1.25, "1.2/s"), (0.5, "30/min"), (0.02, "1.2/min"), (0.0003, "1.1/h")]
)
def test_paces(pace: float, text: str) -> None:
    assert describe_pace(pace) == text
