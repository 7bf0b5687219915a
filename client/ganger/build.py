"""This module makes task specs from the terms that people use: CPUs, sizes with units, a plain environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ganger_core.domain.errors import Invalid
from ganger_core.domain.resources import Resources
from ganger_core.domain.task import DEFAULT_PRIORITY, TaskSpec
from ganger_core.domain.validate import check_spec, parse_cpus, parse_memory


def task_spec(
    command: Sequence[str],
    *,
    name: str = "",
    env: Mapping[str, str] | None = None,
    workdir: str = "",
    cpus: float | str = 1,
    memory: int | str = 0,
    priority: int = DEFAULT_PRIORITY,
) -> TaskSpec:
    """A task to submit.

    `command` is the program and its arguments; no shell takes part. `cpus` may be a fraction, `memory` is
    bytes or a size such as "8GiB" (0: none asked for). An empty `workdir` means a fresh folder; otherwise it
    is a folder on the worker's host. Raises `Invalid`, naming the field.
    """
    if isinstance(command, str):
        raise Invalid('command must be a list of arguments, such as ["python", "train.py"]', field="command")
    spec = TaskSpec(
        command=tuple(command),
        name=name,
        env=tuple((env or {}).items()),
        workdir=workdir,
        resources=Resources(parse_cpus(str(cpus)), parse_memory(str(memory)), 1),
        priority=priority,
    )
    check_spec(spec)
    return spec
