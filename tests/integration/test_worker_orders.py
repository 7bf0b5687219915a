"""This module tests a whole worker, with real processes, against a master that answers by a script."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganger_core.domain.errors import Exhausted, Invalid, Unavailable
from ganger_core.domain.states import AttemptState
from ganger_core.domain.task import (
    AttemptRef,
    Limits,
    LogStream,
    Outcome,
    OutcomeKind,
    ReportKind,
    StartOrder,
    StopOrder,
    TaskSpec,
)
from testkit.waiting import wait_until
from testkit.worker_daemon import ENV, WorkerUnderTest
from testkit.worker_keeper import is_alive, pid_in
from testkit.worker_master import LEASE_S, ScriptedMaster, start, stop


@pytest.fixture
def master(tmp_path: Path) -> Iterator[ScriptedMaster]:
    with ScriptedMaster(tmp_path) as scripted:
        yield scripted


@pytest.fixture
def worker(tmp_path: Path, master: ScriptedMaster) -> Iterator[WorkerUnderTest]:
    with WorkerUnderTest(tmp_path / "state", master.address) as under_test:
        wait_until(lambda: master.told.streams == 1, what="the stream of orders")
        yield under_test


def test_a_task_runs_and_is_forgotten(master: ScriptedMaster, worker: WorkerUnderTest) -> None:
    master.push(start(7, "sh", "-c", "echo out; echo err >&2; exit 3"))
    report = master.final(7)
    assert report.kind is ReportKind.ENDED
    assert report.outcome == Outcome(OutcomeKind.EXIT_NONZERO, exit_code=3, message="exited with code 3")
    assert master.whole(report) == b"out\n"
    assert master.whole(report, LogStream.STDERR) == b"err\n"
    assert report.started_age_s is not None
    assert 0 <= report.age_s <= report.started_age_s < 10
    wait_until(lambda: worker.is_cleared(7), what="its output is gone")
    wait_until(lambda: master.holding() == [], what="it is not held any more")


def test_registration_says_who_and_how_much(master: ScriptedMaster, worker: WorkerUnderTest) -> None:
    (profile,) = master.told.profiles
    assert (profile.name, profile.incarnation, profile.capacity.slots) == ("w1", 1, 64)
    assert profile.capacity.cpu_milli == 1000 * len(os.sched_getaffinity(0))
    assert profile.id == (worker.folder / "id").read_text().strip()
    master.next_heartbeats()
    usage = master.told.heartbeats[-1].usage
    assert 0 < usage.memory_used_bytes < usage.memory_total_bytes
    assert master.told.heartbeats[-1].applied_order_seq == 1


def test_the_environment_of_a_task(master: ScriptedMaster, worker: WorkerUnderTest) -> None:
    spec = TaskSpec(
        (sys.executable, "-c", "import json, os; print(json.dumps([dict(os.environ), os.getcwd()]))")
    )
    spec = TaskSpec(spec.command, env=(("HOME", "/elsewhere"), ("X", "1")))
    master.push(StartOrder(AttemptRef(1, 4), spec, LEASE_S))
    env, folder = json.loads(master.whole(master.final(1, 4)))
    env.pop("GANGER_MARK")
    place = str(worker.place(1, 4))
    assert env == {
        "PATH": ENV["PATH"],
        "LC_ALL": "C.UTF-8",
        "HOME": "/elsewhere",
        "X": "1",
        "GANGER_TASK_ID": "1",
        "GANGER_ATTEMPT": "4",
        "GANGER_TOKEN": "4",
        "GANGER_OUTPUT_DIR": f"{place}/outputs",
        "GANGER_WORKER": "w1",
    }
    assert folder == f"{place}/work"


def test_a_working_folder_of_the_users_own(
    master: ScriptedMaster, worker: WorkerUnderTest, tmp_path: Path
) -> None:
    master.push(
        StartOrder(AttemptRef(1, 1), TaskSpec(("pwd",), workdir=str(tmp_path)), LEASE_S),
        StartOrder(AttemptRef(2, 1), TaskSpec(("pwd",), workdir="/no/such"), LEASE_S),
    )
    assert master.whole(master.final(1)) == f"{tmp_path}\n".encode()
    assert master.final(2).outcome == Outcome(
        OutcomeKind.LAUNCH_FAILED,
        exit_code=126,
        message="working folder /no/such: No such file or directory on worker w1",
    )


def test_what_a_task_leaves_in_its_folders_stays(master: ScriptedMaster, worker: WorkerUnderTest) -> None:
    master.push(start(1, "sh", "-c", "echo kept > result"))
    master.final(1)
    wait_until(lambda: os.listdir(worker.place(1)) == ["work"], what="the rest is gone")
    assert (worker.place(1) / "work" / "result").read_text() == "kept\n"


def test_cancel_while_running(master: ScriptedMaster, worker: WorkerUnderTest) -> None:
    master.push(start(1, "sleep", "600"))
    master.running(1)
    master.push(stop(1, reason="cancelled by ann"))
    assert master.final(1).outcome == Outcome(
        OutcomeKind.CANCELLED, exit_code=143, signal=signal.SIGTERM, message="cancelled by ann"
    )


def test_cancel_by_another_signal(master: ScriptedMaster, worker: WorkerUnderTest) -> None:
    master.push(start(1, "sleep", "600"))
    master.running(1)
    master.push(StopOrder(AttemptRef(1, 1), 60.0, "cancelled by ann", signal.SIGINT))
    assert master.final(1).outcome == Outcome(
        OutcomeKind.CANCELLED, exit_code=130, signal=signal.SIGINT, message="cancelled by ann"
    )


def test_a_second_stop_without_a_grace_ends_who_does_not_heed_the_first(
    master: ScriptedMaster, worker: WorkerUnderTest
) -> None:
    master.push(start(1, "sh", "-c", "trap '' TERM; echo $$ > pid; while :; do sleep 0.05; done"))
    pid_in(worker.place(1) / "work" / "pid")
    master.push(stop(1, grace_s=3_600.0, reason="cancelled by ann"))
    master.next_heartbeats()
    assert master.holding() == [AttemptRef(1, 1)]
    master.push(stop(1, grace_s=0.0, reason="cancelled by bob"))
    assert master.final(1).outcome == Outcome(
        OutcomeKind.CANCELLED, exit_code=137, signal=signal.SIGKILL, message="cancelled by ann"
    )


def test_a_lease_that_is_taken_away_does_not_end_the_attempt(
    master: ScriptedMaster, worker: WorkerUnderTest
) -> None:
    master.told.renews = False
    master.push(*(start(task, "sleep", "600", lease_s=3.0) for task in (1, 2)))
    master.running(1)
    master.running(2)
    master.push(start(1, "sleep", "600", lease_s=0.0, state=AttemptState.RUNNING))
    lost = master.final(2)
    assert (lost.kind, lost.message, lost.orderly) == (ReportKind.LOST, "its lease was over", True)
    master.next_heartbeats()
    assert master.holding() == [AttemptRef(1, 1)]


def test_a_run_limit_gives_the_grace_of_the_task(master: ScriptedMaster, worker: WorkerUnderTest) -> None:
    stubborn = "trap 'echo TERM' TERM; while :; do sleep 0.05; done"
    spec = TaskSpec(("sh", "-c", stubborn), limits=Limits(run_s=1.0, grace_s=0.3))
    master.push(StartOrder(AttemptRef(1, 1), spec, LEASE_S))
    report = master.final(1)
    assert report.outcome == Outcome(
        OutcomeKind.TIMED_OUT, exit_code=137, signal=signal.SIGKILL, message="ran longer than its limit of 1s"
    )
    assert master.whole(report) == b"TERM\n"


def test_start_and_stop_in_one_batch_is_revoked_and_never_starts(
    master: ScriptedMaster, worker: WorkerUnderTest
) -> None:
    master.push(start(1, "touch", "ran"), stop(1))
    assert master.final(1).kind is ReportKind.REVOKED
    assert not worker.place(1).exists()


def test_unknown_attempts_are_lost(master: ScriptedMaster, worker: WorkerUnderTest) -> None:
    master.push(stop(1), start(2, "true", state=AttemptState.RUNNING))
    assert master.final(1).kind is ReportKind.LOST
    assert master.final(2).kind is ReportKind.LOST
    wait_until(lambda: master.holding() == [], what="nothing is held")


def test_a_sync_stops_what_is_not_in_it_and_starts_nothing_twice(
    master: ScriptedMaster, worker: WorkerUnderTest
) -> None:
    orders = [start(task, "sh", "-c", "echo once; exec sleep 600") for task in (1, 2)]
    master.push(*orders)
    master.running(1)
    master.running(2)
    master.told.refused.add(AttemptRef(1, 1))  # the master has given it up
    told = len(master.reports(2))
    master.sync(start(2, "no-such", state=AttemptState.ASSIGNED))
    report = master.final(1)
    assert (report.kind, report.message) == (ReportKind.LOST, "the master does not count on it any more")
    wait_until(lambda: len(master.reports(2)) > told, what="its state is told again")
    assert {r.kind for r in master.reports(2)} <= {ReportKind.ACCEPTED, ReportKind.STARTED}
    wait_until(lambda: master.holding() == [AttemptRef(2, 1)], what="one is held")
    assert (worker.place(2) / "stdout").read_bytes() == b"once\n"


def test_an_order_for_what_ended_long_ago_starts_nothing(
    master: ScriptedMaster, worker: WorkerUnderTest
) -> None:
    master.push(start(1, "true"))
    master.final(1)
    wait_until(lambda: master.holding() == [], what="forgotten")
    master.told.report_calls.clear()
    master.push(start(1, "true"))
    report = master.final(1)
    assert (report.kind, report.message) == (
        ReportKind.LOST,
        "it was over here before this order came",
    )
    wait_until(lambda: worker.is_cleared(1), what="its folder is cleared")


def test_a_refused_attempt_is_stopped(master: ScriptedMaster, worker: WorkerUnderTest) -> None:
    master.told.refused.add(AttemptRef(1, 1))
    master.push(start(1, "sleep", "600"))
    report = master.final(1)
    assert (report.kind, report.message) == (ReportKind.LOST, "the master refused it: stale")
    wait_until(lambda: worker.is_cleared(1), what="forgotten")


def test_reports_are_repeated_until_acknowledged(master: ScriptedMaster, worker: WorkerUnderTest) -> None:
    master.fail("ReportTaskCompletion", *(Exhausted("disk full") for _ in range(3)))
    master.push(start(1, "true"))
    assert master.final(1).outcome == Outcome(OutcomeKind.OK, exit_code=0)
    assert master.told.failures["ReportTaskCompletion"] == []


def test_an_invalid_report_does_not_hold_up_the_others(
    master: ScriptedMaster, worker: WorkerUnderTest
) -> None:
    master.hold_reports.clear()
    master.push(*(start(task, "true") for task in (1, 2, 3)))
    wait_until(lambda: not any(is_busy(worker, task) for task in (1, 2, 3)), what="all were started")
    master.fail("ReportTaskCompletion", Invalid("one is wrong"), Invalid("this one"))
    master.hold_reports.set()
    wait_until(lambda: sum(bool(master.reports(task)) for task in (1, 2, 3)) >= 2, what="the others are told")
    wait_until(lambda: master.holding() == [], what="nothing is held")


def is_busy(worker: WorkerUnderTest, task_id: int) -> bool:
    return not (worker.place(task_id) / "stdout").exists()


def test_reports_gather_while_a_call_is_under_way(master: ScriptedMaster, worker: WorkerUnderTest) -> None:
    master.hold_reports.clear()
    master.push(start(1, "true"))
    for task in range(2, 42):
        master.push(start(task, "true"))
    pid = worker.keeper_pid()
    children = Path(f"/proc/{pid}/task/{pid}/children")
    wait_until(lambda: not any(is_busy(worker, task) for task in range(1, 42)), what="all were started")
    wait_until(lambda: not children.read_text(), what="all ended")
    master.next_heartbeats()
    master.hold_reports.set()
    for task in range(1, 42):
        assert master.final(task).kind is ReportKind.ENDED
    _held, *later = master.told.report_calls
    assert len(later) <= 4
    assert sum(map(len, later)) <= 41 + 20  # newer ones replaced older ones


def test_long_output_is_shipped_while_running_and_the_rest_at_the_end(
    master: ScriptedMaster, worker: WorkerUnderTest
) -> None:
    size = 3_000_000
    program = f"""
