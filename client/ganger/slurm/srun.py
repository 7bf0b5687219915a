"""This module is `srun`: inside a batch script the command itself, elsewhere a task of its own."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from ganger.slurm.command_line import CommandLine, Option, Said, Takes
from ganger.slurm.sbatch_options import TABLE, check
from ganger_core.domain.errors import Invalid

USAGE = """\
srun [OPTION...] COMMAND [ARGUMENT...]
In a batch script: runs the command there.
Elsewhere: runs it as a task of Ganger, as `ganger run` does."""

NOT_FOUND, NOT_EXECUTABLE = 127, 126
_N, _V, _M = Takes.NOTHING, Takes.VALUE, Takes.MAYBE
_ONLY_SBATCH = {
    "wait",
    "wrap",
    "parsable",
    "test-only",
    "quiet",
    "array",
    "hold",
    "requeue",
    "no-requeue",
    "batch",
}
_OWN = (
    Option("accel-bind", "", _V), Option("cpu-bind", "", _V), Option("disable-status", "X", _N),
    Option("exact", "", _N), Option("immediate", "I", _M), Option("kill-on-bad-exit", "K", _M),
    Option("label", "l", _N), Option("mpi", "", _V), Option("overlap", "", _N), Option("preserve-env", "E", _N),
    Option("prolog", "", _V), Option("epilog", "", _V), Option("pty", "", _N), Option("quiet", "Q", _N),
    Option("relative", "r", _V), Option("task-epilog", "", _V), Option("task-prolog", "", _V),
    Option("threads", "T", _V), Option("unbuffered", "u", _N), Option("wait", "W", _V), Option("jobid", "", _V),
    Option("slurmd-debug", "", _V), Option("quit-on-interrupt", "q", _N),
)  # fmt: skip
_BORROWED = [entry.option for name, entry in TABLE.items() if name not in _ONLY_SBATCH]
_LINE = CommandLine(
    (*(option for option in _BORROWED if option.letter != "q"), Option("qos"), *_OWN), command_last=True
)
_NOT_HERE = {"pty": "Ganger has no terminal for a job"}
T = TypeVar("T")
_PATTERN = re.compile(r"%(\d{0,2})(.)")


def main(words: Sequence[str]) -> int:
    """Run the command; raises `GangerError`. Inside a batch script it does not return: this process becomes it."""
    said = _LINE.read(words)
    check(Said(tuple(pair for pair in said.options if pair[0] in TABLE)))
    for option, why in _NOT_HERE.items():
        if said.has(option):
            raise Invalid(f"--{option}: {why}")
    if not said.rest:
        raise Invalid("say which command to run: srun hostname")
    if "SLURM_JOB_ID" in os.environ:
        return _step(said)
    return _task(said)


def _step(said: Said) -> int:
    """Become the command, with its files in place."""
    for option in ("nodes", "ntasks"):
        if (text := said.last(option)) not in (None, "1"):
            raise Invalid(f"--{option}={text}: a job of Ganger is one process on one worker")
    env = {**os.environ, "SLURM_STEP_ID": "0", "SLURM_STEPID": "0", "SLURM_STEP_NUM_TASKS": "1"}
    env = _chosen(said.last("export"), env)
    mode = said.last("open-mode") or ("append" if os.environ.get("SLURM_OPEN_MODE") == "a" else "truncate")
    output, error, given = (_path(said.last(name), os.environ) for name in ("output", "error", "input"))
    if folder := said.last("chdir"):
        _named(os.chdir, folder)
    if given:
        os.dup2(_named(os.open, given, os.O_RDONLY), 0)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | (0 if mode == "append" else os.O_TRUNC)
    for path in filter(None, (output, error)):
        _named(os.makedirs, os.path.dirname(path) or ".", 0o777, True)
    if output:
        opened = _named(os.open, output, flags, 0o666)
        os.dup2(opened, 1)
        if not error:
            os.dup2(opened, 2)
    if error:
        os.dup2(_named(os.open, error, flags, 0o666), 2)
    _restore(os.environ.get("GANGER_STEP_SIGNAL", ""))
    command = said.rest
    try:
        os.execvpe(command[0], command, env)  # noqa: S606 - argv, no shell
    except OSError as failed:
        code = NOT_FOUND if isinstance(failed, FileNotFoundError) else NOT_EXECUTABLE
        os.write(2, f"srun: error: {command[0]}: {failed.strerror}\n".encode())
        return code


def _chosen(export: str | None, env: dict[str, str]) -> dict[str, str]:
    """What `--export` leaves of a job's environment: a step has Slurm's and Ganger's variables in any case."""
    from ganger.slurm.variables import exported

    if export is None or export.split(",", 1)[0] == "ALL":
        return env | (exported(export, {}) if export else {})
    own = {name: value for name, value in env.items() if name.startswith(("SLURM", "GANGER_"))}
    return exported(export, env) | own


def _path(pattern: str | None, env: Mapping[str, str]) -> str:
    """A file's name from a pattern; empty for none."""
    if not pattern or pattern == "none":
        return ""
    job = env["SLURM_JOB_ID"]
    values = {
        "A": env.get("SLURM_ARRAY_JOB_ID", job), "a": env.get("SLURM_ARRAY_TASK_ID", "4294967294"),
        "j": job, "J": f"{job}.0", "N": env.get("SLURMD_NODENAME", ""), "x": env.get("SLURM_JOB_NAME", ""),
        "u": env.get("SLURM_JOB_USER", ""), "n": "0", "s": "0", "t": "0", "%": "%",
    }  # fmt: skip

    def value(found: re.Match[str]) -> str:
        if found[2] not in values:
            raise Invalid(f"{found[0]} in {pattern!r} stands for nothing; a percent sign is %%")
        text = values[found[2]]
        return text.zfill(int(found[1])) if found[1] and text.isdigit() else text

    return _PATTERN.sub(value, pattern)


def _named(call: Callable[..., T], path: str, *rest: object) -> T:
    """What a call about a file gives; raises `Invalid` with the file's name."""
    try:
        return call(path, *rest)
    except OSError as error:
        raise Invalid(f"{path}: {error.strerror}") from None


def _restore(spared: str) -> None:
    """Give back to the command the signals that this interpreter ignores, and the one that its script is spared."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    if spared:
        signal.signal(signal.Signals[f"SIG{spared}"], signal.SIG_DFL)


def _task(said: Said) -> int:
    """Run it as a task of its own, in front of whoever called."""
    from ganger.slurm.alone import run_alone

    return run_alone(said)
