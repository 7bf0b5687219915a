"""This module is the `ganger` command: global options, the verbs, and what happens when one fails."""

from __future__ import annotations

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
    dev,
    exits,
    hold,
    logs,
    ls,
    master,
    plan,
    planner,
    restore,
    retry,
    run,
    schema,
    show,
    submit,
    update,
    version,
    wait,
    worker,
)
from ganger.cli.failure import explain, tell, tell_crash
from ganger.cli.session import Session

SECTIONS = {
    "Start here": ("dev",),
    "Tasks": (
        "run",
        "submit",
        "apply",
        "ls",
        "show",
        "logs",
        "wait",
        "cancel",
        "hold",
        "release",
        "update",
        "retry",
    ),
    "Daemons": (
        "worker ls",
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
    "More": ("schema job", "version"),
}
EXAMPLE = "Example: "  # how the epilog of each command begins


class Root(TyperGroup):
    """The root command: lists the verbs by section, and turns errors into one line and an exit code."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The verbs by section, each with what it does and an example; then the global options."""
        for title, names in SECTIONS.items():
            with formatter.section(title):
                for name in names:
                    command = _find(self, ctx, name)
                    example = (command.epilog or "").removeprefix(EXAMPLE)
                    formatter.write(f"  {name:<14} {command.get_short_help_str(40):<34}  {example}\n")
        super().format_options(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Nothing more: `format_options` has them."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb; whatever fails ends as a line on stderr and an exit code."""
        from ganger_core.domain.errors import GangerError

        code = exits.REFUSED
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort):
            raise
        except GangerError as error:
            tell(explain(error))
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
        raise typer.Exit(exits.failure_of(ctx.invoked_subcommand, code, os.environ))


def _find(group: Any, ctx: Any, name: str) -> Any:
    for word in name.split():
        group = group.get_command(ctx, word)
    return group


def _tell_usage(error: TyperException) -> None:
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "ganger"
    tell(f"{error.format_message()}\n{path} --help shows how it is used")


def _drop_stdout() -> None:
    """Send what is left in the buffer nowhere, so that the interpreter's last flush does not fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


app = typer.Typer(
    cls=Root,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
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
    dev, run, submit, apply, plan, ls, show, logs, wait, cancel, hold, update, retry,
    worker, master, planner, backup, restore, schema, version,
):  # fmt: skip
    verb.add_to(app)


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command line and exit with its code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = typer.main.get_command(app)
    try:
        code = command.main(arguments or ["--help"], prog_name="ganger", standalone_mode=False)
    except TyperException as error:
        _tell_usage(error)
        code = error.exit_code
    except typer.Abort:
        code = exits.REFUSED
    sys.exit(code if isinstance(code, int) else exits.OK)
