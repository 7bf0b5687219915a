"""This module tests a whole worker whose keeper hangs, as behind a disk that does not answer."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from ganger_core.domain.task import AttemptRef, ReportKind
from testkit.captured_logs import captured
from testkit.waiting import wait_until
from testkit.worker_daemon import WorkerProcess, WorkerUnderTest, holder_of
from testkit.worker_keeper import is_alive, pid_in
from testkit.worker_master import ScriptedMaster, start


@contextmanager
def hanging(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_it_refuses_work_until_its_keeper_answers_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganger_worker.executors.process.ANSWER_S", 0.2)
    with ScriptedMaster(tmp_path) as master, WorkerUnderTest(tmp_path / "state", master.address) as worker:
        wait_until(lambda: master.told.streams == 1, what="the stream of orders")
        keeper = worker.keeper_pid()
        tasks = count(2)

        def refused() -> str:
            """Why the worker refused one more task; empty when it took it."""
            task = next(tasks)
            master.push(start(task, "true"))
            wait_until(lambda: bool(master.reports(task)), what="any word of it")
            told = master.reports(task)[0]
            return told.message if told.kind is ReportKind.REJECTED else ""

        with hanging(keeper):
            master.push(start(1, "true"))
            wait_until(lambda: bool(refused()), what="it refuses")
            assert refused().startswith(f"the keeper of worker w1, process {keeper}, has not answered for ")
        assert master.final(1).kind is ReportKind.ENDED, "what it had accepted runs after all"
        wait_until(lambda: not refused(), what="it takes work again")


def test_a_restarted_worker_says_that_it_waits_for_its_keeper_and_can_be_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganger_worker.app.KEEPER_LIST_S", 0.1)
    state = tmp_path / "state"
    with ScriptedMaster(tmp_path) as master, WorkerProcess(state, master.address) as first:
        wait_until(lambda: master.told.streams == 1, 20, "the stream of orders")
        master.push(start(1, "sh", "-c", "echo $$ > pid; exec sleep 600"))
        pid = pid_in(first.folder / "attempts" / "1-1" / "work" / "pid")
        first.kill()
        keeper = holder_of(first.folder / "keeper.lock")
        with hanging(keeper), captured() as log:
            with WorkerUnderTest(state, master.address):
                wait_until(lambda: any(line["level"] == "ERROR" for line in log), what="it says so")
            assert log[0]["pid"] == keeper
        assert is_alive(pid), "what runs is left alone, for the next start"
        with WorkerUnderTest(state, master.address):
            wait_until(lambda: master.holding() == [AttemptRef(1, 1)], what="the third start holds it")
