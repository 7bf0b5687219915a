"""This module runs a small fleet that flaps a lot before a real master: all work is done, nothing lost unjustly."""

from __future__ import annotations

import pytest

from bench.fleet.behaviour import Habits
from bench.fleet.run import Plan, run

pytestmark = pytest.mark.timeout(120)  # on a machine that runs all other tests at the same time

# Seldom enough that no task is lost three times while it runs, which would make it fail, as it should.
HABITS = Habits(slots=2, mean_run_s=0.25, flaps_per_minute=15, silence_s=(0.5, 3.0), restart_s=(0.05, 0.3))
PLAN = Plan(
    workers=20,
    tasks=400,
    shapes=5,
    habits=HABITS,
    heartbeat_every_s=0.3,
    suspect_after_s=1,
    lost_after_s=1.5,
    cleanup_every_s=0.3,
    limit_s=90,
)


def test_a_flapping_fleet_does_all_its_work_and_loses_nothing_unjustly() -> None:
    line = run(PLAN)
    assert line["wrong"] == {}, line
    assert (line["tasks"], line["succeeded"]) == (400, 400)
    away = line["away"]
    assert isinstance(away, dict)
    assert {"cut", "silence", "restart"} <= set(away)
    for count in ("n", "heartbeats", "reports", "attempts_lost"):
        assert line[count], (count, line)
    assert isinstance(line["registrations"], int)
    assert line["registrations"] > 20  # some came back


def test_what_does_not_end_in_time_is_wrong() -> None:
    line = run(Plan(workers=1, tasks=3, habits=Habits(mean_run_s=600, flaps_per_minute=0), limit_s=0.5))
    assert line["wrong"] == {"tasks that did not succeed": 3}
