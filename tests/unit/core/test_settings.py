"""This module tests where settings come from, and that a wrong one is said with the name of its source."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from ganger_core.domain.errors import Invalid
from ganger_core.domain.validate import check_worker_name
from ganger_core.rpc.addresses import Target
from ganger_core.settings import (
    MasterSettings,
    PlannerSettings,
    WorkerSettings,
    add_flags,
    default_state_dir,
    host_worker_name,
    load,
    master_target,
)
from ganger_core.state_dir import read_or_make_token

ALL = [MasterSettings, PlannerSettings, WorkerSettings]


def read(cls: Any, folder: Path, flags: Sequence[str] = (), **env: str) -> Any:
    """Settings as a daemon reads them, with `folder` as its state folder."""
    parser = argparse.ArgumentParser()
    add_flags(parser, cls)
    return load(cls, parser.parse_args(flags), {"GANGER_STATE_DIR": str(folder), **env})


def refused(cls: Any, folder: Path, flags: Sequence[str] = (), **env: str) -> str:
    with pytest.raises(Invalid) as caught:
        read(cls, folder, flags, **env)
    return caught.value.message


def test_defaults(tmp_path: Path) -> None:
    assert read(MasterSettings, tmp_path) == MasterSettings(
        state_dir=tmp_path,
        listen="",
        planner="",
        cycle_every_s=5.0,
        ageing_per_hour=1.0,
        ageing_most=20.0,
        plan_deadline_s=1.0,
        heartbeat_every_s=5.0,
        suspect_after_s=15.0,
        lost_after_s=30.0,
        cleanup_every_s=10.0,
        lease_s=300.0,
        reservation_s=30.0,
        stop_grace_s=30.0,
        keep_ended_s=14 * 86_400.0,
        keep_failed_s=30 * 86_400.0,
        keep_events_s=14 * 86_400.0,
        keep_requests_s=86_400.0,
        prune_every_s=600.0,
        least_free=512 * 2**20,
        least_free_percent=5,
        busy_timeout_s=30.0,
        log_level="info",
    )
    assert read(PlannerSettings, tmp_path) == PlannerSettings(tmp_path, "", "", 8, "info")
    assert read(WorkerSettings, tmp_path) == WorkerSettings(
        tmp_path, host_worker_name(), "", "", 0, 0, 0, "info"
    )


def test_flag_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    (tmp_path / "ganger.toml").write_text(
        '[master]\nlease_s = 60\nlog_level = "error"\nstop_grace_s = "1m30s"\n'
    )
    settings = read(
        MasterSettings,
        tmp_path,
        ["--lease-s", "2m", "--cycle-every-s=0.5"],
        GANGER_LEASE_S="90",
        GANGER_LOG_LEVEL="debug",
    )
    assert (settings.lease_s, settings.log_level, settings.stop_grace_s) == (120.0, "debug", 90.0)
    assert (settings.cycle_every_s, settings.lost_after_s) == (0.5, 30.0)


def test_people_write_amounts_as_they_like(tmp_path: Path) -> None:
    (tmp_path / "ganger.toml").write_text('[worker]\ncpus = 1.5\nmemory = "8GiB"\nslots = 3\nname = "w-1"\n')
    settings = read(WorkerSettings, tmp_path)
    assert (settings.cpus, settings.memory, settings.slots, settings.name) == (1500, 8 * 2**30, 3, "w-1")


@pytest.mark.parametrize("cls", ALL)
def test_every_field_has_a_flag_a_variable_and_a_key(cls: Any, tmp_path: Path) -> None:
    section = cls.__name__.removesuffix("Settings").lower()
    good = {
        "listen": "127.0.0.1:7", "planner": "h:1", "master": "h:1", "log_level": "error",
        "token_file": "/t", "name": "w", "memory": "1G", "suspect_after_s": "6", "lost_after_s": "16",
        "keep_requests_s": "3d",
    }  # fmt: skip
    for field in fields(cls):
        if field.name == "state_dir":
            continue
        text = good.get(field.name, "3")
        (tmp_path / "ganger.toml").unlink(missing_ok=True)
        flag = "--" + field.name.replace("_", "-")
        by_flag = read(cls, tmp_path, [flag, text])
        assert by_flag != read(cls, tmp_path), field.name
        assert by_flag == read(cls, tmp_path, **{f"GANGER_{field.name.upper()}": text})
        (tmp_path / "ganger.toml").write_text(f"[{section}]\n{field.name} = '{text}'\n")
        assert by_flag == read(cls, tmp_path)


@pytest.mark.parametrize(
    ("cls", "flag", "text", "why"),
    [
        (
            MasterSettings,
            "--listen",
            "0.0.0.0:7000",
            "needs TLS, which comes later; use 127.0.0.1 or an SSH tunnel",
        ),
        (MasterSettings, "--listen", "example.org:7000", "needs TLS"),
        (PlannerSettings, "--listen", "[::]:7000", "needs TLS"),
        (MasterSettings, "--listen", "7000", "no HOST:PORT"),
        (MasterSettings, "--planner", "nowhere", "no HOST:PORT"),
        (MasterSettings, "--lease-s", "-1", "no length of time"),
        (MasterSettings, "--lease-s", "nan", "no length of time"),
        (MasterSettings, "--cycle-every-s", "0", "below the least"),
        (MasterSettings, "--log-level", "loud", "none of debug, info, warning, error"),
        (PlannerSettings, "--threads", "0", "no whole number from 1 to 256"),
        (PlannerSettings, "--threads", "1.5", "no whole number"),
        (WorkerSettings, "--name", "a/b", "must be 1 to 128"),
        (WorkerSettings, "--cpus", "many", "no number of CPUs"),
        (WorkerSettings, "--memory", "8X", "no amount of memory"),
        (WorkerSettings, "--slots", "-1", "no whole number"),
        (WorkerSettings, "--master", "unix:relative", "absolute path"),
    ],
)
def test_a_wrong_value_is_said_with_its_source(
    cls: Any, flag: str, text: str, why: str, tmp_path: Path
) -> None:
    name = flag.removeprefix("--").replace("-", "_")
    section = cls.__name__.removesuffix("Settings").lower()
    message = refused(cls, tmp_path, [f"{flag}={text}"])
    assert message.startswith(f"{flag}: ")
    assert why in message
    message = refused(cls, tmp_path, **{f"GANGER_{name.upper()}": text})
    assert message.startswith(f"GANGER_{name.upper()}: ")
    assert why in message
    (tmp_path / "ganger.toml").write_text(f'[{section}]\n{name} = "{text}"\n')
    message = refused(cls, tmp_path)
    assert message.startswith(f"{name} in [{section}] of {tmp_path}/ganger.toml: ")
    assert why in message


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("[master]\nlease = 3", "lease in [master] of {path} is unknown ({path}); did you mean lease_s?"),
        (
            "[worker]\nqqq = 3",
            "qqq in [worker] of {path} is unknown ({path}); known are name, master, token_file,",
        ),
        ("[mastr]\nlease_s = 3", "section [mastr] is unknown ({path}); did you mean master?"),
        ("lease_s = 3", "section [lease_s] is unknown"),
        ("master = 3", "{path}: master must be a section: [master]"),
        ("[master]\nlisten = true", "listen in [master] of {path}: True is neither a text nor a number"),
        ("[master]\nlisten = []", "neither a text nor a number"),
        ("[master]\nstate_dir = '/x'", "use --state-dir or GANGER_STATE_DIR"),
        ("[master", "{path} is not valid TOML"),
    ],
)
def test_a_wrong_file_is_said_with_key_and_path(content: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "ganger.toml"
    path.write_text(content)
    assert why.format(path=path) in refused(MasterSettings, tmp_path)


def test_a_file_that_is_not_text_or_not_a_file(tmp_path: Path) -> None:
    path = tmp_path / "ganger.toml"
    path.write_bytes(b"\xff")
    assert "is not valid TOML" in refused(MasterSettings, tmp_path)
    path.unlink()
    path.mkdir()
    assert f"{path} cannot be read" in refused(MasterSettings, tmp_path)


def test_the_file_may_be_named(tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    assert f"there is no file {other}" in refused(MasterSettings, tmp_path, GANGER_CONFIG=str(other))
    other.write_text("[master]\nlease_s = 7")
    (tmp_path / "ganger.toml").write_text("[master]\nlease_s = 8")
    assert read(MasterSettings, tmp_path, GANGER_CONFIG=str(other)).lease_s == 7.0
    assert read(MasterSettings, tmp_path).lease_s == 8.0


def test_the_file_of_the_folder_that_the_flag_names_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "ganger.toml").write_text("[planner]\nthreads = 2")
    settings = read(PlannerSettings, tmp_path / "b", [f"--state-dir={tmp_path}/a"])
    assert (settings.state_dir, settings.threads) == (tmp_path / "a", 2)


def test_the_order_of_heartbeat_suspect_and_lost(tmp_path: Path) -> None:
    assert "suspect_after_s (30) must be below lost_after_s (30)" in refused(
        MasterSettings, tmp_path, ["--suspect-after-s=30"]
    )
    assert "heartbeat_every_s (15) must be below suspect_after_s (15)" in refused(
        MasterSettings, tmp_path, ["--heartbeat-every-s=15"]
    )


@pytest.mark.parametrize("cls", ALL)
def test_help_tells_every_flag_and_default(cls: Any) -> None:
    parser = argparse.ArgumentParser()
    add_flags(parser, cls)
    text = " ".join(parser.format_help().split())
    assert all("--" + field.name.replace("_", "-") in text for field in fields(cls))
    assert text.count("(default: ") >= len(fields(cls)) - 1


def test_state_folders() -> None:
    assert default_state_dir({"GANGER_STATE_DIR": "/g", "XDG_STATE_HOME": "/x", "HOME": "/h"}) == Path("/g")
    assert default_state_dir({"XDG_STATE_HOME": "/x", "HOME": "/h"}) == Path("/x/ganger")
    assert default_state_dir({"HOME": "/h"}) == Path("/h/.local/state/ganger")
    assert default_state_dir({}) == Path.home() / ".local/state/ganger"


def test_a_worker_is_named_after_its_host() -> None:
    check_worker_name(host_worker_name())


def test_where_the_master_is(tmp_path: Path) -> None:
    env = {"GANGER_STATE_DIR": str(tmp_path)}
    socket = f"unix:{tmp_path}/socket"
    assert master_target(env) == Target(socket)
    assert master_target({}, state_dir=tmp_path) == Target(socket)
    assert master_target({**env, "GANGER_ADDR": "h:1"}) == Target("h:1")
    token = read_or_make_token(tmp_path / "token")
    other = read_or_make_token(tmp_path / "other")
    assert master_target(env) == Target(socket), "a socket needs no token"
    assert master_target({**env, "GANGER_ADDR": "h:1"}) == Target("h:1", token)
    remote = {**env, "GANGER_ADDR": "h:1", "GANGER_TOKEN_FILE": str(tmp_path / "other")}
    assert master_target(remote) == Target("h:1", other)
    assert master_target(remote, master="g:2") == Target("g:2", other)
    assert master_target(remote, master="g:2", token_file=str(tmp_path / "token")) == Target("g:2", token)
    assert master_target(env, token_file=str(tmp_path / "token")) == Target(socket, token)


def test_a_wrong_address_of_the_master_is_said_with_its_source(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="GANGER_ADDR: 'junk' is no HOST:PORT"):
        master_target({"GANGER_ADDR": "junk"}, state_dir=tmp_path)
    with pytest.raises(Invalid, match="address: 'junk'"):
        master_target({}, master="junk", state_dir=tmp_path)
    with pytest.raises(Invalid, match=r"token file .*missing cannot be read: No such file"):
        master_target({}, master="h:1", token_file=str(tmp_path / "missing"))
