"""This module checks how a fleet behaves and is judged: habits are seeded, and every verdict can go both ways."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest

from bench.fleet.behaviour import LONGEST_RUN, Away, Habits, flaps, run_s
from bench.fleet.run import Plan, Seen
from bench.fleet.verdict import (
    Absence,
    LostAttempt,
    read_log,
    slope_per_minute,
    wrongly_counted_lost,
    wrongly_lost,
)
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import Event

LEASE_S = 300.0
LOST_AFTER_S = 30.0
MINUTE_MS = 60_000.0


def absence(kind: Away, seconds: float, *, worker: str = "w1") -> Absence:
    return Absence(worker, kind, 10 * MINUTE_MS, 10 * MINUTE_MS + 1e3 * seconds)


def lost_at(minute: float, *, assigned: float = 9) -> LostAttempt:
    return LostAttempt("1.1", "w1", assigned * MINUTE_MS, minute * MINUTE_MS)


def test_the_same_seed_gives_the_same_flaps() -> None:
    first, second = (list(itertools.islice(flaps(Habits(), random.Random(7)), 20)) for _ in range(2))  # noqa: S311
    assert first == second
    assert first != list(itertools.islice(flaps(Habits(), random.Random(8)), 20))  # noqa: S311


def test_workers_flap_as_often_as_asked_and_in_every_way() -> None:
    habits = Habits(flaps_per_minute=0.05)
    drawn = list(itertools.islice(flaps(habits, random.Random(1)), 3_000))  # noqa: S311
    minutes = sum(flap.after_s for flap in drawn) / 60
    assert 0.045 < len(drawn) / minutes < 0.055
    kinds = Counter(flap.kind for flap in drawn)
    assert set(kinds) == {Away.CUT, Away.SILENCE, Away.RESTART}
    assert min(kinds.values()) > 900
    silences = [flap.away_s for flap in drawn if flap.kind is Away.SILENCE]
    assert habits.silence_s[0] <= min(silences) < max(silences) <= habits.silence_s[1]
    assert {flap.away_s for flap in drawn if flap.kind is Away.CUT} == {0.0}


def test_without_flapping_a_worker_stays() -> None:
    assert next(flaps(Habits(flaps_per_minute=0), random.Random(1))).after_s == float("inf")  # noqa: S311


def test_run_times_have_the_mean_and_an_end() -> None:
    rng, habits = random.Random(1), Habits(mean_run_s=2.0)  # noqa: S311
    spans = [run_s(habits, rng) for _ in range(5_000)]
    assert 1.8 < sum(spans) / len(spans) < 2.2
    assert max(spans) <= LONGEST_RUN * 2.0


@pytest.mark.parametrize(
    ("away", "unjust"),
    [
        ([], True),
        ([absence(Away.RESTART, 3)], False),
        ([absence(Away.RESTART, 3, worker="w2")], True),
        ([absence(Away.CUT, 0.1)], True),
        ([absence(Away.SILENCE, 40)], True),
        ([absence(Away.SILENCE, LEASE_S)], False),
        ([absence(Away.CUT, 0.1), absence(Away.RESTART, 3)], False),
    ],
)
def test_an_attempt_is_lost_by_a_restart_or_a_silence_as_long_as_its_lease(
    away: list[Absence], unjust: bool
) -> None:
    assert bool(wrongly_lost([lost_at(11)], away, LEASE_S)) is unjust


@pytest.mark.parametrize(("lost", "unjust"), [(lost_at(9.5), True), (lost_at(20, assigned=11), True)])
def test_a_restart_explains_no_loss_before_it_and_none_of_a_later_attempt(
    lost: LostAttempt, unjust: bool
) -> None:
    assert bool(wrongly_lost([lost], [absence(Away.RESTART, 3)], LEASE_S)) is unjust


@pytest.mark.parametrize(("at_s", "unjust"), [(31, False), (45, False), (20, True), (70, True), (-5, True)])
def test_a_worker_counts_as_lost_while_it_is_silent_for_long_enough(at_s: float, unjust: bool) -> None:
    away = [absence(Away.SILENCE, 50)]
    counted = [("w1", 10 * MINUTE_MS + 1e3 * at_s)]
    assert bool(wrongly_counted_lost(counted, away, LOST_AFTER_S)) is unjust
    assert wrongly_counted_lost([("w2", counted[0][1])], away, LOST_AFTER_S)


def test_the_masters_log_says_how_long_cycles_took_and_who_was_lost() -> None:
    log = read_log(
        [
            '{"at": "1970-01-01T00:00:01.500Z", "event": "worker is silent and counts as lost", "worker": "w3"}',
            '{"event": "cycle", "took_ms": 1.25, "assigned": 3}',
            '{"event": "swept", "settled": 1}',
            "Traceback (most recent call last):",
            '{"event": "cycle", "took_ms": 7}',
        ]
    )
    assert log.cycles_ms == (1.25, 7.0)
    assert log.counted_lost == (("w3", 1500.0),)


@pytest.mark.parametrize(
    ("samples", "slope"),
    [
        ([], 0.0),
        ([(0, 5)], 0.0),
        ([(0, 100), (60, 110), (120, 120)], 10.0),
        ([(0, 0), (10, 900), (60, 1000), (90, 1000), (120, 1000)], 0.0),  # growth at the start is no leak
        ([(0, 50), (60, 40), (120, 30)], -10.0),
    ],
)
def test_growth_is_that_of_the_later_half(samples: list[tuple[float, float]], slope: float) -> None:
    assert slope_per_minute(samples) == pytest.approx(slope)


def test_events_say_what_ended_how_often_and_what_waits_again() -> None:
    seen = Seen()
    for seq, (task, state, token) in enumerate(
        [
            (1, TaskState.PENDING, 0),
            (1, TaskState.RUNNING, 1),
            (1, TaskState.PENDING, 1),
            (2, TaskState.SUCCEEDED, 1),
            (2, TaskState.SUCCEEDED, 1),
        ]
    ):
        seen.note(Event(seq + 1, 0, task, "me", state, token))
    assert (seen.ended, seen.requeued, seen.ended_twice) == ({2: TaskState.SUCCEEDED}, {1}, 1)


def test_a_plan_gives_the_master_its_times_and_tasks_their_shapes() -> None:
    plan = Plan(shapes=3, lost_after_s=2.5)
    flags = plan.flags()
    assert flags[flags.index("--lost-after-s") + 1] == "2.5"
    assert len({plan.spec(number).resources for number in range(9)}) == 3
