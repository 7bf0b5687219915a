"""This module makes a task from a batch script and what is said of it in Slurm's words. Pure.

What the present moment, folder, user and environment are comes as arguments.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import TypedDict

from ganger.build import TaskOptions, seconds, signal_number
from ganger.slurm import sbatch_options
from ganger.slurm.command_line import Said
from ganger.slurm.patterns import shell_word
from ganger.slurm.prelude import REQUEUE_CODE, Files, command
from ganger.slurm.script import Script
from ganger.slurm.times import limit_s, moment
from ganger.slurm.variables import exported, slurm_variables
from ganger.wording import signal_name
from ganger_core.domain.array import MOST_ELEMENTS, Indices
from ganger_core.domain.errors import Invalid
from ganger_core.domain.parse import parse_cpus, parse_memory
from ganger_core.domain.task import DEFAULT_PRIORITY
from ganger_core.domain.validate import MAX_PRIORITY, MAX_RETRIES

DEFAULT_OUTPUT, DEFAULT_ARRAY_OUTPUT = "slurm-%j.out", "slurm-%A_%a.out"
_MEMORY = re.compile(r"(\d{1,12})([KMGT]?)(?:i?B)?", re.ASCII | re.IGNORECASE)
_UNIT_BYTES = {"K": 2**10, "": 2**20, "M": 2**20, "G": 2**30, "T": 2**40}
_DEPENDENCY = re.compile(r"(after\w*|singleton)((?::\d{1,18}(?:_\d{1,10})?(?:\+\d+)?)*)", re.ASCII)
_CONDITIONS = {
    "afterok": "ok",
    "afterany": "any",
    "afternotok": "fail",
    "after": "start",
    "aftercorr": "each",
}
_RETRIES = {
    "retries",
    "retry_on",
    "never_retry_on",
    "backoff",
}  # who says one of them means another thing by retries
_IN_VARIABLES = ("partition", "account", "qos", "mem-per-cpu", "open-mode")
_ON_TIME = 60  # how long before the end --signal sends without a time


@dataclass(frozen=True, slots=True)
class Place:
    """Where and when a script is submitted: `now` is local time, `env` the environment of who submits it."""

    now: datetime
    folder: str
    user: str
    host: str
    env: Mapping[str, str]


class Overrides(TypedDict, total=False):
    """What stands above the script's own lines: options of a task, and of an array."""

    task: TaskOptions
    indices: Indices
    max_parallel: int


@dataclass(frozen=True, slots=True)
class Batch:
    """A script ready to be submitted. `notes` says what of its options changes nothing.

    `after` holds dependencies as Slurm names them: a condition and a job's id, `41` or `41_3`.
    """

    command: tuple[str, ...]
    options: TaskOptions
    indices: Indices | None
    max_parallel: int
    after: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def make_batch(
    script: Script,
    arguments: Sequence[str],
    said: Said,
    place: Place,
    *,
    default_output: bool,
    overrides: Overrides | None = None,
) -> Batch:
    """The task or array that the script asks for; `said` is what its lines and a command line of sbatch say.

    With `default_output` the output goes where Slurm puts it; otherwise only where the script says. Raises `Invalid`,
    naming the option.
    """
    sbatch_options.check(said)
    _one_of_everything(said)
    above = overrides or Overrides()
    mine = above.get("task", TaskOptions())
    indices, max_parallel = _array(said)
    indices = above.get("indices", indices)
    options = _task_options(script, said, place)
    options.update(mine)
    options["env"] = _environment(said, place, options, mine.get("env") or {}, indices)
    notes = sbatch_options.ignored(said)
    warned, _, before_s = _warning(said.last("signal")).partition("@")
    if "warn" in mine:
        warned = ""
    elif warned and float(before_s) >= seconds(options["time"], "time"):
        warned, notes = "", (*notes, "--signal")  # so long before its end it has not begun
    elif warned:
        options["warn"] = f"{warned}@{before_s}"
    may_requeue = _requeue(said) != "no-requeue" and not _RETRIES & mine.keys()
    if may_requeue:
        options.update(TaskOptions(retries=MAX_RETRIES, retry_on=str(REQUEUE_CODE), backoff=0))
    words = command(
        script,
        arguments,
        _files(said, options["name"], place, default_output, is_array=indices is not None),
        untouched_by="" if (said.last("signal") or "").upper().startswith("B:") else warned,
        may_requeue=may_requeue,
    )
    return Batch(words, options, indices, above.get("max_parallel", max_parallel), _dependencies(said), notes)


