"""This module is `ganger version`."""

from __future__ import annotations

import platform

import typer

from ganger.cli.output_options import with_output
from ganger.output import Output, told
from ganger.render import say


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("version", short_help="which Ganger this is", epilog="Example: ganger version")(
        with_output(["ganger", "python"])(version)
    )


def version(*, out: Output) -> None:
    """Print the version of this installation."""
    from importlib.metadata import version as version_of

    own, python = version_of("ganger"), platform.python_version()
    out.write(
        told(
            "versions",
            [{"ganger": own, "python": python}],
            lambda: say(f"ganger {own} (Python {python})"),
            name="ganger",
            whole={"ganger": own, "python": python},
        )
    )
