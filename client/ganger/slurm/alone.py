"""This module runs what `srun` is given outside a batch script: as a task, in front of whoever called."""

from __future__ import annotations

import os

import typer

from ganger.cli import exits
from ganger.cli.main import app
from ganger.cli.run import run
from ganger.cli.session import Session
from ganger.cli.task_options import Asked
from ganger.slurm.batch import make_batch
from ganger.slurm.command_line import Said
from ganger.slurm.sbatch_options import TABLE
from ganger.slurm.script import Script
from ganger.slurm.submission import place_here


def run_alone(said: Said) -> int:
    """Run the command as a task and return its exit code; raises `GangerError`."""
    of_a_job = Said((*(pair for pair in said.options if pair[0] in TABLE), ("no-requeue", "")))
    script = Script(said.rest[0], '#!/bin/sh\nexec "$@"\n', ("/bin/sh",))
    batch = make_batch(script, said.rest, of_a_job, place_here(os.environ), default_output=False)
    context = typer.Context(typer.main.get_command(app), obj=Session())
    try:
        after = [f"{condition}:{name.replace('_', '.')}" for condition, name in batch.after]
        run(context, Asked(list(batch.command), batch.options, after))
    except typer.Exit as end:
        return end.exit_code
    return exits.OK
