"""This module is a readers-writer lock: many readers at once, or one writer; waiting writers go first."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from types import TracebackType

from ganger_master import locks


class ReadWriteLock:
    """Readers share, a writer is alone, and a waiting writer holds back new readers, so that none starves.

    The first reader shuts the room and the last one opens it; a writer shuts the gate that readers come through, then
    the room (Courtois, Heymans, Parnas 1971, with the gate of Downey's "no-starve" solution). No condition and no new
    object at a taking: it is taken several times for every task.
    """

    def __init__(self, rank: int) -> None:
        self._rank = rank
        self._gate = threading.Lock()
        self._room = threading.Lock()
        self._counting = threading.Lock()
        self._readers = 0  # guarded by _counting
        self._reading, self._writing = _Reading(self), _Writing(self)

    def read(self) -> AbstractContextManager[None]:
        """Hold the lock together with other readers; raises when that breaks the order of locks."""
        return self._reading

    def write(self) -> AbstractContextManager[None]:
        """Hold the lock alone; raises when that breaks the order of locks."""
        return self._writing

    def _enter_reading(self) -> None:
        locks.entering(self._rank)
        with self._gate:
            pass  # where a writer waits, it goes first
        with self._counting:
            self._readers += 1
            if self._readers == 1:
                self._room.acquire()

    def _leave_reading(self) -> None:
        with self._counting:
            self._readers -= 1
            if not self._readers:
                self._room.release()
        locks.left(self._rank)

    def _enter_writing(self) -> None:
        locks.entering(self._rank)
        self._gate.acquire()
        self._room.acquire()

    def _leave_writing(self) -> None:
        self._room.release()
        self._gate.release()
        locks.left(self._rank)


class _Reading(AbstractContextManager[None]):
    def __init__(self, lock: ReadWriteLock) -> None:
        self._lock = lock

    def __enter__(self) -> None:
        self._lock._enter_reading()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock._leave_reading()


class _Writing(AbstractContextManager[None]):
    def __init__(self, lock: ReadWriteLock) -> None:
        self._lock = lock

    def __enter__(self) -> None:
        self._lock._enter_writing()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock._leave_writing()
