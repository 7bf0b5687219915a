"""This module runs many seeds, on one core or on several, and sums up what came of them."""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

from simulation.run import Result, run_seed

CHUNK = 8  # seeds that a process takes at a time


def results(seeds: Sequence[int], *, jobs: int, stored: bool, only: str) -> Iterator[Result]:
    """What came of each seed, in order; with several `jobs` that many processes work at once."""
    run = partial(run_seed, stored=stored, only=only)
    if jobs == 1:
        yield from map(run, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(run, seeds, CHUNK)


@dataclass
class Summary:
    """Of the seeds so far."""

    start: int
    jobs: int
    done: int = 0
    failed: list[tuple[int, str]] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)
    virtual_s: float = 0.0
    cpu_s: float = 0.0
    began: float = field(default_factory=time.perf_counter)

    def take(self, result: Result) -> None:
        """One more seed."""
        self.done += 1
        self.faults.update(result.injected)
        self.checks.update(result.checks)
        self.virtual_s += result.virtual_s
        self.cpu_s += result.cpu_s
        if result.violation:
            self.failed.append((result.seed, result.violation))

    @property
    def real_s(self) -> float:
        """Since the first seed began, the starts of the processes included."""
        return time.perf_counter() - self.began

    def row(self) -> dict[str, object]:
        """The line that is printed."""
        real_s = self.real_s
        return {
            "what": "simulation",
            "seeds": self.done,
            "start": self.start,
            "jobs": self.jobs,
            "violations": len(self.failed),
            "failed_seeds": [seed for seed, _ in self.failed],
            "faults": dict(sorted(self.faults.items())),
            "checks": dict(sorted(self.checks.items())),
            "virtual_s": round(self.virtual_s),
            "real_s": round(real_s, 1),
            "cpu_s": round(self.cpu_s, 1),
            "seeds_per_s": round(self.done / real_s, 1),
            "times_real": round(self.virtual_s / real_s),
        }


def run_many(
    seeds: Sequence[int], *, jobs: int, stored: bool, only: str, seconds: float, keep_going: bool
) -> Iterator[tuple[Result, Summary]]:
    """Each result with the summary so far; stops at the first failure unless told to go on, and when time is over."""
    summary = Summary(seeds[0], jobs)
    with closing(results(seeds, jobs=jobs, stored=stored, only=only)) as coming:
        for result in coming:
            summary.take(result)
            yield result, summary
            if (result.violation and not keep_going) or summary.real_s > seconds:
                return
