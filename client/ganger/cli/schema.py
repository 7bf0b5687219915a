"""This module is `ganger schema`: the JSON Schema of what people write, for editors."""

from __future__ import annotations

import typer

from ganger.render import say


def add_to(app: typer.Typer) -> None:
    """Add the verbs."""
    group = typer.Typer(help="JSON Schemas of what people write.", rich_markup_mode=None)
    group.command(
        "job",
        short_help="the JSON Schema of job files",
        epilog="Example: ganger schema job > ganger-job.schema.json",
    )(job)
    group.callback()(_root)
    app.add_typer(group, name="schema")


def _root() -> None:
    """Keeps `job` a word of its own while it is the only one."""


def job() -> None:
    """Print the JSON Schema of job files (draft 2020-12), by which editors complete and check them."""
    import json

    from ganger.jobfile.schema import job_schema

    say(json.dumps(job_schema(), indent=2))
