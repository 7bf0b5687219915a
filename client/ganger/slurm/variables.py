"""This module makes the environment of a batch script as Slurm would, but for what only its worker knows. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ganger_core.domain.array import Indices
from ganger_core.domain.errors import Invalid
from ganger_core.domain.validate import RESERVED_ENV_PREFIX

CLUSTER = PARTITION = "ganger"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_OF_THE_SHELL = frozenset({"_", "PWD", "OLDPWD", "SHLVL"})
_FIXED = {
    "ENVIRONMENT": "BATCH",
    "SLURM_CLUSTER_NAME": CLUSTER,
    "SLURM_NTASKS": "1",
    "SLURM_NPROCS": "1",
    "SLURM_NNODES": "1",
    "SLURM_JOB_NUM_NODES": "1",
    "SLURM_TASKS_PER_NODE": "1",
    "SLURM_NODEID": "0",
    "SLURM_PROCID": "0",
    "SLURM_LOCALID": "0",
    "SLURM_GTIDS": "0",
}


def exported(text: str | None, env: Mapping[str, str]) -> dict[str, str]:
    """What `--export` takes of an environment; raises `Invalid`.

    `ALL`, also where nothing is said: everything; `NONE`, `NIL`: nothing; else what is named, with `ALL` that too. What
    belongs to the shell, to another job or to Ganger stays behind, and what no variable of a task can be.
    """
    parts = _parts(text) if text else ["ALL"]
    chosen: dict[str, str] = {}
    if "ALL" in parts:
        chosen = {name: value for name, value in env.items() if _is_passed_on(name, value)}
    for part in parts:
        name, equals, value = part.partition("=")
        if part in ("ALL", "NONE", "NIL"):
            continue
        if not _NAME.fullmatch(name) or name.startswith(RESERVED_ENV_PREFIX):
            raise Invalid(f"--export: {name[:80]!r} is no name of a variable that can be set", field="export")
        if equals:
            chosen[name] = value
        elif name in env:
            chosen[name] = env[name]
    return chosen


def _parts(text: str) -> list[str]:
    """Taken apart at commas that are not quoted."""
    found = re.findall(r"""((?:[^,'"]|'[^']*'|"[^"]*")+)""", text)
    return [re.sub(r"""(['"])(.*?)\1""", r"\2", part) for part in found]


def _is_passed_on(name: str, value: str) -> bool:
    if name in _OF_THE_SHELL or name.startswith((RESERVED_ENV_PREFIX, "SLURM_", "SLURMD_")):
        return False
    return bool(_NAME.fullmatch(name)) and _can_be_stored(value)


def _can_be_stored(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # bytes that are no UTF-8
        return False
    return "\0" not in value


def slurm_variables(
    *,
    name: str,
    cpus: int,
    memory: int,
    indices: Indices | None,
    folder: str,
    host: str,
    user: str,
    named: Mapping[str, str | None],
) -> dict[str, str]:
    """The variables that are known when a script is submitted; ids and the worker's name are not among them.

    `named` are values of options as they were given, None where they were not.
    """
    found = {
        **_FIXED,
        "SLURM_JOB_NAME": name,
        "SLURM_JOB_USER": user,
        "SLURM_SUBMIT_DIR": folder,
        "SLURM_SUBMIT_HOST": host,
        "SLURM_CPUS_PER_TASK": str(cpus),
        "SLURM_CPUS_ON_NODE": str(cpus),
        "SLURM_JOB_CPUS_PER_NODE": str(cpus),
        "SLURM_JOB_PARTITION": named.get("partition") or PARTITION,
    }
    if memory:
        per_cpu = bool(named.get("mem-per-cpu"))
        found["SLURM_MEM_PER_CPU" if per_cpu else "SLURM_MEM_PER_NODE"] = str(
            (memory // cpus if per_cpu else memory) >> 20
        )
    for each in ("account", "qos"):
        if value := named.get(each):
            found[f"SLURM_JOB_{each.upper()}"] = value
    if mode := named.get("open-mode"):
        found["SLURM_OPEN_MODE"] = mode[0]  # srun opens its files so too
    if indices is not None:
        found |= {f"SLURM_ARRAY_TASK_{key}": str(value) for key, value in _array(indices).items()}
    return found


def _array(indices: Indices) -> dict[str, int]:
    runs = indices.runs
    return {
        "COUNT": len(indices),
        "MIN": runs[0].start,
        "MAX": max(run[-1] for run in runs),
        "STEP": runs[0].step if len(runs) == 1 else 1,
    }
