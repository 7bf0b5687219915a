"""This module starts the processes of attempts and finds, through /proc, everything that belongs to one.

It is part of the keeper: standard library only, no thread. Which process belongs to which attempt is decided
by `owners`, a pure function of one survey of /proc.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Key = tuple[int, int]
"""An attempt: the task's id and the attempt's token."""

MARK = "GANGER_MARK"  # the environment variable that every process of an attempt inherits
NOT_LAUNCHED, NOT_EXECUTABLE, NOT_FOUND = 125, 126, 127

_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND
_PR_SET_CHILD_SUBREAPER = 36
# Ignored signals survive exec; a task must begin with every one of these at its default.
_DEFAULT_SIGNALS = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGPIPE,
    signal.SIGXFSZ,
    signal.SIGCHLD,
)


class LaunchFailed(Exception):
    """No process came to be: `code` is 126 or 127, as the shells have it, or 125 where it is the host's fault."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code
        self.why = why


@dataclass(frozen=True, slots=True)
class Process:
    """One living process: its parent, its session, and the value of `GANGER_MARK` it was started with."""

    parent: int
    session: int
    mark: str


def mark_of(worker_id: str, key: Key) -> str:
    """The mark that the processes of this attempt carry."""
    return f"{worker_id}:{key[0]}.{key[1]}"


def adopt_orphans() -> None:
    """Make orphaned descendants children of this process, so that a daemon cannot leave its attempt."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def launch(command: list[str], env: Mapping[str, str], cwd: str, stdout: str, stderr: str) -> int:
    """Start a process in a session of its own and return its id; raises `LaunchFailed`.

    Leaves the caller in the folder `cwd`: the working folder is inherited, and the caller has one thread.
    By posix_spawn, which does not copy the caller's memory; all descriptors but 0, 1, 2 close at exec.
    """
    try:
        os.chdir(cwd)
    except OSError as error:
        raise LaunchFailed(NOT_EXECUTABLE, f"working folder {cwd}: {error.strerror}") from error
    program = command[0] if "/" in command[0] else _find(command[0], env.get("PATH", os.defpath))
    try:
        return os.posix_spawn(
            program,
            command,
            env,
            file_actions=(
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, stdout, _APPEND, 0o600),
                (os.POSIX_SPAWN_OPEN, 2, stderr, _APPEND, 0o600),
            ),
            setsid=True,
            setsigdef=_DEFAULT_SIGNALS,
        )
    except OSError as error:
        raise _why_not(error, program, (stdout, stderr)) from error
    except ValueError as error:  # a NUL, or a character that no file name can hold
        raise LaunchFailed(NOT_EXECUTABLE, f"its arguments cannot be passed on: {error}") from error


def _why_not(error: OSError, program: str, outputs: Iterable[str]) -> LaunchFailed:
    """Why nothing was started: the error alone does not tell what it is about."""
    try:
        for path in outputs:
            os.close(os.open(path, _APPEND, 0o600))
    except OSError as no_output:
        return LaunchFailed(NOT_LAUNCHED, f"cannot write its output: {no_output.strerror}")
    try:
        _find(program, "")
    except LaunchFailed as not_found:
        return not_found
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return LaunchFailed(NOT_EXECUTABLE, f"{program}: its interpreter was not found")
    code = NOT_LAUNCHED if error.errno in (errno.EAGAIN, errno.ENOMEM) else NOT_EXECUTABLE
    return LaunchFailed(code, f"{program}: {error.strerror}")


def _find(program: str, search_path: str) -> str:
    """The file to execute; raises `LaunchFailed` with a clear word when there is none."""
    if "/" in program:
        candidates = [program]
    else:
        candidates = [os.path.join(folder, program) for folder in search_path.split(os.pathsep)]
    for candidate in candidates:
        if os.access(candidate, os.X_OK) and not os.path.isdir(candidate):
            return candidate
    present = next((c for c in candidates if os.path.exists(c)), "")
    if "/" in program and present:
        what = "is a folder" if os.path.isdir(present) else "permission denied"
        raise LaunchFailed(NOT_EXECUTABLE, f"{program}: {what}")
    if present and not os.path.isdir(present):
        raise LaunchFailed(NOT_EXECUTABLE, f"{present}: permission denied")
    raise LaunchFailed(NOT_FOUND, f"{program}: command not found")


def survey() -> dict[int, Process]:
    """Every living process that this user may look at, by id. Those that vanish meanwhile are left out."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            process = _look_at(name)
            if process is not None:
                found[int(name)] = process
    return found


def _look_at(pid: str) -> Process | None:
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            state, parent, _, session = file.read(4096).rpartition(b")")[2].split()[:4]
        if state in (b"Z", b"X"):
            return None
    except (OSError, ValueError):
        return None
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            environ = file.read()
    except OSError:  # another user's
        environ = b""
    prefix = f"{MARK}=".encode()
    marks = [entry[len(prefix) :] for entry in environ.split(b"\0") if entry.startswith(prefix)]
    return Process(int(parent), int(session), marks[0].decode(errors="replace") if marks else "")


def owners(table: Mapping[int, Process], worker_id: str, sessions: Mapping[int, Key]) -> dict[int, Key]:
    """The attempt of each process that belongs to one.

    A process belongs to the attempt whose mark it carries, else to the one in whose session it is (`sessions`
    names the attempt of each session that the keeper made), else to its parent's.
    """
    prefix = f"{worker_id}:"
    found: dict[int, Key | None] = {}
    for start in table:
        chain = []
        pid = start
        while pid in table and pid not in found:
            process = table[pid]
            key = _key_of(process.mark.removeprefix(prefix)) if process.mark.startswith(prefix) else None
            key = key or sessions.get(process.session)
            found[pid] = key
            if key is not None:
                break
            chain.append(pid)
            pid = process.parent
        inherited = found.get(pid)
        for link in chain:
            found[link] = inherited
    return {pid: key for pid, key in found.items() if key is not None}


def _key_of(text: str) -> Key | None:
    task, dot, token = text.partition(".")
    return (int(task), int(token)) if dot and task.isdecimal() and token.isdecimal() else None


def signal_all(pids: Iterable[int], signum: int) -> None:
    """Send a signal to each process that still exists and is ours to signal."""
    for pid in pids:
        try:
            os.kill(pid, signum)
        except OSError:  # gone, another user's, or no such signal
            continue
