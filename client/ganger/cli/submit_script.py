"""This module reads batch scripts for `ganger submit`: their lines, and what the command line says above them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import typer
from typer.exceptions import TyperException

from ganger.cli.array_options import ArrayAsked, read_array
from ganger.cli.helping import Verb
from ganger.cli.task_options import REPEATED, Asked, read_after, read_options, task_parameters

if TYPE_CHECKING:
    from ganger.build import TaskOptions
    from ganger.client import Client
    from ganger.slurm.batch import Batch
    from ganger.slurm.command_line import Said
    from ganger.slurm.script import Script

SOURCES = ("array", "each_line", "from_json")
ARRAY_PARAMETERS = (*SOURCES, "max_parallel", "max_fails")
KEYS = {"mem": "memory", "at": "not_before", "label": "labels"}
"""Options of a task by the parameter that has another name."""
_BEHIND_DASHES = "ganger.command_behind_dashes"


class SubmitCommand(Verb):
    """`ganger submit`, which tells `ganger submit script.sh` from `ganger submit -- script.sh`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Remember whether the command stands behind `--`."""
        given = list(args)
        rest = super().parse_args(ctx, args)
        command = ctx.params.get("command") or []
        ctx.meta[_BEHIND_DASHES] = given[: len(given) - len(command)][-1:] == ["--"]
        return rest


def is_behind_dashes(context: typer.Context) -> bool:
    """Whether the command line has its command behind `--`: then it is no file to be read now."""
    return bool(context.meta.get(_BEHIND_DASHES))


@dataclass(frozen=True)
class Submission:
    """What `ganger submit` is to hand in."""

    asked: Asked
    array: ArrayAsked | None
    batch: Batch | None = None

    @property
    def without_effect(self) -> tuple[str, ...]:
        """Which options of the script change nothing."""
        return self.batch.notes if self.batch else ()

    def hand_in(self, client: Client) -> int:
        """Submit it and return the id. Raises `Invalid`."""
        if self.batch is not None:
            from ganger.slurm.submission import hand_in

            items, max_fails = (self.array.items, self.array.max_fails) if self.array else (None, None)
            after = read_after(client, self.asked.after)
            return hand_in(client, self.batch, items=items, max_fails=max_fails, after=after)
        array = self.array
        if array is None:
            return self.asked.submit(client)
        return client.submit_array(
            self.asked.command,
            array.indices,
            items=array.items,
            max_parallel=array.max_parallel,
            max_fails=array.max_fails,
            **self.asked.options(client),
        )


def read_submission(context: typer.Context, asked: Asked, array: Mapping[str, Any]) -> Submission:
    """What the command line asks for, and the script that it names, if it does. Raises `Invalid`.

    A file here that begins with `#!` and has `#SBATCH` or `#GANGER` lines at its head is read now: its text travels
    with the task. Any other command, and what stands behind `--`, is looked for when the task runs.
    """
    from ganger.slurm.prelude import command
    from ganger.slurm.sbatch_options import read_lines
    from ganger.slurm.submission import is_batch_script, load_script

    path, *arguments = asked.command
    if is_behind_dashes(context) or not is_batch_script(path):
        return Submission(asked, read_array(**array))
    script = load_script(path)
    said = _said(context, script)
    lines = read_lines(script.slurm)
    options = _named_options(said)
    limits_slurm_s = lines.has("array") and not any(said.get(name) is not None for name in SOURCES)
    asked_array = None if limits_slurm_s else read_array(*(said.get(name) for name in ARRAY_PARAMETERS))
    if script.slurm:
        return _slurm_script(script, arguments, lines, options, asked_array, said)
    whole = cast("TaskOptions", {**asked.given, "name": script.name, **options})
    words = command(script, arguments, is_slurm=False)
    return Submission(Asked([*words], whole, said.get("after", [])), asked_array)


def _slurm_script(
    script: Script,
    arguments: Sequence[str],
    lines: Said,
    options: TaskOptions,
    array: ArrayAsked | None,
    said: Mapping[str, Any],
) -> Submission:
    """What a script with `#SBATCH` lines asks for, below the options and the array of `ganger submit`."""
    from ganger.slurm.batch import Overrides, make_batch
    from ganger.slurm.submission import place_here

    above = Overrides(task=options)
    if array is not None:
        above["indices"], above["max_parallel"] = array.indices, array.max_parallel
    elif said.get("max_parallel") is not None:
        above["max_parallel"] = said["max_parallel"]
    batch = make_batch(
        script, arguments, lines, place_here(os.environ), default_output=False, overrides=above
    )
    if array is None and batch.indices is not None:
        array = ArrayAsked(batch.indices, None, batch.max_parallel, said.get("max_fails"))
    return Submission(Asked([*batch.command], batch.options, said.get("after", [])), array, batch)


def _said(context: typer.Context, script: Script) -> dict[str, Any]:
    """Parameters that the `#GANGER` lines give, and above them those of the command line; repeated ones of all."""
    levels = [_given_in_line(context, where, words) for where, words in script.ganger]
    levels.append(_given(context))
    found: dict[str, Any] = {}
    for level in levels:
        repeated = {name: [*found.get(name, []), *level.get(name, [])] for name in REPEATED}
        if any(level.get(name) for name in ("array", "each_line", "from_json")):
            for name in (
                "array",
                "each_line",
                "from_json",
            ):  # another source of elements takes the place of the first
                found.pop(name, None)
        found |= level | {name: values for name, values in repeated.items() if values}
    return found


def _given_in_line(context: typer.Context, where: str, words: Sequence[str]) -> dict[str, Any]:
    from ganger_core.domain.errors import Invalid

    try:
        line = context.command.make_context("submit", [*words, "--", "script"], parent=context.parent)
    except TyperException as error:
        raise Invalid(f"{where}{error.format_message()}; ganger submit --help lists what there is") from None
    if line.params["command"] != ["script"]:
        raise Invalid(f"{where}{line.params['command'][0]!r} is no option; they begin with a dash")
    given = _given(cast(typer.Context, line))
    for name in given.keys() - task_parameters() - {*ARRAY_PARAMETERS}:
        raise Invalid(f"{where}--{name.replace('_', '-')} is said to ganger submit, and not in a script")
    return given


def _given(context: typer.Context) -> dict[str, Any]:
    """The parameters that were given, and not left at their default."""
    given = {}
    for name, value in context.params.items():
        source = context.get_parameter_source(name)
        if name != "command" and source is not None and source.name == "COMMANDLINE":
            given[name] = value
    return given


def _named_options(said: Mapping[str, Any]) -> TaskOptions:
    """Only the options of the task that were given."""
    options = dict(read_options(said))
    keys = [KEYS.get(name, name) for name in said]
    return cast("TaskOptions", {key: options[key] for key in keys if key in options})
