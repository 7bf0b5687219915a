"""This module guards the disk: with little space left, what would only add to it is refused.

Submissions and log bytes wait; reports, cancels and everything else that ends work go on.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ganger_core.domain.clock import Clock
from ganger_core.domain.errors import Exhausted

LOOK_EVERY_S = 1.0
MIB = 2**20

FreeSpace = Callable[[], tuple[int, int]]
"""Bytes that are free to us, and bytes in all, of the disk with the state folder."""


@dataclass(frozen=True, slots=True)
class DiskFloor:
    """The least that stays free: so many bytes, and so many per cent of the disk."""

    least_bytes: int
    least_percent: int

    def bytes_of(self, total: int) -> int:
        """The floor of a disk of this size."""
        return max(self.least_bytes, total * self.least_percent // 100)


def free_space_of(folder: Path) -> FreeSpace:
    """Asks the file system of this folder."""

    def ask() -> tuple[int, int]:
        found = os.statvfs(folder)
        return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize

    return ask


class DiskGuard:
    """Looks at the disk once a second at most. Belongs to the edge's loop."""

    def __init__(self, free_space: FreeSpace, floor: DiskFloor, clock: Clock) -> None:
        self._free_space = free_space
        self._floor = floor
        self._clock = clock
        self._looked_s = float("-inf")
        self._refusal = ""

    def check(self) -> None:
        """Raise `Exhausted` (reason DISK_FULL) while less than the floor is free."""
        now_s = self._clock.now().steady_s
        if now_s - self._looked_s >= LOOK_EVERY_S:
            self._looked_s = now_s
            free, total = self._free_space()
            least = self._floor.bytes_of(total)
            self._refusal = _words(free, least) if free < least else ""
        if self._refusal:
            raise Exhausted(self._refusal, reason="DISK_FULL")


def _words(free: int, least: int) -> str:
    return (
        f"the master's disk is nearly full: {free // MIB} MiB are free, {least // MIB} MiB must stay; free some "
        "space there, or start the master with lower --least-free and --least-free-percent"
    )
