"""This module checks the help of every command, and what shells complete."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer

from ganger import task_spec
from ganger.cli.daemons import PASS_ON
from ganger.cli.main import app, main
from ganger.layout import cell_width
from testkit.client_cli import Cli


def contexts(context: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command, as what its help is made from, with the words that lead to it."""
    yield path, context
    for name, command in getattr(context.command, "commands", {}).items():
        yield from contexts(command.context_class(command, parent=context, info_name=name), *path, name)


def test_every_help_fits_and_has_an_example() -> None:
    root, seen = typer.main.get_command(app), 0
    for width in (80, 100):
        top = root.context_class(root, info_name="ganger", terminal_width=width, max_content_width=100)
        for path, context in contexts(top):
            command = context.command
            if command.context_settings.get("help_option_names") == PASS_ON["help_option_names"]:
                continue  # the daemon's own
            helped = command.get_help(context)
            assert [line for line in helped.splitlines() if cell_width(line) > width] == []
            assert "<" not in helped.partition("Arguments:")[2].partition("Options:")[0], path
            if path and not hasattr(command, "commands"):
                assert f"Example: ganger {' '.join(path)}" in helped
                assert command.help
                seen += 1
    assert seen > 20


def completed(
    capture: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch, *words: str
) -> list[str]:
    """What bash completes the last of these words to."""
    monkeypatch.setenv("_GANGER_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", " ".join(("ganger", *words)))
    monkeypatch.setenv("COMP_CWORD", str(len(words)))
    with pytest.raises(SystemExit):
        main([])
    out, err = capture.readouterr()
    assert err == b""
    return out.decode().split()


def test_a_shell_completes_ids_states_forms_and_verbs(
    cli: Cli, capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(12):
        cli.master.submit(task_spec(["true"], name="two words"))
    here = ("--state-dir", str(cli.master.folder))
    for words, found in (
        ((*here, "show", "1"), ["12", "11", "10", "1"]),
        ((*here, "cancel", "3,1"), ["3,12", "3,11", "3,10", "3,1"]),
        (("--state-dir", "/nowhere", "show", "1"), []),
        (("ls", "-s", "running,f"), ["running,failed"]),
        (("ls", "-o", "j"), ["json", "jsonl"]),
        (("wo",), ["worker"]),
        (("logs", "--st"), ["--stdout", "--stderr"]),
    ):
        assert completed(capsysbinary, monkeypatch, *words) == found


def test_completion_tells_each_shell_how(cli: Cli) -> None:
    for shell in ("bash", "zsh", "fish"):
        script = cli("completion", shell)
        assert script.code == 0
        assert f"_GANGER_COMPLETE=complete_{shell}" in script.out
    assert cli("completion", "tcsh").code == 2
