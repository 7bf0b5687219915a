"""This module measures peers by scripts given from outside, in turn with Ganger's own figures.

GANGER_PEERS names a folder with one virtual environment per peer (`hq`, `dask`, `ray`, `celery`, `parsl`), and
GANGER_BENCH a folder of scripts `X_noop.py N --metric M`, each of which prints JSON objects with `peer`, `metric`,
`n`, `seconds`, `per_task_us` and, for latencies, `p50_ms`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.report import Line, progress, rounded

ENVIRONMENTS, SCRIPTS = "GANGER_PEERS", "GANGER_BENCH"
TIME_LIMIT_S = 1_200.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """One peer's answer to a figure: its environment, script and flags; `key` of its line, times `scale`."""

    peer: str
    script: str
    flags: tuple[str, ...]
    key: str
    scale: float = 1.0


def _batch(metric: str, peer: str, script: str, *more: str) -> Comparison:
    return Comparison(peer, script, ("--metric", metric, *more), "per_task_us", 1e-3)


def _latency(peer: str, script: str, *more: str) -> Comparison:
    return Comparison(peer, script, ("--metric", "latency", *more), "p50_ms")


def _pending(peer: str, script: str) -> Comparison:
    return Comparison(peer, script, ("--metric", "pending"), "per_task_us")


def _recovery(peer: str, script: str) -> Comparison:
    return Comparison(peer, script, ("--metric", "recovery"), "seconds")


HQ, DASK, RAY = ("hq", "hyperqueue_noop.py"), ("dask", "dask_noop.py"), ("ray", "ray_noop.py")
CELERY, PARSL = ("celery", "celery_noop.py"), ("parsl", "parsl_noop.py")

COMPARISONS: Mapping[str, tuple[Comparison, ...]] = {
    "noop": (
        _batch("batch_files", *HQ),
        _batch("process", *DASK),
        _batch("process", *RAY),
        _batch("process", *CELERY, "--aof"),
        _batch("process", *PARSL),
    ),
    "latency": (
        _latency(*HQ),
        _latency(*DASK),
        _latency(*RAY),
        _latency(*CELERY, "--aof"),
        _latency(*PARSL),
    ),
    "latency-paused": (_latency(*HQ, "--pause", "0.2"),),
    "accept": (_pending(*HQ), _pending(*DASK), _pending(*RAY), _pending(*CELERY)),
    "rerun": (_recovery(*HQ), _recovery(*DASK), _recovery(*CELERY), _recovery(*PARSL)),
}
"""Figure to what peers do instead; the first line of the figure is what they are compared with."""


def why_skipped(env: Mapping[str, str]) -> str:
    """Why no peer is measured; empty when they are."""
    missing = [name for name in (ENVIRONMENTS, SCRIPTS) if not env.get(name)]
    return f"{' and '.join(missing)} not set" if missing else ""


def compare(figure: str, ours: Line, env: Mapping[str, str]) -> Iterator[Line]:
    """The peers' lines for a figure of ours, with `ratio`: ours by theirs."""
    for comparison in COMPARISONS.get(figure, ()):
        yield {"peer": comparison.peer, "figure": figure} | _measured(comparison, ours, env)


def _measured(comparison: Comparison, ours: Line, env: Mapping[str, str]) -> Line:
    python = Path(env[ENVIRONMENTS]) / comparison.peer / "bin" / "python"
    script = Path(env[SCRIPTS]) / comparison.script
    for path in (python, script):
        if not path.exists():
            return {"skipped": f"there is no {path}"}
    command = [str(python), str(script), str(ours["n"]), *comparison.flags]
    progress(f"peer: {' '.join(command)}")
    status, said, complaint = _run(command, env)
    if status:
        return {"failed": f"exit status {status}: {complaint[-1] if complaint else ''}"}
    lines = [found for found in map(_parsed, said) if comparison.key in found]
    if not lines:
        return {"failed": f"no line with {comparison.key}"}
    theirs = sorted(float(str(line[comparison.key])) * comparison.scale for line in lines)
    value = theirs[len(theirs) // 2]
    if value <= 0:
        return {"failed": f"{comparison.key} is {value}"}
    own = float(str(ours["value"]))
    return {
        "metric": lines[0].get("metric"),
        "n": lines[0].get("n"),
        "value": rounded(value),
        "unit": ours["unit"],
        "repetitions": len(theirs),
        "ours": own,
        "ratio": rounded(own / value),
    }


def _run(command: list[str], env: Mapping[str, str]) -> tuple[int, list[str], list[str]]:
    """Exit status and lines of stdout and stderr; what the script leaves behind in its session is ended."""
    path = os.pathsep.join([str(Path(command[0]).parent), env.get("PATH", os.defpath)])
    own = {name: value for name, value in env.items() if name != "PYTHONPATH"} | {"PATH": path}
    with subprocess.Popen(
        command,
        env=own,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            said, complaint = process.communicate(timeout=TIME_LIMIT_S)
        except subprocess.TimeoutExpired:
            return 124, [], [f"still running after {TIME_LIMIT_S:g} s"]
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, said.splitlines(), complaint.splitlines()


def _parsed(text: str) -> Line:
    try:
        line = json.loads(text)
    except json.JSONDecodeError:
        return {}
    return line if isinstance(line, dict) else {}
