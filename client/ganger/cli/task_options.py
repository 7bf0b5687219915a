"""This module holds the options that `run` and `submit` share, and what they mean."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from ganger.render import note

if TYPE_CHECKING:
    from ganger.client import Client

# Everything from the first word of the command on is the command's, also what begins with a dash.
COMMAND_LAST = {"allow_interspersed_args": False}

Command = Annotated[
    list[str], typer.Argument(help="The program and its arguments, behind -- if in doubt.", metavar="CMD")
]
Name = Annotated[str, typer.Option("-n", "--name", help="A name for people.", metavar="TEXT")]
Cpus = Annotated[str, typer.Option("-c", "--cpus", help="CPUs it needs, such as 4 or 0.5.", metavar="NUMBER")]
Memory = Annotated[
    str, typer.Option("-m", "--mem", help="Memory it needs, such as 8GiB; 0 asks for none.", metavar="SIZE")
]
Priority = Annotated[
    int, typer.Option("-p", "--priority", help="0 to 100; higher goes first.", metavar="NUMBER")
]
Env = Annotated[
    list[str],
    typer.Option(
        "-e",
        "--env",
        help="NAME=VALUE, or NAME to copy yours; repeatable.",
        metavar="NAME[=VALUE]",
        default_factory=list,
        show_default=False,
    ),
]
Workdir = Annotated[
    str | None,
    typer.Option(
        "-w",
        "--workdir",
        help="Folder to run in: yours now unless named; '' for a fresh one.",
        metavar="FOLDER",
    ),
]


def read_env(settings: Iterable[str], env: Mapping[str, str]) -> dict[str, str]:
    """The task's environment from `NAME=VALUE` and `NAME`; the latter is copied from `env`. Raises `Invalid`."""
    from ganger_core.domain.errors import Invalid

    values = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals and name not in env:
            raise Invalid(f"-e {name}: there is no {name} in your environment to copy; write {name}=VALUE")
        values[name] = value if equals else env[name]
    return values


def read_workdir(folder: str | None) -> str:
    """The task's folder: the present one unless named, absolute; empty stays empty."""
    return os.path.abspath(folder) if folder else "" if folder == "" else os.getcwd()


def hint_without_workers(client: Client) -> bool:
    """Say so when there is nobody to run the task; whether there is nobody."""
    if any(worker.state != "LOST" for worker in client.workers()):
        return False
    note("no worker is connected: the task waits until one is (`ganger worker start`, or `ganger dev`)")
    return True
