"""This module is the simulated network between the master and everybody else.

Every message takes a random time, so that calls overtake each other; it may be lost or come twice, and each
direction between two hosts can be cut by itself. Messages of one stream keep their order, as TCP does it: what
is lost breaks the stream, and each end finds that out in its own time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

from ganger_core.domain.errors import DeadlineExceeded, GangerError, Unavailable
from simulation.virtual_loop import Process, VirtualLoop

KEEPALIVE_S = 30.0  # after which an end of a broken connection has noticed
MASTER = "master"

Reply = Callable[[object], None]
"""Takes the answer or the `GangerError`."""


class Network:
    """Carries calls to `server`, which is set by the world whenever a master serves."""

    def __init__(self, loop: VirtualLoop, rng: Random) -> None:
        self.loop = loop
        self.rng = rng
        self.server: Any = None
        self.slowest_s = 0.01
        self.lose = 0.0
        self.repeat = 0.0
        self.cut: set[tuple[str, str]] = set()  # directions that carry nothing
        self.streams: dict[Stream, None] = {}
        self.lost = 0
        self.repeated = 0

    def heal(self) -> None:
        """No fault any more."""
        self.slowest_s, self.lose, self.repeat = 0.01, 0.0, 0.0
        self.cut.clear()

    def cut_off(self, source: str, target: str) -> None:
        """Let nothing through in this direction; open streams break once their keepalive notices."""
        self.cut.add((source, target))
        self.loop.call_later(KEEPALIVE_S, self._notice, source, target)

    def delay(self, source: str, target: str) -> float | None:
        """How long this message takes, or None when it is lost."""
        if (source, target) in self.cut or (self.lose and self.rng.random() < self.lose):
            self.lost += 1
            return None
        return 0.0002 + self.rng.random() ** 3 * self.slowest_s

    async def call(self, caller: Process, method: str, request: object, timeout_s: float) -> Any:
        """One call to the master; raises the `GangerError` that came back, or that nothing came."""
        done = self.loop.create_future()
        source = caller.host.name
        cancels: list[Callable[[], object]] = []

        def came(answer: object) -> None:
            if not done.done():
                done.set_result(answer)

        def reply(answer: object) -> None:
            back = self.delay(MASTER, source)
            if back is not None:
                caller.later(back, came, answer)
            elif self.rng.random() < 0.5:
                caller.later(self.rng.random() * 5, came, Unavailable("the connection broke"))

        def arrive() -> None:
            if self.server is None:
                reply(Unavailable("connection refused"))
            else:
                cancels.append(self.server.serve(method, request, reply))

        copies = 2 if self.repeat and self.rng.random() < self.repeat else 1
        self.repeated += copies - 1
        for _ in range(copies):
            there = self.delay(source, MASTER)
            if there is not None:
                self.loop.call_later(there, arrive)
            elif self.rng.random() < 0.5:
                caller.later(self.rng.random() * 5, came, Unavailable("the connection broke"))
        timer = caller.later(timeout_s, came, DeadlineExceeded("no answer in time"))
        answer = await done
        timer.cancel()
        if isinstance(answer, DeadlineExceeded) and self.rng.random() < 0.5:
            for cancel in cancels:  # the master hears that the caller has hung up
                cancel()
        if isinstance(answer, GangerError):
            raise answer
        return answer

    def open(self, caller: Process, method: str, request: object) -> Stream:
        """Open a stream of messages from the master."""
        stream = Stream(self, caller)
        self.streams[stream] = None
        there = self.delay(caller.host.name, MASTER)
        if there is None:
            stream.break_up()
        else:
            self.loop.call_later(there, stream.arrive, method, request)
        return stream

    def _notice(self, source: str, target: str) -> None:
        if (source, target) not in self.cut:
            return
        for stream in list(self.streams):
            if stream.caller.host.name in (source, target):
                stream.break_up()


class Stream:
    """Both ends of one stream; an async iterator for the caller."""

    def __init__(self, network: Network, caller: Process) -> None:
        self._network = network
        self.caller = caller
        self._inbox: deque[object] = deque()  # messages, then one GangerError or None for the end
        self._news: asyncio.Future[None] | None = None
        self._under_way: deque[object] = deque()
        self._last_arrival = 0.0
        self._broken = False
        self._closed = False
        self._hang_up: Callable[[], object] = lambda: None

    def arrive(self, method: str, request: object) -> None:
        """The opening has reached the master's host."""
        server = self._network.server
        if server is None:
            self.end(Unavailable("connection refused"))
        elif not self._closed:
            self._hang_up = server.serve_stream(method, request, self)

    def send(self, message: object) -> None:
        """From the master's end."""
        there = self._network.delay(MASTER, self.caller.host.name)
        if there is None:
            self.break_up()
        if self._broken or there is None:
            return
        when = max(self._last_arrival, self._network.loop.now + there)
        self._last_arrival = when
        self._under_way.append(message)
        self.caller.later(when - self._network.loop.now, self._arrived)

    def _arrived(self) -> None:
        """The next one is there: two of one moment may come in either order, for want of digits."""
        self._receive(self._under_way.popleft())

    def end(self, error: GangerError | None) -> None:
        """The master's end is over."""
        self._network.streams.pop(self, None)
        self.send(error)

    def break_up(self) -> None:
        """The connection carries nothing any more; each end notices by itself."""
        if self._broken:
            return
        self._broken = True
        self._network.streams.pop(self, None)
        rng = self._network.rng
        self.caller.later(rng.random() * KEEPALIVE_S, self._receive, Unavailable("the stream broke"))
        self._network.loop.call_later(rng.random() * KEEPALIVE_S, self._tell_master)

    def cancel(self) -> None:
        """The caller wants no more."""
        self._closed = True
        self._receive(Unavailable("the stream was cancelled"))
        there = self._network.delay(self.caller.host.name, MASTER)
        if there is None:
            self.break_up()
        else:
            self._network.loop.call_later(there, self._tell_master)

    def _tell_master(self) -> None:
        self._hang_up()  # set only once the opening has arrived

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> Any:
        while not self._inbox:
            self._news = self._network.loop.create_future()
            await self._news
        message = self._inbox.popleft()
        if message is None:
            raise StopAsyncIteration
        if isinstance(message, GangerError):
            raise message
        return message

    def _receive(self, message: object) -> None:
        self._inbox.append(message)
        if self._news is not None and not self._news.done():
            self._news.set_result(None)
