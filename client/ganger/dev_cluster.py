"""This module runs a whole cluster as child processes: master, planner and workers in one state folder.

The children have process groups of their own, so that Ctrl-C reaches only this process, which then stops
them in order: workers, master, planner. A child that ends by itself ends the cluster.
"""

from __future__ import annotations

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from ganger_core import state_dir
from ganger_core.domain.errors import GangerError, Invalid, Unavailable
from ganger_core.domain.parse import parse_cpus, parse_memory
from ganger_core.settings import SOCKET_NAME

if TYPE_CHECKING:
    from ganger.client import Client
    from ganger_core.domain.task import WorkerView

READY_WITHIN_S = 20.0
STOP_WITHIN_S = 15.0
LOOK_EVERY_S = 0.02
MOST_WORKERS = 64

# What would lead the children away from this cluster.
_NOT_PASSED_ON = frozenset(
    "GANGER_" + name for name in ("ADDR", "LISTEN", "MASTER", "NAME", "PLANNER", "STATE_DIR", "TOKEN_FILE")
)
_STOP_ORDER = ("ganger_worker", "ganger_master", "ganger_planner")


@dataclass(frozen=True, slots=True)
class DevOptions:
    """What the cluster looks like. `cpus` and `memory` are one value for all workers, one for each, or none."""

    state_dir: Path
    workers: int = 1
    cpus: tuple[str, ...] = ()
    memory: tuple[str, ...] = ()
    slots: int = 0
    listen: str = ""
    log_level: str = "warning"


@dataclass(frozen=True, slots=True)
class Child:
    """One process of the cluster: `python -m package arguments`."""

    name: str
    package: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Host:
    """What the machine has, to be shared out among several workers."""

    cpus: int
    memory_bytes: int


