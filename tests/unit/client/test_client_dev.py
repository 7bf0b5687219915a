"""This module checks which processes `ganger dev` starts, and with what."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ganger.cli.daemons import check_installed, daemon_env
from ganger.cli.dev import ready_lines
from ganger.cli.session import Session
from ganger.dev_cluster import DevOptions, Host, children_env, plan_children
from ganger_core.domain.errors import Invalid
from testkit.builders import a_worker
from testkit.client_master import a_worker_view

FOLDER = Path("/state")
HOST = Host(cpus=8, memory_bytes=16 * 2**30)
COMMON = ("--state-dir", "/state", "--log-level", "warning")


def test_one_worker_measures_the_machine() -> None:
    master, planner, worker = plan_children(DevOptions(FOLDER), HOST)
    assert (master.package, master.arguments) == ("ganger_master", COMMON)
    assert (planner.package, planner.arguments) == ("ganger_planner", COMMON)
    assert (worker.package, worker.arguments) == ("ganger_worker", (*COMMON, "--name", "w1"))


def test_several_workers_share_the_machine() -> None:
    workers = plan_children(DevOptions(FOLDER, workers=3, listen="127.0.0.1:7070", log_level="info"), HOST)
    assert workers[0].arguments[-2:] == ("--listen", "127.0.0.1:7070")
    assert "info" in workers[0].arguments
    assert [child.name for child in workers] == ["master", "planner", "worker w1", "worker w2", "worker w3"]
    for child in workers[2:]:
        assert child.arguments[-4:] == ("--cpus", "2", "--memory", str(16 * 2**30 // 3))


def test_a_small_machine_still_gives_each_worker_a_cpu() -> None:
    last = plan_children(DevOptions(FOLDER, workers=4), Host(2, 2**30))[-1]
    assert last.arguments[-4:] == ("--cpus", "1", "--memory", str(2**28))


def test_one_value_is_for_all_and_several_are_one_for_each() -> None:
    options = DevOptions(FOLDER, workers=2, cpus=("1", "4"), memory=("8GiB",), slots=3)
    first, second = plan_children(options, HOST)[2:]
    assert first.arguments[-6:] == ("--cpus", "1", "--memory", "8GiB", "--slots", "3")
    assert second.arguments[-6:] == ("--cpus", "4", "--memory", "8GiB", "--slots", "3")
    single = plan_children(DevOptions(FOLDER, cpus=("2",)), HOST)[2]
    assert single.arguments[-2:] == ("--cpus", "2")


@pytest.mark.parametrize(
    "options",
    [
        DevOptions(FOLDER, workers=0),
        DevOptions(FOLDER, workers=65),
        DevOptions(FOLDER, workers=3, cpus=("1", "2")),
        DevOptions(FOLDER, memory=("1G", "2G")),
        DevOptions(FOLDER, cpus=("many",)),
        DevOptions(FOLDER, memory=("much",)),
    ],
)
def test_what_cannot_be_shared_out_is_refused(options: DevOptions) -> None:
    with pytest.raises(Invalid):
        plan_children(options, HOST)


def test_children_are_not_led_to_another_master() -> None:
    env = {"GANGER_MASTER": "x:1", "GANGER_ADDR": "x:1", "GANGER_LEASE_S": "9", "PATH": "/bin"}
    assert children_env(env) == {"GANGER_LEASE_S": "9", "PATH": "/bin"}


def test_global_options_reach_a_daemon_by_its_environment() -> None:
    session = Session(state_dir="/s", token_file="/t", address="")
    assert daemon_env("ganger_master", session, {"A": "1"}) == {
        "A": "1",
        "GANGER_STATE_DIR": "/s",
        "GANGER_TOKEN_FILE": "/t",
    }
    away = Session(address="far:7070")
    assert daemon_env("ganger_worker", away, {}) == {"GANGER_MASTER": "far:7070"}
    with pytest.raises(Invalid, match="--listen"):
        daemon_env("ganger_master", away, {})


def test_what_is_missing_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    check_installed("ganger_worker")
    monkeypatch.setattr("ganger.cli.daemons.NEEDS", {"ganger_worker": ("no_such_module", "worker")})
    with pytest.raises(Invalid, match=r"needs no_such_module.*pip install 'ganger\[worker\]'"):
        check_installed("ganger_worker")


def test_ready_lines_lead_to_this_cluster() -> None:
    workers = [a_worker_view(a_worker("w1", cpus=1)), a_worker_view(a_worker("w2", cpus=2))]
    usual = ready_lines(DevOptions(FOLDER), workers, FOLDER)
    assert usual[0] == "ganger dev is ready"
    assert usual[2:4] == [
        "  workers       w1: 1 CPU, 8GiB memory, 16 tasks at the same time",
        "                w2: 2 CPUs, 8GiB memory, 16 tasks at the same time",
    ]
    assert not any("export" in line for line in usual)
    other = ready_lines(DevOptions(Path("/my state"), listen="127.0.0.1:7070"), workers, FOLDER)
    assert "  export GANGER_STATE_DIR='/my state'" in other
    tcp = "export GANGER_ADDR=127.0.0.1:7070 GANGER_TOKEN_FILE='/my state/token'"
    assert any(tcp in line for line in other)
    assert max(map(len, usual)) < 100


def test_this_host_has_something() -> None:
    from ganger.dev_cluster import this_host

    host = this_host()
    assert host.cpus == len(os.sched_getaffinity(0))
    assert host.memory_bytes > 2**26