def _environment(
    said: Said, place: Place, options: TaskOptions, mine: Mapping[str, str], indices: Indices | None
) -> dict[str, str]:
    variables = slurm_variables(
        name=options["name"],
        cpus=max(1, ceil(parse_cpus(str(options["cpus"])) / 1000)),
        memory=parse_memory(str(options["memory"])),
        indices=indices,
        folder=place.folder,
        host=place.host,
        user=place.user,
        named={option: said.last(option) for option in _IN_VARIABLES},
    )
    return {**exported(said.last("export"), place.env), **mine, **variables}


def _task_options(script: Script, said: Said, place: Place) -> TaskOptions:
    cpus = _number(said, "cpus-per-task", 1)
    options = TaskOptions(
        name=said.last("job-name") or script.name,
        workdir=_folder(said.last("chdir") or place.folder, place),
        cpus=cpus,
        memory=_memory(said, cpus),
        priority=read_priority(said.last("priority"), said.last("nice")),
        time=limit_s(said.last("time") or "0", "--time"),
    )
    if requeue := _requeue(said):
        options["on_worker_lost"] = "requeue" if requeue == "requeue" else "fail"
    if text := said.last("begin"):
        options["not_before"] = moment(text, place.now, "--begin").astimezone()
    if text := said.last("deadline"):
        options["deadline"] = moment(text, place.now, "--deadline").astimezone()
    if said.has("hold"):
        options["hold"] = True
    if (text := said.last("kill-on-invalid-dep")) is not None:
        options["on_dependency_failure"] = _choice(
            text, {"yes": "skip", "no": "hold"}, "--kill-on-invalid-dep"
        )
    return options


def _requeue(said: Said) -> str:
    """Which of the two options came last; empty for none."""
    return next((name for name, _ in reversed(said.options) if name in ("requeue", "no-requeue")), "")


def _one_of_everything(said: Said) -> None:
    """Several processes that start together are what Ganger does not have yet."""
    for option in ("nodes", "ntasks", "ntasks-per-node"):
        text = said.last(option)
        if text not in (None, "1", "1-1", "0" if option == "ntasks-per-node" else "1"):
            raise Invalid(
                f"--{option}={text}: Ganger starts one process on one worker; one that has threads asks for "
                f"--cpus-per-task, and many alike are an --array",
                field=option,
            )


def _array(said: Said) -> tuple[Indices | None, int]:
    text = said.last("array")
    if text is None:
        return None, 0
    indices, percent, limit = text.partition("%")
    if percent and not re.fullmatch("[0-9]{1,7}", limit, re.ASCII):
        raise Invalid(
            f"--array: {limit!r} is no number of elements; write {indices}%8 for at most 8 at a time"
        )
    most = int(limit or 0)
    if most > MOST_ELEMENTS:
        raise Invalid(f"--array: at most {MOST_ELEMENTS} at a time, not {most}")
    return Indices.parse(indices, "--array"), most


def _number(said: Said, option: str, default: int) -> int:
    text = said.last(option)
    if text is None:
        return default
    if not re.fullmatch("[1-9][0-9]{0,5}", text, re.ASCII):
        raise Invalid(f"--{option}: {text!r} is no whole number from 1 on", field=option)
    return int(text)


