"""This module holds the options that say how a command writes its result, the same for every command that has one."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from ganger.cli.completing import complete_forms
from ganger.output import Output, read_output

OutputOption = Annotated[
    str,
    typer.Option(
        "-o",
        "--output",
        help="table, wide, json, jsonl, yaml, csv, name or template='{id} {state}'. [env: GANGER_OUTPUT]",
        metavar="FORM",
        show_default=False,
        autocompletion=complete_forms,
    ),
]
QuietOption = Annotated[bool, typer.Option("-q", "--quiet", help="Write ids only, one per line: -o name.")]
NoColorOption = Annotated[
    bool, typer.Option("--no-color", help="No colours, also on a terminal. [env: NO_COLOR]")
]
NoHeaderOption = Annotated[bool, typer.Option("--no-header", help="Leave the titles of the columns out.")]
SortOption = Annotated[
    str,
    typer.Option(
        help="Columns or keys to sort by, such as state,-time; - for highest first.", metavar="KEYS"
    ),
]
ColumnsOption = Annotated[
    str, typer.Option(help="Columns or keys to show, such as id,state,owner.", metavar="KEYS")
]


def _read(
    *, output: OutputOption = "", quiet: QuietOption = False, no_color: NoColorOption = False
) -> Output:
    return _output(output, quiet, no_color)


def _read_list(
    *,
    output: OutputOption = "",
    quiet: QuietOption = False,
    no_header: NoHeaderOption = False,
    sort: SortOption = "",
    columns: ColumnsOption = "",
    no_color: NoColorOption = False,
) -> Output:
    return _output(output, quiet, no_color, header=not no_header, sort=sort, columns=columns)


def _output(text: str, quiet: bool, no_color: bool, **of_a_list: Any) -> Output:
    from ganger_core.domain.errors import Invalid

    if no_color:
        os.environ["NO_COLOR"] = "1"
    try:
        return read_output(
            "name" if quiet else text or os.environ.get("GANGER_OUTPUT") or "table", **of_a_list
        )
    except Invalid as error:
        raise typer.BadParameter(error.message) from None


def with_output(keys: Sequence[str]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A command whose result has documents with these keys: it gets what `-o` and `-q` ask for as `out`.

    What asks for other keys is refused before the command does anything.
    """

    def decorate(verb: Callable[..., None]) -> Callable[..., None]:
        return _with(_read, verb, keys)

    return decorate


def with_list_output(verb: Callable[..., None]) -> Callable[..., None]:
    """A command that lists: it gets what `-o`, `--sort`, `--columns` and the like ask for as `out`."""
    return _with(_read_list, verb, None)


def _with(
    read: Callable[..., Output], verb: Callable[..., None], keys: Sequence[str] | None
) -> Callable[..., None]:
    """The verb with the options of `read` in the place of its parameter `out`."""
    options = inspect.signature(read, eval_str=True).parameters
    own = inspect.signature(verb, eval_str=True).parameters

    @functools.wraps(verb)
    def command(*args: Any, **given: Any) -> None:
        out = read(**{name: given.pop(name) for name in options})
        if keys is not None:
            out.check(keys)
        verb(*args, **given, out=out)

    parameters = [parameter for name, parameter in own.items() if name != "out"]
    parameters += [option.replace(kind=inspect.Parameter.KEYWORD_ONLY) for option in options.values()]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command
