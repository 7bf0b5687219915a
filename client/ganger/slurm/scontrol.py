"""This module is `scontrol`: show a job or a worker, hold and release jobs, change their limits."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from ganger.layout import clean
from ganger.render import say
from ganger.slurm import columns
from ganger.slurm.batch import read_priority
from ganger.slurm.command_line import CommandLine, Option, Takes, did_you_mean
from ganger.slurm.jobs import Job, ids_of, named_jobs, read_name
from ganger.slurm.sinfo import node_state
from ganger.slurm.states import exit_code, reason
from ganger.slurm.times import full_length, limit_s, moment
from ganger.slurm.variables import PARTITION
from ganger_core.domain.errors import Invalid, NotFound

if TYPE_CHECKING:
    from ganger.client import Client
    from ganger_core.domain.task import WorkerView

USAGE = """\
scontrol show job [ID]       scontrol show node [NAME]       scontrol show hostnames [LIST]
scontrol hold ID...          scontrol release ID...          scontrol requeue ID, in that job
scontrol update JobId=ID [ArrayTaskThrottle=N] [Deadline=TIME] [Nice=N] [Priority=N]
                [TimeLimit=TIME]
Shows tasks and workers of Ganger in Slurm's words. `ganger show` and `ganger worker ls` say more."""

_LINE = CommandLine(
    (
        Option("oneliner", "o", Takes.NOTHING), Option("details", "d", Takes.NOTHING),
        Option("quiet", "Q", Takes.NOTHING), Option("verbose", "v", Takes.NOTHING), Option("all", "a", Takes.NOTHING),
    )
)  # fmt: skip
_NODES = re.compile(r"([^,\[\]]+)(?:\[([0-9,-]+)\])?(?:,|$)")

_INSTEAD = {
    "requeuehold": "a job can only have itself run again, by scontrol requeue",
    "suspend": "Ganger stops no job half-way; `ganger cancel {}` ends it",
    "resume": "Ganger has stopped no job half-way",
    "reboot": "Ganger restarts no hosts",
    "reconfigure": "there is nothing to read again: settings are read at a daemon's start",
}


def main(words: Sequence[str]) -> int:
    """Run the command; raises `GangerError`."""
    from ganger.client import Client

    said = _LINE.read(words)
    verb, rest = (said.rest[0], said.rest[1:]) if said.rest else ("", ())
    if verb in _INSTEAD:
        raise Invalid(f"{verb}: {_INSTEAD[verb].format(rest[0] if rest else 'ID')}")
    if verb == "show" and rest and "hostnames".startswith(rest[0]) and len(rest[0]) > 4:
        for host in hostnames(
            rest[1] if len(rest) > 1 else os.environ.get("SLURM_JOB_NODELIST", ""), os.environ
        ):
            say(host)
        return 0
    actions: dict[str, Callable[[Client, Sequence[str], bool], None]] = {
        "show": _show,
        "update": _update,
        "hold": partial(_hold, held=True),
        "release": partial(_hold, held=False),
    }
    if verb == "requeue":
        _requeue(rest, os.environ)
        return 0
    if verb not in actions:
        raise Invalid(
            f"{verb or 'nothing said'}: no command of scontrol{did_you_mean(verb, [*actions, *_INSTEAD])}; there are "
            f"{', '.join(actions)}"
        )
    with Client() as client:
        if verb == "show" and rest[:1] == ("config",):
            say(f"ClusterName = {PARTITION}\nMaster      = {client.address}")
        elif verb == "show" and rest[:1] in (("nodes",), ("node",)):
            _show_nodes(client, rest[1:])
        else:
            actions[verb](client, rest, said.has("oneliner"))
    return 0


def _show(client: Client, words: Sequence[str], one_line: bool) -> None:
    from ganger.slurm.jobs import all_jobs

    kind, *rest = words or [""]
    if kind.partition("=")[0].lower() not in ("job", "jobs", "jobid"):
        raise Invalid(f"show {kind}: there is nothing so called; there are job, node, hostnames and config")
    named = kind.partition("=")[2] or "".join(rest[:1])
    jobs = named_jobs(client, [read_name(named)]) if named else all_jobs(client, ended_since_ms=None)
    now_ms = time.time_ns() // 1_000_000
    for job in jobs:
        lines = job_lines(job, now_ms)
        say(" ".join(lines) if one_line else "\n   ".join(lines) + "\n")


def job_lines(job: Job, now_ms: int) -> list[str]:
    """What is known of a job, in the places where Slurm has it."""
    task, spec = job.task, job.task.spec
    lines = [f"JobId={task.id} JobName={clean(job.name)}"]
    if job.array_id:
        lines[0] = (
            f"JobId={task.id} ArrayJobId={job.array_id} ArrayTaskId={job.index} JobName={clean(job.name)}"
        )
    submitted, started, ended = map(
        columns.moment_text, (task.submitted_ms, task.started_ms, task.finished_ms)
    )
    return [
        *lines,
        f"UserId={task.owner} Priority={spec.priority} Nice=0 Account=(null) QOS=normal",
        f"JobState={job.state} Reason={reason(task, limited=job.limited)} Dependency=(null)",
        f"Requeue={int(spec.on_worker_lost != 'FAIL')} Restarts={columns.restarts(job)} BatchFlag=1 "
        f"ExitCode={exit_code(task)}",
        f"RunTime={full_length(columns.run_seconds(job, now_ms))} "
        f"TimeLimit={columns.time_limit(job, full_length, 'UNLIMITED')}",
        f"SubmitTime={submitted} StartTime={started or columns.UNKNOWN} EndTime={ended or columns.UNKNOWN}",
        f"Partition={job.partition} NodeList={job.worker} BatchHost={job.worker}",
        f"NumNodes=1 NumCPUs={columns.cpus(job)} NumTasks=1 CPUs/Task={columns.cpus(job)}",
        f"MinMemoryNode={columns.memory(job)}",
        f"Command={clean(columns.command_text(job))}",
        f"WorkDir={clean(spec.workdir)}",
    ]


