"""This module checks what lives on the edge's loop: the gate, the feed and the log files."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from ganger_core.domain.states import AttemptState, TaskState
from ganger_core.domain.task import Attempt, AttemptRef, Event, LogChunk, LogStream
from ganger_master.feed import Feed
from ganger_master.gate import DurableGate
from ganger_master.logstore import LogStore

REF = AttemptRef(5, 1)
OUT, ERR = LogStream.STDOUT, LogStream.STDERR


def an_event(seq: int) -> Event:
    return Event(seq, 0, seq, "ann", TaskState.PENDING)


async def take(feed: Feed, after: int, until: int) -> list[int]:
    seqs: list[int] = []
    async for batch in feed.batches(after):
        seqs += [event.seq for event in batch]
        if seqs[-1] >= until:
            return seqs
    raise AssertionError("the feed ended")


def test_the_gate_opens_in_ticket_order() -> None:
    async def run() -> None:
        gate = DurableGate()
        passed: list[int] = []

        async def wait(ticket: int) -> None:
            await gate.passed(ticket)
            passed.append(ticket)

        waiting = [asyncio.create_task(wait(ticket)) for ticket in (3, 1, 2)]
        await asyncio.sleep(0)  # let all of them wait
        gate.advance(2)
        await asyncio.gather(waiting[1], waiting[2])
        assert sorted(passed) == [1, 2]
        waiting[0].cancel()  # its caller hung up
        gate.advance(3)
        await gate.passed(3)

    asyncio.run(run())


@pytest.mark.parametrize("after", [0, 3, 7, 8, 9, 10])
def test_a_watcher_gets_every_event_once_from_store_memory_and_news(after: int) -> None:
    async def run() -> None:
        stored = [an_event(seq) for seq in range(1, 11)]

        async def read_page(after_seq: int, limit: int) -> Sequence[Event]:
            return [event for event in stored if event.seq > after_seq][: min(limit, 2)]

        feed = Feed(read_page, last_seq=5, keep=3)
        feed.publish(stored[5:10])
        watcher = asyncio.create_task(take(feed, after, 12))
        await asyncio.sleep(0)  # it catches up, then waits for news
        for seq in (11, 12):
            stored.append(an_event(seq))
            feed.publish([stored[-1]])
        assert await watcher == list(range(after + 1, 13))

    asyncio.run(run())


def test_log_bytes_are_appended_by_offset_and_repeats_change_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        logs = LogStore(tmp_path)
        assert await logs.append([LogChunk(REF, OUT, 0, b"abc")], 0) == {(REF, OUT): 3}
        assert await logs.append([LogChunk(REF, OUT, 1, b"bcd\xff")], 0) == {(REF, OUT): 5}
        assert await logs.append([LogChunk(REF, OUT, 9, b"gap")], 0) == {(REF, OUT): 5}  # send from 5
        assert await logs.append([LogChunk(REF, OUT, 0, b"abc"), LogChunk(REF, ERR, 0, b"e")], 0) == {
            (REF, OUT): 5,
            (REF, ERR): 1,
        }
        assert logs.read(REF, OUT, 0, None) == b"abcd\xff"
        assert logs.read(REF, OUT, 5, None) == b""
        again = LogStore(tmp_path)  # sizes come from the files
        assert again.size(REF, OUT) == 5
        assert again.size(AttemptRef(6, 1), OUT) == 0
        logs.close()
        again.close()

    asyncio.run(run())


def test_the_tail_in_the_report_continues_the_file(tmp_path: Path) -> None:
    async def run() -> None:
        logs = LogStore(tmp_path)
        await logs.append([LogChunk(REF, OUT, 0, b"0123")], 0)
        attempt = Attempt(
            REF,
            "id",
            "w1",
            AttemptState.ENDED,
            "planner",
            0,
            stdout_bytes=8,
            stdout_tail=b"234567",
            stderr_bytes=0,
        )
        assert logs.is_complete(REF, {OUT: (8, 6), ERR: (0, 0)})
        assert not logs.is_complete(REF, {OUT: (80, 6), ERR: (0, 0)})
        assert logs.read(REF, OUT, 0, attempt) == b"0123"
        assert logs.read(REF, OUT, 4, attempt) == b"4567"
        assert logs.read(REF, OUT, 8, attempt) == b""
        logs.close()

    asyncio.run(run())
