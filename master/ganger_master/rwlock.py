"""This module is a readers-writer lock: many readers at once, or one writer; waiting writers go first."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ganger_master import locks


class ReadWriteLock:
    """Readers share, a writer is alone, and a waiting writer holds back new readers, so that none starves."""

    def __init__(self, rank: int) -> None:
        self._rank = rank
        self._changed = threading.Condition(threading.Lock())
        self._readers = 0
        self._writing = False
        self._writers_waiting = 0

    @contextmanager
    def read(self) -> Iterator[None]:
        """Hold the lock together with other readers."""
        locks.entering(self._rank)
        with self._changed:
            self._changed.wait_for(lambda: not self._writing and not self._writers_waiting)
            self._readers += 1
        try:
            yield
        finally:
            with self._changed:
                self._readers -= 1
                if not self._readers:
                    self._changed.notify_all()
            locks.left(self._rank)

    @contextmanager
    def write(self) -> Iterator[None]:
        """Hold the lock alone."""
        locks.entering(self._rank)
        with self._changed:
            self._writers_waiting += 1
            self._changed.wait_for(lambda: not self._writing and not self._readers)
            self._writers_waiting -= 1
            self._writing = True
        try:
            yield
        finally:
            with self._changed:
                self._writing = False
                self._changed.notify_all()
            locks.left(self._rank)