def this_host() -> Host:
    """What this machine has."""
    return Host(len(os.sched_getaffinity(0)), os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def plan_children(options: DevOptions, host: Host) -> tuple[Child, ...]:
    """The processes to start. One worker measures the machine; several share it evenly. Raises `Invalid`."""
    count = options.workers
    if not 1 <= count <= MOST_WORKERS:
        raise Invalid(f"--workers must be 1 to {MOST_WORKERS}, not {count}")
    for value in options.cpus:
        parse_cpus(value, "--cpus")
    for value in options.memory:
        parse_memory(value, "--mem")
    common = ("--state-dir", str(options.state_dir), "--log-level", options.log_level)
    listen = ("--listen", options.listen) if options.listen else ()
    cpus = _one_each("--cpus", options.cpus, count, str(max(1, host.cpus // count)))
    memory = _one_each("--mem", options.memory, count, str(host.memory_bytes // count))
    slots = ("--slots", str(options.slots)) if options.slots else ()
    workers = [
        Child(
            f"worker w{number + 1}",
            "ganger_worker",
            (*common, "--name", f"w{number + 1}", *cpus[number], *memory[number], *slots),
        )
        for number in range(count)
    ]
    return (
        Child("master", "ganger_master", (*common, *listen)),
        Child("planner", "ganger_planner", common),
        *workers,
    )


def _one_each(flag: str, given: Sequence[str], count: int, share: str) -> list[tuple[str, ...]]:
    """The worker flag for each of `count` workers; none for a single worker that was given nothing."""
    if len(given) not in (0, 1, count):
        raise Invalid(f"{flag} has {len(given)} values for {count} workers; give one, or one for each")
    if not given and count == 1:
        return [()]
    values = list(given) * (count if len(given) == 1 else 1) if given else [share] * count
    return [("--memory" if flag == "--mem" else flag, value) for value in values]


class ChildDied(GangerError):
    """A process of the cluster ended by itself."""

    reason = "CHILD_DIED"


class DevCluster:
    """The processes of one cluster. `start` returns once it serves, `run` on Ctrl-C, `stop` once all are gone."""

    def __init__(self, children: Sequence[Child], folder: Path, client: Client) -> None:
        self._children = children
        self._folder = folder
        self._client = client
        self._running: dict[str, _Running] = {}
        # Ends of children, and None for a signal. A SimpleQueue may be filled from a signal handler.
        self._news: queue.SimpleQueue[_Running | None] = queue.SimpleQueue()

    def start(self) -> list[WorkerView]:
        """Start everything; the workers once all have registered, or nothing when a signal came first.

        Raises `Conflict` when the folder is in use, `ChildDied`, and `Unavailable` after 20 seconds.
        """
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._signalled)
        state_dir.lock(self._folder / "master.lock", "master").release()  # or `Conflict`, naming who has it
        deadline = time.monotonic() + READY_WITHIN_S
        for child in self._children:
            if child.package != "ganger_worker":
                self._start(child)
        while (known := self._known_workers()) is None:
            if self._interrupted(deadline, "the master does not answer yet"):
                return []
        before = {worker.profile.id: worker.profile.incarnation for worker in known}
        for child in self._children:
            if child.package == "ganger_worker":
                self._start(child)
        while True:
            workers = [
                worker
                for worker in self._known_workers() or []
                if worker.profile.incarnation != before.get(worker.profile.id)
            ]
            if len(workers) == sum(child.package == "ganger_worker" for child in self._children):
                return workers
            if self._interrupted(deadline, "not all workers have registered yet"):
                return []

    def run(self) -> None:
        """Return when a signal came; raises `ChildDied` when a child ended by itself."""
        self._settle(self._news.get())

    def stop(self) -> list[str]:
        """Stop everything in order, each within 15 seconds; returns what did not stop as it should.

        Signals that come meanwhile change nothing.
        """
        problems = []
        for package in _STOP_ORDER:
            group = [
                each
                for each in self._running.values()
                if each.child.package == package and each.process.poll() is None
            ]
            for each in group:
                # A worker would drain at SIGTERM: finish its tasks, however long they take.
                each.process.send_signal(signal.SIGINT if package == "ganger_worker" else signal.SIGTERM)
            deadline = time.monotonic() + STOP_WITHIN_S
            for each in group:
                each.waiter.join(max(0.0, deadline - time.monotonic()))
                if each.waiter.is_alive():
                    each.process.kill()
                    each.waiter.join()
                    problems.append(f"the {each.child.name} did not stop within {STOP_WITHIN_S:g} s: killed")
                elif each.process.returncode:
                    problems.append(each.how_it_ended())
        return problems

    def _start(self, child: Child) -> None:
        process = subprocess.Popen(
            [sys.executable, "-m", child.package, *child.arguments],
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            env=children_env(os.environ),
            process_group=0,
        )
        self._running[child.name] = _Running(child, process, self._news)

    def _known_workers(self) -> list[WorkerView] | None:
        """The workers that the master knows; None while it does not answer."""
        with socket.socket(socket.AF_UNIX) as probe:  # far cheaper than a call that fails
            if probe.connect_ex(str(self._folder / SOCKET_NAME)) != 0:
                return None
        try:
            return list(self._client.workers())
        except Unavailable:
            return None

    def _interrupted(self, deadline: float, lacking: str) -> bool:
        """Wait a moment for news; whether a signal came. Raises `ChildDied`, and `Unavailable` after the deadline."""
        if time.monotonic() > deadline:
            raise Unavailable(f"{lacking}, {READY_WITHIN_S:g} s after the start; -v shows what the parts say")
        try:
            self._settle(self._news.get(timeout=LOOK_EVERY_S))
        except queue.Empty:
            return False
        return True

    def _settle(self, news: _Running | None) -> None:
        if news is not None:
            raise ChildDied(f"{news.how_it_ended()}; the rest is stopped")

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        self._news.put(None)


class _Running:
    """A child process and the thread that waits for its end."""

    def __init__(
        self, child: Child, process: subprocess.Popen[bytes], news: queue.SimpleQueue[_Running | None]
    ) -> None:
        self.child = child
        self.process = process
        self._news = news
        self.waiter = threading.Thread(target=self._wait, name=f"wait-{child.name}", daemon=True)
        self.waiter.start()

    def how_it_ended(self) -> str:
        """What its end looked like, once it has ended."""
        code = self.process.returncode
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return f"the {self.child.name} {how}"

    def _wait(self) -> None:
        self.process.wait()
        self._news.put(self)


def children_env(env: Mapping[str, str]) -> dict[str, str]:
    """The environment of the children: what says where a master is belongs to the flags alone."""
    return {name: value for name, value in env.items() if name not in _NOT_PASSED_ON}
