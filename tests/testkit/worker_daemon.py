"""This module runs whole workers for tests, inside the test process or outside, always with a real keeper."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from ganger_core.settings import WorkerSettings
from ganger_worker.app import Ending, Worker

ENV = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    "SECRET": "not for tasks",
}


def holder_of(lock: Path) -> int:
    """The process that holds a lock file."""
    inode = lock.stat().st_ino
    for line in Path("/proc/locks").read_text().splitlines():
        fields = line.split()
        if fields[1] == "FLOCK" and fields[5].endswith(f":{inode}"):
            return int(fields[4])
    raise AssertionError(f"nobody holds {lock}")


class WorkerUnderTest:
    """A worker called w1 in `state_dir`, on a thread; use as a context manager."""

    def __init__(self, state_dir: Path, master: str, env: Mapping[str, str] = ENV) -> None:
        self.folder = state_dir / "workers" / "w1"
        self.worker = Worker(WorkerSettings(state_dir, name="w1", master=master, slots=64), env)
        self._ending = Ending()
        self._failure: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, name="worker-under-test")

    def __enter__(self) -> WorkerUnderTest:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Shut it down in order."""
        self._ending.on_signal(signal.SIGINT)
        self._thread.join(30)
        assert not self._thread.is_alive(), "the worker does not end"
        if self._failure:
            raise self._failure[0]

    def place(self, task_id: int, token: int = 1) -> Path:
        """The folder of an attempt."""
        return self.folder / "attempts" / f"{task_id}-{token}"

    def is_cleared(self, task_id: int, token: int = 1) -> bool:
        """Whether no output of an attempt is here any more."""
        streams = [self.place(task_id, token) / name for name in ("stdout", "stderr")]
        return not any(path.exists() and path.stat().st_size for path in streams)

    def keeper_pid(self) -> int:
        """The process id of the keeper."""
        return holder_of(self.folder / "keeper.lock")

    def _run(self) -> None:
        try:
            self.worker.run(self._ending)
        except BaseException as error:
            self._failure.append(error)
            if not self._ending.stop.is_set():
                raise


class WorkerProcess:
    """A worker daemon called w1 as a process of its own; use as a context manager, which kills it and its keeper."""

    def __init__(self, state_dir: Path, master: str, *flags: str) -> None:
        self.folder = state_dir / "workers" / "w1"
        self._log = (state_dir.parent / "worker.log").open("ab")
        command = [sys.executable, "-m", "ganger_worker", "--state-dir", str(state_dir), "--name", "w1"]
        command += ["--slots", "64", "--master", master, *flags]
        self.process = subprocess.Popen(command, env={**os.environ, **ENV}, stderr=self._log)

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        with contextlib.suppress(AssertionError, FileNotFoundError):
            os.kill(holder_of(self.folder / "keeper.lock"), signal.SIGKILL)

    def kill(self) -> None:
        """Kill it as by the out-of-memory killer."""
        self.process.kill()
        self.process.wait()
        self._log.close()

    def ends(self, timeout_s: float = 30.0) -> tuple[int, str]:
        """Its exit code and everything that it wrote to stderr, once it ends."""
        code = self.process.wait(timeout_s)
        return code, Path(self._log.name).read_text()
