"""This module is the truth of a crash campaign: what tasks themselves wrote, outside Ganger's storage.

Every task of a campaign runs `SCRIPT`. It appends lines to one file: START when it begins, BEAT while it lives,
END when it ends by itself, each with task, token, host, process id and the boot clock of the host: at START that
of its creation, by the kernel, for an interpreter takes its time until its first line.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

BEAT_S = 0.05
"""A killed task may have lived this much longer than its last line says."""

SCRIPT = f"""
import os, sys, time
path, first_s, later_s, code = sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
task, token = os.environ["GANGER_TASK_ID"], os.environ["GANGER_TOKEN"]
file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
clock = lambda: time.clock_gettime(time.CLOCK_BOOTTIME)
def say(what, at):
    os.write(file, f"{{what}} {{task}} {{token}} {{os.uname().nodename}} {{os.getpid()}} {{at:.6f}}\\n".encode())
ticks = int(open("/proc/self/stat").read().rsplit(")", 1)[1].split()[19]) + 1
say("START", min(clock(), ticks / os.sysconf("SC_CLK_TCK")))
end = clock() + (first_s if token == "1" else later_s)
while clock() < end:
    time.sleep(max(0.0, min({BEAT_S}, end - clock())))
    say("BEAT", clock())
say("END", clock())
sys.exit(code)
"""


def command(path: Path, first_s: float, later_s: float = 0.0, code: int = 0) -> list[str]:
    """A task that lives `first_s` seconds in its first attempt and `later_s` in every other, then exits with `code`."""
    arguments = [str(path), str(first_s), str(later_s), str(code)]
    return [sys.executable, "-I", "-S", "-c", SCRIPT, *arguments]


@dataclass(frozen=True, slots=True)
class Span:
    """One attempt as it told of itself; `end_s` is that of its last line, `ended` whether that was END."""

    task: int
    token: int
    host: str
    pid: int
    start_s: float
    end_s: float
    ended: bool = False


def parse(lines: Iterable[str]) -> list[Span]:
    """The attempts in these lines, in the order of their START. Each process is a span of its own."""
    spans: dict[tuple[int, int, str, int], Span] = {}
    for line in lines:
        what, task, token, host, pid, at = line.split()
        key = (int(task), int(token), host, int(pid))
        if what == "START":
            spans[key] = Span(*key, float(at), float(at))
        else:
            spans[key] = replace(spans[key], end_s=float(at), ended=what == "END")
    return sorted(spans.values(), key=lambda span: span.start_s)


def read(path: Path) -> list[Span]:
    """The attempts in a file of truth; none when nothing has started yet. A line that is being written waits."""
    if not path.exists():
        return []
    text = path.read_text()
    return parse(text[: text.rfind("\n") + 1].splitlines())
