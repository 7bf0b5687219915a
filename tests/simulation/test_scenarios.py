"""This module plays the scenario files and compares what came of each with the outcome that stands in it.

`python -m simulation --scenario FILE` (in tests/) shows the whole trace of one, `--accept` writes its outcome anew:
read what changed before you commit that.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from simulation.bugs import planted
from simulation.scenario import ScenarioError, load, parse, written
from simulation.scripted import play

FOLDER = Path(__file__).parent / "scenarios"
FILES = sorted(FOLDER.glob("*.txt"))

SHOWS = {
    "order-long-on-its-way": "told orders wait for no lease",
    "order-waits-for-a-slow-commit": "lease from before the wait",
    "registration-twice": "numbers of orders begin anew unnoticed",
    "suspended-host": "second grace after a suspend",
    "answer-read-late": "lease from receipt time",
    "rejected-and-an-old-sync": "over is forgotten",
    "restart-grace": "no restart grace",
    "worker-returns-within-lease": "exits not kept for a restarted worker",
    "worker-returns-after-lease": "lease not enforced",
    "cancel-crosses-start": "cancelled task queued again",
    "killed-amid-a-commit": "ack before commit",
    "keeper-dies": "keeper forgets what it left",
    "planner-dead": "admission trusts the plan",
}
"""The bug that changes a scenario's outcome: each file here would catch that one."""

BAD = {
    "0 submit a\n0 fly a\n0 end": (2, "unknown verb fly"),
    "0 submit a\nsoon cancel a\n0 end": (2, "soon is no number"),
    "5 submit a\n4 cancel a\n9 end": (2, "4 is before the line above"),
    "0 cancel a\n0 end": (1, "nothing is named a"),
    "0 submit a\n0 submit a\n0 end": (2, "a was submitted before"),
    "# nothing\n\n0 kill w7\n0 end": (3, "w7 is no daemon"),
    "0 cut w1\n0 end": (1, "`cut` takes HOST HOST"),
    "0 kill w1 now\n0 end": (1, "`kill` takes DAEMON"),
    "0 submit a speed=3\n0 end": (1, "`submit` does not take speed=3"),
    "0 submit a seconds=long\n0 end": (1, "long is no number"),
    "0 submit a\nworld workers=2\n0 end": (2, "`world` comes first"),
    "0\n0 end": (1, "nothing that happens then"),
    "0 end\n1 submit a": (2, "nothing comes after `end`"),
    "0 submit a": (1, "finishes with `TIME end`"),
    "0 planner drunk\n0 end": (1, "drunk is no planner"),
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_scenario_comes_out_as_it_says(path: Path) -> None:
    scenario = load(path)
    played = play(scenario)
    assert played.outcome == scenario.expected
    assert not played.violation


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_scenario_played_twice_is_the_same(path: Path) -> None:
    assert play(load(path)).trace_hash == play(load(path)).trace_hash


@pytest.mark.parametrize(("name", "bug"), SHOWS.items())
def test_the_bug_that_a_scenario_is_about_shows(name: str, bug: str) -> None:
    scenario = load(FOLDER / f"{name}.txt")
    with planted(bug):
        assert play(scenario).outcome != scenario.expected


@pytest.mark.parametrize("text", BAD)
def test_a_line_without_sense_is_named(text: str) -> None:
    line, why = BAD[text]
    with pytest.raises(ScenarioError) as caught:
        parse(Path("bad.txt"), text)
    assert str(caught.value).startswith(f"bad.txt:{line}: ")
    assert why in str(caught.value)


def test_another_outcome_leaves_the_script_as_it_is() -> None:
    text = "# Why.\nworld workers=1\n0  submit a  # first\n\n9 end\n----\nold\n"
    again = written(parse(Path("x.txt"), text), ["new", "lines"])
    assert again == text.replace("old", "new\nlines")
    assert parse(Path("x.txt"), again).expected == ("new", "lines")
