"""This module waits for conditions, so that no test sleeps for a guessed time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_PAUSE = threading.Event()


def wait_until(predicate: Callable[[], object], timeout_s: float = 10.0, what: str = "") -> None:
    """Return as soon as `predicate()` is true; fail with `what` after `timeout_s` seconds."""
    deadline = time.monotonic() + timeout_s
    while not predicate():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s: {what or predicate}")
        _PAUSE.wait(0.01)
