"""This module holds what a campaign reports: one row, printed as one line of JSON, that can fail."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from crash.checkers import Finding

SHOWN = 20  # violations in a row


@dataclass(frozen=True, slots=True)
class Row:
    """The result of one campaign. `times_s` are what its p50 and p99 are taken of; `more` is shown as it is."""

    name: str
    seed: int
    trials: int
    faults: int
    finding: Finding
    times_s: Sequence[float] = ()
    more: Mapping[str, object] = field(default_factory=dict)

    @property
    def wrong(self) -> tuple[str, ...]:
        """Why this row fails; nothing when it holds. A row without a fault or a check fails."""
        empty = []
        if not self.faults:
            empty.append("no fault was injected")
        if not self.finding.checks:
            empty.append("nothing was checked")
        return (*empty, *self.finding.violations)

    def line(self) -> str:
        """The row as JSON."""
        shown = {
            "name": self.name,
            "trials": self.trials,
            "faults": self.faults,
            "checks": self.finding.checks,
            "violations": len(self.finding.violations),
            "p50_s": percentile(self.times_s, 50),
            "p99_s": percentile(self.times_s, 99),
            "seed": self.seed,
            **self.more,
        }
        return json.dumps(shown | ({"wrong": list(self.wrong[:SHOWN])} if self.wrong else {}))


def percentile(values: Sequence[float], percent: float) -> float | None:
    """The smallest value that at least `percent` of all do not exceed; None of nothing."""
    if not values:
        return None
    return round(sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)], 4)
