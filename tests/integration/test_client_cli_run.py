"""This module checks the verbs that change something or wait, and how they exit."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from pathlib import Path

import grpc
import pytest

from ganger import LogStream, Outcome, OutcomeKind, task_spec
from ganger_core.domain.array import Array, Indices
from ganger_core.domain.states import WorkerState
from ganger_core.domain.task import NO_LIMITS, Limits, OnWorkerLost
from testkit.builders import a_worker
from testkit.client_cli import Cli, Result, in_background, running_as
from testkit.client_master import ScriptedMaster, a_worker_view
from testkit.waiting import wait_until

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
LOST = Outcome(OutcomeKind.LOST, message="worker w1 was silent for 30 s")


@pytest.fixture
def master(cli: Cli) -> ScriptedMaster:
    return cli.master


def test_submit_prints_the_id_and_what_next(master: ScriptedMaster, cli: Cli) -> None:
    submitted = cli("submit", "-n", "x", "-c", "1.5", "-m", "2GiB", "-p", "9", "--", "python", "-c", "1")
    assert (submitted.code, submitted.out) == (0, "task 1 is queued\n")
    assert submitted.err == "  ganger logs -f 1     ganger wait 1     ganger cancel 1\n"
    spec = master.tasks[1].spec
    assert (spec.name, spec.command, spec.priority) == ("x", ("python", "-c", "1"), 9)
    assert spec.resources.amounts() == (1500, 2 * 2**30, 1)
    assert spec.workdir == str(Path.cwd())
    assert cli("submit", "-q", "echo", "-n").out == "2\n"
    assert master.tasks[2].spec.command == ("echo", "-n")
    assert json.loads(cli("submit", "-o", "json", "true").out) == {"version": 1, "task_ids": [3]}


def test_submit_reads_environment_and_folder(
    master: ScriptedMaster, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HERE", "now")
    monkeypatch.delenv("NOT_HERE", raising=False)
    cli("submit", "-e", "A=b=c", "-e", "HERE", "-e", "EMPTY=", "-w", "sub", "true")
    assert dict(master.tasks[1].spec.env) == {"A": "b=c", "HERE": "now", "EMPTY": ""}
    assert master.tasks[1].spec.workdir == str(Path.cwd() / "sub")
    cli("submit", "-w", "", "true")
    assert master.tasks[2].spec.workdir == ""
    refused = cli("submit", "-e", "NOT_HERE", "true")
    assert refused.code == 1
    assert "there is no NOT_HERE in your environment" in refused.err


def test_without_workers_submit_and_run_say_that_the_task_waits(master: ScriptedMaster, cli: Cli) -> None:
    master.workers = [
        a_worker_view(a_worker(name), state=state)
        for name, state in (("w1", WorkerState.LOST), ("w2", WorkerState.DRAINING))
    ]
    assert "no worker is connected: the task waits" in cli("submit", "true").err
    master.on_submit = master.end
    assert "no worker is connected: the task waits" in cli("run", "true").err


def test_run_passes_output_and_exit_code_through(master: ScriptedMaster, cli: Cli) -> None:
    running_as(
        master,
        master.run,
        lambda task_id: master.write(task_id, b"to stdout\n"),
        lambda task_id: master.write(task_id, b"to stderr\n", LogStream.STDERR),
        lambda task_id: master.end(task_id, 3),
    )
    assert cli("run", "true") == Result(3, "to stdout\n", "to stderr\n")
    running_as(master, master.run, master.end)
    assert cli("run", "--", "true") == Result(0, "", "")


@pytest.mark.parametrize(
    ("outcome", "code", "said"),
    [
        (Outcome(OutcomeKind.SIGNALLED, 137, signal=9), 137, "was killed by SIGKILL"),
        (
            Outcome(OutcomeKind.LAUNCH_FAILED, 127, message="x: not found"),
            127,
            "could not be started: x: not found",
        ),
        (Outcome(OutcomeKind.CANCELLED, message="enough"), 125, "was cancelled: enough"),
        (Outcome(OutcomeKind.CANCELLED, 143, signal=15), 125, "was cancelled"),
        (LOST, 125, "was lost: worker w1 was silent for 30 s"),
        (Outcome(OutcomeKind.TIMED_OUT, 143, 15, "ran longer than 9s"), 124, "timed out: ran longer than 9s"),
        (Outcome(OutcomeKind.EXPIRED), 125, "expired before it started"),
        (Outcome(OutcomeKind.SKIPPED, message="1 failed"), 125, "never ran: 1 failed"),
        (Outcome(OutcomeKind.UNKILLABLE, message="17 lives"), 125, "cannot be ended: 17 lives"),
        (Outcome(OutcomeKind.OK, 0, log_incomplete=True), 0, "succeeded (part of its output is missing)"),
    ],
)
def test_run_says_what_an_exit_code_alone_does_not(
    master: ScriptedMaster, cli: Cli, outcome: Outcome, code: int, said: str
) -> None:
    running_as(master, master.run, lambda task_id: master.end(task_id, outcome=outcome))
    assert cli("run", "x") == Result(code, "", f"ganger: task 1 {said}\n")


def test_run_says_why_it_waits(master: ScriptedMaster, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganger.cli.run.EXPLAIN_AFTER_S", 0.05)
    said = threading.Event()
    monkeypatch.setattr("ganger.cli.run.note", lambda text: (notes.append(text), said.set()))
    notes: list[str] = []
    running_as(
        master,
        lambda task_id: master.explain(task_id, "waiting for capacity"),
        lambda task_id: said.wait(10),
        master.run,
        master.end,
    )
    assert cli("run", "true").code == 0
    assert notes == ["task 1 waits: waiting for capacity"]


def test_ctrl_c_while_a_task_is_handed_in_says_that_it_may_be_there(master: ScriptedMaster, cli: Cli) -> None:
    master.on_submit = lambda task_id: os.kill(os.getpid(), signal.SIGINT)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        ran = cli("run", "true")
    finally:
        signal.signal(signal.SIGINT, before)
    assert ran.code == 130
    assert "it may be queued all the same: ganger ls" in ran.err


def test_run_says_when_a_task_is_started_again(master: ScriptedMaster, cli: Cli) -> None:
    running_as(
        master,
        master.run,
        lambda task_id: master.write(task_id, b"one\n"),
        master.lose,
        master.run,
        lambda task_id: master.write(task_id, b"two\n"),
        master.end,
    )
    ran = cli("run", "true")
    assert ran.out in ("one\ntwo\n", "two\n")  # the client may see the task first in its second attempt
    assert ("attempt 2" in ran.err) == ran.out.startswith("one")


def test_wait_exits_with_the_highest_code(master: ScriptedMaster, cli: Cli) -> None:
    for _ in range(3):
        master.submit(task_spec(["true"]))
    master.end(1)
    master.end(2, 4)
    master.end(3, 2)
    waited = cli("wait", "1-3")
    assert waited.code == 4
    assert waited.out == (
        "task 1 succeeded\ntask 2 failed with exit code 4\ntask 3 failed with exit code 2\n"
    )
    assert cli("wait", "1").code == 0
    document = json.loads(cli("wait", "last", "-o", "json").out)
    assert list(document) == ["version", "tasks"]
    assert [task["outcome"]["exit_code"] for task in document["tasks"]] == [2]


def test_wait_gives_up_at_its_time(master: ScriptedMaster, cli: Cli) -> None:
    master.submit(task_spec(["true"]))
    waited = cli("wait", "1", "--timeout", "100ms")
    assert (waited.code, waited.out) == (124, "")
    assert waited.err == "ganger: task 1 is not over after 0.1s\n"
    assert cli("wait", "1", "--timeout", "soon").code == 125


def test_wait_for_any_comes_back_with_what_is_over(master: ScriptedMaster, cli: Cli) -> None:
    for _ in range(3):
        master.submit(task_spec(["true"]))
    script = in_background(
        lambda: wait_until(lambda: master.requests["WatchEvents"]), lambda: master.end(2, 4)
    )
    waited = cli("wait", "--any", "1-3")
    script.join()
    assert (waited.code, waited.out) == (4, "task 2 failed with exit code 4\n")
    assert cli("wait", "--any", "1,2", "-o", "name") == Result(4, "2\n", "")
    late = cli("wait", "--any", "1,3", "--timeout", "0.1")
    assert (late.code, late.err) == (124, "ganger: 2 of 2 tasks are not over after 0.1s: 1, 3\n")


def test_progress_writes_a_line_whenever_counts_change(
    master: ScriptedMaster, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganger.cli.progress.EVERY_S", 0.05)
    master.arrays.submit(task_spec(["work"], name="train"), Array(Indices.parse("0-2"), 2))
    looks: list[int] = []

    def seen() -> None:
        looks.append(len(master.requests["ListTasks"]) + 2)
        wait_until(lambda: len(master.requests["ListTasks"]) >= looks[-1], what="it looks again")

    script = in_background(
        seen,
        lambda: master.run(2),
        seen,
        seen,  # nothing changed, nothing is written
        lambda: master.end(2, 3),
        seen,
        lambda: [master.end(task_id) for task_id in (3, 4)],
        lambda: master.end(1, outcome=Outcome(OutcomeKind.EXIT_NONZERO, 3, message="1 of 3 failed")),
    )
    shown = cli("wait", "--progress", "1")
    script.join()
    assert shown.err.splitlines() == [
        "1 train: 0/3 done, 0 running, 3 waiting",
        "1 train: 0/3 done, 1 running, 2 waiting",
        "1 train: 1/3 done, 0 running, 2 waiting, 1 failed",
        "1 train: failed: 1 of 3 failed; the highest exit code is 3",
    ]
    assert shown.out.splitlines() == ["array 1 failed: 1 of 3 failed; the highest exit code is 3"]
    assert shown.code == 3
    again = cli("progress", "1")
    assert again == Result(0, shown.err.splitlines()[-1] + "\n", "")
    assert cli("progress", "1,99").err == "ganger: there is no task 99\n"
    monkeypatch.setattr("ganger.render.stdout_is_terminal", lambda: True)
    drawn = cli("progress", "1")
    assert "1  train  ██████████" in drawn.out
    assert "3/3" in drawn.out


def test_cancel_says_what_became_of_each(master: ScriptedMaster, cli: Cli) -> None:
    for _ in range(3):
        master.submit(task_spec(["true"]))
    master.end(1)
    cancelled = cli("cancel", "1,2,9", "--reason", "enough")
    assert cancelled.code == 1
    assert cancelled.out == "task 1 was over before: SUCCEEDED\ntask 2 is cancelled\n"
    assert cancelled.err == "ganger: there is no task 9\n"
    assert master.tasks[2].reason == "enough"
    assert json.loads(cli("cancel", "3", "-o", "json").out) == {
        "version": 1,
        "tasks": [{"id": 3, "label": "3", "state": "CANCELLED"}],
    }


def test_a_failing_master_does_not_break_a_wait(master: ScriptedMaster, cli: Cli) -> None:
    running_as(master, master.run, lambda task_id: master.write(task_id, b"x"), master.end)
    master.failures.refuse("GetTaskStatus", UNAVAILABLE, times=2)
    assert cli("run", "true") == Result(0, "x", "")


@pytest.mark.parametrize("verb", ["submit", "run"])
def test_limits_reach_the_master(master: ScriptedMaster, cli: Cli, verb: str) -> None:
    master.on_submit = master.end
    times = ("-t", "1h30m", "--queue-timeout", "10m", "--grace", "0", "--lost-after", "90")
    assert cli(verb, *times, "--on-worker-lost", "wait", "--", "true", "-t", "1").code == 0
    spec = master.tasks[1].spec
    assert spec.command == ("true", "-t", "1")
    assert spec.limits == Limits(run_s=5400, queue_s=600, grace_s=0, lost_after_s=90)
    assert spec.on_worker_lost is OnWorkerLost.WAIT
    cli(verb, "true")
    assert (master.tasks[2].spec.limits, master.tasks[2].spec.on_worker_lost) == (
        NO_LIMITS,
        OnWorkerLost.BY_AGE,
    )


@pytest.mark.parametrize("verb", ["submit", "run"])
def test_labels_reach_the_master(master: ScriptedMaster, cli: Cli, verb: str) -> None:
    master.on_submit = master.end
    words = ("--label", "project=vision", "--label", "a/b=x=y z", "--label", "project=vision")
    assert cli(verb, *words, "--", "true", "--label", "x=y").code == 0
    assert master.tasks[1].spec.labels == (("a/b", "x=y z"), ("project", "vision"))
    for wrong, said in (
        (("vision",), "--label vision: write KEY=VALUE, such as --label project=vision"),
        (("a=",), "--label a=: write KEY=VALUE"),
        (("a=1", "--label", "a=2"), "--label a=2: a is 1 already"),
        (("a b=1",), "'a b' is no key of a label"),
    ):
        assert said in cli(verb, "--label", *wrong, "true").err
    assert len(master.tasks) == 1


def test_cancel_says_by_which_signal_and_how_long(master: ScriptedMaster, cli: Cli) -> None:
    master.is_slow_to_stop = True
    master.submit(task_spec(["true"]))
    assert cli("cancel", "1").out == "task 1 is being stopped\n"
    assert cli("cancel", "1", "--signal", "INT", "--grace", "1m30s").code == 0
    assert cli("cancel", "1", "--now").code == 0
    asked = master.requests["CancelTask"]
    assert [(r.signal, r.grace_s if r.HasField("grace_s") else None) for r in asked] == [
        (15, None),
        (2, 90.0),
        (15, 0.0),
    ]
    for words, named in (
        (("--signal", "HANG"), "HANG"),
        (("--grace", "long"), "grace"),
        (("--now", "--grace", "5"), "--now"),
    ):
        refused = cli("cancel", "1", *words)
        assert refused.code == 1
        assert named in refused.err
    assert len(asked) == 3


def test_fence_gives_up_a_lost_worker_and_no_other(master: ScriptedMaster, cli: Cli) -> None:
    master.submit(task_spec(["true"]))
    master.run(1)
    assert "drain or stop it instead" in cli("worker", "fence", "w1", "--yes").err
    assert "there is no worker w9" in cli("worker", "fence", "w9", "--yes").err
    master.workers = [a_worker_view(a_worker(), state=WorkerState.LOST)]
    unsure = cli("worker", "fence", "w1")  # there is no terminal to ask at
    assert (unsure.code, master.tasks[1].state) == (1, "RUNNING")
    assert "say --yes" in unsure.err
    fenced = cli("worker", "fence", "w1", "--yes")
    assert (fenced.code, fenced.out) == (0, "worker w1 is fenced: 1 attempt given up\n")
    assert master.tasks[1].state == "PENDING"
    again = cli("worker", "fence", "id-w1", "--yes", "-o", "json")
    assert json.loads(again.out) == {"version": 1, "worker": "id-w1", "attempts": 0}


@pytest.mark.parametrize(
    ("typed", "code"), [(b"y\n", 0), (b"Yes\n", 0), (b"\n", 1), (b"no\n", 1), (b"\x04", 1)]
)
def test_fence_asks_at_a_terminal(master: ScriptedMaster, typed: bytes, code: int) -> None:
    master.workers = [a_worker_view(a_worker(), state=WorkerState.LOST)]
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "ganger", "--state-dir", str(master.folder), "worker", "fence", "w1"]
    with subprocess.Popen(command, stdin=theirs, stdout=subprocess.DEVNULL, stderr=theirs) as process:
        asked = b""
        while b"[y/N]" not in asked:
            asked += os.read(ours, 4096)
        os.write(ours, typed)
        assert process.wait(20) == code
    os.close(theirs)
    os.close(ours)
    assert b"Is the host certainly dead?" in b" ".join(asked.split())
    assert len(master.requests["FenceWorker"]) == (0 if code else 1)
