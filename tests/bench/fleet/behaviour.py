"""This module decides how simulated workers behave: when they go away, in which way, and how long tasks run."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

LONGEST_RUN = 5.0  # times the mean


class Away(StrEnum):
    """How a worker goes away."""

    CUT = "cut"  # its connection breaks, and it dials again at once
    SILENCE = "silence"  # nothing is heard of it for a while; its attempts run on
    RESTART = "restart"  # a new start of its daemon on a host that was booted: its attempts are gone
    LATE = "late"  # it did not go away, but sent a heartbeat too late: this process was too busy


@dataclass(frozen=True, slots=True)
class Habits:
    """What is the same for all workers of a fleet. Seconds, and flaps of one worker a minute."""

    slots: int = 4
    mean_run_s: float = 30.0
    flaps_per_minute: float = 0.05
    silence_s: tuple[float, float] = (5.0, 60.0)
    restart_s: tuple[float, float] = (1.0, 5.0)


@dataclass(frozen=True, slots=True)
class Flap:
    """After so many seconds there, a worker goes away for so many."""

    after_s: float
    kind: Away
    away_s: float


def flaps(habits: Habits, rng: random.Random) -> Iterator[Flap]:
    """What one worker does, for ever: at random moments, each kind as often as the others."""
    while True:
        after_s = rng.expovariate(habits.flaps_per_minute / 60) if habits.flaps_per_minute else float("inf")
        kind = rng.choice((Away.CUT, Away.SILENCE, Away.RESTART))
        away_s = {
            Away.CUT: 0.0,
            Away.SILENCE: rng.uniform(*habits.silence_s),
            Away.RESTART: rng.uniform(*habits.restart_s),
        }[kind]
        yield Flap(after_s, kind, away_s)


def run_s(habits: Habits, rng: random.Random) -> float:
    """How long a task runs: many are short, a few long."""
    return min(rng.expovariate(1 / habits.mean_run_s), LONGEST_RUN * habits.mean_run_s)
