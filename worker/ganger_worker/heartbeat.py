"""This module gives the master signs of life, and renews leases by its answers."""

from __future__ import annotations

import threading

from ganger_core.convert.task import attempt_ref_from_proto, attempt_ref_to_proto
from ganger_core.convert.worker import order_batch_from_proto, usage_to_proto
from ganger_core.domain.errors import GangerError
from ganger_core.logs import get_logger
from ganger_core.wire.v1 import worker_pb2
from ganger_worker.agent import Agent
from ganger_worker.keeper import boottime
from ganger_worker.monitor import Monitor
from ganger_worker.orders import Orders
from ganger_worker.session import MasterSession
from ganger_worker.threads import Loop

_log = get_logger()


class Heartbeat:
    """The thread that beats."""

    def __init__(self, session: MasterSession, agent: Agent, orders: Orders, monitor: Monitor) -> None:
        self._session = session
        self._agent = agent
        self._orders = orders
        self._monitor = monitor
        self._stopping = threading.Event()
        self._wakes = threading.Event()  # there is news, or the thread is to stop
        self.told_draining = threading.Event()  # set once the master knows that this worker drains
        self.loop = Loop("heartbeat", self.run_once, self._stopping, self._wakes.set)

    def drain(self, timeout_s: float) -> None:
        """Have the master know at once that this worker drains; return when it does, or after `timeout_s`."""
        self._wakes.set()
        self.told_draining.wait(timeout_s)

    def run_once(self) -> None:
        """Beat once, and wait for the next time."""
        self._wakes.clear()
        sent_s = boottime()
        try:
            self._beat(sent_s)
        except GangerError as error:
            _log.warning("heartbeat not answered", action="heartbeat", cause=error.message)
        if not self._stopping.is_set():
            self._wakes.wait(max(0.0, sent_s + self._session.heartbeat_every_s - boottime()))

    def _beat(self, sent_s: float) -> None:
        generation, draining = self._session.generation, self._agent.draining.is_set()
        request = worker_pb2.HeartbeatRequest(
            worker_id=self._session.worker_id,
            incarnation=self._session.incarnation,
            usage=usage_to_proto(self._monitor.usage),
            holding=[attempt_ref_to_proto(ref) for ref in self._agent.holding()],
            applied_order_seq=self._orders.applied_seq,
            draining=draining,
        )
        answer = self._session.heartbeat(request)
        self._agent.renew([attempt_ref_from_proto(ref) for ref in answer.renewed], sent_s)
        if draining:
            self.told_draining.set()
        if answer.HasField("orders"):
            self._orders.offer(order_batch_from_proto(answer.orders), generation)
