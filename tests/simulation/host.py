"""This module is a simulated host: its clocks, its processes, and what of its disk survives whom.

`Kernel` stands in for what the keeper asks of Linux, so that the real `ganger_worker.keeper_attempts` starts, signals
and reaps simulated processes. What these did is the ground truth that the invariants are checked on.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ganger_core.domain.clock import Instant
from ganger_core.domain.outputs import Publish
from ganger_core.domain.resources import Resources
from ganger_core.domain.task import AttemptRef
from ganger_worker.keeper_process import MARK, LaunchFailed
from ganger_worker.keeper_process import Process as Entry
from simulation.publishing import WRITES, OutputDisk, content_of
from simulation.virtual_loop import running

if TYPE_CHECKING:
    from simulation.world import World

WALL_MS = 1_700_000_000_000


@dataclass(eq=False)
class Run:
    """One simulated process of a task: the truth about it. Times are the simulator's."""

    pid: int
    host: Host
    task_id: int
    token: int
    label: str  # who submitted it, from its command
    cpu_milli: int
    parent: int
    mark: str
    code: int
    heeds_term_after: float | None
    output: int
    began: float
    ended: float | None = None
    status: int = 0  # its exit code, or minus the signal
    signalled: bool = False  # before it ended by itself
    orphaned: bool = False  # no keeper saw it end
    index: int = 0  # of an element of an array


class Host:
    """One machine. `rate` is how fast its clocks run."""

    def __init__(self, world: World, name: str, capacity: Resources, rate: float, boot_s: float) -> None:
        self.world = world
        self.name = name
        self.capacity = capacity
        self.rate = rate
        self.wall_offset_ms = 0
        self.boots = 1
        self.incarnation = 0  # of its worker, on disk
        self.journal: list[bytes] = []  # the keeper's, on disk
        self.files: dict[str, int] = {}  # bytes in each spool file
        self.outputs = OutputDisk(self)
        self.keeper: Any = None
        self.worker: Any = None
        self.kernel = Kernel(self)
        self._boot_s = boot_s

    def boottime(self) -> float:
        """CLOCK_BOOTTIME of this host."""
        return self._boot_s + self.world.loop.now * self.rate

    def restart_clock(self, boot_s: float) -> None:
        """The host boots: CLOCK_BOOTTIME begins anew."""
        self._boot_s = boot_s - self.world.loop.now * self.rate

    def now(self) -> Instant:
        """Both clocks, as `ganger_core.domain.clock.Clock` wants them."""
        wall = WALL_MS + round(self.world.loop.now * self.rate * 1000) + self.wall_offset_ms
        return Instant(wall, self.boottime())


class Kernel:
    """The processes of one host."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._next_pid = 100
        self.living: dict[int, Run] = {}
        self._zombies: list[tuple[int, int]] = []  # children of the keeper that nobody reaped yet
        self._unreaped: list[Run] = []  # the same

    def launch(self, command: list[str], env: Mapping[str, str], place: str) -> int:
        """Start what `command` describes; see `program`."""
        world = self._host.world
        what = Program.parse(command)
        if what.missing:
            raise LaunchFailed(127, f"{command[0]}: command not found")
        index = int(env.get("GANGER_ARRAY_INDEX", 0))
        if "GANGER_ARRAY_INDEX" in env:  # elements of one array differ
            what = replace(what, seconds=what.seconds * (1 + index % 2), code=what.code * (index % 4 == 3))
        self._next_pid += 1
        run = Run(
            self._next_pid,
            self._host,
            int(env["GANGER_TASK_ID"]),
            int(env["GANGER_TOKEN"]),
            what.label,
            what.cpu_milli,
            1,
            env[MARK],
            what.code,
            what.heeds_term_after,
            what.output,
            world.loop.now,
            index=index,
        )
        self.living[run.pid] = run
        self._host.files[f"{place}/stdout"] = 0
        if what.writes:
            ref = AttemptRef(run.task_id, run.token)
            self._host.outputs.written[ref] = content_of(what.label, ref)
        world.began(run)
        world.loop.call_later(what.seconds, self._end, run, what.code)
        return run.pid

    def signal(self, pids: Iterable[int], signum: int) -> None:
        """Send a signal, as `keeper_process.signal_all` does."""
        loop, rng = self._host.world.loop, self._host.world.rng
        for pid in sorted(pids):
            run = self.living.get(pid)
            if run is None:
                continue
            run.signalled = True
            if signum == signal.SIGKILL:
                loop.call_later(rng.random() * 0.05, self._end, run, -signum)
            elif run.heeds_term_after is not None:
                loop.call_later(run.heeds_term_after, self._end, run, -signum)

    def survey(self) -> dict[int, Entry]:
        """Every living process, as `keeper_process.survey` finds them."""
        return {pid: Entry(run.parent, pid, run.mark) for pid, run in self.living.items()}

    def reap(self) -> tuple[int, int]:
        """As `os.waitpid(-1, WNOHANG)`."""
        if self._zombies:
            self._unreaped.pop(0)
            return self._zombies.pop(0)
        if not any(run.parent == 1 for run in self.living.values()):
            raise ChildProcessError
        return (0, 0)

    def children(self) -> bytes:
        """The keeper's children, as the file in /proc lists them."""
        mine = [pid for pid, run in self.living.items() if run.parent == 1] + [p for p, _ in self._zombies]
        return b"".join(b"%d " % pid for pid in mine)

    def orphan(self) -> None:
        """The keeper died: its children belong to init now."""
        self._zombies.clear()
        for run in (*self.living.values(), *self._unreaped):
            run.parent = 0
            run.orphaned = True
        self._unreaped.clear()

    def die(self) -> None:
        """The host goes down: every process is gone."""
        for run in list(self.living.values()):
            run.signalled = run.orphaned = True
            run.parent = 0
            self._end(run, -signal.SIGKILL)
        self._zombies.clear()
        self._unreaped.clear()

    def _end(self, run: Run, status: int) -> None:
        if run.ended is not None:
            return
        run.ended, run.status = self._host.world.loop.now, status
        del self.living[run.pid]
        self._host.files[f"{place_of(run.task_id, run.token)}/stdout"] = run.output
        self._host.world.over(run)
        if run.parent == 1:
            self._zombies.append((run.pid, status))
            self._unreaped.append(run)
            if self._host.keeper is not None:
                self._host.keeper.child_ended()


