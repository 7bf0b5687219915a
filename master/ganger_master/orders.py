"""This module brings orders to workers: level-triggered, by stream or in the answer to a heartbeat.

Every stream begins with a sync, the whole of what the worker should hold; increments follow. A difference
between what a worker says it holds and what it should hold causes a new sync. Lives on the edge's loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable
from dataclasses import dataclass, field

from ganger_core.domain.clock import Clock
from ganger_core.domain.task import AttemptRef, Order, OrderBatch
from ganger_core.logs import get_logger
from ganger_master.engine import Engine
from ganger_master.gate import DurableGate
from ganger_master.registry import WorkerRegistry

_log = get_logger()


@dataclass(slots=True)
class _Mailbox:
    incarnation: int
    waiting: list[tuple[int, Order]] = field(
        default_factory=list
    )  # durable orders not sent yet, with their tickets
    order_seq: int = 0  # of the last batch sent
    needs_sync: bool = True
    stream: int = 0  # number of the open stream, 0 when none is
    news: asyncio.Event = field(default_factory=asyncio.Event)


class OrderDesk:
    """One mailbox per worker; a newer stream of a worker closes its older one."""

    def __init__(self, engine: Engine, registry: WorkerRegistry, gate: DurableGate, clock: Clock) -> None:
        self._engine = engine
        self._registry = registry
        self._gate = gate
        self._clock = clock
        self._boxes: dict[str, _Mailbox] = {}
        self._streams = 0

    def post(self, ticket: int, orders: Iterable[tuple[str, Order]]) -> None:
        """Put durable orders into their workers' mailboxes. A worker without one gets them by its first sync."""
        for worker_id, order in orders:
            box = self._boxes.get(worker_id)
            if box is not None:
                box.waiting.append((ticket, order))
                box.news.set()

    def begin_anew(self, worker_id: str) -> None:
        """The worker has registered: its stream ends, its orders are numbered from 1 and begin with a sync."""
        box = self._boxes.pop(worker_id, None)
        if box is not None:
            box.news.set()

    async def stream(self, worker_id: str, incarnation: int) -> AsyncIterator[OrderBatch]:
        """The orders of a worker, beginning with a sync; ends when a newer stream or start of the worker comes."""
        box = self._box(worker_id, incarnation)
        self._streams += 1
        number = box.stream = self._streams
        box.needs_sync = True
        box.news.set()
        try:
            while True:
                await box.news.wait()
                if box.stream != number or self._boxes.get(worker_id) is not box:
                    return  # a newer stream, or a newer start of the worker, took over
                box.news.clear()
                batch = await self._next(worker_id, box)
                if batch is not None:
                    yield batch
        finally:
            if box.stream == number:
                box.stream = 0
            box.news.set()  # an older stream that waits here finds that it is closed

    async def for_heartbeat(
        self, worker_id: str, incarnation: int, applied_order_seq: int, holding: Collection[AttemptRef]
    ) -> OrderBatch | None:
        """What the answer to a heartbeat should carry: nothing while a stream is open."""
        box = self._box(worker_id, incarnation)
        if applied_order_seq > box.order_seq:
            # The numbers began anew without the worker's knowing, by a registration that arrived twice: it would
            # take what comes for old.
            box.order_seq = applied_order_seq
            box.needs_sync = True
        if applied_order_seq == box.order_seq and not box.waiting:
            told = {ref for ref, was_told in self._registry.held(worker_id) if was_told}
            box.needs_sync = box.needs_sync or told != set(holding)
        if box.stream:
            if box.needs_sync:
                box.news.set()
            return None
        if applied_order_seq != box.order_seq:
            box.needs_sync = True  # the last batch may not have arrived
        return await self._next(worker_id, box)

    def _box(self, worker_id: str, incarnation: int) -> _Mailbox:
        box = self._boxes.get(worker_id)
        if box is None or box.incarnation != incarnation:
            if box is not None:
                box.news.set()
            box = self._boxes[worker_id] = _Mailbox(incarnation)
        return box

    async def _next(self, worker_id: str, box: _Mailbox) -> OrderBatch | None:
        if box.needs_sync:
            box.needs_sync = False
            ticket, orders = self._engine.desired(worker_id)
            await self._gate.passed(ticket)
            box.waiting = [(posted, order) for posted, order in box.waiting if posted > ticket]
            # Leases count from now, not from before the wait: the worker may have been heard since.
            leaving = self._engine.telling(worker_id, orders, self._clock.now())
            return self._batch(worker_id, box, True, leaving)
        waiting, box.waiting = box.waiting, []
        leaving = self._engine.telling(worker_id, (order for _, order in waiting), self._clock.now())
        if not leaving:
            return None
        return self._batch(worker_id, box, False, leaving)

    @staticmethod
    def _batch(worker_id: str, box: _Mailbox, sync: bool, orders: tuple[Order, ...]) -> OrderBatch:
        box.order_seq += 1
        _log.debug(
            "orders", action="dispatch", worker=worker_id, sync=sync, orders=[str(o.ref) for o in orders]
        )
        return OrderBatch(box.order_seq, sync, orders)
