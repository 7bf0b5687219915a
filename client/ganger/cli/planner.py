"""This module is `ganger planner start` and `ganger planner solve`."""

from __future__ import annotations

import typer

from ganger.cli.daemons import PASS_ON, become
from ganger.cli.session import session_of


def add_to(app: typer.Typer) -> None:
    """Add the verbs."""
    group = typer.Typer(help="The planner: decides which task runs where.", rich_markup_mode=None)
    group.command(
        "start",
        short_help="start a planner here",
        epilog="Example: ganger planner start",
        context_settings=PASS_ON,
        add_help_option=False,
    )(start)
    group.command(
        "solve",
        short_help="plan a snapshot from a file",
        epilog="Example: ganger planner solve -f snapshot.json",
        context_settings=PASS_ON,
        add_help_option=False,
    )(solve)
    app.add_typer(group, name="planner")


def start(context: typer.Context) -> None:
    """Start a planner; its own options: ganger planner start --help."""
    become("ganger_planner", context.args, session_of(context))


def solve(context: typer.Context) -> None:
    """Plan a snapshot from a file; its own options: ganger planner solve --help."""
    become("ganger_planner", ["solve", *context.args], session_of(context))