@dataclass(frozen=True)
class Program:
    """What a simulated task does, written into its command."""

    label: str
    seconds: float
    code: int = 0
    heeds_term_after: float | None = 0.1  # None: it ignores SIGTERM
    output: int = 0
    cpu_milli: int = 1000
    missing: bool = False
    writes: bool = False  # outputs

    def command(self) -> tuple[str, ...]:
        """The command that says so."""
        term = "" if self.heeds_term_after is None else repr(self.heeds_term_after)
        return (
            "missing" if self.missing else "sim",
            self.label,
            repr(self.seconds),
            str(self.code),
            term,
            str(self.output),
            str(self.cpu_milli),
            *[WRITES] * self.writes,
        )

    @classmethod
    def parse(cls, command: list[str]) -> Program:
        """Read a command back."""
        name, label, seconds, code, term, output, cpu, *writes = command
        return cls(
            label,
            float(seconds),
            int(code),
            float(term) if term else None,
            int(output),
            int(cpu),
            name != "sim",
            bool(writes),
        )


@dataclass
class Folders:
    """Stands in for `AttemptFolders` of one host."""

    files: dict[str, int] = field(default_factory=dict)
    policies: dict[AttemptRef, Publish] = field(default_factory=dict)

    def place(self, ref: Any) -> str:
        return place_of(ref.task_id, ref.token)

    def make(self, ref: Any, policy: Publish) -> None:
        """Folders need no making here."""
        self.policies[ref] = policy

    def clear(self, ref: Any) -> None:
        self.files.pop(f"{self.place(ref)}/stdout", None)

    def clear_all_but(self, kept: Any) -> None:
        names = {f"{self.place(ref)}/stdout" for ref in kept}
        for name in [name for name in self.files if name not in names]:
            del self.files[name]

    def close(self) -> None:
        """Nothing was kept for use."""


def place_of(task_id: int, token: int) -> str:
    """Where an attempt's files lie."""
    return f"{task_id}-{token}"


def boottime() -> float:
    """CLOCK_BOOTTIME of the host that the present event belongs to."""
    seconds: float = running.get().host.boottime()
    return seconds


def _kernel() -> Kernel:
    kernel: Kernel = running.get().host.kernel
    return kernel


def _launch(command: list[str], env: Mapping[str, str], cwd: str, stdout: str, stderr: str) -> int:
    return _kernel().launch(command, env, stdout.split("/")[-2])


def _stat(path: str) -> SimpleNamespace:
    files = running.get().host.files
    if path not in files:
        raise FileNotFoundError(path)
    return SimpleNamespace(st_size=files[path])


def _open(path: str, flags: int) -> str:
    _stat(path)
    return path


def _read(path: str, most: int, offset: int) -> bytes:
    return b"x" * max(0, min(most, _stat(path).st_size - offset))


KEEPER_OS = SimpleNamespace(
    O_RDONLY=0,
    WNOHANG=1,
    open=lambda path, flags: 0,
    close=lambda fd: None,
    getpid=lambda: 1,
    chdir=lambda path: None,
    waitpid=lambda pid, options: _kernel().reap(),
    waitstatus_to_exitcode=lambda status: status,
    pread=lambda fd, most, offset: _kernel().children(),
)
SPOOL_OS = SimpleNamespace(O_RDONLY=0, stat=_stat, open=_open, close=lambda fd: None, pread=_read)

PATCHES: tuple[tuple[str, str, Any], ...] = (
    ("ganger_worker.keeper_attempts", "os", KEEPER_OS),
    ("ganger_worker.keeper_attempts", "launch", _launch),
    ("ganger_worker.keeper_attempts", "survey", lambda: _kernel().survey()),
    ("ganger_worker.keeper_attempts", "signal_all", lambda pids, signum: _kernel().signal(pids, signum)),
    ("ganger_worker.spool", "os", SPOOL_OS),
    ("ganger_worker.agent", "boottime", boottime),
    ("ganger_worker.executors.process", "boottime", boottime),
    ("ganger_worker.agent", "LOG_TAIL_BYTES", 16),
    (
        "ganger_master.engine",
        "SETTLED_AT_ONCE",
        2,
    ),  # so that the rest is left to the scheduler, and to a restart
)
"""What production code is given instead of Linux while a world runs."""
