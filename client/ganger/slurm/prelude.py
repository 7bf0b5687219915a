"""This module makes the command that runs a batch script: a few lines of POSIX shell that become the script. Pure.

What only the worker knows - ids, its name, the names of the output files - is made there, by these lines; then the
shell becomes the script's interpreter, so that signals and the exit code are the script's own.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from ganger.slurm.script import Script

SHELL = "/bin/sh"
REQUEUE_SIGNAL = 63  # a script that dies of it asks to be run again; no program has another use for it
REQUEUE_CODE = 128 + REQUEUE_SIGNAL
MARK = "ganger-script"  # what the shell calls itself; tells such a command from others
REFUSED = 125  # the exit code when the script could not be started

_IDS = """\
export SLURM_JOB_ID="$GANGER_TASK_ID" SLURM_JOBID="$GANGER_TASK_ID" SLURM_TASK_PID="$$"
export SLURMD_NODENAME="$GANGER_WORKER" SLURM_NODELIST="$GANGER_WORKER" SLURM_JOB_NODELIST="$GANGER_WORKER"
[ "$GANGER_ATTEMPT" = 1 ] || export SLURM_RESTART_COUNT="$((GANGER_ATTEMPT - 1))"
[ -z "${GANGER_ARRAY_ID-}" ] || export SLURM_ARRAY_JOB_ID="$GANGER_ARRAY_ID" SLURM_ARRAY_TASK_ID="$GANGER_ARRAY_INDEX"
"""
# The worker removes the file with the attempt's folder.
_SCRIPT = f"""\
script="${{GANGER_OUTPUT_DIR%/*}}/script"
printf %s "$2" >"$script" || exit {REFUSED}
shift 2
"""


@dataclass(frozen=True, slots=True)
class Files:
    """Where a script's input and output are: words for a shell, empty for where Ganger has them."""

    output: str = ""
    error: str = ""  # empty with an output: the same
    input: str = ""
    append: bool = False


NO_FILES = Files()


def command(
    script: Script,
    arguments: Sequence[str],
    files: Files = NO_FILES,
    *,
    is_slurm: bool = True,
    untouched_by: str = "",
    may_requeue: bool = False,
) -> tuple[str, ...]:
    """The command of a task that runs the script with these arguments.

    `untouched_by` is a signal that goes to the script's steps and not to itself; `is_slurm` sets Slurm's variables. One
    that `may_requeue` finds by which signal, for its task is tried again when it dies of that.
    """
    lines = [_IDS if is_slurm else "", _SCRIPT, _redirections(files)]
    if may_requeue:
        lines.append(f"export GANGER_REQUEUE_SIGNAL={REQUEUE_SIGNAL}\n")
    if untouched_by:
        lines.append(f"trap '' {untouched_by}\nexport GANGER_STEP_SIGNAL={untouched_by}\n")
    lines.append(f'exec {shlex.join(script.interpreter)} "$script" "$@"\n')
    return (SHELL, "-c", "".join(lines), MARK, script.path, script.text, *arguments)


def _redirections(files: Files) -> str:
    """Input and output, and a line in Ganger's own log about where that is; both append, for they may share a file.

    A folder that is missing is made: a task may start sooner than its submitter gets to make it.
    """
    lines = []
    for variable, word in (("out", files.output), ("err", files.error)):
        if word:
            opened = f'true >{">" if files.append else ""}"${variable}"'
            lines += [
                f'{variable}={word}; case ${variable} in /*) ;; *) {variable}="$PWD/${variable}" ;; esac',
                f'[ -d "${{{variable}%/*}}" ] || mkdir -p "${{{variable}%/*}}"',
                f'{opened} || {{ echo "ganger: cannot write ${variable}" >&2; exit {REFUSED}; }}',
            ]
    if files.input:
        lines.append(f"true <{files.input} || exit {REFUSED}; exec <{files.input}")
    both = bool(files.output and files.error)
    if files.output or files.error:
        what = (
            "stdout goes to $out and stderr to $err"
            if both
            else "output goes to $out"
            if files.output
            else ""
        )
        lines.append(f'echo "ganger: {what or "stderr goes to $err"} on worker $GANGER_WORKER" >&2')
    if files.output:
        lines.append(f'exec >>"$out"{"" if both else " 2>&1"}')
    if files.error:
        lines.append('exec 2>>"$err"')
    return "".join(f"{line}\n" for line in lines)


def script_of(words: Sequence[str]) -> tuple[str, str, tuple[str, ...]] | None:
    """Path, text and arguments of the script that a task's command runs; None for any other command."""
    if len(words) < 6 or words[0] != SHELL or words[3] != MARK:
        return None
    return words[4], words[5], tuple(words[6:])
