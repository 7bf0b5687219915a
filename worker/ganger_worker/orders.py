"""This module receives orders: by the stream, or by heartbeats while no stream is open.

One thread carries them all out, so that they take effect in the order in which the master gave them.
"""

from __future__ import annotations

import threading

from ganger_core.convert.worker import order_batch_from_proto
from ganger_core.domain.errors import GangerError
from ganger_core.domain.task import OrderBatch
from ganger_core.logs import get_logger
from ganger_worker.agent import Agent
from ganger_worker.session import MasterSession
from ganger_worker.threads import Loop, Pauses

_log = get_logger()


class Orders:
    """The thread that opens the stream, again and again, and carries out what comes."""

    def __init__(self, session: MasterSession, agent: Agent) -> None:
        self._session = session
        self._agent = agent
        self._stopping = threading.Event()
        self._wakes = threading.Event()  # something was offered, or the thread is to stop
        self._pauses = Pauses(self._wakes)
        self._offered: tuple[OrderBatch, int] | None = None
        self._generation = -1
        self.applied_seq = 0  # number of the last batch carried out; numbers begin anew with a registration
        self.loop = Loop("orders", self.run_once, self._stopping, self._stop)

    def offer(self, batch: OrderBatch, generation: int) -> None:
        """Take in a batch that came with the answer to a heartbeat of this registration.

        It came because the master knows of no stream; if we do, that is a dead one.
        """
        self._offered = (batch, generation)
        self._wakes.set()
        self._session.reopen_orders()

    def run_once(self) -> None:
        """Carry out what was offered, then what the stream brings until it breaks."""
        self._wakes.clear()
        offered, self._offered = self._offered, None
        if offered is not None:
            self._carry_out(*offered)
        if self._stopping.is_set():
            return
        try:
            generation, answers = self._session.open_orders()
            for answer in answers:
                self._pauses.over()
                self._carry_out(order_batch_from_proto(answer.batch), generation)
        except GangerError as error:
            if self._stopping.is_set():
                return
            _log.warning("the stream of orders broke", action="orders", cause=error.message)
        self._pauses.wait()

    def _carry_out(self, batch: OrderBatch, generation: int) -> None:
        if (generation, batch.order_seq) <= (self._generation, self.applied_seq):
            return  # older than what was carried out
        self._agent.carry_out(batch, self._session.lease_from_s)
        self._generation, self.applied_seq = generation, batch.order_seq

    def _stop(self) -> None:
        self._wakes.set()
        self._session.end_orders()
