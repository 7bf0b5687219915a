"""This module is the feed of events: the newest from memory, older ones from the store. Lives on the edge's loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from itertools import islice

from ganger_core.domain.errors import Conflict
from ganger_core.domain.task import Event

KEEP = 10_000
PAGE = 1_000

ReadPage = Callable[[int, int], Awaitable[Sequence[Event]]]
"""Reads up to (limit) stored events after (sequence number)."""


class Feed:
    """Every durable event, once and in order, to any number of watchers, from any sequence number on.

    What is too old is forgotten: from 0 on a watcher gets what is kept; one that asks for what follows a
    number gets `Conflict` (EVENTS_FORGOTTEN) where something would be missing.
    """

    def __init__(self, read_page: ReadPage, last_seq: int, keep: int = KEEP) -> None:
        self._read_page = read_page
        self._recent: deque[Event] = deque(maxlen=keep)
        self._last_seq = last_seq  # of the last durable event
        self._news = asyncio.Event()

    @property
    def last_seq(self) -> int:
        """The sequence number of the last durable event."""
        return self._last_seq

    def publish(self, events: Iterable[Event]) -> None:
        """Append events that are on disk now."""
        for event in events:
            self._recent.append(event)
            self._last_seq = event.seq
        self._news.set()
        self._news = asyncio.Event()

    async def batches(self, after_seq: int) -> AsyncIterator[Sequence[Event]]:
        """Batches of events after `after_seq`, without end; waits when there is nothing new."""
        while True:
            if after_seq >= self._last_seq:
                await self._news.wait()
                continue
            batch = await self._next(after_seq)
            if batch:
                after_seq = batch[-1].seq
                yield batch
            else:  # none was kept of those up to the last one; none comes before the next one
                after_seq = self._last_seq

    async def _next(self, after_seq: int) -> Sequence[Event]:
        oldest = self._last_seq - len(self._recent) + 1
        if after_seq + 1 < oldest:
            page = await self._read_page(after_seq, PAGE)
            first = page[0].seq if page else oldest
            if after_seq and first > after_seq + 1:
                raise Conflict(
                    f"the events after number {after_seq} are no longer kept: list the tasks, and watch from the "
                    "as_of_seq of that list on",
                    field="after_seq",
                    reason="EVENTS_FORGOTTEN",
                )
            return page
        start, count = after_seq + 1 - oldest, self._last_seq - after_seq
        if start <= count:
            return list(islice(self._recent, start, start + PAGE))
        newest = list(islice(reversed(self._recent), count))  # a deque is walked from one of its ends
        newest.reverse()
        return newest[:PAGE]
