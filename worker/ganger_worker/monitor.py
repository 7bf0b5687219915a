"""This module measures the host every two seconds; heartbeats carry the newest values."""

from __future__ import annotations

import threading

import psutil

from ganger_core.domain.task import WorkerUsage
from ganger_worker.threads import Loop

EVERY_S = 2.0


class Monitor:
    """The thread that measures. `usage` is replaced as a whole, so that readers need no lock."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self.usage = WorkerUsage()
        self._measure()
        self.loop = Loop("monitor", self.run_once, self._stopping, lambda: None)

    def run_once(self) -> None:
        """Wait a period, then measure over it."""
        if not self._stopping.wait(EVERY_S):
            self._measure()

    def _measure(self) -> None:
        memory = psutil.virtual_memory()
        self.usage = WorkerUsage(
            cpu_percent=min(100.0, max(0.0, psutil.cpu_percent(interval=None))),
            memory_used_bytes=memory.used,
            memory_total_bytes=memory.total,
        )
