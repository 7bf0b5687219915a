"""This module is `ganger apply`: show what job files would submit, ask, and hand it in."""

from __future__ import annotations

from typing import Annotated

import typer

from ganger.cli.job_files import KEYS, FilesOption, begin, show_jobs, submit_jobs, totals
from ganger.cli.named import YesOption
from ganger.cli.output_options import with_output
from ganger.cli.session import session_of
from ganger.output import Output
from ganger.render import can_ask, confirmed


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "apply",
        short_help="show a job file, ask, submit it",
        epilog="Example: ganger apply -f job.yaml",
    )(with_output(KEYS)(apply))


def apply(
    context: typer.Context,
    file: FilesOption,
    yes: YesOption = False,
    run_id: Annotated[
        str, typer.Option(help="Go on with a run that was broken off.", metavar="RUN", show_default=False)
    ] = "",
    *,
    out: Output,
) -> None:
    """Show the tasks and arrays of job files, ask, and submit them.

    docs/job-file.md says what a job file holds; `ganger schema job` prints its JSON Schema.
    """
    from ganger_core.domain.errors import Invalid

    if not file:
        raise typer.BadParameter("which files? Name them: -f job.yaml")
    jobs, run_id = begin(file, run_id)
    shown = out.is_for_people
    if shown:
        show_jobs(jobs)
    if not yes and not can_ask():
        files = " ".join(f"-f {path}" for path in file)
        raise Invalid(
            f"nothing is submitted: nobody is here to be asked. Say -y, or look with ganger plan {files}"
        )
    said = "" if shown else totals([entry for job in jobs for entry in job.entries]) + ". "
    if not yes and not confirmed(f"{said}Submit this?"):
        raise Invalid("nothing is submitted")
    with session_of(context).client() as client:
        submit_jobs(client, file, jobs, run_id, out)
