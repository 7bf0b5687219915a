"""This module holds docs/job-file.md to the program: its example, its keys, and what its session shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from architecture.sources import ROOT
from ganger.jobfile.keys import TASK, flat
from ganger_core.domain.forecast import Prospect
from testkit.client_cli import Cli

PAGE = (ROOT / "docs/job-file.md").read_text(encoding="utf-8")


def block(kind: str) -> str:
    """The first block of this kind."""
    found = re.search(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found[1]


def session(command: str) -> str:
    """What the page shows of a command."""
    shown = re.search(rf"^\$ {re.escape(command)}\n((?:[^$\n].*\n)*)", block("console"), re.MULTILINE)
    assert shown
    return shown[1]


def test_submit_says_what_the_page_shows(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("nightly.yaml").write_text(block("yaml"))
    result = cli("submit", "nightly.yaml")
    assert (result.code, result.out) == (0, session("ganger submit nightly.yaml"))


def test_the_page_names_every_key() -> None:
    rows = re.findall(r"^\| (`.*?) \| ", PAGE, re.MULTILINE)
    named = set(re.findall(r"`(\w+)`", " ".join(rows)))
    inner = {path.partition(".")[2] for path, _ in flat(TASK)} - {""}
    assert {key.name for key in TASK} <= named
    assert all(f"`{name}`" in PAGE for name in inner)


def test_the_page_names_every_prospect() -> None:
    assert all(f"| `{each}` |" in PAGE for each in Prospect)
