"""This module checks what the CLI says when something is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from ganger import Outcome, OutcomeKind
from testkit.client_cli import Cli, running_as
from testkit.client_master import ScriptedMaster

LOST = Outcome(OutcomeKind.LOST, message="worker w1 was silent for 30 s")


@pytest.fixture
def master(cli: Cli) -> ScriptedMaster:
    return cli.master


def test_what_is_asked_wrongly_is_refused_with_its_name(master: ScriptedMaster, cli: Cli) -> None:
    for words, named in (
        (["-c", "many"], "cpus"),
        (["-m", "much"], "memory"),
        (["-p", "101"], "priority"),
        (["-e", "GANGER_X=1"], "GANGER_X"),
    ):
        refused = cli("submit", *words, "true")
        assert refused.code == 1
        assert named in refused.err
    assert cli("submit", "-p", "high", "true").code == 2
    assert cli("submit").code == 2
    assert cli("run").code == 125
    assert master.tasks == {}


def test_own_failures_have_the_code_that_the_environment_names(
    master: ScriptedMaster, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANGER_EXIT_ERROR", "99")
    running_as(master, master.run, lambda task_id: master.end(task_id, outcome=LOST))
    assert cli("run", "x").code == 99
    assert cli("wait", "1").code == 99
    assert cli("wait", "17").code == 99
    assert cli("run").code == 99
    assert cli("show", "17").code == 1
    monkeypatch.setenv("GANGER_EXIT_ERROR", "nonsense")
    assert cli("wait", "1").code == 125


def test_without_a_master_every_verb_says_how_to_get_one(
    master: ScriptedMaster, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    master.stop()
    commands: Sequence[tuple[list[str], int]] = (
        (["ls"], 1),
        (["submit", "true"], 1),
        (["run", "true"], 125),
        (["wait", "1"], 125),
        (["worker", "ls"], 1),
    )
    for words, code in commands:
        failed = cli(*words)
        assert (failed.code, failed.out) == (code, "")
        assert failed.err.startswith("ganger: no master answers at unix:")
        assert "start one with `ganger dev`, or name it with --address / GANGER_ADDR" in failed.err
        assert failed.err.count("\n") == 1
    master.start()


def test_a_wrong_token_is_told_with_where_the_right_one_is(
    master: ScriptedMaster, cli: Cli, tmp_path: Path
) -> None:
    refused = cli("--address", f"127.0.0.1:{master.port}", "ls")
    assert refused.code == 1
    assert "--token-file or GANGER_TOKEN_FILE" in refused.err
    assert "the file `token` in the master's state folder" in refused.err


def test_an_error_of_our_own_is_one_line(
    master: ScriptedMaster, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr("ganger.render.say", broken)
    failed = cli("version", "-o", "json")
    assert failed.code == 1
    assert failed.err == (
        "ganger: an error in Ganger itself: ZeroDivisionError: by nothing (GANGER_DEBUG=1 shows where)\n"
    )
    monkeypatch.setenv("GANGER_DEBUG", "1")
    assert "Traceback" in cli("version", "-o", "json").err


def test_usage_errors_name_the_help(cli: Cli) -> None:
    unknown = cli("lss")
    assert unknown.code == 2
    assert (
        unknown.err
        == "ganger: No such command 'lss'. Did you mean 'ls'?\nganger --help shows how it is used\n"
    )
    assert cli("ls", "--wrong").code == 2
    assert cli("worker").code == 2
    assert cli("wait").code == 125
    assert cli("show").code == 2
    assert cli("show").err == (
        "ganger: which tasks? Name them: 42, 1,3,5-8, last, all, a name, or -l KEY=VALUE\n"
        "ganger show --help shows how it is used\n"
    )
    assert cli("show", "1-").err == (
        "ganger: '1-' is not a task id; ids are written as 42, 1,3,5-8, last, all, or 42.7 of an array\n"
    )
