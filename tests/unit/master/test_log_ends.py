"""This module checks where the last lines of a log begin, and what of it came since a moment."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given

from ganger_core.domain.states import AttemptState
from ganger_core.domain.task import Attempt, AttemptRef, LogChunk, LogStream
from ganger_master import logstore
from ganger_master.logstore import LogStore, start_of_lines
from ganger_master.logtimes import (
    MARK_EVERY_MS,
    Mark,
    marks_path,
    next_marks,
    offset_since,
    read_marks,
    write_marks,
)

REF = AttemptRef(5, 1)
OUT, ERR = LogStream.STDOUT, LogStream.STDERR
NOW_MS = 1_700_000_000_000


@given(st.text("a\n", max_size=30), st.integers(0, 9), st.integers(1, 9))
def test_the_last_lines_are_those_of_the_whole(text: str, lines: int, block: int) -> None:
    data = text.encode()
    pieces = [(start, data[start : start + block]) for start in range(0, len(data), block)]
    kept = data.splitlines(keepends=True)[-lines:] if lines else []
    assert data[start_of_lines(iter(reversed(pieces)), lines) :] == b"".join(kept)


@given(
    st.lists(st.tuples(st.integers(0, 2500), st.integers(1, 5)), min_size=1, max_size=12),
    st.integers(-100, 12_000),
    st.booleans(),
)
def test_what_came_since_a_moment_is_never_left_out(
    arrivals: list[tuple[int, int]], since: int, is_restarted: bool
) -> None:
    """Bytes that came then are shown; of older ones at most those of a second, or what a restart made unknown."""
    newest: Mark | None = None
    marks: list[Mark] = []
    now = size = 0
    came = []
    for number, (pause, count) in enumerate(arrivals):
        now += pause
        if is_restarted and number == len(arrivals) // 2:
            newest = None
        newest, written = next_marks(newest, size, now)
        marks += written
        came += [now] * count
        size += count
    start = offset_since(since, marks, size, now)
    wanted = next((offset for offset, at in enumerate(came) if at >= since), size)
    assert start <= wanted
    if not is_restarted:
        assert all(at > since - MARK_EVERY_MS for at in came[start:])


def test_marks_are_written_only_for_logs_of_more_than_a_second(tmp_path: Path) -> None:
    log = tmp_path / "5.1.out"
    newest, marks = next_marks(None, 0, NOW_MS)
    write_marks(log, marks)
    newest, marks = next_marks(newest, 10, NOW_MS + 999)
    write_marks(log, marks)
    assert not marks_path(log).exists()
    _, marks = next_marks(newest, 20, NOW_MS + 1_000)
    write_marks(log, marks)
    assert read_marks(log) == [Mark(NOW_MS, 0), Mark(NOW_MS + 1_000, 20)]
    with marks_path(log).open("a") as file:
        file.write("17000")  # all that a crash left of the next one
    assert len(read_marks(log)) == 2


def an_attempt(out: int, tail: bytes) -> Attempt:
    return Attempt(
        REF, "id", "w1", AttemptState.ENDED, "planner", 0, ended_ms=NOW_MS, stdout_bytes=out, stdout_tail=tail
    )


def test_the_end_of_a_log_is_found_over_blocks_and_the_tail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logstore, "READ_BYTES", 4)

    async def run() -> None:
        logs = LogStore(tmp_path)
        await logs.append([LogChunk(REF, OUT, 0, b"one\ntwo\nth")], NOW_MS)
        attempt = an_attempt(19, b"wo\nthree\nfour")  # the report repeats what the file has in part
        for lines, start in ((0, 18), (1, 14), (2, 8), (3, 4), (4, 0), (9, 0)):
            assert logs.start(REF, OUT, lines, 0, an_attempt(18, b"three\nfour"[-10:])) == start
        assert logs.start(REF, OUT, 1, 0, None) == 8
        assert logs.start(REF, ERR, 3, 0, attempt) == 0
        logs.close()

    asyncio.run(run())


def test_old_output_is_left_out_and_a_late_tail_is_not(tmp_path: Path) -> None:
    async def run() -> None:
        logs = LogStore(tmp_path)
        await logs.append([LogChunk(REF, OUT, 0, b"old\n")], NOW_MS - 60_000)
        path = tmp_path / "0" / "5.1.out"
        os.utime(path, ns=((NOW_MS - 60_000) * 10**6,) * 2)
        late = an_attempt(8, b"old\nnew\n")
        assert logs.start(REF, OUT, None, NOW_MS - 30_000, None) == 4
        assert logs.start(REF, OUT, None, NOW_MS - 30_000, late) == 4  # the tail came with the report
        assert logs.start(REF, OUT, None, NOW_MS + 1, late) == 8
        assert logs.start(REF, OUT, None, NOW_MS - 90_000, late) == 0
        await logs.append([LogChunk(REF, OUT, 4, b"new\n")], NOW_MS)
        os.utime(path, ns=(NOW_MS * 10**6,) * 2)
        assert logs.start(REF, OUT, None, NOW_MS - 30_000, None) == 4
        assert logs.start(REF, OUT, None, NOW_MS - 90_000, None) == 0
        assert logs.start(REF, OUT, 2, NOW_MS - 30_000, None) == 4
        logs.close()

    asyncio.run(run())
