"""This module checks the parts of the demo that do not need a cluster."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from ganger import TaskState

# Looked for only: to load it costs a second in each process that shares in the tests.
if importlib.util.find_spec("sklearn") is None:
    pytest.skip("the demo's extra is not installed", allow_module_level=True)

DEMO = Path(__file__).resolve().parents[3] / "demo"


@pytest.fixture(scope="module")
def demo() -> ModuleType:
    spec = importlib.util.spec_from_file_location("demo_run", DEMO / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["demo_run"] = module  # where its dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


def a_run(
    demo: ModuleType, task_id: int, worker: str, started: int, finished: int, **result: float
) -> object:
    return demo.Ran(task_id, TaskState.SUCCEEDED, worker, started, finished, result, "")


def test_a_training_reads_digits_and_its_last_line_says_how_well() -> None:
    command = [sys.executable, str(DEMO / "digits.py"), "--lr", "0.1", "--reg", "0", "--seed", "1"]
    trained = subprocess.run(command, capture_output=True, text=True, timeout=50, check=True)
    result = json.loads(trained.stdout.splitlines()[-1])
    assert (result["lr"], result["reg"], result["seed"]) == (0.1, 0.0, 1)
    assert 0.93 < result["accuracy"] < 1


def test_there_are_24_trainings_of_one_cpu_each(demo: ModuleType) -> None:
    specs = demo.trainings()
    assert len(specs) == 24
    assert len({spec.command for spec in specs}) == 24
    assert {spec.resources.cpu_milli for spec in specs} == {1000}


def test_the_chart_shows_what_ran_side_by_side(demo: ModuleType) -> None:
    ran = [
        a_run(demo, 1, "w1", 1000, 1500),
        a_run(demo, 2, "w1", 1250, 2000),
        a_run(demo, 3, "w2", 1500, 2000),
        a_run(demo, 4, "w1", 1500, 2000),
    ]
    width = demo.GANTT_WIDTH
    half, quarter = width // 2, width // 4
    assert demo.gantt(ran)[:3] == [
        f"      w1 {'▐1'.ljust(half, '█')}{'▐4'.ljust(half, '█')}",
        f"         {' ' * quarter}{'▐2'.ljust(width - quarter, '█')}",
        f"      w2 {' ' * half}{'▐3'.ljust(half, '█')}",
    ]
    assert demo.gantt(ran)[3].endswith("1.0s")
    assert demo.gantt([]) == []


def test_the_best_setting_stands_on_top(demo: ModuleType) -> None:
    ran = [
        a_run(demo, 1, "w1", 0, 1, lr=0.1, reg=0.0, seed=0, accuracy=0.5),
        a_run(demo, 2, "w1", 0, 1, lr=0.1, reg=0.0, seed=1, accuracy=0.7),
        a_run(demo, 3, "w1", 0, 1, lr=0.2, reg=0.0, seed=0, accuracy=0.9),
    ]
    table = demo.accuracies(ran)
    columns = [list(column.cells) for column in table.columns]
    assert columns[0] == ["0.2", "0.1"]
    assert columns[2:] == [["90.0%", "50.0%"], ["–", "70.0%"], ["90.0%", "60.0%"], ["3", "1 2"]]
