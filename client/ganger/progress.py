"""This module says how far tasks are: counts, a pace, how long the rest takes at it. Pure: values in, text out."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import astuple, dataclass

from ganger.layout import NOTHING, Column, clean, cut, duration, table
from ganger.wording import describe_end
from ganger_core.domain.states import TASK_FINAL, TaskState
from ganger_core.domain.task import Task

ENDS_FOR_A_PACE = 5  # fewer say nothing about the rest
PACE_OVER_MS = 600_000  # older ends say little about the next ones
_BARS = ("█", "░")
_PLAIN_BARS = ("#", ".")
_COLUMNS = (
    Column("ID", right=True),
    Column("NAME", least=8),
    Column("PROGRESS"),
    Column("DONE", right=True),
    Column("RUN", right=True),
    Column("WAIT", right=True),
    Column("FAIL", right=True),
    Column("PACE", right=True),
    Column("LEFT", right=True),
)
_RUNS = (TaskState.STARTING, TaskState.RUNNING, TaskState.STOPPING)
_FAILED = (TaskState.FAILED, TaskState.TIMED_OUT, TaskState.EXPIRED)


@dataclass(frozen=True)
class Counts:
    """How many elements there are, and how they are; a task that is no array is one element."""

    total: int
    over: int
    runs: int
    failed: int

    @property
    def waits(self) -> int:
        """Those that have not begun."""
        return self.total - self.over - self.runs


def counts_of(task: Task) -> Counts:
    """The counts of an array, or of a task as an array of one."""
    found = {task.state: 1} if task.array is None else dict(task.array.counts)

    def count(states: Sequence[TaskState]) -> int:
        return sum(found.get(state, 0) for state in states)

    total = 1 if task.array is None else len(task.array)
    return Counts(total, count(list(TASK_FINAL)), count(_RUNS), count(_FAILED))


class Pace:
    """How fast elements end: as seen in the last ten minutes, or since the array began as long as few were seen."""

    def __init__(self) -> None:
        self._seen: deque[tuple[int, int]] = deque()

    def see(self, now_ms: int, over: int) -> None:
        """So many are over now."""
        self._seen.append((now_ms, over))
        while self._seen[0][0] < now_ms - PACE_OVER_MS:
            self._seen.popleft()

    def per_second(self, started_ms: int) -> float | None:
        """Ends in a second; None while too few say anything."""
        (first_ms, first), (now_ms, over) = self._seen[0], self._seen[-1]
        if over - first < ENDS_FOR_A_PACE:
            first_ms, first = started_ms, 0
        if over - first < ENDS_FOR_A_PACE or not started_ms or now_ms <= first_ms:
            return None
        return (over - first) * 1000 / (now_ms - first_ms)


class Progress:
    """How far some tasks are, each time that somebody looks."""

    def __init__(self) -> None:
        self._paces: dict[int, Pace] = {}

    def see(self, tasks: Sequence[Task], now_ms: int) -> None:
        """The tasks as they are now."""
        for task in tasks:
            self._paces.setdefault(task.id, Pace()).see(now_ms, counts_of(task).over)

    def table(self, tasks: Sequence[Task], width: int, *, plain: bool) -> list[str]:
        """A table with a bar for each task, at most `width` wide, and for all of several; `plain` is ASCII."""
        room = max(10, min(30, width - 68))
        rows = [self._cells(task, room, plain) for task in tasks]
        if len(tasks) > 1:
            each = [counts_of(task) for task in tasks]
            whole = Counts(*(sum(column) for column in zip(*map(astuple, each), strict=True)))
            row = ["all", f"{len(tasks)} tasks", bar(whole, room, plain=plain)]
            rows.insert(0, [*row, *_numbers(whole), NOTHING, NOTHING])
        return table(_COLUMNS, rows, width)

    def line(self, task: Task) -> str:
        """A task in one line, for what is no terminal."""
        counts = counts_of(task)
        if task.is_final:
            return f"{_name(task)}: {describe_end(task)}"
        if task.array is None:
            return f"{_name(task)}: {task.state.value}"
        parts = [f"{counts.over}/{counts.total} done", f"{counts.runs} running", f"{counts.waits} waiting"]
        parts += [f"{counts.failed} failed"] if counts.failed else []
        return f"{_name(task)}: {', '.join(parts)}"

    def _cells(self, task: Task, room: int, plain: bool) -> list[str]:
        counts = counts_of(task)
        pace = None if task.is_final else self._paces[task.id].per_second(task.started_ms)
        left = "" if pace is None else "~" + duration((counts.total - counts.over) / pace)
        return [
            task.label,
            cut(clean(task.spec.name or " ".join(task.spec.command)), 20),
            task.state.value if task.array is None else bar(counts, room, plain=plain),
            *_numbers(counts),
            NOTHING if pace is None or task.array is None else describe_pace(pace),
            left if left and task.array is not None else NOTHING,
        ]


def _numbers(counts: Counts) -> list[str]:
    others = (counts.runs, counts.waits, counts.failed)
    return [f"{counts.over}/{counts.total}", *(str(number or NOTHING) for number in others)]


def _name(task: Task) -> str:
    return f"{task.label} {clean(task.spec.name)}".rstrip()


def bar(counts: Counts, room: int, *, plain: bool) -> str:
    """As much of the room full as elements are over; full only when all are."""
    full, empty = _PLAIN_BARS if plain else _BARS
    done = counts.over * room // max(1, counts.total)
    return full * done + empty * (room - done)


def describe_pace(per_second: float) -> str:
    """Ends in a time that makes a number of them: 12/s, 3.4/min, 1.2/h."""
    for unit, seconds in (("s", 1), ("min", 60), ("h", 3600)):
        if per_second * seconds >= 1 or unit == "h":
            count = per_second * seconds
            return f"{count:.0f}/{unit}" if count >= 10 else f"{count:.1f}/{unit}"
    raise AssertionError("an hour fits all")
