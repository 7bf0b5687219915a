"""This module is `squeue`: what waits and what runs."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ganger.render import note, say
from ganger.slurm.columns import SQUEUE_DEFAULT, squeue_lines
from ganger.slurm.command_line import CommandLine, Option, Said, Takes
from ganger.slurm.commands import user_name
from ganger.slurm.jobs import Job, all_jobs, named_jobs, read_name
from ganger.slurm.states import LIVE, read_states
from ganger_core.domain.errors import NotFound

USAGE = """\
squeue [-j ID,...] [-u USER,... | --me] [-n NAME,...] [-p PARTITION,...] [-t STATE,...]
       [-w WORKER,...] [-r] [-h] [-l] [-o FORMAT]
Lists the tasks of Ganger that wait and run, in Slurm's words. `ganger ls` says more."""

KEPT_MS = 300_000  # what is over is shown with -t for five minutes, as in Slurm
LONG = "%.18i %.9P %.8j %.8u %.8T %.10M %.9l %.6D %R"

_LINE = CommandLine(
    (
        Option("jobs", "j"), Option("user", "u"), Option("me", "", Takes.NOTHING), Option("name", "n"),
        Option("states", "t"), Option("partition", "p"), Option("nodelist", "w"), Option("format", "o"),
        Option("noheader", "h", Takes.NOTHING), Option("array", "r", Takes.NOTHING),
        Option("long", "l", Takes.NOTHING), Option("all", "a", Takes.NOTHING), Option("sort", "S"),
    )
)  # fmt: skip


def main(words: Sequence[str]) -> int:
    """Run the command; raises `GangerError`."""
    from ganger.client import Client

    said = _LINE.read(words)
    now_ms = time.time_ns() // 1_000_000
    states = read_states(said.every("states")) if said.has("states") else LIVE
    names = [read_name(name) for name in said.every("jobs")]
    code = 0
    with Client() as client:
        try:
            if names:
                jobs = list(named_jobs(client, names, each=said.has("array")))
            else:
                since = None if states <= LIVE else now_ms - KEPT_MS
                jobs = list(all_jobs(client, ended_since_ms=since, each=said.has("array")))
        except NotFound as error:
            note(f"slurm_load_jobs error: {error.message}")
            jobs, code = [], 1
    chosen = [job for job in jobs if job.state in states and is_chosen(job, said)]
    pattern = said.last("format") or (LONG if said.has("long") else SQUEUE_DEFAULT)
    for line in squeue_lines(chosen, pattern, now_ms, header=not said.has("noheader")):
        say(line)
    return code


def is_chosen(job: Job, said: Said) -> bool:
    """Whether the filters of squeue or scancel let it through."""
    users = [*said.every("user"), *([user_name()] if said.has("me") else [])]
    filters = (
        (users, job.task.owner),
        (said.every("name"), job.name),
        (said.every("partition"), job.partition),
        (said.every("nodelist"), job.worker),
    )
    return all(not wanted or value in wanted for wanted, value in filters)
