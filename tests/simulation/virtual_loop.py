"""This module is the simulator's time: one queue of events on a virtual clock, which asyncio's parts also run on.

Whatever happens belongs to a `Process`. One that is killed never gets another event; one that is stopped gets
those that came meanwhile when it goes on, in their order.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any

running: ContextVar[Process] = ContextVar("running")
"""The process that the present event belongs to."""


class VirtualLoop(asyncio.AbstractEventLoop):
    """An event loop whose time jumps to the next event. `failures` gathers what no event may raise."""

    def __init__(self) -> None:
        self.now = 0.0
        self.steps = 0
        self.failures: list[BaseException] = []
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._heap: list[tuple[float, int, asyncio.Handle]] = []
        self._count = 0
        self._ready: deque[asyncio.Handle] = deque()

    def time(self) -> float:
        return self.now

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_at(
        self, when: float, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._count += 1
        heapq.heappush(self._heap, (when, self._count, handle))
        return handle

    def call_later(
        self, delay: float, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.now + delay, callback, *args, context=context)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """A cancelled timer is skipped when its time comes."""

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Any, *, name: str | None = None, context: Context | None = None
    ) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self, name=name, context=context)
        self._tasks[task] = None
        task.add_done_callback(self._note_end)
        return task

    def run_in_executor(self, executor: object, func: Any, *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """A moment later, on this thread, unless the process is dead by then."""
        future = self.create_future()

        def work() -> None:
            if not future.done():
                future.set_result(func(*args))

        running.get().later(0.002, work)
        return future

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.failures.append(error if error is not None else RuntimeError(context.get("message")))

    def run_one(self, until: float) -> bool:
        """Carry out the next event and what follows from it at once; false when none is due before `until`."""
        if not self._ready:
            while self._heap and self._heap[0][2].cancelled():
                heapq.heappop(self._heap)
            if not self._heap or self._heap[0][0] > until:
                self.now = max(self.now, until)
                return False
            when, _, handle = heapq.heappop(self._heap)
            self.now = max(self.now, when)
            self._ready.append(handle)
        while self._ready:
            handle = self._ready.popleft()
            if not handle.cancelled():
                handle._run()
        self.steps += 1
        return True

    def close(self) -> None:
        """Drop every coroutine, and whatever they would still like to do."""
        self._heap.clear()
        for task in list(self._tasks):
            task.cancel()
        while self._ready:
            self._ready.popleft()._run()

    def _note_end(self, task: asyncio.Task[Any]) -> None:
        del self._tasks[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failures.append(error)


class Process:
    """Something that can be killed and stopped. `host` is where it runs."""

    def __init__(self, loop: VirtualLoop, name: str, host: Any) -> None:
        self.loop = loop
        self.name = name
        self.host = host
        self.alive = True
        self.stopped = False
        self.context = copy_context()
        self.context.run(running.set, self)
        self._missed: list[tuple[Callable[..., object], tuple[object, ...]]] = []
        self._tasks: dict[asyncio.Task[Any], None] = {}  # in order: sets have none

    def later(self, delay: float, callback: Callable[..., object], *args: object) -> asyncio.TimerHandle:
        """Call back in this process after `delay` seconds, if it lives then."""
        return self.loop.call_later(delay, self._enter, callback, args, context=self.context.copy())

    def spawn(
        self, work: Coroutine[Any, Any, Any], name: str, context: Context | None = None
    ) -> asyncio.Task[Any]:
        """Run a coroutine in this process."""
        task = self.loop.create_task(work, name=f"{self.name}/{name}", context=context or self.context.copy())
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._tasks.pop(done, None))
        return task

    async def sleep(self, seconds: float) -> None:
        """Wait; returns later if the process is stopped meanwhile."""
        future = self.loop.create_future()
        self.later(seconds, _resolve, future)
        await future

    def kill(self) -> None:
        """End at once: no clean-up of the process itself takes place, except that its coroutines are dropped."""
        self.alive = False
        self._missed.clear()
        for task in list(self._tasks):
            task.cancel()

    def stop(self) -> None:
        """As SIGSTOP does."""
        self.stopped = True

    def go_on(self) -> None:
        """As SIGCONT does."""
        self.stopped = False
        missed, self._missed = self._missed, []
        for callback, args in missed:
            self.later(0, callback, *args)

    def _enter(self, callback: Callable[..., object], args: tuple[object, ...]) -> None:
        if not self.alive:
            return
        if self.stopped:
            self._missed.append((callback, args))
            return
        callback(*args)


def _resolve(future: asyncio.Future[Any]) -> None:
    if not future.done():
        future.set_result(None)
