"""This module holds the references to what they are written from, and commands within text to the program."""

from __future__ import annotations

import argparse
import importlib.util
import re
from dataclasses import fields
from pathlib import Path
from types import ModuleType

import pytest

from architecture.sources import ROOT, Source, rooms
from documents.__main__ import PAGES
from documents.mentions import fault, mentioned
from documents.messages import is_said, quoted, said_in
from documents.pages import blocks
from ganger.cli import exits
from ganger_core.domain.states import TaskState
from ganger_core.settings import MasterSettings, WorkerSettings, load

DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def references() -> ModuleType:
    spec = importlib.util.spec_from_file_location("references", ROOT / "tools" / "references.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["cli", "configuration"])
def test_references_are_as_the_program_gives_them(name: str, references: ModuleType) -> None:
    written = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    assert written == getattr(references, f"{name}_page")(), "run `make docs`"


def test_every_variable_that_the_code_names_is_in_the_reference(references: ModuleType) -> None:
    named = {name for source in rooms() for name in re.findall(r"\bGANGER_[A-Z_]+[A-Z]\b", source.text)}
    page = references.configuration_page()
    assert "GANGER_ADDR" in named
    assert sorted(name for name in named if f"`{name}`" not in page) == []


def test_every_exit_code_is_in_the_reference(references: ModuleType) -> None:
    codes = {value for name, value in vars(exits).items() if name.isupper() and type(value) is int}
    listed = {code for codes, _ in references.EXIT_CODES for code in codes.split(", ")}
    assert codes == {0, 1, 2, 124, 125, 130, 141, 255}
    assert {str(code) for code in codes} <= listed


def test_what_settings_take_is_what_their_parsers_take(references: ModuleType) -> None:
    said = {field.name: references.takes(field) for field in fields(MasterSettings)}
    assert said["least_free_percent"] == "0 to 99"
    assert said["lease_s"] == "a duration of at least 10ms"
    assert said["keep_requests_s"] == "a duration of at least 24h"


def test_the_file_that_the_reference_shows_is_read(references: ModuleType, tmp_path: Path) -> None:
    (block,) = (block for block in blocks(references.configuration_page()) if block.language == "toml")
    (tmp_path / "ganger.toml").write_text("\n".join(block.lines))
    given, env = argparse.Namespace(state_dir=str(tmp_path)), {"HOME": str(tmp_path)}
    assert load(MasterSettings, given, env).lease_s == 600
    assert load(WorkerSettings, given, env).cpus == 8000


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "ARCHITECTURE.md"], ids=lambda page: page.relative_to(ROOT).as_posix()
)
def test_commands_within_text_exist(page: Path) -> None:
    found = [
        f"{page.name}:{line}: `{command}`: {wrong}"
        for line, command in mentioned(page.read_text(encoding="utf-8"))
        if (wrong := fault(command))
    ]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        ("ganger", ""),
        ("ganger ls -s failed --all", ""),
        ("ganger --address HOST:PORT ls", ""),
        ("ganger COMMAND --help", ""),
        ("ganger worker drain w1 --wait", ""),
        ("ganger master start --lease-s 10m", ""),
        ("ganger submit -- make --no-such", ""),
        ("ganger lst", "no command `ganger lst`"),
        ("ganger worker dig", "no command `ganger worker dig`"),
        ("ganger ls --everything", "no option --everything"),
        ("ganger worker start --lease-s 10m", "no option --lease-s"),
        ("ganger run 'a", "cannot be read"),
    ],
)
def test_a_command_that_does_not_exist_is_found(command: str, wrong: str) -> None:
    assert (wrong in fault(command)) if wrong else fault(command) == ""


def test_commands_are_found_in_text_and_not_in_blocks() -> None:
    text = "a `ganger ls` and `x`\n```\n`ganger no`\n```\n| `ganger run -- a\\|b` |\n"
    assert list(mentioned(text)) == [(1, "ganger ls"), (5, "ganger run -- a\\|b")]


def test_every_message_of_the_troubleshooting_is_said_somewhere() -> None:
    said = said_in(rooms())
    messages = list(quoted((DOCS / "troubleshooting.md").read_text(encoding="utf-8")))
    assert len(messages) > 20
    assert [f"line {line}: {message}" for line, message in messages if not is_said(message, said)] == []


def test_a_message_that_nobody_says_is_found() -> None:
    said = said_in([Source.of("a.py", 'tell(f"no file {name!r}: "\n"look again")')])
    assert is_said("no file …: look again", said)
    assert is_said("look again", said)
    assert not is_said("no folder …: look again", said)
    assert not is_said("…", said)
    assert list(quoted("| it says | b |\n| --- | --- |\n| code 1, `x y` | `z` |\n")) == [(3, "x y")]


def test_the_concepts_name_every_state() -> None:
    text = (DOCS / "concepts.md").read_text(encoding="utf-8")
    assert [state.value for state in TaskState if not re.search(rf"\b{state.value}\b", text)] == []
