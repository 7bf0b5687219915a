"""This module checks how CPU time is booked on threads and functions."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from bench.profiled import OTHERS, FunctionTimes, ThreadTimes, named, thread_cpu_s


def a_thread(name: str, native_id: int, monkeypatch: pytest.MonkeyPatch) -> threading.Thread:
    thread = threading.Thread(target=print, name=name)
    monkeypatch.setattr(thread, "_native_id", native_id)
    return thread


def test_threads_of_a_pool_count_together_and_the_rest_is_no_thread_of_python(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    used: dict[int, float | None] = {1: 1.0, 2: 0.5, 3: 0.25}
    times = ThreadTimes(used.get)
    threads = [a_thread(name, n + 1, monkeypatch) for n, name in enumerate(("edge", "reader_0", "reader_1"))]
    times.look(threads)
    used.update({1: 3.0, 2: None, 3: 0.75})  # the second has ended: its last reading stays
    times.look(threads)
    assert times.found(5.0) == {"edge": 3.0, "reader": 1.25, OTHERS: 0.75}


def test_cpu_time_of_a_thread_that_is_there_and_of_one_that_is_not() -> None:
    own = thread_cpu_s(threading.get_native_id())
    assert own is not None
    assert own > 0
    assert thread_cpu_s(2**30) is None


def burn() -> None:
    for _ in range(200_000):
        pass


def test_functions_of_threads_that_start_later_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    times = FunctionTimes()
    try:
        thread = threading.Thread(target=burn, name="burn")
        thread.start()
        thread.join()
    finally:
        threading.setprofile(None)  # type: ignore[arg-type]
    assert times.found()["bench/test_bench_profiled.py:burn"] > 0


def test_functions_are_named_by_their_file() -> None:
    assert named(burn.__code__) == f"bench/{Path(__file__).name}:burn"
    assert named("<built-in method builtins.len>") == "<built-in method builtins.len>"
