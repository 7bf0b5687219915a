"""This module checks how peers' scripts are run and read, with small scripts in their place."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench import peers
from bench.peers import Comparison, compare, why_skipped
from bench.report import Line

OURS: Line = {"n": 7, "value": 3.0, "unit": "ms/task"}
LINES = """
import json, sys
print("a banner")
print("[1]")
for us in (1000.0, 2000.0, 4000.0):
    print(json.dumps({"peer": "p", "metric": sys.argv[3], "n": int(sys.argv[1]), "per_task_us": us}))
"""


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    python = tmp_path / "peers" / "p" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    (tmp_path / "scripts").mkdir()
    comparison = Comparison("p", "p_noop.py", ("--metric", "batch"), "per_task_us", 1e-3)
    monkeypatch.setattr(peers, "COMPARISONS", {"noop": (comparison,)})
    return {"GANGER_PEERS": str(tmp_path / "peers"), "GANGER_BENCH": str(tmp_path / "scripts")}


def answer(env: dict[str, str], script: str | None) -> Line:
    if script is not None:
        Path(env["GANGER_BENCH"], "p_noop.py").write_text(script)
    (line,) = compare("noop", OURS, env)
    assert (line["peer"], line["figure"]) == ("p", "noop")
    return line


def test_the_median_of_a_peer_in_our_unit_and_ours_by_it(env: dict[str, str]) -> None:
    line = answer(env, LINES)
    assert (line["value"], line["unit"], line["ours"], line["ratio"]) == (2.0, "ms/task", 3.0, 1.5)
    assert (line["n"], line["metric"], line["repetitions"]) == (7, "batch", 3)


def test_what_is_not_there_is_said(env: dict[str, str]) -> None:
    assert str(answer(env, None)["skipped"]).endswith("scripts/p_noop.py")
    Path(env["GANGER_PEERS"], "p", "bin", "python").unlink()
    assert str(answer(env, LINES)["skipped"]).endswith("p/bin/python")


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("import sys; sys.exit('no redis here')", "exit status 1: no redis here"),
        ("print('{}')", "no line with per_task_us"),
        ("print('{\"per_task_us\": -1}')", "per_task_us is -0.001"),
    ],
)
def test_a_peer_that_fails_is_a_line_with_the_cause(env: dict[str, str], script: str, why: str) -> None:
    assert answer(env, script)["failed"] == why


def test_a_peer_that_hangs_is_ended(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "TIME_LIMIT_S", 0.2)
    assert answer(env, "import threading; threading.Event().wait()")["failed"] == (
        "exit status 124: still running after 0.2 s"
    )


def test_a_figure_without_peers_has_no_lines(env: dict[str, str]) -> None:
    assert list(compare("restart", OURS, env)) == []


def test_peers_need_both_folders() -> None:
    assert why_skipped({}) == "GANGER_PEERS and GANGER_BENCH not set"
    assert why_skipped({"GANGER_PEERS": "/p"}) == "GANGER_BENCH not set"
    assert why_skipped({"GANGER_PEERS": "/p", "GANGER_BENCH": "/b"}) == ""
