"""This module tests what a worker says of itself."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from ganger_core.domain.errors import Invalid
from ganger_core.domain.resources import Resources
from ganger_core.domain.validate import check_profile
from ganger_core.settings import WorkerSettings
from ganger_worker.identity import capacity, make_profile


def test_the_id_stays_and_the_incarnation_grows(tmp_path: Path) -> None:
    settings = WorkerSettings(tmp_path, name="w1")
    first, second = make_profile(settings, tmp_path), make_profile(settings, tmp_path)
    check_profile(first)
    assert first.id == second.id
    assert (first.incarnation, second.incarnation) == (1, 2)
    assert make_profile(settings, make(tmp_path / "other")).id != first.id


def make(path: Path) -> Path:
    path.mkdir()
    return path


def test_a_damaged_incarnation_is_not_guessed(tmp_path: Path) -> None:
    (tmp_path / "incarnation").write_text("")
    with pytest.raises(Invalid, match="incarnation is damaged"):
        make_profile(WorkerSettings(tmp_path, name="w1"), tmp_path)


def test_capacity_is_measured_or_as_set(tmp_path: Path) -> None:
    cpus = len(os.sched_getaffinity(0))
    measured = capacity(WorkerSettings(tmp_path, name="w1"))
    assert (measured.cpu_milli, measured.slots) == (1000 * cpus, 8 * cpus)
    assert 0.89 < measured.memory_bytes / psutil.virtual_memory().total < 0.91
    given = WorkerSettings(tmp_path, name="w1", cpus=1500, memory=2**30, slots=3)
    assert capacity(given) == Resources(1500, 2**30, 3)
    assert capacity(WorkerSettings(tmp_path, name="w1", cpus=100)).slots == 1
