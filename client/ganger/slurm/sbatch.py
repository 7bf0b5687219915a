"""This module is `sbatch`: submit a batch script."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ganger.cli import exits
from ganger.render import note, say
from ganger.slurm.batch import make_batch
from ganger.slurm.command_line import Said
from ganger.slurm.sbatch_options import read_command_line, read_lines
from ganger.slurm.script import Script, wrapped
from ganger.slurm.submission import dependencies, hand_in, load_script, place_here
from ganger_core.domain.errors import Invalid

if TYPE_CHECKING:
    from ganger.client import Client

USAGE = """\
sbatch [OPTION...] SCRIPT [ARGUMENT...]      sbatch [OPTION...] --wrap COMMAND
Submits a batch script to Ganger. What its #SBATCH lines say, options here stand above.
Which options there are and what they become: docs/slurm.md"""


def main(words: Sequence[str]) -> int:
    """Run the command; raises `GangerError`."""
    from ganger.client import Client

    asked = read_command_line(words)
    script, arguments = _script(asked)
    lines = read_lines(script.slurm)
    said = Said(lines.options + asked.options)
    batch = make_batch(script, arguments, said, place_here(os.environ), default_output=True)
    with Client() as client:
        if said.has("test-only"):
            dependencies(client, batch)
            _tell(batch.notes, said)
            note("sbatch: the script can be submitted; --test-only submits nothing")
            return 0
        task_id = hand_in(client, batch)
        if said.has("parsable"):
            say(str(task_id))
        elif not said.has("quiet"):
            say(f"Submitted batch job {task_id}")
        _tell(batch.notes, said)
        return _end(client, task_id) if said.has("wait") else 0


def _script(asked: Said) -> tuple[Script, tuple[str, ...]]:
    """The script and its arguments."""
    command = asked.last("wrap")
    if command is not None:
        if asked.rest:
            raise Invalid(f"--wrap has the whole script: leave out {asked.rest[0]!r}")
        return wrapped(command), ()
    path, *arguments = asked.rest or ("-",)
    return load_script(path), tuple(arguments)


def _tell(notes: Sequence[str], said: Said) -> None:
    if notes and not said.has("quiet"):
        note(f"sbatch: of no effect here: {', '.join(notes)}")


def _end(client: Client, task_id: int) -> int:
    return exits.highest(client.wait([task_id]), os.environ)
