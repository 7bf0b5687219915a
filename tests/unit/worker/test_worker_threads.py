"""This module tests that loops end when told, and that none dies unnoticed."""

from __future__ import annotations

import threading

import pytest

from ganger_worker.threads import Loop, Pauses


def test_a_loop_runs_until_stopped() -> None:
    stopping, ran, wake = threading.Event(), threading.Event(), threading.Event()

    def run_once() -> None:
        ran.set()
        wake.wait()

    loop = Loop("a loop", run_once, stopping, wake.set)
    loop.start()
    assert ran.wait(10)
    assert loop.name in {thread.name for thread in threading.enumerate()}
    loop.stop()
    assert loop.name not in {thread.name for thread in threading.enumerate()}


def test_one_that_was_never_started_can_be_stopped() -> None:
    Loop("never", lambda: None, threading.Event(), lambda: None).stop()


def test_one_that_does_not_end_is_not_waited_for_for_ever() -> None:
    stopping, release = threading.Event(), threading.Event()

    def run_once() -> None:
        release.wait()

    loop = Loop("stuck", run_once, stopping, lambda: None)
    loop.start()
    with pytest.raises(TimeoutError, match="stuck"):
        loop.stop(timeout_s=0.05)
    release.set()
    loop.stop()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_unexpected_error_is_told_to_who_must_end_the_process() -> None:
    died: list[str] = []
    gone = threading.Event()

    def run_once() -> None:
        raise ZeroDivisionError

    def on_death(name: str) -> None:
        died.append(name)
        gone.set()

    loop = Loop("short-lived", run_once, threading.Event(), lambda: None, on_death)
    loop.start()
    assert gone.wait(10)
    loop.stop()
    assert died == ["short-lived"]


def test_pauses_grow_and_begin_anew_after_success() -> None:
    class Recorder(threading.Event):
        def __init__(self) -> None:
            super().__init__()
            self.waits: list[float | None] = []

        def wait(self, timeout: float | None = None) -> bool:
            self.waits.append(timeout)
            return False

    stopping = Recorder()
    pauses = Pauses(stopping)
    for _ in range(9):
        pauses.wait()
    pauses.over()
    pauses.wait()
    assert stopping.waits == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 0.05]
