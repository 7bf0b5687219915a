"""This module counts the calls that a server answered."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CallStats:
    """Calls of one method that ended with one code: how many, and the seconds they took in all."""

    count: int
    seconds: float


class RpcMetrics:
    """Counts calls by method and status code; may be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stats: dict[tuple[str, str], CallStats] = {}

    def observe(self, method: str, code: str, seconds: float) -> None:
        """Count one call of `method` that ended with the status `code`."""
        with self._lock:
            old = self._stats.get((method, code), CallStats(0, 0.0))
            self._stats[method, code] = CallStats(old.count + 1, old.seconds + seconds)

    def snapshot(self) -> Mapping[tuple[str, str], CallStats]:
        """The counts so far, by (method, code)."""
        with self._lock:
            return dict(self._stats)
