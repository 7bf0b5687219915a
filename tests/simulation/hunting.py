"""This module plants each bug and looks for it with every layer: seeds, scenarios, and the models of tests/property."""

from __future__ import annotations

import importlib
import io
import logging
import multiprocessing
import sys
import time
import unittest
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import Phase, settings

from simulation.bugs import BUGS, planted
from simulation.run import run_seed
from simulation.scenario import load
from simulation.scripted import play

MOST_SEEDS = 200
FOLDER = Path(__file__).parent / "scenarios"
MODELS = {
    "queue": ("test_master_queue", "QueueMachine"),
    "leases": ("test_master_leases", "Leases"),
    "tokens": ("test_master_tokens", "Tokens"),
    "tickets": ("test_master_gate", "Tickets"),
    "events": ("test_master_feed", "Events"),
    "requests": ("test_master_requests", "Requests"),
}
"""Module and machine, by the name of the model."""


@dataclass(frozen=True)
class Found:
    """What found a bug, after how many tries, and in how many seconds."""

    by: str
    tries: int
    seconds: float


def by_seeds(bug: str, start: int = 1, most: int = MOST_SEEDS) -> Found | None:
    """The first seed that breaks an invariant."""
    began = time.perf_counter()
    with planted(bug):
        for seed in range(start, start + most):
            violation = run_seed(seed).violation
            if violation:
                return Found(
                    f"seed {seed}, {violation.split()[0]}", seed - start + 1, time.perf_counter() - began
                )
    return None


def by_scenarios(bug: str) -> Found | None:
    """The first scenario that comes out otherwise."""
    began = time.perf_counter()
    for tries, path in enumerate(sorted(FOLDER.glob("*.txt")), start=1):
        if by_scenario(bug, path):
            return Found(path.stem, tries, time.perf_counter() - began)
    return None


def by_scenario(bug: str, path: Path) -> bool:
    """Whether this one comes out otherwise."""
    scenario = load(path)
    with planted(bug):
        return play(scenario).outcome != scenario.expected


def by_models(bug: str) -> Found | None:
    """The model that finds it with the fewest examples."""
    found = [model for name in MODELS if (model := by_model(bug, name))]
    return min(found, key=lambda each: each.tries, default=None)


def by_model(bug: str, name: str) -> Found | None:
    """This model, as it stands in the tests, with the same examples every time."""
    module, machine = MODELS[name]
    made: Any = getattr(importlib.import_module(f"property.{module}"), machine)
    case = made.TestCase
    case.settings = settings(
        case.settings, phases=[Phase.generate], database=None, derandomize=True, report_multiple_bugs=False
    )
    examples = 0
    failed_at: list[int] = []
    begin: Callable[..., None] = made.__init__

    def count(self: Any) -> None:
        nonlocal examples
        examples += 1
        begin(self)

    made.__init__ = count
    began = time.perf_counter()
    try:
        with planted(bug):
            cases = unittest.defaultTestLoader.loadTestsFromTestCase(case)
            result = unittest.TextTestRunner(stream=io.StringIO()).run(cases)
        if not result.wasSuccessful():
            failed_at.append(examples - 1)  # the last one is the failing one, repeated
    finally:
        made.__init__ = begin
    return Found(name, failed_at[0], time.perf_counter() - began) if failed_at else None


def hunt(jobs: int) -> int:
    """Print the table of the docs; exit status 1 when a bug was found by nothing."""
    _write("| bug | seeds | scenarios | models |", "| --- | --- | --- | --- |")
    status = 0
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for bug, found in zip(BUGS, pool.imap(look_for, BUGS), strict=True):
            if not any(found):
                status = 1
            _write("| " + " | ".join((bug, _seeds(found[0]), _scenario(found[1]), _model(found[2]))) + " |")
    return status


def look_for(bug: str) -> tuple[Found | None, Found | None, Found | None]:
    """What finds it: seeds, scenarios, models."""
    logging.getLogger("ganger").addHandler(logging.NullHandler())
    logging.getLogger("ganger").propagate = False
    return by_seeds(bug), by_scenarios(bug), by_models(bug)


def _seeds(found: Found | None) -> str:
    return f"{found.by}: {found.tries} in {found.seconds:.1f} s" if found else f"not in {MOST_SEEDS}"


def _scenario(found: Found | None) -> str:
    return f"`{found.by}`" if found else "–"


def _model(found: Found | None) -> str:
    return f"{found.by}: {found.tries} examples, {found.seconds:.1f} s" if found else "–"


def _write(*lines: str) -> None:
    sys.stdout.write("\n".join((*lines, "")))
    sys.stdout.flush()
