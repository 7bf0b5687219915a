"""This module checks `ganger doctor` on this very host: with a master, without one, and with one that hangs."""

from __future__ import annotations

import json
import socket
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from ganger_core.domain.states import WorkerState
from testkit.builders import a_worker
from testkit.client_cli import Cli
from testkit.client_master import a_worker_view


def levels(out: str) -> dict[str, str]:
    return {each["check"]: each["level"] for each in json.loads(out)["findings"]}


def test_doctor_asks_the_master_for_its_version_its_clock_and_its_workers(cli: Cli) -> None:
    cli.master.folder.chmod(0o700)
    cli.master.version = "9.9.9"
    cli.master.workers = [a_worker_view(a_worker("w1"), state=WorkerState.LOST)]
    found = cli("doctor", "-o", "json")
    assert list(json.loads(found.out)["findings"][0]) == ["check", "level", "found", "advice"]
    seen = levels(found.out)
    wanted = {"master": "warning", "wall clock": "warning", "workers": "warning", "state folder": "ok"}
    assert {check: seen[check] for check in wanted} == wanted  # the scripted master's clock stands
    assert found.code == (1 if "problem" in seen.values() else 0)
    shown = cli("doctor").out
    assert "version 9.9.9 at unix:" in shown
    assert "→ nothing starts: ganger worker start, or ganger worker resume WORKER" in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_without_a_master_doctor_says_so_and_that_is_no_problem(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("GANGER_LISTEN", f"127.0.0.1:{taken.getsockname()[1]}")
        lonely = Cli(SimpleNamespace(folder=tmp_path / "none"), cli._capture)
        found = lonely("doctor", "-o", "json")
    seen = levels(found.out)
    assert (seen["master"], seen["port"], found.code) == ("warning", "problem", 1)
    assert "workers" not in seen
    assert not (tmp_path / "none").exists()
    named = lonely("--address", "127.0.0.1:1", "doctor", "-o", "json")
    assert levels(named.out)["master"] == "problem"


def test_what_is_wrong_with_the_folder_is_found_before_a_daemon_is(tmp_path: Path, cli: Cli) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "ganger.toml").write_text("[master]\nlease = 5\n")
    found = Cli(SimpleNamespace(folder=tmp_path), cli._capture)("doctor")
    assert found.code == 1
    said = " ".join(found.out.split())
    assert f"run`chmod700{tmp_path}`" in "".join(said.split())  # a long path goes on in the next line
    assert "did you mean lease_s" in said
    tmp_path.chmod(0o700)


def test_a_master_that_hangs_does_not_hang_doctor(cli: Cli) -> None:
    with tempfile.TemporaryDirectory(prefix="gg") as name, socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(Path(name) / "socket"))
        deaf.listen()  # takes calls, and says nothing
        found = Cli(SimpleNamespace(folder=Path(name)), cli._capture)("doctor", "-o", "json")
    assert levels(found.out)["master"] == "warning"
