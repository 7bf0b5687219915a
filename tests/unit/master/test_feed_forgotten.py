"""This module checks what a watcher of events gets where old ones are no longer kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from ganger_core.domain.errors import Conflict
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import Event
from ganger_master.feed import Feed


def an_event(seq: int) -> Event:
    return Event(seq, 0, seq, "ann", TaskState.PENDING)


def a_feed(stored: Sequence[int], last_seq: int) -> Feed:
    """The feed of a master that has just started, with these events in its store."""

    async def read_page(after_seq: int, limit: int) -> Sequence[Event]:
        return [an_event(seq) for seq in stored if seq > after_seq][:limit]

    return Feed(read_page, last_seq)


async def watch(feed: Feed, after_seq: int, until: int) -> list[int]:
    seqs: list[int] = []
    async for batch in feed.batches(after_seq):
        seqs += [event.seq for event in batch]
        if seqs[-1] >= until:
            return seqs
    raise AssertionError("the feed ended")


@pytest.mark.parametrize(
    ("stored", "after_seq", "seen"),
    [
        ([5, 6, 7], 0, [5, 6, 7, 8]),  # whatever is kept
        ([5, 6, 7], 4, [5, 6, 7, 8]),  # nothing is missing
        ([5, 6, 7], 7, [8]),
        ([], 0, [8]),  # all are forgotten: from the next one on
        ([], 7, [8]),
    ],
)
def test_a_watcher_gets_what_is_kept_and_what_comes(
    stored: list[int], after_seq: int, seen: list[int]
) -> None:
    async def run() -> None:
        feed = a_feed(stored, 7)
        watching = asyncio.create_task(watch(feed, after_seq, 8))
        for _ in range(5):
            await asyncio.sleep(0)  # it has read what there is, and waits
        feed.publish([an_event(8)])
        assert await asyncio.wait_for(watching, 10) == seen

    asyncio.run(run())


@pytest.mark.parametrize(("stored", "after_seq"), [([5, 6, 7], 3), ([], 6), ([], 1)])
def test_who_would_miss_events_is_told(stored: list[int], after_seq: int) -> None:
    async def run() -> None:
        with pytest.raises(Conflict, match="no longer kept") as caught:
            await watch(a_feed(stored, 7), after_seq, 8)
        assert caught.value.reason == "EVENTS_FORGOTTEN"

    asyncio.run(run())
