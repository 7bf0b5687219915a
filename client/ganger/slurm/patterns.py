"""This module turns Slurm's patterns of file names, such as `%x-%A_%a.out`, into words for a shell. Pure."""

from __future__ import annotations

import re
import shlex

from ganger_core.domain.errors import Invalid

_REPLACED = re.compile(r"%(?:(\d{1,2})?([AajJNnstxubh%])|(.?))", re.DOTALL)

# What is known only where the task runs: variables that its shell has by then.
_VARIABLES = {
    "A": "${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}",
    "a": "${SLURM_ARRAY_TASK_ID:-4294967294}",
    "b": "$((${SLURM_ARRAY_TASK_ID:-0} % 10))",
    "j": "$SLURM_JOB_ID",
    "J": "$SLURM_JOB_ID",
    "N": "$SLURMD_NODENAME",
    "h": "$SLURMD_NODENAME",
}
_RANKS = {"n": "0", "t": "0", "s": "0"}  # one node, one task, one step
_NUMBERS = frozenset("AabjJ")


def shell_word(pattern: str, *, name: str, user: str, field: str) -> str:
    """A word for a POSIX shell that becomes the file's name; raises `Invalid` for what is no pattern of Slurm's.

    `%A` array, `%a` index, `%b` index modulo 10, `%j` `%J` job, `%N` worker, `%x` name, `%u` user, `%n` `%s` `%t` 0,
    `%%` a percent sign; `%5a` fills up with zeros. A backslash anywhere leaves the name as it is.
    """
    if "\\" in pattern:
        return shlex.quote(pattern.replace("\\", ""))
    fixed = {"x": name, "u": user, "%": "%", **_RANKS}
    parts, end = [], 0
    for found in _REPLACED.finditer(pattern):
        parts.append(_quoted(pattern[end : found.start()]))
        end = found.end()
        width, letter, unknown = found.groups()
        if letter is None:
            raise Invalid(
                f"{field}: %{unknown} in {pattern!r} stands for nothing; a percent sign is %%", field=field
            )
        parts.append(_part(letter, int(width or 0), fixed))
    parts.append(_quoted(pattern[end:]))
    return "".join(parts) or "''"


def _part(letter: str, width: int, fixed: dict[str, str]) -> str:
    if letter in fixed:
        value = fixed[letter]
        return _quoted(value.zfill(width) if letter in _RANKS else value)
    variable = _VARIABLES[letter]
    if width and letter in _NUMBERS:
        return f'"$(printf %0{min(width, 10)}d "{variable}")"'
    return f'"{variable}"'


def _quoted(text: str) -> str:
    return shlex.quote(text) if text else ""