def _memory(said: Said, cpus: int) -> int:
    whole, each = said.last("mem"), said.last("mem-per-cpu")
    if whole is not None and each is not None:
        raise Invalid("--mem and --mem-per-cpu both say how much memory it needs: give one of them")
    return _bytes(whole, "--mem") if whole is not None else _bytes(each or "0", "--mem-per-cpu") * cpus


def _bytes(text: str, field: str) -> int:
    match = _MEMORY.fullmatch(text)
    if match is None:
        raise Invalid(
            f"{field}: {text!r} is no amount of memory; write 512 (megabytes), 512M or 8G", field=field
        )
    return int(match[1]) * _UNIT_BYTES[match[2].upper()]


def read_priority(text: str | None, nice: str | None) -> int:
    """Ganger's priority from those of Slurm's options that were given; raises `Invalid`."""
    if text is not None:
        if text.upper() == "TOP":
            return MAX_PRIORITY
        if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= MAX_PRIORITY):
            raise Invalid(
                f"--priority={text}: Ganger's priorities are 0 to {MAX_PRIORITY}; {DEFAULT_PRIORITY} is usual"
            )
        return int(text)
    if nice is None:
        return DEFAULT_PRIORITY
    if not re.fullmatch(r"[+-]?\d{0,10}", nice, re.ASCII) or nice in ("+", "-"):
        raise Invalid(f"--nice={nice}: it must be a whole number; 10 of it are one point of priority")
    points = round(int(nice or 100) / 10)
    return min(max(DEFAULT_PRIORITY - points, 0), MAX_PRIORITY)


def _warning(text: str | None) -> str:
    """`USR1@120` from `[B:]USR1[@120]`; empty for nothing."""
    if text is None:
        return ""
    prefix, colon, rest = text.upper().rpartition(":")
    name, at, before = rest.partition("@")
    if (colon and prefix not in ("B", "R")) or (at and not re.fullmatch("[0-9]{1,5}", before, re.ASCII)):
        raise Invalid(f"--signal={text}: write it as USR1@120, or B:USR1@120 for the script itself")
    return f"{signal_name(signal_number(name)).removeprefix('SIG')}@{before or _ON_TIME}"


def _choice(text: str, choices: Mapping[str, str], field: str) -> str:
    if text not in choices:
        raise Invalid(f"{field}={text}: write {' or '.join(choices)}")
    return choices[text]


def _dependencies(said: Said) -> tuple[tuple[str, str], ...]:
    text = said.last("dependency")
    if not text:
        return ()
    if "?" in text:
        raise Invalid(f"--dependency={text}: any of several (?) is not there; all of them, with commas, is")
    found: list[tuple[str, str]] = []
    for part in text.split(","):
        match = _DEPENDENCY.fullmatch(part)
        condition = match and _CONDITIONS.get(match[1])
        if match is None or not condition or not match[2]:
            raise Invalid(
                f"--dependency: {part!r} is not there; write afterok:41, and so afterany, afternotok, after, aftercorr"
            )
        if "+" in match[2]:
            raise Invalid(f"--dependency: {part!r}: a delay (+) is not there; --begin=now+10minutes is")
        found += [(condition, job) for job in match[2].split(":")[1:]]
    return tuple(found)


def _files(said: Said, name: str, place: Place, default: bool, *, is_array: bool) -> Files:
    output = said.last("output")
    if output is None and default:
        output = DEFAULT_ARRAY_OUTPUT if is_array else DEFAULT_OUTPUT
    mode = _choice(said.last("open-mode") or "truncate", {"append": "a", "truncate": "t"}, "--open-mode")

    def word(option: str, pattern: str | None) -> str:
        if not pattern or pattern == "none":
            return ""
        return shell_word(pattern, name=name, user=place.user, field=f"--{option}")

    return Files(
        word("output", output),
        word("error", said.last("error")),
        word("input", said.last("input")),
        mode == "a",
    )


def _folder(path: str, place: Place) -> str:
    return path if path.startswith("/") else f"{place.folder}/{path}"
