"""This module produces every way in which a task that is a process can end, and looks whether `show` and `why` name it.

Ends of GPUs and images come with these. What ended a process for want of memory is not told apart from other SIGKILLs
while processes have no group of their own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganger import OutcomeKind, TaskState
from ganger_worker import keeper
from testkit.client_cli import Cli
from testkit.processes import Cluster, a_cluster
from testkit.requires import requires
from testkit.waiting import wait_until
from testkit.worker_keeper import children_of

END_S = 40
WORKER_ID = "w-ends"
SLEEP = ("--", "sleep", "600")

# The kind, what is submitted, what `show` names as its end, and what `why` says of that.
ENDS = [
    ("OK", ["--", "true"], "succeeded", "Its command exited with code 0."),
    ("EXIT_NONZERO", ["--", "sh", "-c", "exit 3"], "failed with exit code 3", "chose this exit code"),
    ("SIGNALLED", ["--", "sh", "-c", "kill -9 $$"], "was killed by SIGKILL", "memory runs out"),
    ("LAUNCH_FAILED", ["--", "no-such-command"], "could not be started", "is the command installed on w1"),
    ("LAUNCH_FAILED", ["--", "/etc/hostname"], "could not be started", "chmod +x"),
    (
        "LAUNCH_FAILED",
        ["-w", "/no/such", "--", "true"],
        "working folder /no/such",
        "could not start the command",
    ),
    ("TIMED_OUT", ["-t", "0.3s", "--grace", "1s", *SLEEP], "timed out", "a longer --time"),
    ("EXPIRED", ["-c", "64", "--queue-timeout", "0.3s", "--", "true"], "expired", "a longer --queue-timeout"),
    ("EXPIRED", ["-c", "64", "--deadline", "0.3s", "--", "true"], "deadline", "a later --deadline"),
    ("SKIPPED", ["--after", "2", "--", "true"], "2 failed with exit code 3", "It never ran"),
    (
        "SKIPPED",
        ["--after", "2", "--on-dependency-failure", "fail", "--", "true"],
        "failed for it",
        "It never ran",
    ),
    ("CANCELLED", ["-c", "64", "--", "true"], "was cancelled by", "ended on request"),
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A cluster whose keeper gives up half a second after SIGKILL."""
    with a_cluster() as cluster:
        cluster.start_master()
        folder = cluster.folder / "workers" / "w1"
        folder.mkdir(mode=0o700, parents=True)
        (folder / "id").write_text(WORKER_ID)
        command = [sys.executable, "-I", keeper.__file__, "--folder", str(folder), "--worker-id", WORKER_ID]
        with subprocess.Popen([*command, "--kill-patience-s", "0.5"], stderr=subprocess.DEVNULL) as process:
            wait_until((folder / "keeper.sock").exists, END_S, what="the keeper listens")
            cluster.start_worker("w1", "--cpus", "2")
            yield cluster
            process.kill()


@pytest.fixture
def cli(cluster: Cluster, capsysbinary: pytest.CaptureFixture[bytes]) -> Cli:
    return Cli(cluster, capsysbinary)


@pytest.fixture
def freezer() -> Iterator[Path]:
    """A group of processes that can be frozen."""
    requires("freezer")
    group = Path(f"/sys/fs/cgroup/freezer/ganger-ends-{os.getpid()}")
    group.mkdir()
    yield group
    (group / "freezer.state").write_text("THAWED")
    wait_until(lambda: not (group / "tasks").read_text(), END_S, what="nothing is left in the group")
    group.rmdir()


def submitted(cli: Cli, *words: str) -> int:
    return int(cli("submit", "-q", *words).out)


def running(cluster: Cluster, cli: Cli, *words: str) -> int:
    """A task that runs until it is ended."""
    task_id = submitted(cli, *words, *SLEEP)
    with cluster.client() as client:
        wait_until(lambda: client.status(task_id).task.state is TaskState.RUNNING, END_S, what="it runs")
    return task_id


def keeper_of(cluster: Cluster) -> int:
    """The keeper's process: whoever holds its lock."""
    folder = cluster.folder / "workers" / "w1"
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and str(folder) in (entry / "cmdline").read_text(errors="replace"):
            return int(entry.name)
    raise AssertionError("there is no keeper")


def named(cli: Cli, task_id: int, shown: str, said: str) -> None:
    """`show` names the end, and `why` does, and says what it means or what to do next."""
    assert shown in " ".join(cli("show", str(task_id)).out.split()), task_id
    why = cli("why", str(task_id)).out
    assert all(len(line) <= 100 for line in why.splitlines())
    assert shown in " ".join(why.split()), task_id
    assert said in " ".join(why.split()), task_id


def test_ends_that_need_no_help(cluster: Cluster, cli: Cli) -> None:
    ids = [submitted(cli, *words) for _, words, _, _ in ENDS]
    assert ids[1] == 2, "the second one is what others are to run after"
    assert cli("cancel", str(ids[-1])).code == 0
    cli("wait", ",".join(map(str, ids)))
    with cluster.client() as client:
        for task_id, (kind, _, shown, said) in zip(ids, ENDS, strict=True):
            outcome = client.status(task_id).task.outcome
            assert outcome is not None
            assert outcome.kind == kind, task_id
            named(cli, task_id, shown, said)


def test_what_cannot_be_ended(cluster: Cluster, cli: Cli, freezer: Path) -> None:
    task_id = running(cluster, cli)
    (pid,) = children_of(keeper_of(cluster))
    (freezer / "tasks").write_text(str(pid))
    (freezer / "freezer.state").write_text("FROZEN")
    wait_until(lambda: (freezer / "freezer.state").read_text() == "FROZEN\n", END_S, what="it is frozen")
    cli("cancel", "--now", str(task_id))
    assert cli("wait", str(task_id)).code == 125
    named(
        cli, task_id, f"still alive on worker w1 long after SIGKILL: {pid}", "look at these processes on w1"
    )


def test_what_is_lost_with_its_keeper(cluster: Cluster, cli: Cli) -> None:
    task_id = running(cluster, cli, "--on-worker-lost", "fail")
    os.kill(keeper_of(cluster), 9)
    assert cli("wait", str(task_id)).code == 125
    named(cli, task_id, "was to fail when its worker is lost", "What it did until then is not known")


def test_what_was_drained_waits_again(cluster: Cluster, cli: Cli) -> None:
    task_id = running(cluster, cli)
    assert cli("worker", "drain", "w1", "--deadline", "0", "--reason", "new disk").code == 0

    def waits() -> bool:
        with cluster.client() as client:
            status = client.status(task_id)
            return status.task.state is TaskState.PENDING and bool(status.attempts[-1].outcome)

    wait_until(waits, END_S, what="it waits again")
    with cluster.client() as client:
        outcome = client.status(task_id).attempts[-1].outcome
    assert outcome is not None
    assert outcome.kind is OutcomeKind.DRAINED
    named(cli, task_id, "drained", "new disk")
    assert cli("cancel", str(task_id)).code == 0


def test_the_table_has_every_end_of_a_process() -> None:
    others = {OutcomeKind.UNKILLABLE, OutcomeKind.LOST, OutcomeKind.DRAINED}  # the tests before this one
    assert {kind for kind, *_ in ENDS} | others == set(OutcomeKind)
