"""This module tests a whole worker whose keeper is stopped while its leases run out."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from ganger_core.domain.task import ReportKind
from testkit.waiting import wait_until
from testkit.worker_daemon import WorkerUnderTest
from testkit.worker_keeper import is_alive, pid_in
from testkit.worker_master import ScriptedMaster, start


def test_a_stopped_keeper_does_not_let_attempts_outlive_their_lease(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganger_worker.lease_watch.LEASE_GRACE_S", 0.1)
    monkeypatch.setattr("ganger_worker.lease_watch.PATIENCE_S", 0.1)
    with ScriptedMaster(tmp_path) as master, WorkerUnderTest(tmp_path / "state", master.address) as worker:
        wait_until(lambda: master.told.streams == 1, what="the stream of orders")
        master.told.renews = False
        _run_out(master, worker)


def _run_out(master: ScriptedMaster, worker: WorkerUnderTest) -> None:
    master.push(start(1, "sh", "-c", "echo $$ > pid; sleep 600 & wait", lease_s=1.0))
    pid = pid_in(worker.place(1) / "work" / "pid")
    keeper = worker.keeper_pid()
    os.kill(keeper, signal.SIGSTOP)
    try:
        wait_until(lambda: not is_alive(pid), what="the attempt is ended past its keeper")
    finally:
        os.kill(keeper, signal.SIGCONT)
    report = master.final(1)
    assert (report.kind, report.message, report.orderly) == (ReportKind.LOST, "its lease was over", True)
