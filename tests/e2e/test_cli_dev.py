"""This module checks `ganger dev` with real daemons: it starts, says so, serves, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganger import Client, TaskState
from testkit.waiting import wait_until

READY_S, STOP_S = 30, 40


class Dev:
    """A `ganger dev`, and what it wrote."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.folder = folder
        self._written = (folder.with_suffix(".out"), folder.with_suffix(".err"))
        with self._written[0].open("wb") as out, self._written[1].open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ganger", "dev", "--state-dir", str(folder), *words],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                process_group=0,
            )

    @property
    def out(self) -> str:
        """What it wrote to stdout so far."""
        return self._written[0].read_text()

    @property
    def err(self) -> str:
        """What it and its children wrote to stderr so far."""
        return self._written[1].read_text()

    def ready(self) -> Dev:
        """Wait until it says that it is ready."""
        wait_until(
            lambda: "ganger dev is ready" in self.out or self.process.poll() is not None,
            READY_S,
            what="ganger dev is ready",
        )
        assert self.process.poll() is None, self.err
        return self

    def ends(self) -> int:
        """Wait for its end; returns the exit code."""
        return self.process.wait(STOP_S)

    def remove(self) -> None:
        """End it if it lives, and remove what it wrote."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(STOP_S)
        for path in self._written:
            path.unlink()


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="gg") as outer:
        yield Path(outer) / "s"


@contextlib.contextmanager
def a_dev(folder: Path, *words: str) -> Iterator[Dev]:
    dev = Dev(folder, *words)
    try:
        yield dev
    finally:
        dev.remove()


def processes_of(folder: Path) -> list[tuple[int, str]]:
    """Every living process whose command line names the folder, other than `ganger dev` itself."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if any(str(folder).encode() in word for word in words) and b"dev" not in words:
                    found.append((int(entry.name), b" ".join(words).decode()))
    return found


def ganger(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [sys.executable, "-m", "ganger", "--state-dir", str(folder), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_it_serves_until_ctrl_c_and_leaves_nothing_behind(folder: Path) -> None:
    with a_dev(folder, "--workers", "2", "--cpus", "1,2") as dev:
        dev.ready()
        assert "w1: 1 CPU, " in dev.out
        assert "w2: 2 CPUs, " in dev.out
        assert f"export GANGER_STATE_DIR={folder}" in dev.out
        ran = ganger(folder, "run", "--", "echo", "hello")
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, "hello\n", "")
        with Client(state_dir=folder) as client:
            assert client.submit(["sleep", "600"]) == 2
            assert len(list(client.workers())) == 2
        dev.process.send_signal(signal.SIGINT)
        assert dev.ends() == 0, dev.err
        assert processes_of(folder) == []
        assert dev.err == "stopping …\n"


def test_what_was_queued_is_there_the_next_time(folder: Path) -> None:
    with a_dev(folder, "--cpus", "1") as dev, Client(state_dir=folder) as client:
        dev.ready()
        client.submit(["sleep", "0.2"], cpus=1)
        client.submit(["echo", "later"], cpus=1)
        client.submit(["echo", "too large"], cpus=9)
        dev.process.send_signal(signal.SIGTERM)
        assert dev.ends() == 0, dev.err
    with a_dev(folder, "--cpus", "1") as dev, Client(state_dir=folder) as client:
        dev.ready()
        client.wait([1, 2], 20, check=True)
        assert b"".join(chunk.data for chunk in client.logs(2)) == b"later\n"
        (waiting,) = client.tasks([TaskState.PENDING])
        assert waiting.task.spec.command == ("echo", "too large")
        wait_until(lambda: "asks for more than any worker" in client.status(3).task.reason, what="the reason")


def test_a_second_one_on_the_folder_is_refused_and_the_first_goes_on(folder: Path) -> None:
    with a_dev(folder) as dev:
        dev.ready()
        second = ganger(folder, "dev")
        assert second.returncode == 1
        assert second.stderr.startswith("ganger: another ganger master (pid ")
        assert "another --state-dir" in second.stderr
        with Client(state_dir=folder) as client:
            client.wait([client.submit(["true"])], 20, check=True)


def test_a_port_in_use_is_told(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        failed = ganger(folder, "dev", "--listen", address)
    assert failed.returncode == 1
    assert address in failed.stderr
    assert "the master ended with exit code 1; the rest is stopped" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert processes_of(folder) == []


def test_a_client_over_tcp_needs_the_token(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with a_dev(folder, "--listen", address) as dev:
        dev.ready()
        assert f"export GANGER_ADDR={address} GANGER_TOKEN_FILE={folder}/token" in dev.out
        with Client(address, str(folder / "token")) as client:
            task_id = client.submit(["true"])
            client.wait([task_id], 20, check=True)
        elsewhere = folder.parent / "elsewhere"
        refused = ganger(elsewhere, "--address", address, "ls")
        assert refused.returncode == 1
        assert "--token-file" in refused.stderr
        dev.process.send_signal(signal.SIGHUP)
        assert dev.ends() == 0, dev.err


@pytest.mark.parametrize("package", ["ganger_worker", "ganger_master"])
def test_when_a_part_dies_the_rest_is_stopped_and_it_is_named(folder: Path, package: str) -> None:
    with a_dev(folder, "--workers", "2", "--cpus", "1") as dev:
        dev.ready()
        pid = next(pid for pid, words in processes_of(folder) if f"-m {package} " in words)
        os.kill(pid, signal.SIGKILL)
        assert dev.ends() == 1
        name = {"ganger_worker": "worker w"}.get(package, package.removeprefix("ganger_"))
        assert f"ganger: the {name}" in dev.err
        assert "was ended by SIGKILL; the rest is stopped" in dev.err
        left = [words for _, words in processes_of(folder) if "-m ganger_" in words]
        assert left == []
    for pid, _ in processes_of(
        folder
    ):  # the keeper of a worker that was killed lives on until its leases end
        os.kill(pid, signal.SIGKILL)


def test_a_folder_that_is_too_deep_is_refused(folder: Path) -> None:
    deep = folder / ("d" * 100)
    failed = ganger(deep, "dev")
    assert failed.returncode == 1
    assert "choose a shorter --state-dir" in failed.stderr
    shutil.rmtree(folder)


def test_wrong_amounts_are_refused_before_anything_starts(folder: Path) -> None:
    for words, named in (
        (["--workers", "2", "--cpus", "1,2,3"], "--cpus has 3 values for 2 workers"),
        (["--workers", "99"], "--workers must be 1 to 64"),
        (["--listen", "0.0.0.0:7070"], "needs TLS"),
    ):
        failed = ganger(folder, "dev", *words)
        assert failed.returncode == 1
        assert named in failed.stderr
        assert processes_of(folder) == []
