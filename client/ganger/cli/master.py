"""This module is `ganger master start`."""

from __future__ import annotations

import typer

from ganger.cli.daemons import PASS_ON, become
from ganger.cli.session import session_of


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    group = typer.Typer(help="The master: keeps tasks, workers and their truth.", rich_markup_mode=None)
    group.command(
        "start",
        short_help="start a master here",
        epilog="Example: ganger master start --listen 127.0.0.1:7070",
        context_settings=PASS_ON,
        add_help_option=False,
    )(start)
    app.add_typer(group, name="master")


def start(context: typer.Context) -> None:
    """Start a master; its own options: ganger master start --help."""
    become("ganger_master", context.args, session_of(context))
