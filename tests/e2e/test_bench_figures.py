"""This module runs figures of the benchmark at a tiny size: that they measure what they say, not how fast that is."""

from __future__ import annotations

import json

import pytest

from bench.__main__ import main
from bench.peers import ENVIRONMENTS
from bench.profiled import KINDS, SHOWN
from bench.queueing import accept, accept_array, depth, depth_array
from bench.recovery import rerun, restart
from bench.running import noop, overtake
from bench.sizes import Sizes

pytestmark = pytest.mark.timeout(120)  # on a machine that runs all other tests at the same time

TINY = Sizes(
    noops=60,
    flood=300,
    urgent=2,
    distinct=300,
    arrays=2,
    shallow=40,
    deep=120,
    warm=20,
    window=40,
    windows=1,
    stored=50,
    restarts=1,
    reruns=1,
)


def test_no_ops_are_planned_by_the_planner_and_cost_every_process_something() -> None:
    wall, cpu = noop(TINY)
    assert (wall["n"], wall["planned_by_planner"]) == (60, 1.0)
    spent = wall["cpu_s"]
    assert isinstance(spent, dict)
    assert list(spent) == ["client", "master", "planner", "worker", "keeper", "tasks"]
    assert spent["master"] > 0
    assert wall["ratio"]
    assert cpu["value"]


def test_urgent_tasks_are_measured_while_the_flood_waits() -> None:
    (line,) = overtake(TINY)
    assert (line["n"], line["flood"], line["flood_outlasted_it"]) == (2, 300, True)


def test_what_waits_is_measured() -> None:
    accepted, memory = accept(TINY)
    assert (accepted["n"], memory["unit"]) == (300, "bytes/task")
    for figures in (depth(TINY), depth_array(TINY)):
        wall, cpu = figures
        assert (wall["n"], cpu["n"]) == (40, 40)
        assert wall["value"]


def test_arrays_are_accepted_and_measured() -> None:
    accepted, memory = accept_array(TINY)
    assert (accepted["n"], accepted["unit"], memory["unit"]) == (2, "ms", "bytes/array")
    assert accepted["value"]


def test_recoveries_are_measured() -> None:
    (line,) = restart(TINY)
    assert line["value"]
    (line,) = rerun(TINY)
    assert line["value"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_profile_follows_its_figure_with_a_line_of_each_daemon(
    kind: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(ENVIRONMENTS, raising=False)
    assert main(["--quick", "--only", "latency-paused", "--profile", kind]) == 0
    machine, figure, *profiles = map(json.loads, capsys.readouterr().out.splitlines())
    assert (machine["profiled"], figure["figure"], figure["n"]) == (kind, "latency-paused", 10)
    assert sorted(line["profile"] for line in profiles) == ["master", "planner", "worker"]
    (master,) = [line["cpu_s"] for line in profiles if line["profile"] == "master"]
    if kind == "threads":
        assert {"edge", "scheduler", "store"} <= set(master)
    else:
        assert len(master) == SHOWN
