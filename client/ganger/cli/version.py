"""This module is `ganger version`."""

from __future__ import annotations

import platform

import typer

from ganger.cli.session import Output, OutputOption
from ganger.render import document, say


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("version", short_help="which Ganger this is", epilog="Example: ganger version")(version)


def version(output: OutputOption = Output.TABLE) -> None:
    """Print the version of this installation."""
    from importlib.metadata import version as version_of

    own, python = version_of("ganger"), platform.python_version()
    if output is Output.JSON:
        document({"ganger": own, "python": python})
    else:
        say(f"ganger {own} (Python {python})")
