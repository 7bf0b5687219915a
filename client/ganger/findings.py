"""This module judges what `ganger doctor` saw of a host: facts in, findings out. Pure.

A problem keeps something of Ganger from working here; a warning may do so, or makes it work worse.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from ganger.layout import cpus, duration, size

LEAST_PYTHON = (3, 11)
LEAST_GRPC = (1, 81)
LEAST_PROTOBUF, BELOW_PROTOBUF = (6, 33, 5), (6, 34)
LEAST_SQLITE = (3, 38)  # JSON functions are part of it from here on
LEAST_FILES = 4_096  # open files: a socket, and some for each attempt that starts or ends
LEAST_PROCESSES = 1_024
LEAST_INODES = 10_000
LONGEST_SOCKET = 107  # bytes of a Unix socket's path
MOST_SKEW_S = 5.0


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, what was found, and what to do next where something is to be done."""

    check: str
    level: Level
    found: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Folder:
    """The state folder; `error` is why it cannot be used."""

    path: str
    exists: bool
    error: str = ""
    token_error: str = ""


@dataclass(frozen=True, slots=True)
class Disk:
    """The file system of the state folder, in bytes; `floor` is what a master leaves free. 0 inodes: not limited."""

    free: int
    total: int
    floor: int
    free_inodes: int
    inodes: int


@dataclass(frozen=True, slots=True)
class Clocks:
    """Whether the host counts time while it sleeps, and how far its wall clock is ahead of the master's."""

    has_boot_clock: bool
    ahead_s: float | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What this user may have open and run (None: no limit); what a worker would offer, and what the host lets it."""

    files: int | None
    processes: int | None
    offered_milli: int
    allowed_milli: int | None
    offered_memory: int
    allowed_memory: int | None


@dataclass(frozen=True, slots=True)
class Master:
    """Whether a master answers: its version, or why not. `is_named`: somebody said which one."""

    address: str
    version: str = ""
    error: str = ""
    is_named: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that was seen; None where nothing came within the time, or there was nothing to look at."""

    versions: Mapping[str, str] = field(default_factory=dict)  # by distribution; what is missing is not there
    settings_error: str = ""
    folder: Folder | None = None
    disk: Disk | None = None
    clocks: Clocks | None = None
    limits: Limits | None = None
    engine: str | None = None  # what the container engine says of itself; empty: none answers
    listen: str = ""  # where a master here would listen beside its socket
    listen_error: str = ""
    master: Master | None = None
    planner_error: str | None = None  # empty: it answers
    workers: Sequence[tuple[str, str]] | None = None  # name and state
    late: Sequence[str] = ()  # checks that did not end in time


def judge(facts: Facts) -> list[Finding]:
    """The findings, in the order in which they are to be read."""
    findings = [
        *_versions(facts.versions),
        *_settings(facts),
        *_folder(facts.folder),
        *_disk(facts.disk),
        *_clocks(facts.clocks),
        *_limits(facts.limits),
        *_engine(facts.engine),
        *_master(facts),
        *_planner(facts),
        *_workers(facts.workers),
    ]
    late = [
        Finding(
            name, Level.WARNING, "no answer in time", "look whether what it asks hangs, and run this again"
        )
        for name in facts.late
    ]
    return findings + late


def _versions(found: Mapping[str, str]) -> Iterator[Finding]:
    for name, least, below in (
        ("python", LEAST_PYTHON, None),
        ("grpcio", LEAST_GRPC, None),
        ("protobuf", LEAST_PROTOBUF, BELOW_PROTOBUF),
        ("sqlite", LEAST_SQLITE, None),
    ):
        text = found.get(name, "")
        if not text:
            continue
        fits = parts(text) >= least and (below is None or parts(text) < below)
        need = f"{dotted(least)} or later" + (f", below {dotted(below)}" if below else "")
        advice = "" if fits else f"Ganger needs {need}: install it in the environment of ganger"
        yield Finding(name, Level.OK if fits else Level.PROBLEM, text, advice)
    if "ganger" in found:
        yield Finding("ganger", Level.OK, found["ganger"])
    for name, who in (("ortools", "planner"), ("psutil", "worker")):
        if name in found:
            yield Finding(name, Level.OK, found[name])
        elif found:
            advice = f"only a {who} here needs it: pip install 'ganger[{who}]'"
            yield Finding(name, Level.OK, "not installed", advice)


def _settings(facts: Facts) -> Iterator[Finding]:
    if facts.settings_error:
        yield Finding(
            "settings", Level.PROBLEM, facts.settings_error, "correct it where it says; no daemon starts"
        )
    if facts.listen_error:
        advice = "end what listens there, or give the master another --listen"
        yield Finding("port", Level.PROBLEM, f"{facts.listen}: {facts.listen_error}", advice)
    elif facts.listen:
        yield Finding("port", Level.OK, f"{facts.listen} is the master's, or free for it")


def _folder(folder: Folder | None) -> Iterator[Finding]:
    if folder is None:
        return
    if folder.error:
        yield Finding("state folder", Level.PROBLEM, folder.error, "or name another with --state-dir")
    elif not folder.exists:
        yield Finding("state folder", Level.OK, f"{folder.path} is not there yet; the first daemon makes it")
    else:
        yield Finding("state folder", Level.OK, folder.path)
    longest = len(f"{folder.path}/planner.socket".encode())
    if longest > LONGEST_SOCKET:
        found = f"its sockets' paths have {longest} bytes, and {LONGEST_SOCKET} are possible"
        yield Finding("sockets", Level.PROBLEM, found, "name a folder with a shorter path with --state-dir")
    if folder.token_error:
        yield Finding("token", Level.PROBLEM, folder.token_error)


