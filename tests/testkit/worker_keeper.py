"""This module runs a real keeper process for tests and speaks its protocol."""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ganger_worker
from ganger_worker.keeper import boottime
from testkit.waiting import wait_until

SCRIPT = Path(ganger_worker.__file__).parent / "keeper.py"
BASE_ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
LEASE_S = 300.0


class KeeperUnderTest:
    """A keeper in `folder`, and the worker's end of one connection to it."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.worker_id = (
            f"w-{secrets.token_hex(8)}"  # of its own: keepers find processes by it on the whole host
        )
        self._options = options
        self.messages: list[dict[str, Any]] = []
        self._rest = b""
        self.sock = socket.socket(socket.AF_UNIX)
        self.process = self._spawn()
        self.connect()

    def _spawn(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-I", "-X", "utf8", str(SCRIPT), "--folder", str(self.folder)]
        command += ["--worker-id", self.worker_id, *self._options]
        return subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL)

    def connect(self) -> None:
        """Connect anew, as a restarted worker does."""
        self.sock.close()
        self._rest = b""

        def connected() -> bool:
            assert self.process.poll() is None, "the keeper ended"
            sock = socket.socket(socket.AF_UNIX)
            try:
                sock.connect(str(self.folder / "keeper.sock"))
            except OSError:
                sock.close()
                return False
            sock.setblocking(False)
            self.sock = sock
            return True

        wait_until(connected, what="the keeper listens")

    def kill(self) -> None:
        """Kill the keeper as by the out-of-memory killer."""
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        """Start another keeper in the same folder."""
        self.process = self._spawn()
        self.connect()

    def send(self, verb: str, *attempts: Mapping[str, object], **more: object) -> None:
        """Send one message."""
        message = {"verb": verb, "attempts": attempts, **more}
        self.sock.setblocking(True)
        self.sock.sendall(json.dumps(message).encode() + b"\n")
        self.sock.setblocking(False)

    def start(self, *items: Mapping[str, object]) -> None:
        """Start attempts made by `item`."""
        self.send("start", *items, base_env=BASE_ENV)

    def item(
        self, task: int, *command: str, token: int = 1, lease_s: float = LEASE_S, **more: object
    ) -> dict[str, object]:
        """One attempt to start, its folders made."""
        place = self.place(task, token)
        (place / "work").mkdir(parents=True, exist_ok=True)
        return {
            "task": task,
            "token": token,
            "command": list(command),
            "env": {},
            "cwd": str(place / "work"),
            "deadline": boottime() + lease_s,
            **more,
        }

    def place(self, task: int, token: int = 1) -> Path:
        """The attempt's folder."""
        return self.folder / "attempts" / f"{task}-{token}"

    def output(self, task: int, token: int = 1) -> tuple[bytes, bytes]:
        """What the attempt wrote to stdout and stderr."""
        place = self.place(task, token)
        return (place / "stdout").read_bytes(), (place / "stderr").read_bytes()

    def _receive(self) -> None:
        try:
            data = self.sock.recv(1 << 20)
        except BlockingIOError:
            return
        except OSError:
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        self.messages += map(json.loads, lines)

    def heard(self, event: str) -> list[dict[str, Any]]:
        """All attempts told of under this word, so far."""
        self._receive()
        return [item for m in self.messages if m["event"] == "news" for item in m[event]]

    def exit_of(self, task: int, token: int = 1, timeout_s: float = 10.0) -> dict[str, Any]:
        """How the attempt ended, as soon as that is told."""
        found: list[dict[str, Any]] = []

        def told() -> bool:
            found[:] = [e for e in self.heard("exits") if (e["task"], e["token"]) == (task, token)]
            return bool(found)

        wait_until(told, timeout_s, f"exit of {task}.{token}")
        return found[-1]

    def listing(self) -> dict[str, Any]:
        """What the keeper holds now."""
        known = len([m for m in self.messages if m["event"] == "list"])
        self.send("list")

        def answered() -> bool:
            self._receive()
            return len([m for m in self.messages if m["event"] == "list"]) > known

        wait_until(answered, what="list")
        return [m for m in self.messages if m["event"] == "list"][-1]

    def close(self) -> None:
        """End the keeper and everything that it keeps."""
        with contextlib.suppress(OSError):
            self.send("shutdown")
        try:
            self.process.wait(10)
        finally:
            self.process.kill()
            self.process.wait()
            self.sock.close()


def is_alive(pid: int) -> bool:
    """Whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def pid_in(path: Path) -> int:
    """The process id that a test program wrote to a file, as soon as it is there."""
    wait_until(lambda: path.exists() and path.read_text().strip(), what=f"{path} is written")
    return int(path.read_text())


def children_of(pid: int) -> list[int]:
    """The ids of a process's children, zombies included."""
    return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
