"""This module is `sinfo`: the workers, as nodes of one partition."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from ganger.render import say
from ganger.slurm.command_line import CommandLine, Option, Takes
from ganger.slurm.variables import PARTITION
from ganger_core.domain.errors import Invalid

if TYPE_CHECKING:
    from ganger_core.domain.task import WorkerView

USAGE = """\
sinfo [-h] [-N] [-o FORMAT]
Lists the workers of Ganger, in Slurm's words. `ganger worker ls` says more."""

DEFAULT = "%9P %.5a %.10l %.6D %.6t %N"
BY_NODE = "%12N %.6D %9P %t"
TITLES = {
    "P": "PARTITION", "R": "PARTITION", "a": "AVAIL", "l": "TIMELIMIT", "D": "NODES", "t": "STATE", "T": "STATE",
    "N": "NODELIST", "n": "HOSTNAMES", "c": "CPUS", "C": "CPUS(A/I/O/T)", "m": "MEMORY", "e": "FREE_MEM", "G": "GRES",
    "O": "CPU_LOAD",
}  # fmt: skip
_SPEC = re.compile(r"%(\.?)(\d*)(.)|([^%]+)")
_LONG = {"alloc": "allocated", "mix": "mixed"}
_LINE = CommandLine(
    (
        Option("noheader", "h", Takes.NOTHING), Option("Node", "N", Takes.NOTHING), Option("format", "o"),
        Option("partition", "p"), Option("all", "a", Takes.NOTHING),
    )
)  # fmt: skip


def main(words: Sequence[str]) -> int:
    """Run the command; raises `GangerError`."""
    from ganger.client import Client

    said = _LINE.read(words)
    with Client() as client:
        workers = sorted(client.workers(), key=lambda worker: (node_state(worker), worker.profile.name))
    if said.has("Node"):
        groups = [[worker] for worker in sorted(workers, key=lambda worker: worker.profile.name)]
    else:
        groups = [list(group) for _, group in groupby(workers, node_state)]
    pattern = said.last("format") or (BY_NODE if said.has("Node") else DEFAULT)
    rows = [cells(group) for group in groups]
    for row in ([] if said.has("noheader") else [TITLES]) + rows:
        say(_line(pattern, row))
    return 0


def node_state(worker: WorkerView) -> str:
    """The state of a node: what is taken of its CPUs and slots says whether it is idle, mix or alloc."""
    if worker.state == "LOST":
        return "down"
    if worker.state in ("CORDONED", "DRAINING", "DRAINED"):
        return "drng" if worker.attempts else "drain"
    if not worker.attempts:
        return "idle"
    free = worker.free
    return "mix" if free.cpu_milli > 0 and free.slots > 0 else "alloc"


def cells(workers: Sequence[WorkerView]) -> dict[str, str]:
    """What there is to say of workers that stand alike, by the letter that asks for it."""
    first, state = workers[0], node_state(workers[0])
    total = sum(worker.profile.capacity.cpu_milli for worker in workers) // 1000
    free = sum(max(0, worker.free.cpu_milli) for worker in workers) // 1000
    out = total if state == "down" else 0
    taken = 0 if out else total - free
    return {
        "P": f"{PARTITION}*",
        "R": PARTITION,
        "a": "up",
        "l": "infinite",
        "D": str(len(workers)),
        "t": state,
        "T": _LONG.get(state, state),
        "N": ",".join(worker.profile.name for worker in workers),
        "n": first.profile.host,
        "c": str(first.profile.capacity.cpu_milli // 1000),
        "C": f"{taken}/{0 if out else total - taken}/{out}/{total}",
        "m": str(first.profile.capacity.memory_bytes >> 20),
        "e": str(max(0, first.free.memory_bytes) >> 20),
        "G": "(null)",
        "O": f"{first.usage.cpu_percent * first.profile.capacity.cpu_milli / 100_000:.2f}",
    }


def _line(pattern: str, row: dict[str, str]) -> str:
    parts = []
    for right, width, letter, between in _SPEC.findall(pattern):
        if between:
            parts.append(between)
            continue
        if letter not in TITLES:
            raise Invalid(f"-o: %{letter} is not there; there are %{' %'.join(TITLES)}")
        text = row[letter]
        size = int(width or 0)
        text = text[:size] if size else text
        parts.append(text.rjust(size) if right else text.ljust(size))
    return "".join(parts).rstrip()
