"""This module is `sacct`: what became of jobs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from ganger.render import say
from ganger.slurm.columns import SACCT_BRIEF, SACCT_DEFAULT, read_fields, sacct_lines
from ganger.slurm.command_line import CommandLine, Option, Takes
from ganger.slurm.commands import user_name
from ganger.slurm.jobs import Job, JobName, all_jobs, named_jobs, read_name
from ganger.slurm.squeue import is_chosen
from ganger.slurm.states import read_states
from ganger.slurm.times import moment
from ganger_core.domain.errors import NotFound

if TYPE_CHECKING:
    from ganger.client import Client

USAGE = """\
sacct [-j ID,...] [-o FIELD,...] [-s STATE,...] [-S MOMENT] [-E MOMENT] [-u USER,... | -a]
      [--name NAME,...] [-n] [-X] [-b] [-p | -P] [--delimiter TEXT]
Lists tasks of Ganger and how they ended, in Slurm's words: with -j these, else all of today.
There are no job steps, so -X changes nothing. `ganger show` says more."""

_LINE = CommandLine(
    (
        Option("jobs", "j"), Option("format", "o"), Option("state", "s"), Option("starttime", "S"),
        Option("endtime", "E"), Option("user", "u"), Option("uid"), Option("name"), Option("partition", "r"),
        Option("nodelist", "N"), Option("noheader", "n", Takes.NOTHING), Option("parsable", "p", Takes.NOTHING),
        Option("parsable2", "P", Takes.NOTHING), Option("delimiter"), Option("allocations", "X", Takes.NOTHING),
        Option("allusers", "a", Takes.NOTHING), Option("brief", "b", Takes.NOTHING), Option("array", "", Takes.NOTHING),
        Option("duplicates", "D", Takes.NOTHING), Option("local", "L", Takes.NOTHING), Option("units"),
    )
)  # fmt: skip


def main(words: Sequence[str]) -> int:
    """Run the command; raises `GangerError`."""
    from ganger.client import Client

    said = _LINE.read(words)
    usual = SACCT_BRIEF if said.has("brief") else SACCT_DEFAULT
    fields = read_fields(said.every("format") or usual.split(","))
    states = read_states(said.every("state")) if said.has("state") else None
    now = datetime.now()
    names = [read_name(name) for name in said.every("jobs")]
    start = said.last("starttime") or ("" if names else "today")
    since_ms = _ms(start, now, "--starttime") if start else 0
    until_ms = _ms(end, now, "--endtime") if (end := said.last("endtime")) else None
    with Client() as client:
        if names:
            jobs = [job for name in names for job in _of_name(client, name, each=said.has("array"))]
        else:
            jobs = list(all_jobs(client, ended_since_ms=since_ms, each=said.has("array")))
    chosen = [
        job
        for job in jobs
        if (states is None or job.state in states)
        and is_chosen(job, said)
        and (until_ms is None or job.task.submitted_ms <= until_ms)
        and (not job.task.is_final or job.task.finished_ms >= since_ms)
        and (names or said.has("allusers") or said.has("user") or job.task.owner == user_name())
    ]
    bar = (said.last("delimiter") or "|") if said.has("parsable") or said.has("parsable2") else ""
    last_bar = said.has("parsable") and not said.has("parsable2")
    now_ms = time.time_ns() // 1_000_000
    for line in sacct_lines(
        chosen, fields, now_ms, header=not said.has("noheader"), bar=bar, last_bar=last_bar
    ):
        say(line)
    return 0


def _of_name(client: Client, name: JobName, *, each: bool) -> list[Job]:
    try:
        return list(named_jobs(client, [name], each=each))
    except NotFound:
        return []  # as in Slurm, where an account may come later than its job


def _ms(text: str, now: datetime, field: str) -> int:
    return int(moment(text, now, field).timestamp() * 1000)
