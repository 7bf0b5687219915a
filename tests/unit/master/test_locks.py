"""This module checks that the master's locks keep their order."""

from __future__ import annotations

import threading

import pytest

from ganger_master import locks


def test_a_lower_rank_is_refused_while_a_higher_one_is_held() -> None:
    engine, queue = locks.RankedLock(locks.ENGINE_RANK), locks.RankedLock(locks.QUEUE_RANK)
    with engine, queue:
        assert locks.held_ranks() == (locks.ENGINE_RANK, locks.QUEUE_RANK)
    with queue, pytest.raises(AssertionError, match="lock order"):
        engine.acquire()
    assert locks.held_ranks() == ()


def test_the_same_rank_is_refused_twice() -> None:
    with locks.RankedLock(locks.QUEUE_RANK), pytest.raises(AssertionError, match="lock order"):
        locks.RankedLock(locks.QUEUE_RANK).acquire()


def test_no_lock_is_held_over_input_or_output() -> None:
    locks.assert_none_held("write")
    with locks.RankedLock(locks.ENGINE_RANK), pytest.raises(AssertionError, match="write while holding"):
        locks.assert_none_held("write")


def test_a_lock_that_was_not_had_in_time_is_not_held() -> None:
    lock = locks.RankedLock(locks.ENGINE_RANK)
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            taken.set()
            done.wait(10)

    thread = threading.Thread(target=hold, name="holder")
    thread.start()
    assert taken.wait(10)
    assert not lock.acquire(timeout=0.01)
    assert locks.held_ranks() == ()
    done.set()
    thread.join()
