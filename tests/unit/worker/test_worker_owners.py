"""This module tests to which attempt a process belongs."""

from __future__ import annotations

import os
import subprocess
import sys

from ganger_worker.keeper_process import MARK, Process, mark_of, owners, survey

ME = "w-1"


def process(parent: int, session: int, mark: str = "") -> Process:
    return Process(parent, session, mark)


def test_by_mark_by_session_by_parent_in_this_order() -> None:
    table = {
        1: process(0, 1),
        10: process(1, 10),  # the keeper
        20: process(10, 20, mark_of(ME, (5, 1))),
        21: process(20, 20),  # forgot its mark, kept its session
        22: process(20, 22, mark_of(ME, (5, 1))),  # a session of its own
        23: process(22, 23),  # a session of its own and no mark, below the one before
        24: process(23, 23),
        30: process(10, 30, mark_of(ME, (6, 2))),
        31: process(30, 20, mark_of(ME, (6, 2))),  # marked one, in the other's session
        40: process(1, 40),  # somebody else's
        41: process(40, 40, mark_of("w-2", (5, 1))),  # another worker's
    }
    assert owners(table, ME, {20: (5, 1)}) == {
        20: (5, 1),
        21: (5, 1),
        22: (5, 1),
        23: (5, 1),
        24: (5, 1),
        30: (6, 2),
        31: (6, 2),
    }


def test_a_worker_inside_an_attempt_belongs_to_it_with_all_it_runs() -> None:
    table = {
        20: process(10, 20, mark_of(ME, (5, 1))),
        50: process(20, 50, mark_of(ME, (5, 1))),  # the inner keeper
        51: process(50, 51, mark_of("w-inner", (1, 1))),
    }
    assert owners(table, ME, {20: (5, 1)}) == dict.fromkeys(table, (5, 1))


def test_nonsense_in_a_mark_and_circles_are_borne() -> None:
    table = {
        20: process(21, 20, f"{ME}:x.1"),
        21: process(20, 21, f"{ME}:7"),
        22: process(999, 22, f"{ME}:-7.1"),
    }
    assert owners(table, ME, {}) == {}


def test_a_survey_sees_a_real_process_and_its_mark() -> None:
    env = {**os.environ, MARK: mark_of(ME, (5, 1))}
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], env=env, stdin=subprocess.PIPE, start_new_session=True
    ) as child:
        seen = survey()
        assert seen[child.pid].parent == os.getpid()
        assert os.getpid() in seen
        child.kill()
    assert child.pid not in survey()
