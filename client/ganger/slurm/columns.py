"""This module says what squeue and sacct can show of a job, and how their formats lay it out. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ganger.slurm.command_line import did_you_mean
from ganger.slurm.jobs import Job
from ganger.slurm.prelude import script_of
from ganger.slurm.states import SHORT, exit_code, reason
from ganger.slurm.times import full_length, length
from ganger.slurm.variables import CLUSTER
from ganger_core.domain.errors import Invalid

NULL = "(null)"
NOT_THERE = "N/A"
UNKNOWN = "Unknown"

Value = Callable[[Job, int], str]
"""What to show of a job; the second argument is the present moment in Unix milliseconds."""


def moment_text(ms: int) -> str:
    """A moment as Slurm writes it, in local time; empty for none."""
    return datetime.fromtimestamp(ms // 1000).isoformat() if ms else ""


def run_seconds(job: Job, now_ms: int) -> float:
    """How long it ran or has been running."""
    task = job.task
    return ((task.finished_ms or now_ms) - task.started_ms) / 1000 if task.started_ms else 0.0


def memory(job: Job) -> str:
    """What it asks for, in megabytes where that is exact."""
    amount = job.task.spec.resources.memory_bytes
    return f"{amount >> 20}M" if amount >= 2**20 or not amount else f"{amount >> 10}K"


def cpus(job: Job) -> str:
    """Whole CPUs: a part of one counts as one."""
    return str(max(1, -(-job.task.spec.resources.cpu_milli // 1000)))


def command_text(job: Job) -> str:
    """The script's path, or the command."""
    script = script_of(job.task.spec.command)
    return " ".join((script[0], *script[2])) if script else " ".join(job.task.spec.command)


def nodes(job: Job) -> str:
    """Its worker, or in parentheses why it has none."""
    if job.state in ("RUNNING", "COMPLETING") or job.task.is_final:
        return job.worker
    return f"({reason(job.task, limited=job.limited)})"


def restarts(job: Job) -> str:
    """How often it began again."""
    return str(job.task.crashes + job.task.failures + job.task.faults)


def time_limit(job: Job, write: Callable[[float], str], none: str) -> str:
    """How long it may run."""
    limit = job.task.spec.limits.run_s
    return write(limit) if limit else none


def time_left(job: Job, now_ms: int) -> str:
    """How much of that is left."""
    limit = job.task.spec.limits.run_s
    return length(limit - run_seconds(job, now_ms)) if limit else "UNLIMITED"


@dataclass(frozen=True, slots=True)
class Column:
    """A title and what stands below it."""

    title: str
    value: Value


SQUEUE = {
    "A": Column("JOBID", lambda job, _: str(job.task.id)),
    "a": Column("ACCOUNT", lambda *_: NULL),
    "b": Column("TRES_PER_NODE", lambda *_: NOT_THERE),
    "B": Column("EXEC_HOST", lambda job, _: job.worker or "n/a"),
    "C": Column("CPUS", lambda job, _: cpus(job)),
    "D": Column("NODES", lambda *_: "1"),
    "e": Column("END_TIME", lambda job, _: moment_text(job.task.finished_ms) or NOT_THERE),
    "F": Column("ARRAY_JOB_ID", lambda job, _: str(job.array_id or job.task.id)),
    "i": Column("JOBID", lambda job, _: job.label),
    "j": Column("NAME", lambda job, _: job.name),
    "K": Column("ARRAY_TASK_ID", lambda job, _: job.index.strip("[]") or NOT_THERE),
    "k": Column("COMMENT", lambda *_: NULL),
    "l": Column("TIME_LIMIT", lambda job, _: time_limit(job, length, "UNLIMITED")),
    "L": Column("TIME_LEFT", time_left),
    "m": Column("MIN_MEMORY", lambda job, _: memory(job)),
    "M": Column("TIME", lambda job, now_ms: length(run_seconds(job, now_ms))),
    "N": Column("NODELIST", lambda job, _: job.worker),
    "o": Column("COMMAND", lambda job, _: command_text(job)),
    "p": Column("PRIORITY", lambda job, _: f"{job.task.spec.priority / 100:.14f}"),
    "P": Column("PARTITION", lambda job, _: job.partition),
    "q": Column("QOS", lambda *_: "normal"),
    "Q": Column("PRIORITY", lambda job, _: str(job.task.spec.priority)),
    "r": Column("REASON", lambda job, _: reason(job.task, limited=job.limited)),
    "R": Column("NODELIST(REASON)", lambda job, _: nodes(job)),
    "S": Column("START_TIME", lambda job, _: moment_text(job.task.started_ms) or NOT_THERE),
    "t": Column("ST", lambda job, _: SHORT[job.state]),
    "T": Column("STATE", lambda job, _: job.state),
    "u": Column("USER", lambda job, _: job.task.owner),
    "V": Column("SUBMIT_TIME", lambda job, _: moment_text(job.task.submitted_ms)),
    "Z": Column("WORK_DIR", lambda job, _: job.task.spec.workdir),
}
SQUEUE_DEFAULT = "%.18i %.9P %.8j %.8u %.2t %.10M %.6D %R"

