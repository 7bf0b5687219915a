"""This module checks `ganger planner solve`: what it prints, how it refuses, and every example of its page."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest

from ganger_core.domain.plan import PlanOptions
from ganger_core.settings import PlannerSettings
from ganger_planner import render, solve
from ganger_planner.plan import plan
from testkit.fleets import a_mixed_snapshot, a_snapshot, cpus_and_gib

REPOSITORY = Path(__file__).parents[3]
PAGE = (REPOSITORY / "docs" / "planner.md").read_text()
EXAMPLE = REPOSITORY / "docs" / "examples" / "snapshot.json"
JSON_BLOCKS = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]


def run_in_shell(command: str) -> str:
    """What the command prints, on both streams; `ganger planner` is this package."""
    ganger = f'ganger() {{ shift; {shlex.quote(sys.executable)} -m ganger_planner "$@"; }}'
    done = subprocess.run(
        ["bash", "-c", f"{ganger}; {command}"],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


def test_the_page_shows_what_programs_get() -> None:
    (command,) = re.findall(r"^\$ (.+ -o json .+)$", PAGE, re.MULTILINE)
    assert json.loads(run_in_shell(command)) == JSON_BLOCKS[1]


def test_the_page_shows_the_example_file() -> None:
    assert JSON_BLOCKS[0] == json.loads(EXAMPLE.read_text())


def test_the_page_lists_every_flag() -> None:
    listed = re.findall(r"^\| `--([a-z-]+)` \|", PAGE, re.MULTILINE)
    assert listed == [field.name.replace("_", "-") for field in fields(PlannerSettings)]


def test_the_table_keeps_to_a_hundred_columns() -> None:
    mixed = a_mixed_snapshot(3, workers=40, shapes=90, tasks_per_shape=11, busy=0.9)
    names = tuple(f"{'n' * 120}-{index}" for index in range(40))
    snapshot = replace(mixed, fleet=replace(mixed.fleet, worker_ids=names))
    lines = render.as_table(snapshot, plan(snapshot, PlanOptions())).splitlines()
    assert len(lines) > 100
    assert max(map(len, lines)) <= 100
    rows = [line.split()[0] for line in lines[1 : lines.index("")]]
    assert len(set(rows)) == len(rows) > 10


def test_reasons_are_in_plain_words() -> None:
    snapshot = a_snapshot(
        [cpus_and_gib(1, 0.5), cpus_and_gib(4, 8), cpus_and_gib(4, 8)],
        [(cpus_and_gib(2, 1), 3)],
        free=[cpus_and_gib(1, 0.5), cpus_and_gib(0.5, 8), cpus_and_gib(1.25, 8, 0)],
    )
    text = render.as_table(snapshot, plan(snapshot, PlanOptions()))
    assert text.startswith(
        "No task gets a worker.\n\nnot placed: 3 tasks 1-3, priority 50, asking for 2 CPUs and 1GiB\n"
    )
    assert (
        "  - 1 worker with 1 CPU, 512MiB and 1 slot: too small even when idle, short of 1 CPU and 512MiB\n"
        in text
    )
    assert "  - 2 workers with 4 CPUs, 8GiB and 1 slot: busy, the nearest is short of 1.5 CPUs\n" in text
    assert "value 0 of at most 0, gap 0.00 %: no plan is worth more (best-fit, 3 work units, seed 0)" in text


def test_without_workers_that_is_the_reason() -> None:
    snapshot = a_snapshot([], [(cpus_and_gib(1), 1)])
    assert "  - there is no worker\n" in render.as_table(snapshot, plan(snapshot, PlanOptions()))


def test_the_gap_is_shown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "snapshot.json"
    worker, task = {"name": "w", "cpus": 3, "memory": 0, "count": 2}, {"cpus": 2, "count": 3}
    file.write_text(json.dumps({"workers": [worker], "tasks": [task]}))
    assert solve.main(["-f", str(file)]) == 0
    assert "value 102 of at most 102, gap 0.00 %" in capsys.readouterr().out
    task_2 = {"cpus": 1.2, "priority": 49, "count": 3}
    file.write_text(json.dumps({"workers": [worker], "tasks": [task, task_2]}))
    assert solve.main(["-f", str(file), "-o", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert 0 < document["gap"] == (document["upper_bound"] - document["value"]) / document["upper_bound"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-f", "{}/absent.json"], "absent.json: No such file or directory"),
        (["-f", "{}"], "Is a directory"),
        (["-f", "{}/latin.json"], "latin.json: not UTF-8 at byte 1"),
        (["-f", "{}/wrong.json"], "wrong.json: worker: unknown key; did you mean 'workers'?"),
    ],
)
def test_wrong_input_ends_with_2(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "latin.json").write_bytes(b'"\xe9"')
    (tmp_path / "wrong.json").write_text('{"worker": []}')
    assert solve.main([argument.format(tmp_path) for argument in arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("ganger planner solve: ")
    assert message in err


@pytest.mark.parametrize(
    "arguments", [[], ["-f", "x", "-o", "xml"], ["-f", "x", "--seed", "-1"], ["-f", "x", "--seed", "a"]]
)
def test_wrong_usage_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        solve.main(arguments)
    assert ended.value.code == 2
    assert "usage: ganger planner solve" in capsys.readouterr().err
