"""This module is `ganger restore`, which works on the state folder itself and needs no master that answers."""

from __future__ import annotations

import typer

from ganger.cli.daemons import PASS_ON, become
from ganger.cli.session import session_of


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "restore",
        short_help="put a backup in place",
        epilog="Example: ganger restore /backup/ganger.db",
        context_settings=PASS_ON,
        add_help_option=False,
    )(restore)


def restore(context: typer.Context) -> None:
    """Put a backup in the place of a stopped master's database; its own options: ganger restore --help."""
    become("ganger_master", ["restore", *context.args], session_of(context))
