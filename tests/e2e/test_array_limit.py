"""This module runs an array of 2,000 whose limit changes meanwhile, and counts its elements by their own lines."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganger import TaskState
from ganger_worker.keeper import boottime
from testkit.processes import Cluster, a_cluster
from testkit.waiting import wait_until

pytestmark = pytest.mark.timeout(180)

ELEMENTS = 2_000
TICK_S = 0.01
ELEMENT = (
    'read -r line </proc/self/stat; set -- $line; echo "START ${22}" >>"$OUT"; '
    'case $GANGER_ARRAY_INDEX in *0 | *5) sleep 0.05 ;; esac; echo END >>"$OUT"'
)
"""The line that an element begins with has the moment of its creation, in ticks since the start of the machine. One in
five lives for a while, so that as many live at once as may."""


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with a_cluster() as cluster:
        cluster.start_planner()
        cluster.start_master()
        cluster.start_worker("w1", "--cpus", "16")
        yield cluster


def say(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(f"{text}\n")


def ended(path: Path) -> int:
    return path.read_text().count("END\n") if path.exists() else 0


def most_at_once(lines: list[str]) -> dict[int, int]:
    """The most elements that lived at once under each limit; fails where one began beyond the limit in force.

    A limit counts from its line on for those created after that; from the moment it is asked for, it may.
    """
    limits: list[int] = []  # that may be in force
    since_s = living = 0.0
    most: dict[int, int] = {}
    before: list[int] = []
    for line in lines:
        what, _, value = line.partition(" ")
        if what == "ASKED":
            limits.append(int(value))
        elif what == "LIMIT":
            before, limits, since_s = limits, limits[-1:], float(value)
        elif what == "END":
            living -= 1
        else:
            created_s = int(value) / os.sysconf("SC_CLK_TCK")
            may = max(limits if created_s > since_s + TICK_S else [*before, *limits])
            living += 1
            assert living <= may, f"{living:g} at once, {may} may"
            most[limits[-1]] = max(most.get(limits[-1], 0), int(living))
    assert not living
    return most


def test_never_more_elements_live_than_the_limit_then_in_force(cluster: Cluster) -> None:
    path = cluster.folder / "lines"
    say(path, "ASKED 4")
    say(path, f"LIMIT {boottime()}")
    with cluster.client() as client:
        array_id = client.submit_array(
            ["sh", "-c", ELEMENT], ELEMENTS, max_parallel=4, env={"OUT": str(path)}, cpus=1
        )
        for over, limit in ((500, 2), (1_000, 8)):
            wait_until(lambda: ended(path) >= over, 90, f"{over} are over")  # noqa: B023
            say(path, f"ASKED {limit}")
            assert client.update(array_id, max_parallel=limit)
            say(path, f"LIMIT {boottime()}")
        (array,) = client.wait([array_id], 90)
    assert array.state is TaskState.SUCCEEDED
    lines = path.read_text().splitlines()
    assert sum(line.startswith("START") for line in lines) == ELEMENTS
    most = most_at_once(lines)
    assert most[4] == 4
    assert most[2] in (2, 3, 4)  # those that lived when it came may go on
    assert 4 < most[8] <= 8
