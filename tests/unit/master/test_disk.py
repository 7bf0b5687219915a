"""This module checks the guard of the disk on scripted sizes."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganger_core.domain.clock import ManualClock
from ganger_core.domain.errors import Exhausted
from ganger_master.disk import MIB, DiskFloor, DiskGuard, free_space_of

GIB = 1024 * MIB


@pytest.mark.parametrize(
    ("free", "total", "full"),
    [
        (512 * MIB, 4 * GIB, False),
        (512 * MIB - 1, 4 * GIB, True),
        (5 * GIB, 100 * GIB, False),
        (5 * GIB - 1, 100 * GIB, True),
        (0, 0, True),
    ],
)
def test_the_floor_is_the_higher_of_bytes_and_percentage(free: int, total: int, full: bool) -> None:
    guard = DiskGuard(lambda: (free, total), DiskFloor(512 * MIB, 5), ManualClock())
    if full:
        with pytest.raises(Exhausted, match="free some space") as caught:
            guard.check()
        assert caught.value.reason == "DISK_FULL"
    else:
        guard.check()


def test_the_disk_is_looked_at_once_a_second_at_most() -> None:
    clock = ManualClock()
    looks: list[int] = []
    free = [GIB]

    def look() -> tuple[int, int]:
        looks.append(free[0])
        return free[0], 2 * GIB

    guard = DiskGuard(look, DiskFloor(512 * MIB, 0), clock)
    for _ in range(100):
        guard.check()
    free[0] = 0
    clock.advance(0.9)
    guard.check()
    assert len(looks) == 1
    clock.advance(0.1)
    for _ in range(2):
        with pytest.raises(Exhausted):
            guard.check()
    free[0] = GIB
    clock.advance(1)
    guard.check()
    assert len(looks) == 3


def test_the_size_of_a_real_disk(tmp_path: Path) -> None:
    free, total = free_space_of(tmp_path)()
    assert 0 <= free <= total
    assert total > 0
