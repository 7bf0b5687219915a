"""This module reads the job files that a command line names, shows what is in them, and hands them in."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from ganger.cli.task_options import hint_without_workers
from ganger.output import Output, told
from ganger.render import note, say, show_table

if TYPE_CHECKING:
    from ganger.client import Client
    from ganger.jobfile.job import Entry, Job

KEYS = ("id", "name", "elements")  # of a document of what is queued
SUFFIXES = (".yaml", ".yml", ".toml")
MOST_LINES = 20  # of what was queued; more is told in one
STDIN = "-"

FilesOption = Annotated[
    list[str],
    typer.Option(
        "-f", "--file", help="A job file, in YAML or TOML; - for stdin; repeatable.", metavar="FILE",
        default_factory=list, show_default=False,
    ),
]  # fmt: skip


def is_job_file(words: Sequence[str]) -> bool:
    """Whether these words of a command line name a job file, and are no command."""
    return len(words) == 1 and words[0].endswith(SUFFIXES)


def read_jobs(paths: Sequence[str], moment: datetime) -> list[Job]:
    """The jobs of these files, whose times count from `moment`; raises `Invalid`, naming the file."""
    from ganger.jobfile.reading import Setting, read_job

    jobs = []
    for path in paths:
        data = _content(path)
        shown = "stdin" if path == STDIN else path
        folder = os.getcwd() if path == STDIN else os.path.dirname(os.path.abspath(path))
        setting = Setting(folder, moment.astimezone())
        jobs.append(read_job(data, shown, setting, is_toml=path.endswith(".toml")))
    return jobs


def _content(path: str) -> bytes:
    from ganger.jobfile.tree import MOST_BYTES
    from ganger_core.domain.errors import Invalid

    try:
        if path == STDIN:
            return sys.stdin.buffer.read(MOST_BYTES + 1)
        with open(path, "rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        raise Invalid(f"{path}: {error.strerror}") from None


def begin(paths: Sequence[str], run_id: str = "") -> tuple[list[Job], str]:
    """The jobs of a new run of these files, or of one that began before, with what it is called. Raises `Invalid`."""
    from ganger.jobfile.submission import check_run, moment_of, run_id_of

    moment = moment_of(run_id) if run_id else datetime.now(UTC).replace(microsecond=0)
    jobs = read_jobs(paths, moment)
    if run_id:
        check_run(run_id, jobs)
    return jobs, run_id or run_id_of(moment, secrets.token_hex(4), jobs)


def submit_jobs(client: Client, paths: Sequence[str], jobs: Sequence[Job], run_id: str, out: Output) -> None:
    """Hand them in and say what is queued. When that fails in the middle, say so, and how to go on."""
    from ganger.jobfile.submission import hand_in
    from ganger_core.domain.errors import DeadlineExceeded, GangerError, Unavailable

    queued: list[tuple[Entry, int]] = []
    try:
        for found in hand_in(client, jobs, run_id):
            queued += found
    except (GangerError, KeyboardInterrupt) as error:
        # Where nobody answered, more may be there than is known.
        if queued or isinstance(error, (Unavailable, DeadlineExceeded, KeyboardInterrupt)):
            _tell_how_to_go_on(paths, queued, sum(len(job.entries) for job in jobs), run_id)
        raise

    def tell() -> None:
        _say_queued(queued)
        ids = _ids(queued)
        note(f"  ganger ls {ids}     ganger wait {ids}     ganger cancel {ids}")
        note(f"  run {run_id}")
        hint_without_workers(client)

    documents = [
        {"id": task_id, "name": entry.spec.name, "elements": entry.count if entry.array else None}
        for entry, task_id in queued
    ]
    out.write(told("tasks", documents, tell, whole={"run_id": run_id, "tasks": documents}))


def _say_queued(queued: Sequence[tuple[Entry, int]]) -> None:
    from ganger.layout import clean
    from ganger.wording import describe_queued

    if len(queued) > MOST_LINES:
        say(f"{len(queued)} tasks and arrays are queued: {_ids(queued)}")
        return
    for entry, task_id in queued:
        name = f" ({clean(entry.spec.name)})" if entry.spec.name else ""
        if entry.array is None:
            say(f"task {task_id}{name} is queued")
        else:
            said = describe_queued(task_id, entry.count, entry.array.max_parallel)
            say(said.replace(f"array {task_id} ", f"array {task_id}{name} ", 1))


def _tell_how_to_go_on(
    paths: Sequence[str], queued: Sequence[tuple[Entry, int]], count: int, run_id: str
) -> None:
    said = f"of {count} tasks and arrays {len(queued)} are known to be queued"
    note(f"{said}: {_ids(queued)}" if queued else said)
    files = " ".join(f"-f {path}" for path in paths)
    note(f"to go on, submitting nothing twice: ganger apply {files} --run-id {run_id}")


def _ids(queued: Sequence[tuple[Entry, int]]) -> str:
    from ganger_core.domain.array import Indices

    return str(Indices.of(task_id for _, task_id in queued))


def show_jobs(jobs: Sequence[Job]) -> None:
    """A table of what would be submitted, and its totals, to stdout."""
    from ganger import layout
    from ganger.layout import NOTHING, Column, clean

    columns = [
        Column("NAME", least=8),
        Column("COUNT", right=True),
        Column("PRI", right=True),
        Column("CPU", right=True),
        Column("MEM", right=True),
        Column("TIME", right=True),
        Column("AFTER", least=8),
        Column("COMMAND", least=20),
    ]
    entries = [(job, entry) for job in jobs for entry in job.entries]
    rows = [
        [
            clean(entry.spec.name) or NOTHING,
            str(entry.count),
            str(entry.spec.priority),
            layout.cpus(entry.spec.resources.cpu_milli),
            layout.size(entry.spec.resources.memory_bytes),
            layout.duration(entry.spec.limits.run_s) if entry.spec.limits.run_s else NOTHING,
            clean(after_words(job, entry)) or NOTHING,
            clean(" ".join(entry.spec.command)),
        ]
        for job, entry in entries
    ]
    show_table(columns, rows)
    say(totals([entry for _, entry in entries]))


def totals(entries: Sequence[Entry]) -> str:
    """How many tasks and arrays these are, and what all of it needs at the same time."""
    from ganger import layout

    arrays = [entry for entry in entries if entry.array is not None]
    tasks = len(entries) - len(arrays)
    said = [f"{tasks} task{'' if tasks == 1 else 's'}"] if tasks or not arrays else []
    if arrays:
        count = sum(entry.count for entry in arrays)
        said.append(f"{len(arrays)} array{'' if len(arrays) == 1 else 's'} of {count} elements")
    cpu_milli = sum(entry.count * entry.spec.resources.cpu_milli for entry in entries)
    memory = sum(entry.count * entry.spec.resources.memory_bytes for entry in entries)
    needs = f"{layout.cpus(cpu_milli)} CPUs" + (f" and {layout.size(memory)} memory" if memory else "")
    return f"{' and '.join(said)}; all at once would take {needs}"


def after_words(job: Job, entry: Entry) -> str:
    """What the entry waits for, as it is written in the file."""
    said = []
    for each in entry.after:
        name = str(each.task_id) if each.task_id else job.entries[each.position].spec.name
        said.append(name if each.kind == "ok" else f"{each.kind}:{name}")
    return ", ".join(said)
