"""This module reads CPU time and memory of a cluster's processes."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

from testkit.processes import Cluster
from testkit.worker_daemon import holder_of

ROLES = ("client", "master", "planner", "worker", "keeper", "tasks")


class Meter:
    """CPU seconds by role since it was made: this process is the client, `tasks` what keepers have reaped.

    A process that begins later counts nothing; a role whose process has ended meanwhile is left out.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._processes = [("client", psutil.Process(os.getpid()))]
        for name, daemon in cluster.daemons.items():
            if daemon.process.poll() is None:
                role = name if name in ROLES else "worker"
                self._processes.append((role, psutil.Process(daemon.process.pid)))
        self._processes += [("keeper", psutil.Process(pid)) for pid in keepers(cluster.folder)]
        self._before = self._read()

    def cpu_s(self) -> dict[str, float]:
        """By role."""
        return {role: seconds - self._before[role] for role, seconds in self._read().items()}

    def _read(self) -> dict[str, float]:
        seconds = dict.fromkeys(ROLES, 0.0)
        gone = set()
        for role, process in self._processes:
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                gone |= {role, "tasks"} if role == "keeper" else {role}
                continue
            seconds[role] += times.user + times.system
            if role == "keeper":
                seconds["tasks"] += times.children_user + times.children_system
        return {role: value for role, value in seconds.items() if role not in gone}


def keepers(folder: Path) -> list[int]:
    """The process ids of the keepers of this state folder."""
    return [holder_of(lock) for lock in sorted(folder.glob("workers/*/keeper.lock"))]


def master_cpu_s(cluster: Cluster) -> float:
    """CPU seconds of the master since its start."""
    times = psutil.Process(cluster.daemons["master"].process.pid).cpu_times()
    return float(times.user + times.system)


def master_rss(cluster: Cluster) -> int:
    """Bytes of memory that the master has resident."""
    return int(psutil.Process(cluster.daemons["master"].process.pid).memory_info().rss)
