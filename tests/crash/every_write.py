"""This module makes every write of the master's database a crash point, and every sync an error, by `strace -e inject`.

A master runs under strace, a scenario of 100 operations goes on until its N-th pwrite64 or fdatasync ends it (SIGKILL,
or the call fails), and then the master's own start-up code recovers the folder, in this process.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from crash.checkers import Finding
from crash.history import check_all, snapshot
from crash.row import Row
from crash.scenario import OPERATIONS, Scenario
from ganger import Client
from ganger_core.settings import MasterSettings
from ganger_master.app import EXIT_BROKEN, EXIT_REFUSED, Master
from testkit.processes import listens
from testkit.waiting import wait_until
from testkit.worker_daemon import holder_of

CALLS = ("pwrite64", "fdatasync")
AT_ONCE = 2  # points tried side by side, each with a master of its own
END_S = 30.0
NOT_REACHED = -1  # runs differ by a few writes: one may end before the last point of another


@dataclass(frozen=True, slots=True)
class Point:
    """The `number`-th `call` of a thread of a master, in an empty folder (`fresh`) or in one with a database."""

    call: str
    number: int
    fresh: bool


class Traced:
    """A master in `folder` under strace, with `inject` (a part of strace's -e) done to it.

    In an empty folder strace starts it, so that the writes of its start count; else it joins once the master
    serves, which is faster by far: under strace every system call of Python's start stops twice.
    """

    def __init__(self, folder: Path, inject: str = "", *, fresh: bool = False) -> None:
        self.folder = folder
        self.trace = folder / "strace.out"
        self.log = (folder / "master.log").open("ab")
        strace = ["strace", "-f", "-y", "-o", str(self.trace), "-e", f"trace={','.join(CALLS)}"]
        strace += ["-e", f"inject={inject}"] if inject else []
        master = [sys.executable, "-m", "ganger_master", "--state-dir", str(folder), "--log-level", "error"]
        self._started = [self._start([*strace, *master] if fresh else master)]
        wait_until(lambda: listens(folder / "socket") or not self.runs(), END_S, "the master serves")
        if not fresh and self.runs():
            self._started.append(self._start([*strace, "-p", str(self._started[0].pid)]))
            log = Path(self.log.name)
            wait_until(lambda: b" attached" in log.read_bytes(), END_S, "strace is there")

    def _start(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True
        )

    def runs(self) -> bool:
        """Whether the master lives."""
        return self._started[0].poll() is None

    def ends(self) -> int:
        """Wait for its end; its exit status as a shell would say it."""
        for process in reversed(self._started):
            process.wait(END_S)
        self.log.close()
        code = self._started[0].returncode
        return 128 - code if code < 0 else code

    def stop(self) -> None:
        """End the master, and strace with it."""
        _end_master(self.folder)
        self.ends()

    def injected(self) -> bool:
        """Whether a call was made to fail."""
        return "(INJECTED)" in self.trace.read_text(errors="replace")

    def in_vain(self) -> bool:
        """Whether the call that failed was one that nothing depends on: SQLite's own sync of the folder.

        The master has synced that itself by then, and SQLite forgives a failure.
        """
        found = re.search(r"<(.*?)>.*\(INJECTED\)", self.trace.read_text(errors="replace"))
        return found is not None and Path(found[1]) == self.folder

    def calls(self) -> dict[str, Counter[str]]:
        """How often each thread made each call."""
        counted: dict[str, Counter[str]] = {call: Counter() for call in CALLS}
        for line in self.trace.read_text(errors="replace").splitlines():
            if found := re.match(r"(\d+) +(pwrite64|fdatasync)\(", line):
                counted[found[2]][found[1]] += 1
        return counted


@contextlib.contextmanager
def _folder(base: Path | None = None) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="gw"))
    try:
        for name in ("ganger.db", "token") if base else ():
            shutil.copy(base / name, folder / name)  # type: ignore[operator]
        yield folder
    finally:
        _end_master(folder)  # one that a failed trial left behind
        shutil.rmtree(folder, ignore_errors=True)


def _end_master(folder: Path) -> None:
    with contextlib.suppress(AssertionError, FileNotFoundError, ProcessLookupError):
        holder = holder_of(folder / "master.lock")
        if holder != os.getpid():  # which recovers in this process
            os.kill(holder, signal.SIGKILL)


def _points(base: Path) -> list[Point]:
    """Every write of the start in an empty folder, and every one of the scenario on the database in `base`."""
    points = []
    for fresh in (True, False):
        with _folder(None if fresh else base) as folder:
            traced = Traced(folder, fresh=fresh)
            assert traced.runs(), "the master starts without a fault"
            if fresh:
                os.kill(holder_of(folder / "master.lock"), signal.SIGTERM)
                traced.ends()
                for name in ("ganger.db", "token"):
                    shutil.copy(folder / name, base / name)
            else:
                assert Scenario(folder).run(), "the scenario runs through without a fault"
                traced.stop()
            for call, threads in traced.calls().items():
                points += [Point(call, n, fresh) for n in range(1, max(threads.values(), default=0) + 1)]
    return points


def _spread(points: Sequence[Point], count: int) -> list[Point]:
    """`count` of the points, evenly spread; all when 0."""
    if not count or count >= len(points):
        return list(points)
    return [points[len(points) * n // count] for n in range(count)]


def _recover(folder: Path, scenario: Scenario) -> Finding:
    """Start a master on what is left, as the next process would, and check everything."""
    before = snapshot(folder) if scenario.done else None
    master = Master(MasterSettings(folder))
    master.start()
    try:
        finding = scenario.settle(folder)
        snapshots = [*([before] if before else []), snapshot(folder)]
        with Client(state_dir=folder) as client:
            names = frozenset(scenario.sent)
            return finding + check_all(client, scenario.acks, names, [], snapshots, over=False)
    finally:
        master.stop()


def _try(base: Path, point: Point, what: str) -> tuple[int, Finding]:
    """One point: the exit status of the master, and what was found afterwards."""
    with _folder(None if point.fresh else base) as folder:
        traced = Traced(folder, f"{point.call}:{what}:when={point.number}", fresh=point.fresh)
        scenario = Scenario(folder)
        through = traced.runs() and scenario.run()
        if through:
            traced.stop()
            counts = traced.injected() and not traced.in_vain()
            return (0 if counts else NOT_REACHED), Finding()
        return traced.ends(), Finding(1) + _recover(folder, scenario)


def every_write(trials: int, seed: int) -> Row:
    """SIGKILL at every write and sync of the scenario; `trials` of them, evenly spread, or 0 for all."""
    faults, unreached, finding = 0, 0, Finding()
    with _folder() as base, ThreadPoolExecutor(AT_ONCE, thread_name_prefix="point") as pool:
        points = _points(base)
        chosen = _spread(points, trials)
        tried = pool.map(lambda point: _try(base, point, "signal=KILL"), chosen)
        for point, (status, found) in zip(chosen, tried, strict=True):
            faults += status == 128 + signal.SIGKILL
            finding += Finding(found.checks, tuple(f"{point}: {text}" for text in found.violations))
            unreached += status == NOT_REACHED
            if status not in (128 + signal.SIGKILL, NOT_REACHED):
                finding += Finding(1, (f"{point}: the master was not killed, exit status {status}",))
    more = {"points": len(points), "visited": len(chosen) - unreached, "operations": OPERATIONS}
    return Row("every-write", seed, len(chosen), faults, finding, (), more)


def write_errors(trials: int, seed: int) -> Row:
    """A sync answers EIO, a write ENOSPC: the master exits at once, and had acknowledged nothing that is not there."""
    faults, finding, statuses = 0, Finding(), Counter[int]()
    with _folder() as base:
        points = _points(base)
        for call, error in (("fdatasync", "EIO"), ("pwrite64", "ENOSPC")):
            for point in _spread([p for p in points if p.call == call], trials // 2):
                status, found = _try(base, point, f"error={error}")
                statuses[status] += 1
                faults += status in (EXIT_BROKEN, EXIT_REFUSED)
                finding += Finding(
                    found.checks, tuple(f"{point} {error}: {text}" for text in found.violations)
                )
                allowed = (EXIT_BROKEN, EXIT_REFUSED) if point.fresh else (EXIT_BROKEN,)
                if status not in (*allowed, NOT_REACHED):
                    finding += Finding(1, (f"{point} {error}: exit status {status}",))
    more = {"points": len(points), "exit_statuses": {str(k): v for k, v in sorted(statuses.items())}}
    return Row("write-errors", seed, statuses.total(), faults, finding, (), more)
