"""This module is `scancel`: end jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ganger.build import signal_number
from ganger.render import note
from ganger.slurm.command_line import CommandLine, Option, Said, Takes
from ganger.slurm.jobs import JobName, all_jobs, ids_of, read_name
from ganger.slurm.squeue import is_chosen
from ganger.slurm.states import read_states
from ganger.wording import signal_name
from ganger_core.domain.errors import Invalid, NotFound

if TYPE_CHECKING:
    from ganger.client import Client

USAGE = """\
scancel [-s SIGNAL] ID...      scancel [-u USER | --me] [-n NAME] [-t STATE] [-p PARTITION]
Ends jobs of Ganger: 42, 42_7, 42_[1-3]. What runs gets TERM, and KILL when its time is over."""

# Those that ask a program to end. Others would be followed by KILL all the same: Ganger has no signal without an end.
_ENDING = frozenset({"SIGHUP", "SIGINT", "SIGQUIT", "SIGKILL", "SIGTERM"})
_LINE = CommandLine(
    (
        Option("signal", "s"), Option("user", "u"), Option("me", "", Takes.NOTHING), Option("name", "n"),
        Option("jobname"), Option("state", "t"), Option("partition", "p"), Option("nodelist", "w"),
        Option("quiet", "Q", Takes.NOTHING), Option("verbose", "v", Takes.NOTHING),
        Option("batch", "b", Takes.NOTHING), Option("full", "f", Takes.NOTHING), Option("ctld", "", Takes.NOTHING),
    )
)  # fmt: skip


def main(words: Sequence[str]) -> int:
    """Run the command; raises `GangerError`."""
    from ganger.client import Client

    said = _LINE.read(words)
    number = _signal(said.last("signal"))
    steps = [word for word in said.rest if "." in word]
    if steps:
        raise Invalid(f"{steps[0]}: jobs have no steps to end; an element of an array is written 42_7")
    names = [read_name(word) for word in said.rest]
    filters = ("user", "me", "name", "state", "partition", "nodelist")
    if not names and not any(map(said.has, filters)):
        raise Invalid("no job is named: scancel 42, or scancel --me for all of yours")
    missing = 0
    with Client() as client:
        if any(map(said.has, filters)):
            names = _matching(client, said, names)
        for name in names:
            missing += _cancel(client, name, number)
    return 1 if missing else 0


def _cancel(client: Client, name: JobName, number: int) -> int:
    """Cancel what is named; how much of it there is not."""
    try:
        for task_id in ids_of(client, name):
            client.cancel(
                task_id, "scancel", signal=number, grace=0 if number == signal_number("KILL") else None
            )
    except NotFound:
        note(f"scancel: error: Kill job error on job id {name.id}: Invalid job id specified")
        return 1
    return 0


def _matching(client: Client, said: Said, names: Sequence[JobName]) -> list[JobName]:
    """What goes on and the filters let through; elements that wait with their array."""
    states = read_states(said.every("state")) if said.has("state") else None
    wanted = {task_id for name in names for task_id in ids_of(client, name)}
    found = [
        job
        for job in all_jobs(client, ended_since_ms=None, each=states is not None)
        if is_chosen(job, said) and (states is None or job.state in states)
    ]
    ids = {job.task.id if states is not None else job.array_id or job.task.id for job in found}
    return [JobName(task_id) for task_id in sorted(ids) if not wanted or task_id in wanted]


def _signal(text: str | None) -> int:
    number = signal_number(text or "TERM")
    name = signal_name(number)
    if name not in _ENDING:
        ends = ", ".join(sorted(each.removeprefix("SIG") for each in _ENDING))
        raise Invalid(
            f"--signal={text}: Ganger sends no signal to a job that is to go on; {ends} end it. To have it end by "
            f"{name.removeprefix('SIG')}: ganger cancel --signal {name.removeprefix('SIG')} --grace 10m ID"
        )
    return number
