"""This module is the simulated operators: they take workers out of service, and put them back after a while."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ganger_core.domain.errors import GangerError, NotFound
from ganger_core.wire.v1 import worker_pb2
from simulation.host import Host
from simulation.violation import Violation

if TYPE_CHECKING:
    from simulation.world import World

CALL_S = 10.0


class Operators:
    """Whoever says something about workers. Each word is repeated until the master has taken it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._words = 0
        self._out: set[str] = set()  # of service, by host

    def take_out_of_service(self, host: Host) -> bool:
        """Cordon a worker, and resume it later; false when somebody is at it already."""
        if host.name in self._out:
            return False
        self._out.add(host.name)
        self._words += 1
        self._world.people.proc.spawn(self._out_and_back(host, f"{host.name}-{self._words}"), "cordon")
        return True

    async def _out_and_back(self, host: Host, name: str) -> None:
        rng = self._world.cordons_rng
        proc = self._world.people.proc
        drain, deadline_s = rng.random() < 0.7, rng.choice((None, 0.0, 5.0, 40.0))
        asked = worker_pb2.CordonWorkerRequest(
            request_id=f"cordon-{name}",
            workers=[host.name],
            reason=name,
            drain=drain,
            deadline_s=deadline_s if drain else None,
        )
        if await self._say("CordonWorker", asked):
            stored = self._world.disk.cordons.get(f"id-{host.name}")
            if stored is None or stored.reason != name:
                raise Violation(f"I1 the cordon {name} was acknowledged, on disk is {stored}")
            await proc.sleep(rng.random() * 90)
            back = worker_pb2.ResumeWorkerRequest(request_id=f"resume-{name}", workers=[host.name])
            await self._say("ResumeWorker", back)
        self._out.remove(host.name)

    async def _say(self, method: str, request: Any) -> bool:
        """Until it is taken; false for a worker that never registered."""
        while True:
            try:
                await self._world.network.call(self._world.people.proc, method, request, CALL_S)
            except NotFound:
                return False
            except GangerError:
                await self._world.people.proc.sleep(0.5 + self._world.cordons_rng.random() * 3)
                continue
            self._world.trace("%s acked", request.request_id)
            return True
