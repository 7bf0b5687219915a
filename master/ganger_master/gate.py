"""This module holds back what must not leave the master before its ticket is on disk. Lives on the edge's loop."""

from __future__ import annotations

import asyncio
import heapq


class DurableGate:
    """Opens ticket by ticket as the store commits."""

    def __init__(self) -> None:
        self._durable = 0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._count = 0

    async def passed(self, ticket: int) -> None:
        """Return once this ticket is on disk."""
        if ticket <= self._durable:
            return
        future = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._waiting, (ticket, self._count, future))
        await future

    def advance(self, ticket: int) -> None:
        """All tickets up to this one are on disk."""
        self._durable = ticket
        while self._waiting and self._waiting[0][0] <= ticket:
            future = heapq.heappop(self._waiting)[2]
            if not future.done():  # its caller may have hung up
                future.set_result(None)
