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
        self.loop = Loop("heartbeat", self.run_once, self._stopping, lambda: None)

    def run_once(self) -> None:
        """Beat once, and wait for the next time."""
        sent_s = boottime()
        try:
            self._beat(sent_s)
        except GangerError as error:
            _log.warning("heartbeat not answered", action="heartbeat", cause=error.message)
        self._stopping.wait(max(0.0, sent_s + self._session.heartbeat_every_s - boottime()))

    def _beat(self, sent_s: float) -> None:
        generation = self._session.generation
        request = worker_pb2.HeartbeatRequest(
            worker_id=self._session.worker_id,
            incarnation=self._session.incarnation,
            usage=usage_to_proto(self._monitor.usage),
            holding=[attempt_ref_to_proto(ref) for ref in self._agent.holding()],
            applied_order_seq=self._orders.applied_seq,
        )
        answer = self._session.heartbeat(request)
        self._agent.renew(
            [attempt_ref_from_proto(ref) for ref in answer.renewed], sent_s, self._session.lease_s
        )
        if answer.HasField("orders"):
            self._orders.offer(order_batch_from_proto(answer.orders), generation)
