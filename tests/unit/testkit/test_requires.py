"""This module checks that what a machine lacks is skipped, and fails where it must be there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from testkit.requires import ENV, PROBES, requires

PRESENT = {"thing": lambda env: ""}
ABSENT = {"thing": lambda env: "it was sold"}


def test_what_is_there_runs() -> None:
    requires("thing", {}, PRESENT)
    requires("thing", {ENV: "thing"}, PRESENT)


@pytest.mark.parametrize("env", [{}, {ENV: ""}, {ENV: " , "}])
def test_what_lacks_is_skipped_with_its_reason(env: Mapping[str, str]) -> None:
    with pytest.raises(pytest.skip.Exception, match="needs thing: it was sold"):
        requires("thing", env, ABSENT)


@pytest.mark.parametrize("value", ["thing", "thing,", " thing "])
def test_what_must_be_there_fails(value: str) -> None:
    with pytest.raises(pytest.fail.Exception, match="needs thing: it was sold"):
        requires("thing", {ENV: value}, ABSENT)


def test_a_misspelt_requirement_fails_also_when_the_thing_is_there() -> None:
    with pytest.raises(pytest.fail.Exception, match="names thnig; known are thing"):
        requires("thing", {ENV: "thnig"}, PRESENT)


def test_traces_are_a_folder_named_by_the_environment(tmp_path: Path) -> None:
    probe = PROBES["traces"]
    assert probe({"GANGER_TRACES": str(tmp_path)}) == ""
    assert "is not a folder" in probe({"GANGER_TRACES": str(tmp_path / "none")})
    assert "does not name" in probe({})


def test_a_docker_command_without_an_engine_counts_as_missing(tmp_path: Path) -> None:
    probe = PROBES["docker"]
    assert probe({"PATH": str(tmp_path)}) == "there is no docker command"
    command = tmp_path / "docker"
    command.write_text("#!/bin/sh\nexit 1\n")
    command.chmod(0o755)
    assert probe({"PATH": str(tmp_path)}) == "no docker engine answers"
    command.write_text("#!/bin/sh\necho 27.0\n")
    assert probe({"PATH": str(tmp_path)}) == ""


def test_strace_is_a_command() -> None:
    assert PROBES["strace"]({"PATH": "/nowhere"}) == "there is no strace command"
