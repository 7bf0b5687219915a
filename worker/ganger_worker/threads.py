"""This module runs the worker's loops: one named thread each, ended by one event, none dying unnoticed."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from ganger_core.logs import get_logger

EXIT_THREAD_DIED = 70
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 5.0

_log = get_logger()


def end_process(name: str) -> None:
    """End this process at once; the attempts live on in the keeper, and a restarted worker takes over."""
    _log.error("a thread died; the worker ends", action="thread_died", thread=name)
    os._exit(EXIT_THREAD_DIED)


class Loop:
    """A thread that calls `run_once` until it is stopped.

    `wake` is called after `stopping` is set and must make a waiting `run_once` return. An exception that leaves
    `run_once` is logged and given to `died`.
    """

    def __init__(
        self,
        name: str,
        run_once: Callable[[], None],
        stopping: threading.Event,
        wake: Callable[[], None],
        died: Callable[[str], None] = end_process,
    ) -> None:
        self._run_once = run_once
        self._stopping = stopping
        self._wake = wake
        self._died = died
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def name(self) -> str:
        """The thread's name."""
        return self._thread.name

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """End the loop after its present turn, and wait for that; raises TimeoutError when it does not come."""
        self._stopping.set()
        self._wake()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                raise TimeoutError(f"thread {self.name} does not end")

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._run_once()
        except BaseException as error:
            _log.error("unexpected error", error=error, action="thread_died", thread=self.name)
            self._died(self.name)
            raise


class Pauses:
    """How long to wait after each failure in a row: ever longer, and from the start again after a success."""

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping
        self._next_s = FIRST_PAUSE_S

    def wait(self) -> None:
        """Wait after a failure; returns early when the thread is to stop."""
        self._stopping.wait(self._next_s)
        self._next_s = min(2 * self._next_s, LONGEST_PAUSE_S)

    def over(self) -> None:
        """It worked."""
        self._next_s = FIRST_PAUSE_S
