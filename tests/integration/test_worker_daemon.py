"""This module tests the worker daemon as a process: how it starts, ends, dies and takes over."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganger_core.domain.errors import PermissionDenied, Unauthenticated, Unavailable, UnknownWorker
from ganger_core.domain.states import AttemptState
from ganger_core.domain.task import (
    AttemptRef,
    Limits,
    Outcome,
    OutcomeKind,
    ReportKind,
    StartOrder,
    TaskSpec,
)
from testkit.waiting import wait_until
from testkit.worker_daemon import ENV, WorkerProcess, WorkerUnderTest, holder_of
from testkit.worker_keeper import is_alive, pid_in
from testkit.worker_master import ScriptedMaster, start


@pytest.fixture
def master(tmp_path: Path) -> Iterator[ScriptedMaster]:
    with ScriptedMaster(tmp_path) as scripted:
        yield scripted


STUBBORN = "trap '' TERM; echo $$ > pid; while :; do sleep 0.05; done"
OBEDIENT = "echo $$ > pid; exec sleep 600"


@pytest.mark.parametrize(  # the grace that what does not obey has is seconds: one of them sits it out
    ("numbers", "script"),
    [((signal.SIGINT,), STUBBORN), ((signal.SIGTERM, signal.SIGTERM), OBEDIENT)],
    ids=["int", "term twice"],
)
def test_int_or_a_second_term_ends_it_in_order(
    tmp_path: Path, master: ScriptedMaster, numbers: tuple[signal.Signals, ...], script: str
) -> None:
    with WorkerProcess(tmp_path / "state", master.address) as worker:
        wait_until(lambda: master.told.streams == 1, 20, "the stream of orders")
        master.push(start(1, "sleep", "600"), start(2, "sh", "-c", script))
        pid = pid_in(worker.folder / "attempts" / "2-1" / "work" / "pid")
        keeper = holder_of(worker.folder / "keeper.lock")
        for number in numbers[:-1]:
            worker.process.send_signal(number)
            wait_until(lambda: master.told.heartbeats[-1].draining, what="it drains")
        worker.process.send_signal(numbers[-1])
        code, _ = worker.ends()
    assert code == 0
    ends = [master.final(task) for task in (1, 2)]
    assert {(end.kind, end.message, end.orderly) for end in ends} == {
        (ReportKind.LOST, "worker shut down", True)
    }
    assert not is_alive(pid)
    assert not is_alive(keeper)


def test_the_first_term_drains_it(tmp_path: Path, master: ScriptedMaster) -> None:
    with WorkerProcess(tmp_path / "state", master.address) as worker:
        wait_until(lambda: master.told.streams == 1, 20, "the stream of orders")
        go = tmp_path / "go"
        master.push(start(1, "sh", "-c", f"while [ ! -e {go} ]; do sleep 0.05; done; exit 3"))
        master.running(1)
        assert not master.told.heartbeats[-1].draining
        worker.process.terminate()
        wait_until(lambda: master.told.heartbeats[-1].draining, what="it drains")
        master.push(start(2, "true"), start(1, "never again", state=AttemptState.RUNNING))
        refused = master.final(2)
        assert (refused.kind, refused.message) == (ReportKind.REJECTED, "worker w1 is draining")
        master.next_heartbeats()
        assert master.holding() == [AttemptRef(1, 1)]
        assert worker.process.poll() is None
        go.touch()
        code, _ = worker.ends()
    assert code == 0
    outcome = master.final(1).outcome
    assert outcome == Outcome(OutcomeKind.EXIT_NONZERO, exit_code=3, message="exited with code 3")


def test_a_draining_worker_waits_until_all_is_reported(tmp_path: Path, master: ScriptedMaster) -> None:
    with WorkerProcess(tmp_path / "state", master.address) as worker:
        wait_until(lambda: master.told.streams == 1, 20, "the stream of orders")
        master.hold_reports.clear()
        master.push(start(1, "true"))
        wait_until(lambda: master.holding() == [AttemptRef(1, 1)], what="it is held")
        worker.process.terminate()
        wait_until(lambda: master.told.heartbeats[-1].draining, what="it drains")
        wait_until(lambda: "code" in (worker.folder / "keeper.journal").read_text(), what="the task is over")
        master.next_heartbeats(10)
        assert worker.process.poll() is None, "nobody has heard yet how the task ended"
        master.hold_reports.set()
        assert worker.ends()[0] == 0
    assert master.final(1).kind is ReportKind.ENDED


def test_an_idle_worker_says_that_it_drains_before_it_ends(tmp_path: Path, master: ScriptedMaster) -> None:
    with WorkerProcess(tmp_path / "state", master.address) as worker:
        wait_until(lambda: master.told.streams == 1, 20, "the stream of orders")
        worker.process.terminate()
        assert worker.ends()[0] == 0
    assert master.told.heartbeats[-1].draining


def test_term_ends_a_worker_that_has_found_no_master(tmp_path: Path) -> None:
    with WorkerProcess(tmp_path / "state", f"unix:{tmp_path / 'socket'}") as worker:
        wait_until(lambda: "trying again" in (tmp_path / "worker.log").read_text(), 20, "it tries")
        worker.process.terminate()
        assert worker.ends()[0] == 0


def test_a_restarted_worker_keeps_the_run_limit_and_learns_that_there_is_no_lease(
    tmp_path: Path, master: ScriptedMaster
) -> None:
    spec = TaskSpec(("sh", "-c", "echo $$ > pid; exec sleep 600"), limits=Limits(run_s=2.0))
    with WorkerProcess(tmp_path / "state", master.address) as first:
        wait_until(lambda: master.told.streams == 1, 20, "the stream of orders")
        master.push(StartOrder(AttemptRef(1, 1), spec, lease_s=0.0))
        pid_in(first.folder / "attempts" / "1-1" / "work" / "pid")
        first.kill()
        master.told.desired = [StartOrder(AttemptRef(1, 1), spec, 0.0, AttemptState.RUNNING)]
        with WorkerProcess(tmp_path / "state", master.address):
            report = master.final(1)
    assert report.outcome == Outcome(
        OutcomeKind.TIMED_OUT, exit_code=143, signal=15, message="ran longer than its limit of 2s"
    )


def test_a_killed_worker_leaves_its_attempts_and_the_next_takes_them_over(
    tmp_path: Path, master: ScriptedMaster
) -> None:
    with WorkerProcess(tmp_path / "state", master.address) as first:
        wait_until(lambda: master.told.streams == 1, 20, "the stream of orders")
        places = first.folder / "attempts"
        master.push(
            *(start(task, "sh", "-c", "echo begun; echo $$ > pid; exec sleep 600") for task in (1, 2))
        )
        pids = [pid_in(places / f"{task}-1" / "work" / "pid") for task in (1, 2)]
        master.running(1)
        master.running(2)
        first.kill()
        assert all(map(is_alive, pids))
        # While no worker is there, one attempt ends.
        os.kill(pids[1], signal.SIGINT)
        wait_until(lambda: not is_alive(pids[1]), what="the second has ended")
        master.told.report_calls.clear()
        master.told.desired = [
            start(task, "sh", "-c", "never again", state=AttemptState.RUNNING) for task in (1, 2)
        ]
        with WorkerProcess(tmp_path / "state", master.address):
            report = master.final(2)
            assert report.outcome == Outcome(
                OutcomeKind.SIGNALLED, exit_code=130, signal=signal.SIGINT, message="killed by SIGINT"
            )
            assert report.started_age_s is not None
            assert master.whole(report) == b"begun\n"
            master.running(1)
            wait_until(lambda: master.holding() == [AttemptRef(1, 1)], what="the first is held")
            assert [p.incarnation for p in master.told.profiles] == [1, 2]
            assert len({p.id for p in master.told.profiles}) == 1
            assert is_alive(pids[0])


def test_what_a_killed_worker_could_not_clear_is_cleared(tmp_path: Path, master: ScriptedMaster) -> None:
    leftover = tmp_path / "state" / "workers" / "w1" / "attempts" / "5-1"
    (leftover / "work").mkdir(parents=True)
    (leftover / "work" / "model").write_text("kept")
    (leftover / "stdout").write_text("sent long ago")
    (tmp_path / "state").chmod(0o700)
    with WorkerUnderTest(tmp_path / "state", master.address):
        wait_until(lambda: master.told.streams == 1, what="the stream of orders")
        assert sorted(os.listdir(leftover)) == ["work"]


def test_two_workers_cannot_share_a_folder(tmp_path: Path, master: ScriptedMaster) -> None:
    with WorkerUnderTest(tmp_path / "state", master.address):
        second = WorkerProcess(tmp_path / "state", master.address)
        try:
            code, text = second.ends()
        finally:
            second.kill()  # it alone: the keeper in this folder is the first one's
        assert code == 1
        assert f"another ganger worker w1 (pid {os.getpid()})" in text
        assert "Traceback" not in text


@pytest.mark.parametrize(
    "error",
    [
        Unauthenticated("no such token"),
        PermissionDenied("not a worker's token"),
        UnknownWorker("started again since", reason="OLD_INCARNATION"),
    ],
)
def test_a_master_that_refuses_it_ends_it(tmp_path: Path, master: ScriptedMaster, error: Exception) -> None:
    master.fail("RegisterWorker", error)  # type: ignore[arg-type]
    with WorkerProcess(tmp_path / "state", master.address) as worker:
        code, text = worker.ends()
        assert code == 1
        assert f"ganger worker: {error}" in text
        assert "Traceback" not in text
        with pytest.raises(AssertionError):  # no keeper stays behind
            holder_of(worker.folder / "keeper.lock")


def test_it_waits_for_a_master_that_is_not_there_yet(tmp_path: Path) -> None:
    master = ScriptedMaster(tmp_path)
    with WorkerProcess(tmp_path / "state", master.address):
        wait_until(lambda: "trying again" in (tmp_path / "worker.log").read_text(), 20, "it tries")
        master.fail("RegisterWorker", Unavailable("starting"))
        with master:
            wait_until(lambda: master.told.streams == 1, 20, "the stream of orders")


def test_a_thread_that_dies_ends_the_process_and_says_why(tmp_path: Path, master: ScriptedMaster) -> None:
    with WorkerProcess(tmp_path / "state", master.address) as worker:
        wait_until(lambda: master.told.streams == 1, 20, "the stream of orders")
        keeper = holder_of(worker.folder / "keeper.lock")
        shutil.rmtree(worker.folder)
        os.kill(keeper, signal.SIGKILL)  # no new one can be started
        code, text = worker.ends()
    assert code == 70
    assert "keeper-link" in text
    assert "FileNotFoundError" in text


def test_wrong_flags(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ganger_worker", "--state-dir", str(tmp_path / "s")]
    wrong = subprocess.run([*command, "--no-such"], capture_output=True, text=True, check=False, timeout=30)
    assert wrong.returncode == 2
    bad = subprocess.run(
        [*command, "--cpus", "many"], capture_output=True, text=True, check=False, timeout=30
    )
    assert bad.returncode == 1
    assert "--cpus" in bad.stderr
    assert "Traceback" not in bad.stderr


def test_every_thread_has_its_name_and_ends(tmp_path: Path, master: ScriptedMaster) -> None:
    names = {"heartbeat", "monitor", "orders", "reporter", "shipper", "keeper-link"}
    with WorkerUnderTest(tmp_path / "state", master.address, ENV):
        wait_until(lambda: master.told.streams == 1, what="the stream of orders")
        assert names <= {thread.name for thread in threading.enumerate()}
    assert not names & {thread.name for thread in threading.enumerate()}


def test_a_long_state_folder_does_not_matter(tmp_path: Path, master: ScriptedMaster) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    with WorkerUnderTest(deep, master.address):
        wait_until(lambda: master.told.streams == 1, what="the stream of orders")
        master.push(start(1, "true"))
        assert master.final(1).kind is ReportKind.ENDED
