"""This module is `ganger backup`, which works on the state folder itself and needs no master that answers."""

from __future__ import annotations

import typer

from ganger.cli.daemons import PASS_ON, become
from ganger.cli.session import session_of


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "backup",
        short_help="copy a master's database to a file",
        epilog="Example: ganger backup /backup/ganger.db",
        context_settings=PASS_ON,
        add_help_option=False,
    )(backup)


def backup(context: typer.Context) -> None:
    """Copy the database of a master, which may be running, to a file; its own options: ganger backup --help."""
    become("ganger_master", ["backup", *context.args], session_of(context))
