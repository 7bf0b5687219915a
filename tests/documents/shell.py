"""This module plays the terminal of a page: a shell, daemons beside it, and a home folder that both find empty."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from select import select

from documents.commands import CALLER, OTHERS
from ganger import Client, GangerError
from testkit.processes import listens
from testkit.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
USER, HOST = "ann", "desk"
ANSWER_S, READY_S, STOP_S = 30.0, 30.0, 20.0
DAEMONS = {
    ("ganger", "dev"): signal.SIGINT,
    ("ganger", "master", "start"): signal.SIGTERM,
    ("ganger", "planner", "start"): signal.SIGTERM,
    (
        "ganger",
        "worker",
        "start",
    ): signal.SIGINT,  # a worker would drain at SIGTERM, and so wait for what runs
}
LAST_LINE_OF_DEV = "Ctrl-C stops everything"

# Reads one command after the other, and says each one's exit code; $? is that of the one before, as in a terminal.
LOOP = """
exec 9<&0 8>&1 0</dev/null >>"$1" 2>&1
code=0
again() { return "$code"; }
while IFS= read -r -d '' -u 9 line; do
  again; eval "$line" 9<&- 8>&-
  code=$?; echo "$code" >&8
done
"""


def daemon_of(command: str) -> signal.Signals | None:
    """The signal that ends what the command starts, when that goes on until it is ended."""
    try:
        words = tuple(shlex.split(command))
    except ValueError:
        return None
    if "--help" in words:
        return None
    return next((number for begin, number in DAEMONS.items() if words[: len(begin)] == begin), None)


@contextlib.contextmanager
def a_command_server() -> Iterator[Path]:
    """A folder with `ganger` and `python` to put on a PATH."""
    folder = Path(tempfile.mkdtemp(prefix="gg"))
    place = folder / "socket"
    server = subprocess.Popen([sys.executable, "-m", "documents.commands", str(place)], env=_with_tests())
    try:
        wait_until(lambda: listens(place) or server.poll() is not None, READY_S, what="commands are served")
        assert server.poll() is None
        for program in ("ganger", "python"):
            file = folder / "bin" / program
            file.parent.mkdir(exist_ok=True)
            file.write_text(
                CALLER.format(python=sys.executable, socket=str(place), program=program, others=OTHERS)
            )
            file.chmod(0o755)
        yield folder / "bin"
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(folder)


def _with_tests() -> dict[str, str]:
    tests = str(Path(__file__).parents[1])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (tests, os.environ.get("PYTHONPATH"))))}


class Terminal:
    """A shell in an empty home folder, with the daemons that it starts in the background."""

    def __init__(self, home: Path, programs: Path) -> None:
        self.home = home
        self.folder = home / "work"
        self.folder.mkdir(parents=True)
        given = {
            name: value for name, value in os.environ.items() if not name.startswith(("GANGER_", "XDG_"))
        }
        self.env = given | {
            "HOME": str(home),
            "USER": USER,
            "LOGNAME": USER,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "TZ": "UTC",
            "LC_ALL": "C.UTF-8",
            "COLUMNS": "100",
            "REPOSITORY": str(ROOT),
            "PYTHONUNBUFFERED": "1",
        }
        self._daemons: list[tuple[subprocess.Popen[bytes], signal.Signals]] = []
        self._written = home.parent / "written"
        self._written.touch()
        self._read = 0
        self._shell = subprocess.Popen(
            ["bash", "-c", LOOP, "bash", str(self._written)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self.env,
            cwd=self.folder,
            process_group=0,
        )

    @property
    def state(self) -> Path:
        """The state folder that commands use unless they are told another one."""
        return self.home / ".local" / "state" / "ganger"

    def run(self, command: str) -> tuple[list[str], int]:
        """Run a command: the lines that it wrote, and its exit code. A daemon goes on once it serves."""
        number = daemon_of(command)
        if number is not None:
            return self._start(command, number), 0
        assert self._shell.stdin
        assert self._shell.stdout
        self._shell.stdin.write(command.encode() + b"\0")
        self._shell.stdin.flush()
        ready, _, _ = select([self._shell.stdout], [], [], ANSWER_S)
        code = self._shell.stdout.readline() if ready else b""
        with self._written.open("rb") as file:
            file.seek(self._read)
            written = file.read()
        self._read += len(written)
        lines = self._as_shown(written)
        if not code:
            raise AssertionError("\n".join([f"no end within {ANSWER_S:.0f} s: {command}", *lines]))
        return lines, int(code)

    def close(self) -> None:
        """End everything that was started here."""
        self.stop_daemons()
        os.killpg(self._shell.pid, signal.SIGKILL)
        self._shell.communicate()

    def stop_daemons(self) -> None:
        """End the daemons, as Ctrl-C does it, and wait until they are gone."""
        for process, number in reversed(self._daemons):
            process.send_signal(number)
        for process, _ in reversed(self._daemons):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_S)
            if process.poll() is None:
                process.kill()
                process.wait()
        self._daemons.clear()

    def _start(self, command: str, number: signal.Signals) -> list[str]:
        words = shlex.split(command)
        log = self.home.parent / f"daemon-{time.monotonic_ns()}"
        with log.open("wb") as out:
            process = subprocess.Popen(
                words,
                env=self.env,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                process_group=0,
            )
        self._daemons.append((process, number))
        wait_until(
            lambda: process.poll() is not None or self._serves(words, log.read_text()),
            READY_S,
            what=f"{command} serves: {log.read_text()}",
        )
        if process.poll() is not None:
            raise AssertionError(f"{command} ended: {log.read_text()}")
        return self._as_shown(log.read_bytes())

    def _serves(self, words: Sequence[str], said: str) -> bool:
        if words[1] == "dev":
            return LAST_LINE_OF_DEV in said
        if words[1] == "master":
            return listens(self.state / "socket")
        if words[1] == "planner":
            return listens(self.state / "planner.socket")
        name = words[words.index("--name") + 1]
        with Client(state_dir=self.state, patience_s=0) as client:
            try:
                return any(
                    worker.profile.name == name and worker.state == "UP" for worker in client.workers()
                )
            except GangerError:
                return False

    def _as_shown(self, written: bytes) -> list[str]:
        """The lines as a reader would see them at home."""
        text = written.decode(errors="backslashreplace")
        text = text.replace(str(self.home), f"/home/{USER}").replace(str(ROOT), f"/home/{USER}/ganger")
        return re.sub(rf"\b{re.escape(socket.gethostname())}\b", HOST, text).splitlines()


@contextlib.contextmanager
def a_terminal(programs: Path) -> Iterator[Terminal]:
    """A terminal whose home is removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="gg"))
    terminal = Terminal(folder / USER, programs)
    try:
        yield terminal
    finally:
        terminal.close()
        shutil.rmtree(folder, ignore_errors=True)
