"""This module makes and prints figures: one JSON object a line on stdout, progress for people on stderr."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Line = dict[str, object]


@dataclass(frozen=True, slots=True)
class Floor:
    """What this machine allows at best, in the unit of the figure beside it."""

    what: str
    value: float


def figure(
    metric: str,
    n: int,
    value: float,
    unit: str,
    *,
    floor: Floor | None = None,
    cpu_s: Mapping[str, float] | None = None,
    **more: object,
) -> Line:
    """A figure of `n` things. With a floor, `ratio` says how many times the floor it is.

    It is null for a floor of 0: CPU time is counted in hundredths of a second, which is more than a little work takes.
    """
    line: Line = {"metric": metric, "n": n, "value": rounded(value), "unit": unit}
    if floor is not None:
        line["floor"] = {"what": floor.what, "value": rounded(floor.value)}
        line["ratio"] = rounded(value / floor.value) if floor.value else None
    if cpu_s is not None:
        line["cpu_s"] = {name: round(seconds, 3) for name, seconds in cpu_s.items()}
    return line | more


def rounded(value: float) -> float:
    """Four digits that mean something."""
    return float(f"{value:.4g}")


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of all do not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def tell(line: Line) -> None:
    """Print a line of JSON."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def progress(text: str) -> None:
    """Say what is going on."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