def _disk(disk: Disk | None) -> Iterator[Finding]:
    if disk is None:
        return
    found = f"{size(disk.free) if disk.free else '0B'} of {size(disk.total)} are free"
    below, near = disk.free < disk.floor, disk.free < 2 * disk.floor
    keeps = f"below {size(disk.floor)} a master takes no tasks and no output: free some space"
    level = Level.PROBLEM if below else Level.WARNING if near else Level.OK
    yield Finding("disk", level, found, keeps if near else "")
    if disk.inodes and disk.free_inodes < LEAST_INODES:
        level = Level.WARNING if disk.free_inodes else Level.PROBLEM
        advice = "each attempt needs some: remove what consists of many small files"
        yield Finding("inodes", level, f"{disk.free_inodes} of {disk.inodes} are free", advice)
    elif disk.inodes:
        yield Finding("inodes", Level.OK, f"{disk.free_inodes} of {disk.inodes} are free")


def _clocks(clocks: Clocks | None) -> Iterator[Finding]:
    if clocks is None:
        return
    if clocks.has_boot_clock:
        yield Finding("boot clock", Level.OK, "it counts; leases end on time, also when the host sleeps")
    else:
        advice = "run workers on Linux: without it a lease may last longer than the master counts on"
        yield Finding("boot clock", Level.PROBLEM, "this system has none", advice)
    if clocks.ahead_s is not None:
        way = "ahead of" if clocks.ahead_s >= 0 else "behind"
        found = f"{duration(abs(clocks.ahead_s))} {way} the master's"
        if abs(clocks.ahead_s) <= MOST_SKEW_S:
            yield Finding("wall clock", Level.OK, found)
        else:
            advice = "times that are shown or given as a date are off: let both hosts keep time by NTP"
            yield Finding("wall clock", Level.WARNING, found, advice)


def _limits(limits: Limits | None) -> Iterator[Finding]:
    if limits is None:
        return
    for check, have, least, letter in (
        ("open files", limits.files, LEAST_FILES, "n"),
        ("processes", limits.processes, LEAST_PROCESSES, "u"),
    ):
        low = have is not None and have < least
        found = "no limit" if have is None else f"at most {have}"
        advice = f"for many tasks raise it to {least}: ulimit -{letter} {least}" if low else ""
        yield Finding(check, Level.WARNING if low else Level.OK, found, advice)
    yield _offer("cpus", "--cpus", cpus, limits.offered_milli, limits.allowed_milli)
    yield _offer("memory", "--memory", size, limits.offered_memory, limits.allowed_memory)


def _offer(check: str, flag: str, words: object, offered: int, allowed: int | None) -> Finding:
    told = words if callable(words) else str
    found = f"a worker here offers {told(offered)}"
    if allowed is None or offered <= allowed:
        return Finding(check, Level.OK, found)
    advice = f"start the worker with {flag} {told(allowed)}, or its tasks are throttled or killed"
    return Finding(check, Level.WARNING, f"{found}, its control group allows {told(allowed)}", advice)


def _engine(engine: str | None) -> Iterator[Finding]:
    if engine is not None:
        found = f"{engine} answers" if engine else "none answers"
        yield Finding("containers", Level.OK, f"{found}; tasks run as processes of this host")


def _master(facts: Facts) -> Iterator[Finding]:
    master = facts.master
    if master is None:
        return
    if master.error:
        level = Level.PROBLEM if master.is_named else Level.WARNING
        yield Finding("master", level, master.error)
        return
    own = facts.versions.get("ganger", "")
    if master.version and own and parts(master.version)[:2] != parts(own)[:2]:
        advice = "install the same minor version here and there"
        found = f"version {master.version} at {master.address}, this is {own}"
        yield Finding("master", Level.WARNING, found, advice)
    else:
        yield Finding("master", Level.OK, f"answers at {master.address}")


def _planner(facts: Facts) -> Iterator[Finding]:
    if facts.planner_error is None or facts.master is None or facts.master.error:
        return  # nobody would ask it
    if facts.planner_error:
        advice = "the master plans by first-fit: ganger planner start"
        yield Finding("planner", Level.WARNING, facts.planner_error, advice)
    else:
        yield Finding("planner", Level.OK, "answers")


def _workers(workers: Sequence[tuple[str, str]] | None) -> Iterator[Finding]:
    if workers is None:
        return
    counts = Counter(state for _, state in workers)
    found = ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "none"
    lost = [name for name, state in workers if state == "LOST"]
    if not counts["UP"]:
        advice = "nothing starts: ganger worker start, or ganger worker resume WORKER"
        yield Finding("workers", Level.WARNING, found, advice)
    elif lost:
        advice = f"see what became of {lost[0]}; a dead host is fenced: ganger worker fence {lost[0]}"
        yield Finding("workers", Level.WARNING, found, advice)
    else:
        yield Finding("workers", Level.OK, found)


def parts(version: str) -> tuple[int, ...]:
    """The numbers of a version, up to the first that is none: 3.11.7rc1 is (3, 11)."""
    numbers = []
    for part in version.split("."):
        if not part.isdecimal():
            break
        numbers.append(int(part))
    return tuple(numbers)


def dotted(numbers: Sequence[int]) -> str:
    """The version of these numbers."""
    return ".".join(map(str, numbers))
