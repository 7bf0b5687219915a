"""This module is the `ganger` command: global options, the verbs, and what happens when one fails."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from ganger.cli import (
    apply,
    backup,
    cancel,
    completion,
    cp,
    dev,
    doctor,
    exits,
    hold,
    logs,
    ls,
    master,
    plan,
    planner,
    progress,
    restore,
    retry,
    run,
    schema,
    shim,
    show,
    submit,
    update,
    version,
    wait,
    why,
    worker,
)
from ganger.cli.failure import explain, tell, tell_crash
from ganger.cli.forwarding import plain_interrupts
from ganger.cli.helping import EXAMPLE, Verb
from ganger.cli.session import Session
from ganger.render import width

SECTIONS = {
    "Start here": ("dev",),
    "Tasks": (
        "run",
        "submit",
        "apply",
        "plan",
        "ls",
        "show",
        "why",
        "logs",
        "cp",
        "progress",
        "wait",
        "cancel",
        "hold",
        "release",
        "update",
        "retry",
    ),
    "Daemons": (
        "worker ls",
        "worker show",
        "worker start",
        "worker cordon",
        "worker drain",
        "worker resume",
        "worker fence",
        "master start",
        "planner start",
        "planner solve",
    ),
    "Safety": ("backup", "restore"),
    "More": ("schema job", "doctor", "shim install", "shim uninstall", "completion", "version"),
}
LONGEST_LINE = 95  # of the list of verbs; on a narrower terminal it has no examples


class Root(TyperGroup):
    """The root command: lists the verbs by section, and turns errors into one line and an exit code."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The verbs by section, each with what it does and an example; then the global options."""
        for title, names in SECTIONS.items():
            with formatter.section(title):
                for name in names:
                    command = _find(self, ctx, name)
                    example = "  " + (command.epilog or "").removeprefix(EXAMPLE)
                    line = f"  {name:<14} {command.get_short_help_str(40):<34}"
                    fits = formatter.width >= LONGEST_LINE
                    formatter.write((line + example * fits).rstrip() + "\n")
        super().format_options(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Nothing more: `format_options` has them."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb; whatever fails ends as a line on stderr and an exit code."""
        from ganger_core.domain.errors import GangerError

        code = exits.REFUSED
        try:
            with plain_interrupts():
                return super().invoke(ctx)
        except (typer.Exit, typer.Abort):
            raise
        except GangerError as error:
            tell(explain(error, ctx.invoked_subcommand or ""))
        except BrokenPipeError:
            _drop_stdout()
            raise typer.Exit(exits.PIPE_CLOSED) from None
        except TyperException as error:
            _tell_usage(error)
            code = error.exit_code
        except KeyboardInterrupt:
            tell("interrupted")
            code = exits.INTERRUPTED
        except Exception as error:  # noqa: BLE001 - the process ends here, and a traceback helps nobody unasked
            tell_crash(error)
        passes = bool(ctx.meta.get(exits.PASSES_THROUGH))
        raise typer.Exit(exits.failure_of(ctx.invoked_subcommand, code, os.environ, passes_through=passes))


def _find(group: Any, ctx: Any, name: str) -> Any:
    for word in name.split():
        group = group.get_command(ctx, word)
    return group


def _tell_usage(error: TyperException) -> None:
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "ganger"
    message = error.format_message().removeprefix("Invalid value: ")
    tell(f"{message}\n{path} --help shows how it is used")


def _drop_stdout() -> None:
    """Send what is left in the buffer nowhere, so that the interpreter's last flush does not fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


app = typer.Typer(
    cls=Root,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="Runs tasks on your own machines. First `ganger dev`; then, in another terminal, the examples below.",
)


@app.callback()
def root(
    context: typer.Context,
    state_dir: Annotated[
        str, typer.Option(help="The state folder of a master here. [env: GANGER_STATE_DIR]", metavar="FOLDER")
    ] = "",
    address: Annotated[
        str, typer.Option(help="The master: HOST:PORT or unix:/PATH. [env: GANGER_ADDR]", metavar="ADDRESS")
    ] = "",
    token_file: Annotated[
        str,
        typer.Option(help="The file with the token, for HOST:PORT. [env: GANGER_TOKEN_FILE]", metavar="FILE"),
    ] = "",
) -> None:
    """Take the global options."""
    context.obj = Session(state_dir, address, token_file)


for verb in (
    dev, run, submit, apply, plan, ls, show, why, logs, cp, progress, wait, cancel, hold, update, retry,
    worker, master, planner, backup, restore, schema, doctor, shim, completion, version,
):  # fmt: skip
    verb.add_to(app)
for described in (app, *(group.typer_instance for group in app.registered_groups if group.typer_instance)):
    for registered in described.registered_commands:
        if registered.cls is None or not issubclass(registered.cls, Verb):
            registered.cls = Verb


@functools.cache
def _command() -> Any:
    """The root command, made once in a process."""
    return typer.main.get_command(app)


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command line and exit with its code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if completion.VARIABLE in os.environ:
        from typer.completion import completion_init  # type: ignore[attr-defined]

        completion_init()
    try:
        code = _command().main(
            arguments or ["--help"], prog_name="ganger", standalone_mode=False, terminal_width=width()
        )
    except TyperException as error:
        _tell_usage(error)
        code = error.exit_code
    except typer.Abort:
        code = exits.REFUSED
    sys.exit(code if isinstance(code, int) else exits.OK)
