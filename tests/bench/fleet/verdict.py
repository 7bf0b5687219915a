"""This module judges a fleet's run: what was lost without a cause, how long cycles took, whether memory grew."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from bench.fleet.behaviour import Away

SLACK_MS = 1_000.0  # between a worker's clock readings and the master's, on a busy machine
COUNTED_LOST = "worker is silent and counts as lost"


@dataclass(frozen=True, slots=True)
class Absence:
    """A worker was away: from its last sign of life to the next, in Unix milliseconds."""

    worker: str
    kind: Away
    from_ms: float
    to_ms: float

    @property
    def seconds(self) -> float:
        """How long it was."""
        return (self.to_ms - self.from_ms) / 1e3


@dataclass(frozen=True, slots=True)
class LostAttempt:
    """An attempt that the master wrote off, with when it had assigned it and when it wrote it off."""

    name: str
    worker: str
    assigned_ms: float
    ended_ms: float


@dataclass(frozen=True, slots=True)
class MasterLog:
    """What the master said: the duration of each cycle, and which workers it counted as lost when."""

    cycles_ms: tuple[float, ...]
    counted_lost: tuple[tuple[str, float], ...]


def read_log(lines: Iterable[str]) -> MasterLog:
    """From the master's log; what is no JSON object is left out."""
    cycles_ms: list[float] = []
    counted: list[tuple[str, float]] = []
    for line in _objects(lines):
        if line.get("event") == "cycle":
            cycles_ms.append(float(str(line["took_ms"])))
        elif line.get("event") == COUNTED_LOST:
            at = datetime.fromisoformat(str(line["at"]))
            counted.append((str(line["worker"]), 1e3 * at.timestamp()))
    return MasterLog(tuple(cycles_ms), tuple(counted))


def _objects(lines: Iterable[str]) -> Iterator[dict[str, object]]:
    for text in lines:
        if text.startswith("{"):
            yield json.loads(text)


def wrongly_lost(
    lost: Iterable[LostAttempt], absences: Sequence[Absence], lease_s: float
) -> list[LostAttempt]:
    """Lost attempts whose worker had neither forgotten them nor been silent as long as their lease."""
    causes = [a for a in absences if a.kind is Away.RESTART or a.seconds >= lease_s]
    return [
        attempt
        for attempt in lost
        if not any(
            a.worker == attempt.worker
            and attempt.assigned_ms <= a.to_ms + SLACK_MS
            and a.from_ms - SLACK_MS <= attempt.ended_ms
            for a in causes
        )
    ]


def wrongly_counted_lost(
    counted: Iterable[tuple[str, float]], absences: Sequence[Absence], lost_after_s: float
) -> list[tuple[str, float]]:
    """Workers that the master counted as lost although they had sent signs of life in time."""
    return [
        (worker, at_ms)
        for worker, at_ms in counted
        if not any(
            a.worker == worker and a.from_ms + 1e3 * lost_after_s - SLACK_MS <= at_ms <= a.to_ms + SLACK_MS
            for a in absences
        )
    ]


def slope_per_minute(samples: Sequence[tuple[float, float]]) -> float:
    """The growth a minute of (seconds, amount) over their later half, by least squares; 0 of fewer than two."""
    if not samples:
        return 0.0
    middle = (samples[0][0] + samples[-1][0]) / 2
    later = [sample for sample in samples if sample[0] >= middle]
    mean_s = sum(at for at, _ in later) / len(later)
    mean = sum(amount for _, amount in later) / len(later)
    spread = sum((at - mean_s) ** 2 for at, _ in later)
    if not spread:
        return 0.0
    return 60 * sum((at - mean_s) * (amount - mean) for at, amount in later) / spread
