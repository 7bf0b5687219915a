"""This module checks the verbs of the CLI against real daemons: what a task does comes back as it is.

Commands run in this process (`cli`), and as processes of their own where bytes or signals are what is looked at.
"""

from __future__ import annotations

import getpass
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganger import TaskState
from testkit.client_cli import Cli, Result
from testkit.processes import Cluster, a_cluster
from testkit.waiting import wait_until

END_S = 40
USER = getpass.getuser()
LIKE_A_SHELL = (  # one that started the tests in the background has made them ignore Ctrl-C
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from ganger.cli.main import main; main(sys.argv[1:])"
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with a_cluster() as cluster:
        cluster.start_master()
        cluster.start_planner()
        cluster.start_worker("w1", "--cpus", "2")
        yield cluster


@pytest.fixture
def cli(cluster: Cluster, capsysbinary: pytest.CaptureFixture[bytes]) -> Cli:
    return Cli(cluster, capsysbinary)


def start(cluster: Cluster, *words: str) -> subprocess.Popen[bytes]:
    """Start a command of the CLI."""
    return subprocess.Popen(
        [sys.executable, "-c", LIKE_A_SHELL, "--state-dir", str(cluster.folder), *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def ganger(cluster: Cluster, *words: str) -> tuple[int, bytes, bytes]:
    """Run a command to its end; its code, stdout and stderr."""
    process = start(cluster, *words)
    out, err = process.communicate(timeout=END_S)
    return process.returncode, out, err


def submitted(cli: Cli, *words: str) -> int:
    """Submit a command; its id."""
    return int(cli("submit", "-q", *words).out)


def test_run_is_the_command_itself_as_far_as_a_shell_can_tell(cluster: Cluster, cli: Cli) -> None:
    assert ganger(cluster, "run", "--", "sh", "-c", "echo out; echo err >&2; exit 3") == (
        3,
        b"out\n",
        b"err\n",
    )
    noise = "import os; os.write(1, bytes(range(256)) * 4096); os.write(2, b'\\xff')"
    assert ganger(cluster, "run", sys.executable, "-c", noise) == (0, bytes(range(256)) * 4096, b"\xff")
    killed = cli("run", "--", "sh", "-c", "kill -KILL $$")
    assert (killed.code, killed.out) == (137, "")
    assert "was killed by SIGKILL" in killed.err
    missing = cli("run", "no-such-program")
    assert missing.code == 127
    assert "no-such-program: command not found on worker w1" in missing.err
    nowhere = cli("run", "-w", "/no/such/folder", "true")
    assert nowhere.code == 126
    assert "/no/such/folder" in nowhere.err


def test_a_task_gets_folder_and_environment_of_its_caller(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = cli("run", "-e", "A=1 2", "--", "sh", "-c", 'pwd; echo "$A"; echo "$GANGER_WORKER"')
    assert (ran.code, ran.out.splitlines()) == (0, [str(tmp_path), "1 2", "w1"])
    script = tmp_path / "script.sh"
    script.write_text("echo from a file\n")
    assert cli("run", "sh", "script.sh") == Result(0, "from a file\n", "")


def test_output_comes_while_the_task_runs_and_ctrl_c_goes_to_it(cluster: Cluster, cli: Cli) -> None:
    script = "trap 'echo stopped; exit 9' INT; echo begun; while :; do sleep 0.05; done"
    with start(cluster, "run", "--", "sh", "-c", script) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == b"stopped\n"
        assert process.wait(END_S) == 9
    waited = cli("wait", "last")
    assert waited.code == 125
    assert f"was cancelled by {USER}: Ctrl-C in ganger run\n" in waited.out


def test_wait_and_cancel(cli: Cli) -> None:
    task_id = submitted(cli, "sleep", "600")
    waited = cli("wait", "last", "--timeout", "0.5s")
    assert (waited.code, waited.err) == (124, f"ganger: task {task_id} is not over after 0.5s\n")
    other = submitted(cli, "sh", "-c", "exit 7")
    assert cli("wait", str(other)).code == 7
    assert cli("cancel", str(task_id), "--reason", "enough").code == 0
    waited = cli("wait", f"{task_id},{other}")
    assert waited.code == 125
    assert waited.out.splitlines() == [
        f"task {task_id} was cancelled by {USER}: enough",
        f"task {other} failed with exit code 7",
    ]
    assert cli("cancel", str(task_id)).out == f"task {task_id} is cancelled\n"


def test_show_and_logs_of_what_ran(cli: Cli) -> None:
    task_id = submitted(cli, "-n", "two words", "-m", "64MiB", "--", "sh", "-c", "echo a; echo b >&2; exit 4")
    cli("wait", str(task_id))
    assert cli("logs", str(task_id)) == Result(0, "a\n", "b\n")
    task = "for i in 1 2 3; do echo line $i; done; echo b >&2; exit 4"
    other = str(submitted(cli, "--", "sh", "-c", task))
    everything = "line 1\nline 2\nline 3\n"
    assert cli("logs", "-f", "--exit-code", other) == Result(4, everything, "b\n")
    assert cli("logs", "-n", "2", "--stdout", other) == Result(0, "line 2\nline 3\n", "")
    assert cli("logs", "--since", "1h", other) == Result(0, everything, "b\n")
    assert cli("logs", "--since", "1ms", other) == Result(0, "", "")
    shown = cli("show", str(task_id)).out
    assert f"task       {task_id} two words\n" in shown
    assert "end        failed with exit code 4\n" in shown
    assert "needs      1 CPU, 64MiB memory\n" in shown
    lines = [line.split() for line in shown.splitlines()]
    assert ["1", "w1", "planner", "ENDED"] in [line[:4] for line in lines]
    events = [line[2] for line in lines if len(line) > 2 and "." in line[1]]
    assert (events[0], events[-1]) == ("PENDING", "FAILED")
    (task,) = json.loads(cli("show", "-o", "json", str(task_id)).out)["tasks"]
    assert task["state"] == "FAILED"
    assert task["outcome"]["exit_code"] == 4
    assert task["attempts"][0]["stdout_bytes"] == 2
    assert [event["state"] for event in task["events"]] == events
    assert task["submitted_ms"] <= task["started_ms"] <= task["finished_ms"]


def test_what_fits_nowhere_says_so(cluster: Cluster, cli: Cli) -> None:
    with start(cluster, "run", "-c", "64", "true") as process:
        assert process.stderr is not None
        said = process.stderr.readline().decode()
        assert "waits: asks for more than any worker has: needs 64 CPUs" in said
        process.send_signal(signal.SIGINT)
        assert process.wait(END_S) == 130
    assert cli("cancel", "last").out.endswith("is cancelled\n")


def test_a_run_goes_on_over_a_restart_of_the_master(cluster: Cluster, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    with start(cluster, "run", "--", "sh", "-c", f"echo before; cat {gate}; echo after; exit 6") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"before\n"
        cluster.daemons["master"].kill()
        gate.write_text("while it was away\n")
        cluster.start_master()
        assert process.stdout.read() == b"while it was away\nafter\n"
        assert process.wait(END_S) == 6
        assert process.stderr.read() == b""


def test_submit_without_a_worker_says_that_it_waits(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    with a_cluster() as lonely:
        lonely.start_master()
        cli = Cli(lonely, capsysbinary)
        submitted = cli("submit", "true")
        assert (submitted.code, submitted.out) == (0, "task 1 is queued\n")
        assert "no worker is connected: the task waits" in submitted.err
        with lonely.client() as client:
            assert client.status(1).task.state is TaskState.PENDING
            wait_until(lambda: client.status(1).task.reason == "no worker is connected")
        assert "no worker is connected" in cli("ls").out


def test_the_daemons_start_by_their_verbs() -> None:
    for words in ("master start", "planner start", "planner solve", "worker start"):
        command = [sys.executable, "-m", "ganger", *words.split(), "--help"]
        helped = subprocess.run(command, capture_output=True, text=True, timeout=END_S, check=True)
        assert helped.stdout.startswith(f"usage: ganger {words}")
    with a_cluster() as cluster:
        command = [sys.executable, "-m", "ganger", "--state-dir", str(cluster.folder), "master", "start"]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as master:
            wait_until((cluster.folder / "socket").exists, END_S, what="the master listens")
            master.terminate()
            assert master.wait(END_S) == 0
