"""This module wakes a suspended host: what has no lease any more must be gone within a second, whatever it ignores."""

from __future__ import annotations

from simulation.host import Program
from simulation.keeping import KeeperProcess
from simulation.world import World, simulated

WORKS_ON = Program("deaf", seconds=10_000.0, heeds_term_after=None)


class Deaf:
    """A worker that hears nothing."""

    def send(self, message: object) -> None:
        """Nobody listens."""

    def hung_up(self) -> None:
        """Nobody cares."""


def test_after_a_suspend_an_attempt_without_a_lease_lives_no_longer_than_a_second() -> None:
    world = World(1)
    host = world.hosts[0]
    world.began = world.over = lambda run: None  # type: ignore[method-assign]  # there is no master to compare with
    with simulated(world):
        host.keeper = keeper = KeeperProcess(host)
        line = Deaf()
        keeper.connect(line)  # type: ignore[arg-type]
        item = {"task": 1, "token": 1, "command": list(WORKS_ON.command()), "cwd": "/", "deadline": 0.0}
        item |= {"env": {"GANGER_TASK_ID": "1", "GANGER_TOKEN": "1"}, "deadline": host.boottime() + 60}
        start = {"verb": "start", "base_env": {}, "attempts": [item]}
        keeper.proc.later(0, keeper.hear, line, start)
        world.go_on_for(10)
        (run,) = host.kernel.living.values()
        host.restart_clock(host.boottime() + 3600)  # an hour passes on its boot clock, and no process sees it
        world.go_on_for(1.2)
        assert run.ended is not None
