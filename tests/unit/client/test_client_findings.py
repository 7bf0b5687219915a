"""This module checks how `ganger doctor` judges what it saw: a table of facts, each with what is to be said."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from ganger.findings import Clocks, Disk, Facts, Finding, Folder, Level, Limits, Master, judge, parts
from ganger.probes import _engine, _together, control_group, least

GIB = 2**30
VERSIONS = {
    "python": "3.12.1",
    "ganger": "0.1.0",
    "grpcio": "1.85.1",
    "protobuf": "6.33.6",
    "sqlite": "3.40.1",
}
LIMITS = Limits(None, None, 2000, None, GIB, None)
DISK = Disk(100 * GIB, 200 * GIB, GIB, 10**6, 10**7)
MASTER = Master("unix:/s/socket", "0.1.0")
FINE = Facts(
    versions=VERSIONS | {"ortools": "9.15", "psutil": "7.2"},
    folder=Folder("/s", exists=True),
    disk=DISK,
    clocks=Clocks(has_boot_clock=True, ahead_s=0.1),
    limits=LIMITS,
    engine="Docker/28 (linux)",
    listen="127.0.0.1:7070",
    master=MASTER,
    planner_error="",
    workers=[("w1", "UP")],
)
OK, WARNING, PROBLEM = Level.OK, Level.WARNING, Level.PROBLEM


def test_where_nothing_is_wrong_every_line_says_so_without_advice() -> None:
    findings = judge(FINE)
    assert {(each.level, each.advice) for each in findings} == {(OK, "")}
    assert [each.check for each in findings] == [
        *("python", "grpcio", "protobuf", "sqlite", "ganger", "ortools", "psutil", "port", "state folder"),
        *("disk", "inodes", "boot clock", "wall clock", "open files", "processes", "cpus", "memory"),
        *("containers", "master", "planner", "workers"),
    ]


@pytest.mark.parametrize(
    ("facts", "check", "level", "words"),
    [
        (replace(FINE, versions=VERSIONS | {"python": "3.10.9"}), "python", PROBLEM, "3.11 or later"),
        (replace(FINE, versions=VERSIONS | {"protobuf": "7.0.1"}), "protobuf", PROBLEM, "below 6.34"),
        (replace(FINE, versions=VERSIONS | {"sqlite": "3.34.0"}), "sqlite", PROBLEM, "3.38 or later"),
        (replace(FINE, versions=VERSIONS), "ortools", OK, "pip install 'ganger[planner]'"),
        (replace(FINE, settings_error="least_free: x"), "settings", PROBLEM, "least_free: x"),
        (replace(FINE, listen_error="Address already in use"), "port", PROBLEM, "another --listen"),
        (replace(FINE, folder=Folder("/s", False, "/s is no folder")), "state folder", PROBLEM, "no folder"),
        (replace(FINE, folder=Folder("/s", False)), "state folder", OK, "not there yet"),
        (replace(FINE, folder=Folder("/" + "s" * 99, True)), "sockets", PROBLEM, "115 bytes, and 107"),
        (replace(FINE, folder=Folder("/s", True, token_error="others")), "token", PROBLEM, "others"),
        (replace(FINE, disk=replace(DISK, free=GIB - 1)), "disk", PROBLEM, "below 1GiB a master takes"),
        (replace(FINE, disk=replace(DISK, free=2 * GIB - 1)), "disk", WARNING, "below 1GiB a master takes"),
        (replace(FINE, disk=replace(DISK, free_inodes=9)), "inodes", WARNING, "many small files"),
        (replace(FINE, disk=replace(DISK, free_inodes=0)), "inodes", PROBLEM, "0 of 10000000"),
        (replace(FINE, clocks=Clocks(False)), "boot clock", PROBLEM, "run workers on Linux"),
        (replace(FINE, clocks=Clocks(True, -7200.0)), "wall clock", WARNING, "2h00m behind the master's"),
        (replace(FINE, clocks=Clocks(True, 60.0)), "wall clock", WARNING, "1m00s ahead of the master's"),
        (replace(FINE, limits=replace(LIMITS, files=1024)), "open files", WARNING, "ulimit -n 4096"),
        (replace(FINE, limits=replace(LIMITS, processes=100)), "processes", WARNING, "ulimit -u 1024"),
        (replace(FINE, limits=replace(LIMITS, allowed_milli=500)), "cpus", WARNING, "--cpus 0.5"),
        (replace(FINE, limits=replace(LIMITS, allowed_memory=2**20)), "memory", WARNING, "--memory 1MiB"),
        (replace(FINE, engine=""), "containers", OK, "none answers; tasks run as processes"),
        (replace(FINE, engine="Docker/28"), "containers", OK, "Docker/28 answers; tasks run as processes"),
        (replace(FINE, master=replace(MASTER, error="nobody")), "master", WARNING, "nobody"),
        (replace(FINE, master=replace(MASTER, error="nobody", is_named=True)), "master", PROBLEM, "nobody"),
        (replace(FINE, master=replace(MASTER, version="0.2.3")), "master", WARNING, "version 0.2.3"),
        (replace(FINE, master=replace(MASTER, version="0.1.9")), "master", OK, "answers at"),
        (replace(FINE, planner_error="none answers at x"), "planner", WARNING, "ganger planner start"),
        (replace(FINE, workers=[]), "workers", WARNING, "none"),
        (replace(FINE, workers=[("a", "DRAINED"), ("b", "LOST")]), "workers", WARNING, "1 DRAINED, 1 LOST"),
        (replace(FINE, workers=[("a", "UP"), ("b", "LOST")]), "workers", WARNING, "ganger worker fence b"),
        (replace(FINE, late=["engine"]), "engine", WARNING, "no answer in time"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(facts: Facts, check: str, level: Level, words: str) -> None:
    found = [each for each in judge(facts) if each.check == check]
    assert [each.level for each in found] == [level]
    assert words in f"{found[0].found} {found[0].advice}"
    if level is not OK:
        others = {each for each in judge(facts) if each.check != check}
        assert {each.level for each in others} == {OK}
        assert found[0].advice or check in ("master", "state folder", "token")


def test_without_a_master_nobody_asks_for_a_planner_and_without_anything_there_is_nothing_to_say() -> None:
    lonely = replace(FINE, master=replace(MASTER, error="nobody"), planner_error="none answers", workers=None)
    assert [each.check for each in judge(lonely)][-1] == "master"
    assert judge(Facts()) == []
    assert Finding("x", OK, "y").advice == ""


def test_versions_are_compared_by_their_numbers() -> None:
    assert parts("3.11.0rc1") == (3, 11)
    assert parts("10.2") > parts("9.15.6755")


def test_a_look_that_hangs_is_left_alone_and_named() -> None:
    never = threading.Event()
    facts = _together({"engine": lambda: never.wait() and {}, "versions": lambda: {"engine": ""}}, 0.2)  # type: ignore[dict-item]
    assert facts.late == ("engine",)
    assert facts.engine == ""
    never.set()


def test_limits_of_control_groups_are_the_least_of_those_above(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("1:name=systemd:/x\n0::/a/b\n")
    root = tmp_path / "cgroup"
    assert control_group(root, own) == [root / "a" / "b", root / "a", root]
    assert control_group(root, tmp_path / "none") == []
    assert least(["max\n", "4096\n", "", "8192"]) == 4096
    assert least(["max 100000", "150000 100000"]) == 1500
    assert least(["max", ""]) is None


def test_a_program_without_a_daemon_is_no_engine(tmp_path: Path) -> None:
    assert _engine({"DOCKER_HOST": f"unix://{tmp_path / 'none'}"}) == ""
    assert _engine({"DOCKER_HOST": "tcp://127.0.0.1:1"}) == ""
