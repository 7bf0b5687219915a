"""This module checks the sentences that say why a task waits."""

from __future__ import annotations

import pytest

from ganger_core.domain.plan import GroupRefusal, RefusalCode
from ganger_core.domain.resources import Resources
from ganger_master.reasons import amounts, why_none, why_refused

GIB = 2**30
REQUEST = Resources(4000, 2 * GIB, 1)
SMALL = GroupRefusal(Resources(2000, 8 * GIB, 16), 3, RefusalCode.TOO_LARGE, Resources(2000, 0, 0))
TINY = GroupRefusal(Resources(1000, GIB, 8), 1, RefusalCode.TOO_LARGE, Resources(3000, GIB, 0))
BUSY = GroupRefusal(Resources(8000, 8 * GIB, 64), 2, RefusalCode.BUSY, Resources(0, GIB // 2, 0))
FULL = GroupRefusal(Resources(8000, 8 * GIB, 1), 1, RefusalCode.BUSY, Resources(1000, 0, 1))


@pytest.mark.parametrize(
    ("groups", "sentence"),
    [
        ([], "no worker is connected"),
        (
            [TINY, SMALL],
            "asks for more than any worker has: needs 4 CPUs and 2GiB; the nearest is short of 2 CPUs",
        ),
        ([BUSY], "waiting for capacity: 2 workers could run it, the nearest is short of 512MiB"),
        (
            [FULL, TINY],
            "waiting for capacity: 1 worker could run it, the nearest is short of 1 CPU and 1 slot; "
            "1 other is too small",
        ),
        (
            [SMALL, FULL, BUSY, TINY],
            "waiting for capacity: 3 workers could run it, the nearest is short of 512MiB; 4 others are too small",
        ),
    ],
)
def test_every_group_counts_and_the_nearest_is_named(groups: list[GroupRefusal], sentence: str) -> None:
    assert why_refused(REQUEST, groups) == sentence


def test_amounts_in_words() -> None:
    assert amounts(Resources(500, 0, 0)) == "0.5 CPUs"
    assert amounts(Resources(1000, 3 * GIB // 2, 2)) == "1 CPU and 1.5GiB and 2 slots"
    assert amounts(Resources()) == "nothing"


@pytest.mark.parametrize(
    ("resting", "sentence"),
    [
        ([], "no worker is connected"),
        (
            [("w1", "disk full")],
            "worker w1 refused what it was given last and is asked again within a minute: disk full",
        ),
        (
            [("w1", "disk full"), ("w2", "draining"), ("w3", "draining")],
            "worker w1, and 2 others too, refused what it was given last and is asked again within a minute: disk full",
        ),
    ],
)
def test_without_a_worker_those_that_rest_are_named(resting: list[tuple[str, str]], sentence: str) -> None:
    assert why_none(resting) == sentence