_NOT_MEASURED = (
    "AllocTRES", "AveCPU", "AveRSS", "AveVMSize", "Comment", "ConsumedEnergy", "CPUTime", "MaxDiskRead", "MaxDiskWrite",
    "MaxRSS", "MaxVMSize", "ReqTRES", "SystemCPU", "TotalCPU", "UserCPU",
)  # fmt: skip
SACCT: dict[str, Value] = {
    "JobID": lambda job, _: job.label,
    "JobIDRaw": lambda job, _: str(job.task.id),
    "JobName": lambda job, _: job.name,
    "Partition": lambda job, _: job.partition,
    "Account": lambda *_: "",
    "AllocCPUS": lambda job, _: cpus(job) if job.worker else "0",
    "AllocNodes": lambda job, _: "1" if job.worker else "0",
    "Cluster": lambda *_: CLUSTER,
    "CPUTimeRAW": lambda job, now_ms: str(int(run_seconds(job, now_ms) * int(cpus(job)))),
    "DerivedExitCode": lambda job, _: exit_code(job.task),
    "Elapsed": lambda job, now_ms: full_length(run_seconds(job, now_ms)),
    "ElapsedRaw": lambda job, now_ms: str(int(run_seconds(job, now_ms))),
    "Eligible": lambda job, _: moment_text(job.task.submitted_ms),
    "End": lambda job, _: moment_text(job.task.finished_ms) or UNKNOWN,
    "ExitCode": lambda job, _: exit_code(job.task),
    "NCPUS": lambda job, _: cpus(job),
    "NNodes": lambda *_: "1",
    "NodeList": lambda job, _: job.worker or "None assigned",
    "NTasks": lambda *_: "1",
    "Priority": lambda job, _: str(job.task.spec.priority),
    "QOS": lambda *_: "normal",
    "Reason": lambda job, _: reason(job.task, limited=job.limited),
    "ReqCPUS": lambda job, _: cpus(job),
    "ReqMem": lambda job, _: memory(job),
    "ReqNodes": lambda *_: "1",
    "Restarts": lambda job, _: restarts(job),
    "Start": lambda job, _: moment_text(job.task.started_ms) or UNKNOWN,
    "State": lambda job, _: job.state,
    "Submit": lambda job, _: moment_text(job.task.submitted_ms),
    "Timelimit": lambda job, _: time_limit(job, full_length, "UNLIMITED"),
    "TimelimitRaw": lambda job, _: time_limit(job, lambda limit: str(int(limit // 60)), "UNLIMITED"),
    "User": lambda job, _: job.task.owner,
    "WorkDir": lambda job, _: job.task.spec.workdir,
    **dict.fromkeys(_NOT_MEASURED, lambda *_: ""),
}
SACCT_DEFAULT = "JobID,JobName,Partition,Account,AllocCPUS,State,ExitCode"
SACCT_BRIEF = "JobID,State,ExitCode"
_WIDTHS = {"JobID": -12, "ExitCode": 8, "DerivedExitCode": 15, "NodeList": 15, "WorkDir": 20}
_MOMENTS = ("Submit", "Start", "End", "Eligible")
_SPEC = re.compile(r"%(\.?)(\d*)(.)|([^%]+)")


@dataclass(frozen=True, slots=True)
class Field:
    """A column of sacct with its width: to the left where that is below 0."""

    name: str
    width: int


def squeue_lines(jobs: Sequence[Job], pattern: str, now_ms: int, *, header: bool) -> list[str]:
    """The lines of squeue in a format such as `%.18i %t`; raises `Invalid` for a letter that it does not know."""
    parts = []
    for match in _SPEC.finditer(pattern):
        right, width, letter, between = match.groups()
        if letter and letter not in SQUEUE:
            raise Invalid(f"-o: %{letter} is not there; there are %{' %'.join(SQUEUE)}")
        parts.append((right, int(width or 0), letter, between))

    def line(cell: Callable[[Column], str]) -> str:
        texts = [
            between if between else _fit(cell(SQUEUE[letter]), width, bool(right))
            for right, width, letter, between in parts
        ]
        return "".join(texts).rstrip()

    lines = [line(lambda column: column.title)] if header else []
    return lines + [line(lambda column, job=job: column.value(job, now_ms)) for job in jobs]  # type: ignore[misc]


def _fit(text: str, width: int, right: bool) -> str:
    cut = text[:width] if width else text
    return cut.rjust(width) if right else cut.ljust(width)


def read_fields(names: Sequence[str]) -> list[Field]:
    """Columns from names such as `JobID` and `jobname%20`; raises `Invalid`."""
    known = {name.lower(): name for name in SACCT}
    found = []
    for text in names:
        word, _, width = text.partition("%")
        name = known.get(word.lower())
        if name is None or (width and not re.fullmatch(r"-?\d{1,4}", width, re.ASCII)):
            raise Invalid(f'Invalid field requested: "{text}"{did_you_mean(word.lower(), known)}')
        usual = _WIDTHS.get(name, 19 if name in _MOMENTS else 10)
        found.append(Field(name, int(width) if width else usual))
    return found


def sacct_lines(
    jobs: Sequence[Job],
    fields: Sequence[Field],
    now_ms: int,
    *,
    header: bool,
    bar: str = "",
    last_bar: bool = False,
) -> list[str]:
    """The lines of sacct: a table, or with `bar` values parted by it."""
    rows = [[SACCT[field.name](job, now_ms) for field in fields] for job in jobs]
    titles = [field.name for field in fields]
    if bar:
        return [bar.join(row) + bar * last_bar for row in ([titles] if header else []) + rows]
    rules = ["-" * abs(field.width) for field in fields]
    return [
        "".join(
            _fit(cell, abs(field.width), field.width > 0) + " "
            for cell, field in zip(row, fields, strict=True)
        )
        for row in ([titles, rules] if header else []) + rows
    ]
