"""This module is `ganger shim install` and `ganger shim uninstall`: commands named as Slurm's."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from ganger.cli.session import session_of
from ganger.render import note, say

Folder = Annotated[Path, typer.Argument(help="The folder of the commands.", metavar="FOLDER")]


def add_to(app: typer.Typer) -> None:
    """Add the verbs."""
    group = typer.Typer(help="Commands named as Slurm's, for programs that call them.", rich_markup_mode=None)
    group.command(
        "install",
        short_help="sbatch, squeue … that run Ganger",
        epilog="Example: ganger shim install ~/slurm",
    )(install)
    group.command(
        "uninstall", short_help="remove them again", epilog="Example: ganger shim uninstall ~/slurm"
    )(uninstall)
    app.add_typer(group, name="shim")


def install(
    context: typer.Context,
    folder: Folder,
    force: Annotated[bool, typer.Option("--force", help="Replace files that Ganger did not make.")] = False,
) -> None:
    """Put sbatch, squeue, sacct, scancel, srun, scontrol and sinfo into a folder: they run Ganger.

    They ask the master that this command is told about, by its options or the environment, unless their own
    environment names one.
    """
    from ganger.slurm.shim import install as put
    from ganger.slurm.shim import settings_of

    session = session_of(context)
    settings = settings_of(os.environ, session.state_dir, session.address, session.token_file)
    paths = put(folder.absolute(), sys.executable, settings, force=force)
    say(f"{', '.join(path.name for path in paths)} are in {folder.absolute()}")
    note(f"  export PATH={folder.absolute()}:$PATH")


def uninstall(folder: Folder) -> None:
    """Remove from a folder what `ganger shim install` put there, and nothing else."""
    from ganger.slurm.shim import uninstall as take_away

    for path in take_away(folder.absolute()):
        say(f"{path} is removed")
