"""This module has workers send parts of what they published, to whoever reads it by way of the master.

Workers dial the master: what is wanted of a worker waits here until it asks, and what it brings goes to who waits for
it. Nothing is kept; whoever breaks off begins again where he was. Lives on the edge's loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from ganger_core.domain.errors import Conflict
from ganger_core.domain.published import OutputPart, OutputRange

PART_BYTES = 2**20
PARTS = 2  # that a worker is asked for at once: what it brings must fit into one message
PATIENCE_S = 15.0  # for one part: a worker that was just started again is back by then
LONGEST_WAIT_S = 20.0  # of a worker's call, while nothing is wanted


@dataclass(slots=True)
class _Want:
    part: asyncio.Future[OutputPart]
    readers: int = 0  # who wait for it
    is_asked: bool = False  # whether the worker was told


@dataclass(slots=True)
class _Box:
    wants: dict[OutputRange, _Want] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)


class OutputDesk:
    """What is wanted of each worker."""

    def __init__(self) -> None:
        self._boxes: dict[str, _Box] = {}

    async def read(self, worker_id: str, wanted: OutputRange) -> OutputPart:
        """Have the worker read this part; raises `Conflict` when it does not come in time."""
        box = self._boxes.setdefault(worker_id, _Box())
        want = box.wants.get(wanted)
        if want is None:
            want = box.wants[wanted] = _Want(asyncio.get_running_loop().create_future())
        want.readers += 1
        box.news.set()
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await asyncio.shield(want.part)
        except TimeoutError:
            raise Conflict("it does not answer; see `ganger worker ls`", reason="WORKER_AWAY") from None
        finally:
            want.readers -= 1
            if not want.readers and box.wants.get(wanted) is want:
                del box.wants[wanted]

    def came(self, worker_id: str, parts: Sequence[OutputPart]) -> None:
        """The worker brings these; whatever else it was told to read, it did not hear of."""
        box = self._boxes.setdefault(worker_id, _Box())
        for want in box.wants.values():
            want.is_asked = False
        for part in parts:
            found = box.wants.pop(part.range, None)
            if found is not None:
                found.part.set_result(part)

    async def wanted(self, worker_id: str, wait_s: float) -> list[OutputRange]:
        """What the worker is to read next; waits up to `wait_s` for that."""
        box = self._boxes.setdefault(worker_id, _Box())
        with suppress(TimeoutError):
            async with asyncio.timeout(min(wait_s, LONGEST_WAIT_S)):
                while not self._next(box):
                    box.news.clear()
                    await box.news.wait()
        found = self._next(box)
        for each in found:
            box.wants[each].is_asked = True
        return found

    @staticmethod
    def _next(box: _Box) -> list[OutputRange]:
        return [wanted for wanted, want in box.wants.items() if not want.is_asked][:PARTS]
