"""This module holds docs/job-file.md to the program: its keys and prospects."""

from __future__ import annotations

import re

from architecture.sources import ROOT
from ganger.jobfile.keys import TASK, flat
from ganger_core.domain.forecast import Prospect

PAGE = (ROOT / "docs/job-file.md").read_text(encoding="utf-8")


def test_the_page_names_every_key() -> None:
    rows = re.findall(r"^\| (`.*?) \| ", PAGE, re.MULTILINE)
    named = set(re.findall(r"`(\w+)`", " ".join(rows)))
    inner = {path.partition(".")[2] for path, _ in flat(TASK)} - {""}
    assert {key.name for key in TASK} <= named
    assert all(f"`{name}`" in PAGE for name in inner)


def test_the_page_names_every_prospect() -> None:
    assert all(f"| `{each}` |" in PAGE for each in Prospect)
