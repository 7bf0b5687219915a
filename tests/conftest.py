"""This module arranges a run of many tests: how many processes share the work, in which order, and what they reuse."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

LONGEST_FIRST = ("documents", "crash", "e2e", "integration", "simulation", "property", "packaging")
"""Folders with tests that take seconds: what begins last decides when all is over. The others keep their order."""

# A test starts daemons, some 500 in all: where they are not allowed to keep what they compile, each does it again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_xdist_auto_num_workers() -> int | None:
    """`-n auto`: half as many again as there are processors, because half of the time tests wait for something.

    PYTEST_XDIST_AUTO_NUM_WORKERS stands above that.
    """
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    cores = len(os.sched_getaffinity(0))
    return cores + (cores + 1) // 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the folders with long tests first."""
    here = Path(__file__).parent

    def rank(item: pytest.Item) -> int:
        folder = item.path.relative_to(here).parts[0]
        return LONGEST_FIRST.index(folder) if folder in LONGEST_FIRST else len(LONGEST_FIRST)

    items.sort(key=rank)
