"""This module reads batch scripts: what runs them, and the options in the comments at their head. Pure."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from ganger_core.domain.errors import Invalid

MOST_BYTES = 100_000  # the text travels with the task, as one of its arguments
MARKS = ("#SBATCH", "#GANGER")
_SHEBANG = re.compile(r"#!\s*(\S+)(?:[ \t]+(.*?))?\s*")
_LINE = re.compile(r"(#SBATCH|#GANGER)(?:[ \t](.*))?")


@dataclass(frozen=True, slots=True)
class Script:
    """A batch script: its path as it was named, its text, what runs it, and the words of its `#…` lines.

    `slurm` and `ganger` hold a pair for each such line: where it is, and its words.
    """

    path: str
    text: str
    interpreter: tuple[str, ...]
    slurm: tuple[tuple[str, tuple[str, ...]], ...] = ()
    ganger: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def name(self) -> str:
        """The name of its file."""
        return self.path.rpartition("/")[2]


def has_options(data: bytes) -> bool:
    """Whether this is the beginning of a script with options at its head; it need not be a good one."""
    if not data.startswith(b"#!") or b"\0" in data:
        return False
    head = _head(data.decode(errors="replace"))
    return any(_LINE.fullmatch(line) for _, line in head)


def read_script(path: str, data: bytes) -> Script:
    """The script in a file's bytes; raises `Invalid`, naming the file and the line."""
    if not data.startswith(b"#!"):
        raise Invalid(
            f"{path} is no batch script: its first line must be #! and what runs it, such as #!/bin/bash"
        )
    if len(data) > MOST_BYTES:
        raise Invalid(
            f"{path} is longer than the {MOST_BYTES} bytes of a batch script: let it call a file that has the rest"
        )
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise Invalid(f"{path}: line {number} is no UTF-8 text") from None
    if "\0" in text:
        raise Invalid(f"{path} holds a NUL character: it is no batch script")
    if "\r\n" in text:
        raise Invalid(
            f"{path} has the line ends of DOS, which shells stumble over: sed -i 's/\\r$//' {shlex.quote(path)}"
        )
    shebang = _SHEBANG.fullmatch(text.partition("\n")[0])
    if shebang is None:
        raise Invalid(f"{path}: line 1: nothing stands behind #!; write #!/bin/bash, for example")
    interpreter = tuple(part for part in shebang.groups() if part)
    lines: dict[str, list[tuple[str, tuple[str, ...]]]] = {mark: [] for mark in MARKS}
    for number, line in _head(text):
        if match := _LINE.fullmatch(line):
            where = f"{path}: line {number}: "
            lines[match[1]].append((where, _words(match[2] or "", where)))
    return Script(path, text, interpreter, tuple(lines["#SBATCH"]), tuple(lines["#GANGER"]))


def wrapped(command: str) -> Script:
    """The script that `--wrap` stands for; raises `Invalid`."""
    return read_script("wrap", f"#!/bin/sh\n{command}\n".encode("utf-8", "surrogateescape"))


def _head(text: str) -> list[tuple[int, str]]:
    """The numbered lines before the first that is neither empty nor a comment."""
    found = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip() and not line.startswith("#"):
            break
        found.append((number, line))
    return found


def _words(text: str, where: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text, comments=True))
    except ValueError as error:
        raise Invalid(f"{where}{str(error).lower()}; close it on the same line") from None
