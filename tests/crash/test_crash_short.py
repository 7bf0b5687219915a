"""This module runs the crash campaign in its short profile: few trials, leases of 2 s, heartbeats every 0.3 s.

Each test also demands that what it is about did happen: kills with a submission under way, exits of attempts while
their worker was dead, requeues after a lease, late reports refused.
"""

from __future__ import annotations

import pytest

from crash.arrays import arrays
from crash.clock_jump import clock_jump
from crash.disk_full import disk_full
from crash.every_write import every_write, write_errors
from crash.master_kill import master_kill
from crash.partition import partition
from crash.planner_faults import planner_faults
from crash.row import Row
from crash.short_tasks import short_tasks
from crash.worker_faults import FREEZE_LEASE_S, keeper_kill, worker_freeze, worker_kill
from testkit.requires import requires

pytestmark = pytest.mark.timeout(180)  # on a machine that runs all other tests at the same time


def count(row: Row, what: str) -> int:
    number = row.more[what]
    assert isinstance(number, int)
    return number


def test_a_killed_master_loses_and_doubles_nothing() -> None:
    row = master_kill(6, seed=3, stored=500, per_s=120, least_per_s=20)  # other tests run beside it
    assert row.wrong == (), row.line()
    assert count(row, "kills_in_flight") >= 3


def test_a_restarted_worker_adopts_what_lives_and_what_ended_meanwhile() -> None:
    row = worker_kill(2, seed=3, lease_s=FREEZE_LEASE_S)
    assert row.wrong == (), row.line()
    assert count(row, "adopted_after_exit") >= 5


def test_attempts_of_a_stopped_worker_end_with_their_lease_and_late_reports_are_refused() -> None:
    row = worker_freeze(1, seed=3, fleet=2)
    assert row.wrong == (), row.line()
    assert count(row, "requeued") >= 3
    assert count(row, "refused_reports") >= 3
    assert count(row, "overlap_ms") == 0


def test_attempts_of_a_killed_keeper_are_ended_and_tried_again_at_once() -> None:
    row = keeper_kill(2, seed=3)
    assert row.wrong == (), row.line()
    assert count(row, "requeued") == 8


def test_a_master_killed_in_the_middle_of_a_write_recovers() -> None:
    requires("strace")
    row = every_write(4, seed=3)
    assert row.wrong == (), row.line()
    assert row.faults == 4


def test_a_write_that_fails_ends_the_master_and_acknowledges_nothing() -> None:
    requires("strace")
    row = write_errors(4, seed=3)
    assert row.wrong == (), row.line()
    assert row.faults == 4


def test_work_goes_on_while_the_planner_is_killed_or_stopped() -> None:
    row = planner_faults(2, seed=3)
    assert row.wrong == (), row.line()
    assert row.faults == 2


def test_a_partition_shorter_than_the_lease_changes_nothing() -> None:
    requires("netns")
    row = partition(1, seed=3)
    assert row.wrong == (), row.line()
    assert row.more["cuts"] == {"to-master, shorter": 1}


def test_full_disks_lose_nothing() -> None:
    requires("power-cut")
    row = disk_full(3, seed=3)
    assert row.wrong == (), row.line()
    assert row.more["filled"] == {"guarded master": 1, "unguarded master": 1, "worker": 1}


def test_a_jump_of_the_wall_clock_changes_nothing() -> None:
    requires("faketime")
    row = clock_jump(2, seed=3)
    assert row.wrong == (), row.line()
    assert row.more["jumps"] == {"master": 1, "w1": 1}


def test_tasks_that_wait_behind_others_run_once_when_something_is_killed() -> None:
    row = short_tasks(3, seed=3)
    assert row.wrong == (), row.line()
    assert row.more["killed"] == {"worker": 1, "keeper": 1, "master": 1}


def test_arrays_stay_within_their_limits_whatever_is_killed() -> None:
    row = arrays(3, seed=3)
    assert row.wrong == (), row.line()
