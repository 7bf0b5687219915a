"""This module is `ganger completion`: what makes a shell complete commands, options, ids and states."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from ganger.render import note, say

VARIABLE = "_GANGER_COMPLETE"  # how a shell asks


class Shell(StrEnum):
    """For whom; `install` finds that out."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    INSTALL = "install"


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "completion",
        short_help="complete words in your shell",
        epilog="Example: ganger completion install",
    )(completion)


def completion(shell: Annotated[Shell, typer.Argument(metavar="bash|zsh|fish|install")]) -> None:
    """Make your shell complete commands, options, task ids and states when you press TAB.

    With the name of a shell, what it has to read is written to stdout: `source <(ganger completion bash)` for this
    time. With install, it is put where your shell finds it the next time.
    """
    from typer.completion import get_completion_script, install  # type: ignore[attr-defined]

    if shell is Shell.INSTALL:
        name, path = install(prog_name="ganger", complete_var=VARIABLE)
        note(f"{name} completes ganger from its next start on: {path}")
        return
    named = {
        "prog_name": "ganger",
        "complete_var": VARIABLE,
        "shell": shell.value,
    }  # its name, nothing is run
    say(get_completion_script(**named))