import os, sys
os.write(1, b"first part")
sys.stdin = open("go") if os.mkfifo("go") is None else None
data = (bytes(range(256)) * ({size} // 256 + 1))[:{size}]
while data:
    data = data[os.write(1, data):]
os.write(2, b"the end")
"""
    master.push(start(1, sys.executable, "-c", program))
    wait_until(lambda: master.log(1) == b"first part", what="the first part is shipped")
    (worker.place(1) / "work" / "go").open("w").close()
    report = master.final(1)
    whole = b"first part" + (bytes(range(256)) * (size // 256 + 1))[:size]
    assert report.stdout_bytes == len(whole)
    assert len(report.stdout_tail) <= 16 * 1024
    assert master.whole(report) == whole
    assert master.whole(report, LogStream.STDERR) == b"the end"
    wait_until(lambda: worker.is_cleared(1), what="the spool is gone")


def test_refused_log_bytes_are_dropped(master: ScriptedMaster, worker: WorkerUnderTest) -> None:
    master.told.refused.add(AttemptRef(1, 1))
    master.push(start(1, "sh", "-c", "head -c 100000 /dev/zero"))
    master.final(1)
    wait_until(lambda: worker.is_cleared(1), what="all of it is gone")
    assert master.log(1) == b""


def test_log_bytes_are_sent_again_when_the_master_did_not_take_them(
    master: ScriptedMaster, worker: WorkerUnderTest
) -> None:
    master.fail("AppendLogs", Exhausted("disk full"), Unavailable("going down"))
    master.push(start(1, "sh", "-c", "head -c 100000 /dev/zero"))
    master.final(1)
    wait_until(lambda: len(master.log(1)) >= 100_000 - 16 * 1024, what="it is stored")
    assert master.log(1, LogStream.STDERR) == b""


def test_a_broken_stream_is_opened_again_with_a_sync(master: ScriptedMaster, worker: WorkerUnderTest) -> None:
    master.push(start(1, "sleep", "600"))
    master.running(1)
    order = start(1, "sleep", "600", state=AttemptState.RUNNING)
    master.told.desired = [order, start(2, "true")]
    master.close_streams()
    assert master.final(2).kind is ReportKind.ENDED
    wait_until(lambda: master.holding() == [AttemptRef(1, 1)], what="the first lives")


def test_a_restarted_master_is_registered_with_again(master: ScriptedMaster, worker: WorkerUnderTest) -> None:
    master.push(start(1, "sleep", "600"))
    master.running(1)
    master.close()
    master.told.desired = [start(1, "sleep", "600", state=AttemptState.RUNNING), start(2, "true")]
    master.open()
    assert master.final(2, timeout_s=20).kind is ReportKind.ENDED
    assert [p.incarnation for p in master.told.profiles] == [1, 1]
    assert all(r.kind is not ReportKind.LOST for r in master.reports(1))
    wait_until(lambda: master.holding() == [AttemptRef(1, 1)], what="the first lives")


def test_a_master_that_forgot_the_worker_is_told_again(
    master: ScriptedMaster, worker: WorkerUnderTest
) -> None:
    master.told.desired = [start(2, "true")]
    master.forget_workers()
    assert master.final(2).kind is ReportKind.ENDED
    assert len(master.told.profiles) == 2


def test_orders_come_by_heartbeat_while_no_stream_can_be_opened(
    master: ScriptedMaster, worker: WorkerUnderTest
) -> None:
    master.fail("ReceiveOrders", *(Unavailable("no streams here") for _ in range(100)))
    master.close_streams()
    master.offer(start(1, "true"))
    assert master.final(1).kind is ReportKind.ENDED
    wait_until(lambda: master.told.heartbeats[-1].applied_order_seq == 2, what="it is told to be carried out")


def test_leases_follow_the_heartbeats(master: ScriptedMaster, worker: WorkerUnderTest) -> None:
    master.push(start(1, "sleep", "600", lease_s=1.5), start(2, "sleep", "600", lease_s=1.5))
    master.running(1)
    master.running(2)
    master.next_heartbeats(20)  # two seconds
    assert len(master.reports(1)) <= 2, "renewed leases do not end"
    master.told.renews = False
    report = master.final(1)
    assert (report.kind, report.message) == (ReportKind.LOST, "its lease was over")


def test_an_order_that_comes_too_late_is_rejected(master: ScriptedMaster, worker: WorkerUnderTest) -> None:
    master.push(start(1, "true", lease_s=1e-6))
    assert master.final(1).kind is ReportKind.REJECTED


def test_a_shutdown_stops_everything_and_says_so(tmp_path: Path, master: ScriptedMaster) -> None:
    worker = WorkerUnderTest(tmp_path / "state", master.address)
    with worker:
        wait_until(lambda: master.told.streams == 1, what="the stream of orders")
        master.push(start(1, "sh", "-c", "echo $$ > pid; exec sleep 600"))
        pid = pid_in(worker.place(1) / "work" / "pid")
        keeper = worker.keeper_pid()
    report = master.final(1)
    assert (report.kind, report.message) == (ReportKind.LOST, "worker shut down")
    assert not is_alive(pid)
    assert not is_alive(keeper)


def test_a_dead_keeper_is_replaced_and_its_attempts_are_lost(
    master: ScriptedMaster, worker: WorkerUnderTest
) -> None:
    master.push(start(1, "sh", "-c", "echo $$ > pid; exec sleep 600"))
    pid = pid_in(worker.place(1) / "work" / "pid")
    master.running(1)
    os.kill(worker.keeper_pid(), signal.SIGKILL)
    report = master.final(1)
    assert (report.kind, report.message) == (ReportKind.LOST, "its keeper died")
    assert not is_alive(pid)
    master.push(start(2, "true"))
    assert master.final(2).kind is ReportKind.ENDED
