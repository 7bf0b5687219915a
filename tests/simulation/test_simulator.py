"""This module runs the simulator's short profile: seeds that hold, seeds repeated, and planted bugs that are found."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from simulation.bugs import BUGS, planted
from simulation.faults import KINDS
from simulation.hunting import FOLDER, by_model, by_scenario, by_seeds
from simulation.many import results
from simulation.run import run_seed

CHUNK = 40
LANES = ("behind", "handed over", "asked back")
TESTS = Path(__file__).resolve().parents[1]

SEED = {
    "ack before commit": 1,
    "event published before commit": 1,
    "order told before commit": 1,
    "id issued again": 2,
    "repeated request not known": 1,
    "token unchecked": 4,
    "ended attempt moves again": 1,
    "cancelled task queued again": 2,
    "reservation released twice": 1,
    "capacity handed over and freed": 1,
    "behind starts at once": 1,
    "told assignment withdrawn on expiry": 2,
    "no lease margin": 22,
    "lease not enforced": 55,
    "duplicate order started": 1,
    "exits not kept for a restarted worker": 12,
    "keeper forgets what it left": 8,
    "aged attempt keeps its lease": 113,
    "task that was to fail is tried again": 9,
    "limit of an array forgotten": 1,
    "lower limit in force at once": 3,
    "elements behind others": 1,
    "element begins again": 1,
    "cancelled rest still waits": 25,
    "cordon forgotten at a restart": 11,
    "drained task ends": 31,
    "drained attempt not waited for": 31,
    "drained loss counts": 14,
    "hold is only noted": 2,
    "retries are not counted": 2,
    "what is after others runs at once": 2,
    "outputs of a late attempt stored": 22,
    "outputs removed on any refusal": 22,
    "outputs of an old attempt stay": 61,
    "ends are not looked for at the start": 26,
    "any end will do": 12,
    "unbegun elements end unheard": 25,
    "elements that are over already are not looked for": 2,
}
"""The seed that shows a bug. What changes the course of events may move it: then `--bugs` says where it went."""
MOST_SEEDS = 60

MODEL = {"read before its ticket": "tickets"}
SCENARIO = {
    "admission trusts the plan": "planner-dead",
    "lease from receipt time": "answer-read-late",
    "what has started is given back": "asked-back-after-it-started",
    "told orders wait for no lease": "order-long-on-its-way",
    "lease from before the wait": "order-waits-for-a-slow-commit",
    "numbers of orders begin anew unnoticed": "registration-twice",
    "no restart grace": "restart-grace",
    "second grace after a suspend": "suspended-host",
    "over is forgotten": "rejected-and-an-old-sync",
}
"""What shows the bugs that no seed shows soon."""


@pytest.mark.parametrize("first", range(1, 121, CHUNK))
def test_no_seed_breaks_an_invariant(first: int) -> None:
    faults: Counter[str] = Counter()
    checks: Counter[str] = Counter()
    virtual_s = cpu_s = 0.0
    for seed in range(first, first + CHUNK):
        result = run_seed(seed)
        assert not result.violation, f"seed {seed}: {result.violation} (make sim SEED={seed} shows how)"
        faults.update(result.injected)
        checks.update(result.checks)
        virtual_s += result.virtual_s
        cpu_s += result.cpu_s
    assert faults.keys() == set(KINDS)
    assert (
        min(
            checks[kind]
            for kind in (
                *("starts", "finals", "commits", "states", "lost", "elements", "arrays", "outputs"),
                *("after others", "skipped", "held for another", "element by element"),
                *LANES,
            )
        )
        > 0
    )
    assert virtual_s > 100 * cpu_s


@pytest.mark.parametrize("seed", [1001, 1002, 1003, 1004, 1005, 1006])
def test_on_the_real_store_every_load_gives_what_was_committed(seed: int) -> None:
    result = run_seed(seed, stored=True)
    assert not result.violation
    assert result.trace_hash == run_seed(seed).trace_hash  # the model of the disk makes no difference


def test_the_same_seed_gives_the_same_trace() -> None:
    here = run_seed(5, every_line=True)
    assert run_seed(5, every_line=True).lines == here.lines
    for hashes in ("1", "2"):  # another order of sets must not show
        env = {**os.environ, "PYTHONHASHSEED": hashes, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-m", "simulation", "--seed", "5"]
        there = subprocess.run(command, cwd=TESTS, env=env, capture_output=True, text=True, check=True)
        assert there.stdout.splitlines()[-1] == f"trace hash {here.trace_hash}"


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("bug", "seed"), SEED.items())
def test_a_planted_bug_breaks_an_invariant(bug: str, seed: int) -> None:
    assert by_seeds(bug, seed, MOST_SEEDS)


@pytest.mark.parametrize(("bug", "model"), MODEL.items())
def test_a_planted_bug_contradicts_a_model(bug: str, model: str) -> None:
    assert by_model(bug, model)


@pytest.mark.parametrize(("bug", "scenario"), SCENARIO.items())
def test_a_planted_bug_changes_a_scenario(bug: str, scenario: str) -> None:
    assert by_scenario(bug, FOLDER / f"{scenario}.txt")


def test_every_planted_bug_is_looked_for() -> None:
    assert {*SEED, *MODEL, *SCENARIO} == set(BUGS)
    assert len(BUGS) >= 15


def test_several_processes_find_what_one_does() -> None:
    def what(jobs: int) -> list[tuple[int, str]]:
        return [(r.seed, r.trace_hash) for r in results(range(1, 6), jobs=jobs, stored=False, only="")]

    assert what(2) == what(1)


def test_a_violation_is_told_with_its_trace() -> None:
    with planted("reservation released twice"):
        result = run_seed(1)
    assert result.violation.startswith("I12")
    assert result.lines[-1].endswith(result.violation)
