"""This module runs seeds, one world each, and says what came of them."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from simulation.world import World, simulated


@dataclass(frozen=True)
class Result:
    """What came of one seed. `violation` is empty when everything held."""

    seed: int
    violation: str
    trace_hash: str
    virtual_s: float
    real_s: float
    cpu_s: float
    steps: int
    lines: tuple[str, ...]
    injected: dict[str, int] = field(default_factory=dict)
    checks: Counter[str] = field(default_factory=Counter)


def run_seed(seed: int, *, stored: bool = False, every_line: bool = False, only: str = "") -> Result:
    """One world from its seed; `stored` puts the real store under the master, `only` allows one kind of fault."""
    began, cpu_began = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        world = World(seed, folder=Path(folder) if stored else None, every_line=every_line, only=only)
        violation = ""
        with simulated(world):
            try:
                world.run()
            except AssertionError as error:
                violation = str(error) or repr(error)
                world.trace("VIOLATION %s", violation)
    faults = getattr(world, "faults", None)
    return Result(
        seed,
        violation,
        world.trace_hash,
        world.loop.now,
        time.perf_counter() - began,
        time.process_time() - cpu_began,
        world.loop.steps,
        tuple(world.lines),
        faults.injected if faults else {},
        world.invariants.checks,
    )