def _show_nodes(client: Client, names: Sequence[str]) -> None:
    workers = [worker for worker in client.workers() if not names or worker.profile.name in names]
    if names and not workers:
        raise NotFound(f"Node {names[0]} not found; `ganger worker ls` lists them")
    for worker in workers:
        say("\n   ".join(_node_lines(worker)) + "\n")


def _node_lines(worker: WorkerView) -> list[str]:
    profile, free = worker.profile, worker.free
    taken = profile.capacity.cpu_milli - free.cpu_milli
    return [
        f"NodeName={profile.name} NodeHostName={profile.host}",
        f"CPUAlloc={taken // 1000} CPUTot={profile.capacity.cpu_milli // 1000} "
        f"CPULoad={worker.usage.cpu_percent * profile.capacity.cpu_milli / 100_000:.2f}",
        f"RealMemory={profile.capacity.memory_bytes >> 20} FreeMem={max(0, free.memory_bytes) >> 20}",
        f"State={node_state(worker).upper()} Partitions={PARTITION}",
    ]


def _update(client: Client, words: Sequence[str], _: bool) -> None:
    pairs = dict(_pair(word) for word in words)
    name = pairs.pop("jobid", None) or pairs.pop("job", None)
    if name is None or not pairs:
        raise Invalid("update: say which job and what: scontrol update JobId=42 ArrayTaskThrottle=8")
    for key in pairs:
        if key not in CHANGES:
            near = did_you_mean(key, CHANGES)
            raise Invalid(f"update: Ganger cannot change {key} of a job; it can {', '.join(CHANGES)}{near}")
    changes = dict(CHANGES[key](value) for key, value in pairs.items())
    for task_id in ids_of(client, read_name(name)):
        client.update(task_id, **changes)


def _requeue(words: Sequence[str], env: Mapping[str, str]) -> None:
    """End the script that asks, so that its task is tried again."""
    own = {env.get("SLURM_JOB_ID"), f"{env.get('SLURM_ARRAY_JOB_ID')}_{env.get('SLURM_ARRAY_TASK_ID')}"}
    job = words[0] if words else "ID"
    if job not in own:
        raise Invalid(
            f"requeue: a job can only have itself run again; `ganger retry {job}` queues it anew, once it is over"
        )
    if "GANGER_REQUEUE_SIGNAL" not in env:
        raise Invalid(f"requeue: job {job} has --no-requeue, or retries of its own")
    os.kill(int(env["SLURM_TASK_PID"]), int(env["GANGER_REQUEUE_SIGNAL"]))


def _throttle(text: str) -> tuple[str, Any]:
    if not re.fullmatch("[0-9]{1,7}", text, re.ASCII):
        raise Invalid("update: write ArrayTaskThrottle=8 for at most 8 elements at a time, 0 for no limit")
    return "max_parallel", int(text)


def _deadline(text: str) -> tuple[str, Any]:
    return "deadline", moment(text, datetime.now(), "Deadline").astimezone()


CHANGES: dict[str, Callable[[str], tuple[str, Any]]] = {
    "arraytaskthrottle": _throttle,
    "deadline": _deadline,
    "nice": lambda text: ("priority", read_priority(None, text)),
    "priority": lambda text: ("priority", read_priority(text, None)),
    "timelimit": lambda text: ("time", limit_s(text, "TimeLimit")),
}
"""What can be changed of a job: from its value to an argument of `Client.update`."""


def _hold(client: Client, words: Sequence[str], _: bool, *, held: bool) -> None:
    names = [part for word in words for part in word.split(",") if part]
    if not names:
        raise Invalid(f"say which job: scontrol {'hold' if held else 'release'} 42")
    for name in names:
        for task_id in ids_of(client, read_name(name)):
            client.update(task_id, held=held)


def _pair(word: str) -> tuple[str, str]:
    key, equals, value = word.partition("=")
    if not equals:
        raise Invalid(f"update: {word!r} must be KEY=VALUE")
    return key.lower(), value


def hostnames(text: str, env: Mapping[str, str]) -> list[str]:
    """The nodes of a list such as `gpu[1-3],login`. A job's own worker is called by its host, which can be reached."""
    found = []
    for prefix, ranges in _NODES.findall(text):
        found += [prefix + suffix for suffix in _suffixes(ranges)]
    return [socket.gethostname() if host == env.get("SLURMD_NODENAME") else host for host in found]


def _suffixes(ranges: str) -> list[str]:
    if not ranges:
        return [""]
    found = []
    for part in ranges.split(","):
        first, dash, last = part.partition("-")
        if not (first.isdigit() and (last.isdigit() or not dash)):
            raise Invalid(f"show hostnames: {ranges!r} is no list such as 1-3,7")
        found += [f"{number:0{len(first)}}" for number in range(int(first), int(last or first) + 1)]
    return found
