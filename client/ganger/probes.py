"""This module looks at this host for `ganger doctor`. Every look has a limit of time, and nothing is changed."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import queue
import resource
import socket
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ganger.findings import Clocks, Disk, Facts, Folder, Limits, Master
from ganger_core.domain.errors import GangerError, Invalid
from ganger_core.rpc.addresses import split_host_port, unix_address
from ganger_core.settings import (
    PLANNER_SOCKET_NAME,
    TOKEN_NAME,
    MasterSettings,
    WorkerSettings,
    default_state_dir,
    load,
)
from ganger_core.state_dir import read_token

LIMIT_S = 5.0  # for all looks together, which go on at the same time
ANSWER_S = 2.0  # for one answer
DISTRIBUTIONS = ("ganger", "grpcio", "protobuf", "ortools", "psutil")
WORKER_MEMORY_SHARE = 0.9  # of the host's memory: what a worker offers by default
ENGINE = "/var/run/docker.sock"

Seen = Mapping[str, Any]  # fields of `Facts`


def look(env: Mapping[str, str], address: str, token_file: str, state_dir: str) -> Facts:
    """What is seen from here, with the global options of the command line."""
    named = {"GANGER_STATE_DIR": state_dir} if state_dir else {}
    merged = {**env, **named}
    folder = default_state_dir(merged)
    asked = _Asked(merged, folder, address, token_file)
    looks: dict[str, Callable[[], Seen]] = {
        "versions": _versions,
        "state folder": lambda: _folder(folder),
        "settings": lambda: _settings(merged, folder),
        "engine": lambda: {"engine": _engine(merged)},
        "master": asked.master,
        "planner": asked.planner,
    }
    return _together(looks, LIMIT_S)


def _together(looks: Mapping[str, Callable[[], Seen]], limit_s: float) -> Facts:
    """All looks at the same time; those that take too long are left alone, and named in `late`."""
    answers: queue.Queue[tuple[str, Seen]] = queue.Queue()

    def run(name: str) -> None:
        answers.put((name, looks[name]()))

    for name in looks:  # daemon threads: one that hangs does not keep the command from ending
        threading.Thread(target=run, args=(name,), name=f"look at {name}", daemon=True).start()
    seen: dict[str, Any] = {}
    waiting, over_s = set(looks), time.monotonic() + limit_s
    while waiting:
        try:
            name, found = answers.get(timeout=max(0.0, over_s - time.monotonic()))
        except queue.Empty:
            break
        waiting.remove(name)
        seen.update(found)
    ahead_s = seen.pop("ahead_s", None)
    clocks = Clocks(hasattr(time, "CLOCK_BOOTTIME"), ahead_s)
    return Facts(**seen, clocks=clocks, late=tuple(name for name in looks if name in waiting))


def _versions() -> Seen:
    found = {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
    for name in DISTRIBUTIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {"versions": found}


def _folder(path: Path) -> Seen:
    """As `state_dir.prepare` judges it, without making or changing anything."""
    try:
        info = path.stat()
    except FileNotFoundError:
        return {"folder": Folder(str(path), exists=False)}
    except OSError as failed:
        return {"folder": Folder(str(path), exists=False, error=f"{path}: {failed.strerror}")}
    error, token_error = "", ""
    if not stat.S_ISDIR(info.st_mode):
        error = f"{path} is no folder"
    elif info.st_uid != os.geteuid():
        error = f"{path} belongs to another user"
    elif stat.S_IMODE(info.st_mode) & 0o077:
        error = f"other users may enter {path}: run `chmod 700 {path}`"
    elif not os.access(path, os.W_OK | os.X_OK):
        error = f"{path} cannot be written: run `chmod 700 {path}`"
    elif (path / TOKEN_NAME).exists():
        try:
            read_token(path / TOKEN_NAME)
        except Invalid as invalid:
            token_error = invalid.message
    return {"folder": Folder(str(path), exists=True, error=error, token_error=token_error)}


def _settings(env: Mapping[str, str], folder: Path) -> Seen:
    """The settings of daemons here, and what the host has for them."""
    try:
        nothing = argparse.Namespace()
        master, worker = load(MasterSettings, nothing, env), load(WorkerSettings, nothing, env)
    except GangerError as error:
        return {"settings_error": error.message}
    seen: dict[str, Any] = {"limits": _limits(worker), "listen": master.listen}
    there = next(each for each in (folder, *folder.parents) if each.exists())
    found = os.statvfs(there)
    total = found.f_blocks * found.f_frsize
    floor = max(master.least_free, total * master.least_free_percent // 100)
    seen["disk"] = Disk(found.f_bavail * found.f_frsize, total, floor, found.f_favail, found.f_files)
    return seen


def _limits(worker: WorkerSettings) -> Limits:
    host = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Limits(
        files=_limit(resource.RLIMIT_NOFILE),
        processes=_limit(resource.RLIMIT_NPROC),
        offered_milli=worker.cpus or 1000 * len(os.sched_getaffinity(0)),
        allowed_milli=_allowed_cpus(),
        offered_memory=worker.memory or int(host * WORKER_MEMORY_SHARE),
        allowed_memory=_allowed_memory(),
    )


def _limit(which: int) -> int | None:
    soft, _ = resource.getrlimit(which)
    return None if soft == resource.RLIM_INFINITY else soft


def control_group(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> list[Path]:
    """The folder of this process's control group (version 2) and those above it; none where there is no such."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return []
    path = next((line[3:] for line in lines if line.startswith("0::")), "")
    if not path:
        return []
    inner = root / path.lstrip("/")
    return [each for each in (inner, *inner.parents) if each == root or root in each.parents]


