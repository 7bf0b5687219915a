"""This module runs the real keeper's attempts and journal on a simulated host, and its line to the worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

from ganger_worker.keeper import TICK_S, Keeper
from ganger_worker.keeper_attempts import Attempts
from ganger_worker.keeper_journal import Journal, _line
from simulation.host import Host
from simulation.virtual_loop import Process

SPAWN_S = 0.1  # until a new keeper answers
Message = dict[str, Any]


class KeptJournal(Journal):
    """The journal with its lines on the simulated host's disk, which survives the keeper and the host."""

    def __init__(self, lines: list[bytes]) -> None:
        self._lines = lines
        super().__init__("/nowhere/keeper.journal")

    def _rewrite(self) -> tuple[int, int]:
        for line in self._lines:
            self._replay(line)
        return -1, 0

    def _write(self, entry: dict[str, object]) -> None:
        self._lines.append(_line(entry))

    def close(self) -> None:
        """There is no descriptor."""


class KeeperProcess:
    """One keeper. What it does with a message is the real `Keeper._obey`; only its loop is another."""

    def __init__(self, host: Host) -> None:
        self.proc = Process(host.world.loop, f"{host.name}/keeper", host)
        self._ended = False
        self._line: _End | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._checked = 0.0
        self._reaping = False
        self.proc.context.run(self._begin, host)

    def _begin(self, host: Host) -> None:
        self._host = host
        self._attempts = Attempts(KeptJournal(host.journal), worker_id(host), "", host.boottime)
        self._wind()

    @property
    def is_empty(self) -> bool:
        """Whether it keeps nothing: no attempt and no exit."""
        return not self._attempts.lives and not self._attempts.listing()["exits"]

    def connect(self, line: _End) -> None:
        """A worker's line replaces the one before."""
        if self._line is not None:
            self._line.hung_up()
        self._line = line

    def hear(self, line: _End, message: Message) -> None:
        """A message came in."""
        if line is not self._line:
            return
        Keeper._obey(self, line, message)  # type: ignore[arg-type]  # it only needs `_attempts`
        if self._ended:
            self.die()
            return
        self._tell()

    def child_ended(self) -> None:
        """SIGCHLD."""
        if not self._reaping:
            self._reaping = True
            self.proc.later(0.0001, self._reap)

    def die(self) -> None:
        """SIGKILL, or told to end: what it started lives on, but with nobody to reap it."""
        if self._ended:
            self._attempts.close()
        self.proc.kill()
        self._host.keeper = None
        self._host.kernel.orphan()
        if self._line is not None:
            self._line.hung_up()

    def _reap(self) -> None:
        self._reaping = False
        self._attempts.reap()
        self._tell()

    def _tick(self) -> None:
        self._timer = None
        now = self._host.boottime()
        if now >= min(self._checked + TICK_S, self._attempts.next_tick) - 1e-6:
            self._checked = now
            self._attempts.tick()
        self._tell()

    def _tell(self) -> None:
        news: Iterator[Message] = self._attempts.news()
        for message in news:
            if self._line is not None:
                self._line.send(message)
        self._wind()

    def _wind(self) -> None:
        """Ring at the next deadline: the real loop looks every second and at `next_tick`."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._attempts.lives:
            ends = (self._checked + TICK_S, self._attempts.next_tick, self._attempts.next_news)
            due = min(ends) - self._host.boottime()
            self._timer = self.proc.later(max(0.001, due / self._host.rate), self._tick)


class Line:
    """The Unix socket between a worker and its keeper: in order, at once, until one of them dies.

    Offers `send` and `pid` to `ProcessExecutor` as `KeeperClient` does; a broken line brings up a new keeper.
    """

    def __init__(self, worker: Process, on_message: Callable[[Message], None]) -> None:
        self._worker = worker
        self._host: Host = worker.host
        self._on_message = on_message
        self._open = False
        self._stopping = False
        self._end: _End | None = None
        self.pid = 0

    def connect(self) -> None:
        """Reach the keeper, start one if there is none, and ask for its list before anything else is sent."""
        if self._stopping:
            return
        if self._host.keeper is None:
            self._host.keeper = KeeperProcess(self._host)
        keeper = self._host.keeper
        self._end = _End(self, keeper)
        keeper.connect(self._end)
        self._open = True
        self.send("list")

    def send(self, verb: str, **content: object) -> bool:
        """As `KeeperClient.send`."""
        end = self._end
        if not self._open or end is None or not end.keeper.proc.alive:
            return False
        end.keeper.proc.later(0.0003, end.keeper.hear, end, {"verb": verb, **content})
        return True

    def stop(self, *, end_keeper: bool) -> None:
        """As `KeeperClient.stop`."""
        self._stopping = True
        if end_keeper:
            self.send("shutdown")
        self._open = False

    def broke(self, end: _End) -> None:
        """The other side is gone."""
        if end is self._end and not self._stopping:
            self._open = False
            self._worker.later(SPAWN_S * self._host.world.rng.random(), self.connect)

    def came(self, end: _End, message: Message) -> None:
        """A message of the keeper."""
        if end is self._end and self._open:
            self._on_message(message)


class _End:
    """One connection, seen from the keeper: what it sends is lost when the worker is gone."""

    def __init__(self, line: Line, keeper: KeeperProcess) -> None:
        self._line = line
        self.keeper = keeper

    def send(self, message: Message) -> None:
        self._line._worker.later(0.0003, self._line.came, self, message)

    def hung_up(self) -> None:
        self._line._worker.later(0.0003, self._line.broke, self)


def worker_id(host: Host) -> str:
    """The worker's id, as it stands on the host's disk."""
    return f"id-{host.name}"
