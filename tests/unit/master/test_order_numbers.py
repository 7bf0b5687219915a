"""This module checks that a worker's numbers of orders and the master's find together again."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ganger_core.domain.clock import ManualClock
from ganger_core.domain.task import AttemptRef
from ganger_master.gate import DurableGate
from ganger_master.orders import OrderDesk
from testkit.builders import a_spec, a_worker
from testkit.one_thread import OneThreadMaster


def test_after_a_registration_that_came_twice_the_next_orders_are_newer_than_what_the_worker_applied(
    tmp_path: Path,
) -> None:
    clock = ManualClock()
    master = OneThreadMaster(tmp_path, clock)
    worker = a_worker()
    master.register(worker)
    gate = DurableGate()
    gate.advance(1_000_000)
    desk = OrderDesk(master.engine, master.registry, gate, clock)

    async def talk() -> None:
        desk.begin_anew(
            worker.id
        )  # the registration's repetition: the worker has applied 4 batches before it
        master.submit(a_spec())
        master.run_cycle()
        stream = desk.stream(worker.id, 1)
        assert (await anext(stream)).order_seq == 1  # which the worker takes for old
        assert await desk.for_heartbeat(worker.id, 1, 4, []) is None
        again = await asyncio.wait_for(anext(stream), 5)
        assert (again.order_seq, again.sync) == (5, True)
        assert [order.ref for order in again.orders] == [AttemptRef(1, 1)]
        await stream.aclose()

    asyncio.run(talk())
    master.kill()