def _allowed_memory() -> int | None:
    return least(_read(folder / "memory.max") for folder in control_group())


def _allowed_cpus() -> int | None:
    return least(_read(folder / "cpu.max") for folder in control_group())


def least(texts: Any) -> int | None:
    """The least of limits as control groups write them: bytes, or `quota period` for thousandths of CPUs, or max."""
    found = []
    for text in texts:
        words = text.split()
        if words and words[0].isdecimal():
            amount = int(words[0])
            found.append(amount if len(words) == 1 else 1000 * amount // max(1, int(words[1])))
    return min(found, default=None)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _engine(env: Mapping[str, str]) -> str:
    """What the container engine says of itself, asked by its socket: a program without a daemon is none."""
    path = env.get("DOCKER_HOST", f"unix://{ENGINE}")
    if not path.startswith("unix://"):
        return ""
    request = b"GET /_ping HTTP/1.0\r\nHost: engine\r\n\r\n"
    try:
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(ANSWER_S)
            link.connect(path.removeprefix("unix://"))
            link.sendall(request)
            answer = link.recv(4096).decode("latin-1")
    except OSError:
        return ""
    head = dict(line.split(": ", 1) for line in answer.splitlines() if ": " in line)
    if " 200 " not in answer.partition("\n")[0]:
        return ""
    return head.get("Server", "a container engine").strip()


class _Asked:
    """The looks that ask daemons."""

    def __init__(self, env: Mapping[str, str], folder: Path, address: str, token_file: str) -> None:
        self._env = env
        self._folder = folder
        self._address = address
        self._token_file = token_file
        self._is_named = bool(address or env.get("GANGER_ADDR"))

    def master(self) -> Seen:
        """The master with its clock and its workers; without one, whether its port is free."""
        from ganger.calls import MasterCalls
        from ganger_core.settings import master_target

        address = self._address or self._env.get("GANGER_ADDR", "") or str(self._folder)
        try:
            target = master_target(
                {**self._env, "GANGER_ADDR": ""} if self._address else self._env,
                master=self._address,
                token_file=self._token_file,
                state_dir=self._folder,
            )
            address = target.address
            calls = MasterCalls(target, 0.0)
            version, now_ms = calls.master_says(ANSWER_S)
            here_ms = time.time_ns() / 1e6
            workers: list[tuple[str, str]] = []
            token = ""
            while True:
                page, token = calls.worker_page(token)
                workers += [(view.profile.name, view.state.value) for view in page]
                if not token:
                    break
        except GangerError as error:
            master = Master(address, error=error.message, is_named=self._is_named)
            return {"master": master, "listen_error": self._port()}
        ahead_s = (here_ms - now_ms) / 1000 if now_ms else None
        return {"master": Master(address, version), "ahead_s": ahead_s, "workers": workers}

    def planner(self) -> Seen:
        """The planner of this folder, where a daemon here has ever been."""
        from ganger.calls import answers
        from ganger_core.rpc.addresses import Target

        try:
            settings = load(MasterSettings, argparse.Namespace(), self._env)
            token = read_token(self._folder / TOKEN_NAME)
        except (GangerError, OSError):
            return {}
        address = settings.planner or unix_address(self._folder / PLANNER_SOCKET_NAME)
        there = answers(Target(address, token), ANSWER_S)
        return {"planner_error": "" if there else f"none answers at {address}"}

    def _port(self) -> str:
        """Why a master here could not listen where it is to; empty when it could."""
        try:
            listen = load(MasterSettings, argparse.Namespace(), self._env).listen
        except GangerError:
            return ""
        if not listen:
            return ""
        host, port = split_host_port(listen, "listen")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host.strip("[]"), int(port)))
        except OSError as error:
            return error.strerror or str(error)
        return ""
