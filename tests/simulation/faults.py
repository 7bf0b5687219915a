"""This module breaks things: each seed draws which kinds of faults there are in its world, and how often.

What is broken is mended after a while, and everything once the time of faults is over.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from simulation.host import Host
from simulation.network import MASTER
from simulation.virtual_loop import Process

if TYPE_CHECKING:
    from simulation.world import World

PEOPLE = "people"
WAITS_FOR_A_COMMIT_S = 6.0
SHUT_DOWN_BY_THEN_S = 20.0  # a worker that was told to
KINDS = (
    "kill master",
    "kill master in a commit",
    "stop master",
    "kill worker",
    "stop worker",
    "shut down worker",
    "drain worker",
    "kill keeper",
    "reboot",
    "cut",
    "bad network",
    "slow disk",
    "bad planner",
    "wall clock",
    "dead host",
    "cordon",
)
APART = ("dead host", "cordon")  # drawn with limits and losses, or by themselves, see World
GONE_S = 30.0  # from a fence to the host's return: no repeated call of it is on its way any more


class Faults:
    """The faults of one world; `injected` counts them by kind."""

    def __init__(self, world: World, until_s: float, host: Host, only: str = "") -> None:
        self._world = world
        self._rng: Random = world.rng
        self._until_s = until_s
        self.injected: dict[str, int] = {}
        self._proc = Process(world.loop, "faults", host)
        kinds: dict[str, Callable[[], bool]] = {
            "kill master": self._kill_master,
            "kill master in a commit": self._kill_master_in_a_commit,
            "stop master": self._stop_master,
            "kill worker": self._kill_worker,
            "stop worker": self._stop_worker,
            "shut down worker": self._shut_down_worker,
            "drain worker": self._drain_worker,
            "kill keeper": self._kill_keeper,
            "reboot": self._reboot,
            "cut": self._cut,
            "bad network": self._bad_network,
            "slow disk": self._slow_disk,
            "bad planner": self._bad_planner,
            "wall clock": self._wall_clock,
            "dead host": self._dead_host,
            "cordon": self._cordon,
        }
        assert tuple(kinds) == KINDS
        self._dead: set[str] = set()  # hosts that come back only after their fence
        drawn = [kind for kind in KINDS if kind not in APART and (only or self._rng.random() < 0.4)]
        if only or (world.has_limits and world.limits_rng.random() < 0.5):
            drawn.append("dead host")
        if only or world.has_cordons:
            drawn.append("cordon")
        chosen = [kind for kind in drawn if only in ("", kind)]
        for kind in chosen:
            mean_s = self._rng.choice((15.0, 40.0, 100.0))
            self._plan(kind, kinds[kind], mean_s)

    def end(self) -> None:
        """Mend everything."""
        world = self._world
        self._proc.kill()
        world.next_commit = None
        world.network.heal()
        world.slowest_commit_s = 0.02
        world.planner_fault = ""
        world.master_host.wall_offset_ms = (
            0  # else what was not to start before a moment might wait for a year
        )
        if world.master is None:
            world.start_master()
        assert world.master is not None
        for proc in (world.master.proc, *(h.worker.proc for h in world.hosts if h.worker)):
            if proc.stopped:
                proc.go_on()
        for host in world.hosts:
            self._start_worker_again(host)
            if host.worker is not None and host.worker.agent.draining.is_set():
                host.worker.shut_down()
            world.loop.call_later(SHUT_DOWN_BY_THEN_S, self._start_worker_again, host)

    def _plan(self, kind: str, break_it: Callable[[], bool], mean_s: float) -> None:
        when = self._rng.expovariate(1 / mean_s)
        if self._world.loop.now + when < self._until_s:
            self._proc.later(when, self._do, kind, break_it, mean_s)

    def _do(self, kind: str, break_it: Callable[[], bool], mean_s: float) -> None:
        if break_it():
            self.injected[kind] = self.injected.get(kind, 0) + 1
            self._world.trace("fault: %s", kind)
        self._plan(kind, break_it, mean_s)

    def _soon(self, longest_s: float) -> float:
        """Mostly short, sometimes nearly `longest_s`."""
        return 0.05 + self._rng.random() ** 3 * longest_s

    def _kill_master(self) -> bool:
        world = self._world
        if world.master is None:
            return False
        world.kill_master()
        self._proc.later(self._soon(90), world.start_master)
        return True

    def _kill_master_in_a_commit(self) -> bool:
        """Now if a commit is under way, else in the next one that begins soon."""
        if self._world.master is None:
            return False
        if self._world.master.is_committing:
            return self._kill_master()
        self._world.next_commit = self._commit_begins
        self._proc.later(WAITS_FOR_A_COMMIT_S, self._world.forget_next_commit, self._commit_begins)
        return False

    def _commit_begins(self) -> None:
        """Kill before it can be over: see `World.commit_s`. Not at once, because the master is amid a step."""
        self._proc.later(self._rng.random() * 0.0004, self._kill_now)

    def _kill_now(self) -> None:
        if self._kill_master():
            kind = "kill master in a commit"
            self.injected[kind] = self.injected.get(kind, 0) + 1
            self._world.trace("fault: %s", kind)

    def _stop_master(self) -> bool:
        master = self._world.master
        if master is None or master.proc.stopped:
            return False
        master.proc.stop()
        self._proc.later(self._soon(60), master.proc.go_on)
        return True

    def _kill_worker(self) -> bool:
        host = self._rng.choice(self._world.hosts)
        if host.worker is None or host.keeper is None:  # with both dead nobody keeps the lease
            return False
        host.worker.kill()
        self._proc.later(self._soon(150), self._start_worker_again, host)
        return True

    def _shut_down_worker(self) -> bool:
        host = self._rng.choice(self._world.hosts)
        if host.worker is None or host.keeper is None or not host.worker.shut_down():
            return False
        self._proc.later(SHUT_DOWN_BY_THEN_S + self._soon(60), self._start_worker_again, host)
        return True

    def _drain_worker(self) -> bool:
        """Mostly it may finish; sometimes somebody grows impatient."""
        host = self._rng.choice(self._world.hosts)
        if host.worker is None or host.keeper is None or not host.worker.drain():
            return False
        if self._rng.random() < 0.3:
            self._proc.later(self._soon(60), host.worker.shut_down)
        for patience in (1, 2, 3, 4):
            self._proc.later(
                patience * (SHUT_DOWN_BY_THEN_S + self._soon(60)), self._start_worker_again, host
            )
        return True

    def _start_worker_again(self, host: Host) -> None:
        if host.worker is None and host.name not in self._dead:
            self._world.start_worker(host)

    def _stop_worker(self) -> bool:
        host = self._rng.choice(self._world.hosts)
        if host.worker is None or host.keeper is None or host.worker.proc.stopped:
            return False
        host.worker.proc.stop()
        self._proc.later(self._soon(150), host.worker.proc.go_on)
        return True

    def _kill_keeper(self) -> bool:
        host = self._rng.choice(self._world.hosts)
        if host.worker is None or host.keeper is None or host.worker.proc.stopped:
            return False
        host.keeper.die()
        return True

    def _reboot(self) -> bool:
        host = self._rng.choice(self._world.hosts)
        if host.worker is None:
            return False
        self._world.reboot(host)
        self._proc.later(self._soon(120), self._start_worker_again, host)
        return True

    def _dead_host(self) -> bool:
        """It does not come back by itself; an operator fences it, and repairs it later."""
        host = self._rng.choice(self._world.hosts)
        if host.worker is None or host.name in self._dead:
            return False
        self._dead.add(host.name)
        self._world.reboot(host)
        self._world.people.proc.spawn(self._fence_and_repair(host), "fence")
        return True

    async def _fence_and_repair(self, host: Host) -> None:
        people = self._world.people
        await people.fence(host)
        await people.proc.sleep(GONE_S + self._world.limits_rng.random() * 30)
        self._dead.remove(host.name)
        self._start_worker_again(host)

    def _cordon(self) -> bool:
        """Nothing breaks, but a worker is taken out of service for a while."""
        return self._world.operators.take_out_of_service(self._rng.choice(self._world.hosts))

    def _cut(self) -> bool:
        network, rng = self._world.network, self._rng
        other = rng.choice([*(h.name for h in self._world.hosts), PEOPLE])
        ways = rng.choice((((MASTER, other),), ((other, MASTER),), ((MASTER, other), (other, MASTER))))
        for way in ways:
            network.cut_off(*way)
            self._proc.later(0.05 + rng.random() ** 2 * 200, network.cut.discard, way)
        return True

    def _bad_network(self) -> bool:
        network, rng = self._world.network, self._rng
        network.lose = rng.choice((0.0, 0.05, 0.3))
        network.repeat = rng.choice((0.0, 0.1, 0.5))
        network.slowest_s = rng.choice((0.05, 1.0, 8.0))
        self._proc.later(self._soon(60), self._good_network)
        return True

    def _good_network(self) -> None:
        network = self._world.network
        network.slowest_s, network.lose, network.repeat = 0.01, 0.0, 0.0

    def _slow_disk(self) -> bool:
        self._world.slowest_commit_s = self._rng.choice((0.5, 5.0, 40.0))
        self._proc.later(self._soon(40), self._fast_disk)
        return True

    def _fast_disk(self) -> None:
        self._world.slowest_commit_s = 0.02

    def _bad_planner(self) -> bool:
        self._world.planner_fault = self._rng.choice(("late", "dead", "wrong"))
        self._proc.later(self._soon(60), self._good_planner)
        return True

    def _good_planner(self) -> None:
        self._world.planner_fault = ""

    def _wall_clock(self) -> bool:
        host = self._rng.choice([*self._world.hosts, self._world.master_host])
        host.wall_offset_ms += self._rng.choice((-3_600_000, 3_600_000, 31_536_000_000))
        return True
