"""This module measures Ganger from the command line: `python -m bench`, with `tests` on the Python path.

Every figure comes from real processes in a state folder of their own, below TMPDIR. stdout has one line of JSON per
figure and nothing else; what is going on is told on stderr.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from bench import peers
from bench.profiled import KINDS
from bench.queueing import accept, accept_array, depth, depth_array
from bench.recovery import rerun, restart
from bench.report import Line, progress, tell
from bench.running import latency, latency_paused, noop, noop_no_planner, overtake
from bench.scenes import PROFILES
from bench.sizes import FULL, QUICK, Sizes

Measure = Callable[[Sizes], Iterator[Line]]

FIGURES: Mapping[str, Measure] = {
    "noop": noop,
    "noop-no-planner": noop_no_planner,
    "latency": latency,
    "latency-paused": latency_paused,
    "overtake": overtake,
    "accept": accept,
    "accept-array": accept_array,
    "depth": depth,
    "depth-array": depth_array,
    "restart": restart,
    "rerun": rerun,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Print the figures asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure Ganger on this machine.")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything, or less")
    parser.add_argument(
        "--only", default=",".join(FIGURES), metavar="NAME,…", help=f"which: {', '.join(FIGURES)}"
    )
    parser.add_argument("--profile", choices=KINDS, help="after each figure, what used its daemons' CPU time")
    options = parser.parse_args(argv)
    names = options.only.split(",")
    if unknown := [name for name in names if name not in FIGURES]:
        parser.error(f"no figure is called {', '.join(unknown)}; there are {', '.join(FIGURES)}")
    if skipped := peers.why_skipped(os.environ):
        progress(f"peers are skipped: {skipped}")
    tell(machine(options.quick) | {"profiled": options.profile})
    for name in names:
        progress(f"{name}: {(FIGURES[name].__doc__ or '').partition('.')[0]}")
        lines = []
        with _profiles(options.profile) as profiles:
            for line in FIGURES[name](QUICK if options.quick else FULL):
                lines.append({"figure": name} | line)
                tell(lines[-1])
        for line in profiles:
            tell({"figure": name} | line)
        if not skipped:
            for line in peers.compare(name, lines[0], os.environ):
                tell(line)
    return 0


@contextmanager
def _profiles(kind: str | None) -> Iterator[list[Line]]:
    """What the daemons leave that are started within, filled in at the end; nothing without a kind."""
    found: list[Line] = []
    if kind is None:
        yield found
        return
    with tempfile.TemporaryDirectory(prefix="gg-profiles") as folder:
        os.environ[PROFILES] = os.pathsep.join((folder, kind))
        try:
            yield found
        finally:
            del os.environ[PROFILES]
        found += [json.loads(path.read_text()) for path in sorted(Path(folder).glob("*.json"))]


def machine(quick: bool) -> Line:
    """What the figures were measured on, and how busy it was before."""
    folder = tempfile.gettempdir()
    mounts = sorted(psutil.disk_partitions(all=True), key=lambda mount: len(mount.mountpoint))
    file_systems = [mount.fstype for mount in mounts if folder.startswith(mount.mountpoint)]
    return {
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "system": platform.release(),
        "python": platform.python_version(),
        "file_system": file_systems[-1] if file_systems else "",
        "load_average": round(os.getloadavg()[0], 2),
        "quick": quick,
    }


if __name__ == "__main__":
    sys.exit(main())
