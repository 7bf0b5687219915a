"""This module plays README.md and docs/ on real clusters: what they show is what comes out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from documents.__main__ import PAGES, shows_commands
from documents.pages import blocks, unrun
from documents.play import play
from documents.shell import ROOT, a_command_server, a_terminal

NOT_RUN = {
    "docs/how-to.md": ["needs a second host"],
    "docs/operations.md": ["needs a host that is dead, or a worker that has been silent for 30 s"],
    "docs/planner.md": ["a test of the planner compares the line, which is formatted below"],
    "docs/quick-start.md": [
        "the tests have an environment already; tests/packaging holds the targets of make"
    ],
    "docs/reliability.md": ["the campaign takes an hour, and a short profile of it is a test"],
}
"""Every block that is shown and not run, and why."""


@pytest.fixture(scope="module")
def programs() -> Iterator[Path]:
    with a_command_server() as programs:
        yield programs


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("page", [page for page in PAGES if shows_commands(page)], ids=named)
def test_what_a_page_shows_is_what_comes_out(page: Path, programs: Path) -> None:
    with a_terminal(programs) as terminal:
        differences = list(map(str, play(page.read_text(encoding="utf-8"), terminal)))
    assert not differences, "run `make docs` and look at what it changed\n" + "\n".join(differences)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_command_is_run_or_says_why_it_is_not(page: Path) -> None:
    found = [f"{named(page)}:{line}: {fault}" for line, fault in unrun(page.read_text(encoding="utf-8"))]
    assert not found, "\n" + "\n".join(found)


def test_what_is_not_run_is_listed_here() -> None:
    found = {
        named(page): [reason for block in blocks(page.read_text()) if (reason := block.note("not run"))]
        for page in PAGES
    }
    assert {page: reasons for page, reasons in found.items() if reasons} == NOT_RUN
