"""This module gives the master's locks an order and refuses to take them in another.

Always in this order: engine lock, queue mutex, registry lock. Each thread remembers what it holds;
taking a lower rank while holding a higher one is a programming error and raises at once.
"""

from __future__ import annotations

import threading
from types import TracebackType

ENGINE_RANK, QUEUE_RANK, REGISTRY_RANK = 1, 2, 3


class _Held(threading.local):
    def __init__(self) -> None:
        self.ranks: list[int] = []


_held = _Held()  # each thread's own


def held_ranks() -> tuple[int, ...]:
    """The ranks of the locks that this thread holds now, in the order in which it took them."""
    return tuple(_held.ranks)


def entering(rank: int) -> None:
    """Note that this thread is about to take a lock of this rank; raises when that breaks the order."""
    ranks = _held.ranks
    if ranks and ranks[-1] >= rank:
        raise AssertionError(f"lock order: rank {rank} asked for while holding {ranks}")
    ranks.append(rank)


def left(rank: int) -> None:
    """Note that this thread gave back its lock of this rank."""
    _held.ranks.remove(rank)


def assert_none_held(action: str) -> None:
    """Raise when this thread holds any lock: `action` is input or output, and no lock is held over that."""
    if held_ranks():
        raise AssertionError(f"{action} while holding locks of rank {held_ranks()}")


class RankedLock:
    """A mutex with a place in the order; a `threading.Condition` can be built on it."""

    def __init__(self, rank: int) -> None:
        self._rank = rank
        self._lock = threading.Lock()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock, as `threading.Lock.acquire`; raises when that breaks the order."""
        entering(self._rank)
        taken = self._lock.acquire(blocking, timeout)
        if not taken:
            left(self._rank)
        return taken

    def release(self) -> None:
        """Give the lock back."""
        left(self._rank)
        self._lock.release()

    def _is_owned(self) -> bool:
        return self._rank in _held.ranks

    def __enter__(self) -> RankedLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
