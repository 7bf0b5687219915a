"""This module is `ganger submit job.yaml`: the tasks of a job file are queued at once."""

from __future__ import annotations

import typer

from ganger.cli.job_files import begin, submit_jobs
from ganger.cli.session import session_of
from ganger.output import Output

OF_THE_CALL = frozenset({"command", "output", "quiet", "no_color"})


def submit_file(context: typer.Context, path: str, out: Output) -> None:
    """Queue what the file describes. Raises `Invalid`, also for options that belong into the file."""
    from ganger_core.domain.errors import Invalid

    for name in context.params.keys() - OF_THE_CALL:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            option = name.replace("_", "-")
            raise Invalid(f"--{option}: {path} is a job file, which says such things itself; write it there")
    jobs, run_id = begin([path])
    with session_of(context).client() as client:
        submit_jobs(client, [path], jobs, run_id, out)
