"""This module says who this worker is and what it offers: a stable id, the number of this start, its capacity."""

from __future__ import annotations

import importlib.metadata
import os
import secrets
import socket
from pathlib import Path

import psutil

from ganger_core.domain.errors import Invalid
from ganger_core.domain.resources import Resources
from ganger_core.domain.task import WorkerProfile
from ganger_core.settings import WorkerSettings

SLOTS_PER_CPU = 8
MEMORY_SHARE = 0.9  # of the host's memory; the rest is the system's and ours


def make_profile(settings: WorkerSettings, folder: Path) -> WorkerProfile:
    """What this start of the worker says of itself; counts the start. Raises `Invalid` and OSError."""
    return WorkerProfile(
        id=worker_id(folder),
        name=settings.name,
        incarnation=next_incarnation(folder),
        host=socket.gethostname(),
        boot_id=Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        capacity=capacity(settings),
        version=importlib.metadata.version("ganger"),
    )


def worker_id(folder: Path) -> str:
    """The id of the worker of this folder, made at its first start."""
    path = folder / "id"
    if not path.exists():
        _write_durably(path, f"w-{secrets.token_hex(8)}")
    return path.read_text().strip()


def next_incarnation(folder: Path) -> int:
    """A number higher than that of every start before, on disk when this returns."""
    path = folder / "incarnation"
    text = path.read_text().strip() if path.exists() else "0"
    if not text.isdecimal():
        raise Invalid(f"{path} is damaged: it must hold the number of starts, higher than ever used")
    _write_durably(path, str(int(text) + 1))
    return int(text) + 1


def capacity(settings: WorkerSettings) -> Resources:
    """What this worker offers: as set, else as measured."""
    cpu_milli = settings.cpus or 1000 * len(os.sched_getaffinity(0))
    memory = settings.memory or int(psutil.virtual_memory().total * MEMORY_SHARE)
    return Resources(cpu_milli, memory, settings.slots or max(1, SLOTS_PER_CPU * cpu_milli // 1000))


def _write_durably(path: Path, text: str) -> None:
    fresh = path.with_suffix(".new")
    with fresh.open("w") as file:
        file.write(f"{text}\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
