"""This module checks that the master's locks keep their order and that the readers-writer lock keeps its promise."""

from __future__ import annotations

import threading

import pytest

from ganger_master import locks
from ganger_master.rwlock import ReadWriteLock
from testkit.waiting import wait_until


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


def test_readers_share_and_a_writer_is_alone() -> None:
    lock = ReadWriteLock(locks.REGISTRY_RANK)
    inside: list[str] = []
    both_in, leave, wrote = threading.Barrier(2), threading.Event(), threading.Event()

    def read() -> None:
        with lock.read():
            both_in.wait(10)  # only passes when two readers are inside at once
            leave.wait(10)
            inside.append("read")

    def write() -> None:
        with lock.write():
            inside.append("write")
            wrote.set()

    readers = [threading.Thread(target=read, name=f"reader-{n}") for n in range(2)]
    for reader in readers:
        reader.start()
    wait_until(lambda: lock._readers == 2, what="two readers inside")
    writer = threading.Thread(target=write, name="writer")
    writer.start()
    wait_until(lock._gate.locked, what="the writer waits")
    assert not wrote.is_set()
    leave.set()
    for thread in [*readers, writer]:
        thread.join(10)
    assert inside == ["read", "read", "write"]


def test_a_waiting_writer_holds_back_new_readers() -> None:
    lock = ReadWriteLock(locks.REGISTRY_RANK)
    order: list[str] = []
    first_in, leave = threading.Event(), threading.Event()

    def first() -> None:
        with lock.read():
            first_in.set()
            leave.wait(10)

    def write() -> None:
        with lock.write():
            order.append("write")

    def late() -> None:
        with lock.read():
            order.append("late read")

    threads = [threading.Thread(target=f, name=f.__name__) for f in (first, write, late)]
    threads[0].start()
    assert first_in.wait(10)
    threads[1].start()
    wait_until(lock._gate.locked, what="the writer waits")
    threads[2].start()
    leave.set()
    for thread in threads:
        thread.join(10)
    assert order == ["write", "late read"]


def test_many_readers_and_writers_never_meet() -> None:
    lock = ReadWriteLock(locks.REGISTRY_RANK)
    value = {"a": 0, "b": 0}
    broken: list[dict[str, int]] = []

    def write() -> None:
        for _ in range(300):
            with lock.write():
                value["a"] += 1
                value["b"] += 1

    def read() -> None:
        for _ in range(300):
            with lock.read():
                if value["a"] != value["b"]:
                    broken.append(dict(value))

    threads = [threading.Thread(target=f, name=f"{f.__name__}-{n}") for n in range(3) for f in (read, write)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert value == {"a": 900, "b": 900}
    assert not broken
