"""This module says what a test needs of the machine beyond Python: skipped where it lacks, unless it must be there.

`GANGER_REQUIRE=docker,traces` names what this machine must have; a test that misses it then fails. So a
laptop skips with a reason, and a build machine cannot lose tests unnoticed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

ENV = "GANGER_REQUIRE"

Probe = Callable[[Mapping[str, str]], str]
"""Looks at the machine and its environment; returns what is missing, or nothing."""


def _docker(env: Mapping[str, str]) -> str:
    """Asks the engine, not the command: a docker command without an engine behind it is common."""
    if shutil.which("docker", path=env.get("PATH")) is None:
        return "there is no docker command"
    try:
        asked = subprocess.run(
            ["docker", "info", "--format", "{{.ServerVersion}}"],
            capture_output=True,
            timeout=5,
            check=False,
            env=env,
        )
    except subprocess.TimeoutExpired:
        return "the docker engine does not answer within 5 s"
    return "" if asked.returncode == 0 else "no docker engine answers"


def _traces(env: Mapping[str, str]) -> str:
    folder = env.get("GANGER_TRACES", "")
    if not folder:
        return "GANGER_TRACES does not name a folder of cluster traces"
    return "" if Path(folder).is_dir() else f"GANGER_TRACES={folder} is not a folder"


def _mounts(env: Mapping[str, str]) -> str:
    if os.geteuid():
        return "only root mounts file systems"
    if shutil.which("mkfs.ext4", path=env.get("PATH")) is None:
        return "there is no mkfs.ext4"
    return "" if Path("/dev/loop-control").exists() else "there are no loop devices"


def _strace(env: Mapping[str, str]) -> str:
    """Traces a program, because a strace that is there may not be allowed to."""
    if shutil.which("strace", path=env.get("PATH")) is None:
        return "there is no strace command"
    tried = subprocess.run(
        ["strace", "-o", os.devnull, "true"], capture_output=True, timeout=5, check=False, env=env
    )
    return "" if tried.returncode == 0 else "strace may not trace here"


def _freezer(env: Mapping[str, str]) -> str:
    if os.geteuid():
        return "only root freezes processes"
    return "" if Path("/sys/fs/cgroup/freezer/tasks").exists() else "there is no freezer of cgroups version 1"


def _power_cut(env: Mapping[str, str]) -> str:
    from crash.power_cut import missing

    return missing()


def _netns(env: Mapping[str, str]) -> str:
    from crash.netns import missing

    return missing()


def _faketime(env: Mapping[str, str]) -> str:
    from crash.clock_jump import missing

    return missing()


PROBES: Mapping[str, Probe] = {
    "docker": _docker,
    "mounts": _mounts,
    "traces": _traces,
    "freezer": _freezer,
    "strace": _strace,
    "power-cut": _power_cut,
    "netns": _netns,
    "faketime": _faketime,
}


def requires(name: str, env: Mapping[str, str] = os.environ, probes: Mapping[str, Probe] = PROBES) -> None:
    """Go on when this machine has `name`; otherwise skip the running test, or fail it when `name` must be there."""
    must = {part.strip() for part in env.get(ENV, "").split(",") if part.strip()}
    if unknown := must - probes.keys():
        pytest.fail(f"{ENV} names {', '.join(sorted(unknown))}; known are {', '.join(sorted(probes))}")
    missing = probes[name](env)
    if not missing:
        return
    if name in must:
        pytest.fail(f"needs {name}: {missing}; {ENV} says that it must be there")
    pytest.skip(f"needs {name}: {missing}")
