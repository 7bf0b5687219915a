"""This module writes docs/cli.md from the program's commands and docs/configuration.md from the daemons' settings.

What a command, an option or a setting means is said once, where it is defined.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

import typer

from ganger.cli import exits
from ganger.cli.main import EXAMPLE, SECTIONS, app
from ganger_core.settings import LOG_LEVELS, MasterSettings, PlannerSettings, WorkerSettings
from ganger_master.app import EXIT_BROKEN

DOCS = Path(__file__).resolve().parent.parent / "docs"
DAEMONS = {"master": MasterSettings, "worker": WorkerSettings, "planner": PlannerSettings}
NOTHING = "–"
TAKES = {
    "_seconds": "a duration of at least 10ms",
    "_at_least_a_day": "a duration of at least 24h",
    "_points": "0 to 100",
    "_log_level": ", ".join(LOG_LEVELS),
    "_listen": "HOST:PORT of this machine",
    "_address": "HOST:PORT or unix:/PATH",
    "_worker_name": "letters, digits, `._-`",
    "_folder": "a folder",
    "str": "a file",
    "parse_memory": "a size, such as 8GiB",
    "parse_cpus": "a number, such as 4 or 1.5",
}
"""What the parser of a setting takes, by its name; a number of a count stands in its own range."""

_TYPE = re.compile(r" <\S+>$")  # of an argument, behind its name
_BRACES = str.maketrans("", "", "{}")

EXIT_CODES = (
    (f"{exits.OK}", "Done. In `run` and `wait`: the tasks succeeded."),
    ("1 to 123", "`run` and `wait`: the task's own code; of several tasks the highest."),
    (
        f"{exits.REFUSED}",
        "All others: refused, not found, or no master answers. The line on stderr says what to do.",
    ),
    (f"{exits.USAGE}", "All others: wrong usage."),
    (
        f"{exits.TIMED_OUT}",
        "`run` and `wait`: the task ran into its `--time`, or the `--timeout` of `wait` is over.",
    ),
    (
        f"{exits.OWN_FAILURE}",
        "`run` and `wait`: a failure of Ganger's own, never the task's: wrong usage, no master, cancelled, lost, "
        "expired, skipped. `GANGER_EXIT_ERROR` names another code.",
    ),
    (
        "126, 127",
        "`run` and `wait`: the command or its folder is not to be used, or the command is not found, on the worker.",
    ),
    ("128 + n", "`run` and `wait`: signal n ended the task: 137 is SIGKILL, 143 SIGTERM."),
    (f"{exits.INTERRUPTED}", "Ctrl-C ended the command itself."),
    (f"{exits.PIPE_CLOSED}", "The reader of its output went away."),
    (
        f"{exits.NOTHING_STARTS}, {exits.STARTS}, {exits.NEVER_STARTS}, {exits.NO_PLAN}",
        "`plan`: nothing would start now; something would; something can never run; there is no plan.",
    ),
    (
        f"{EXIT_BROKEN}",
        "`master start`: the database cannot be written; [operations](operations.md) has what to do.",
    ),
)
VARIABLES = (
    ("GANGER_STATE_DIR", "the state folder; else `$XDG_STATE_HOME/ganger`, else `~/.local/state/ganger`"),
    ("GANGER_ADDR", "the master that commands and `ganger.Client()` talk to; else the socket of the state folder"),
    ("GANGER_TOKEN_FILE", "the file with the token, for a master that is named by HOST:PORT"),
    ("GANGER_CONFIG", "the file of the settings, instead of `ganger.toml` in the state folder"),
    ("GANGER_OUTPUT", "the form in which commands write results, as with `-o`: json, csv, …"),
    ("GANGER_COMPLETE", "set by shells that ask what could come next; of no use otherwise"),
    ("GANGER_EXIT_ERROR", "the exit code of `run` and `wait` for a failure of Ganger's own, instead of 125"),
    ("GANGER_DEBUG", "1: an error in Ganger itself is shown with its traceback"),
    ("NO_COLOR", "anything: no colours on a terminal"),
)  # fmt: skip
OF_TASKS = (
    ("GANGER_TASK_ID", "the id of the task"),
    ("GANGER_ATTEMPT", "the number of this attempt; `GANGER_TOKEN` is the same"),
    ("GANGER_WORKER", "the name of the worker"),
    ("GANGER_OUTPUT_DIR", "a folder for what the task makes; it is published when the task succeeds"),
    ("GANGER_ARRAY_ID", "of an element: the id of its array"),
    ("GANGER_ARRAY_INDEX", "of an element: its index"),
    ("GANGER_ARRAY_COUNT", "of an element: how many elements the array has"),
    ("GANGER_ARRAY_ITEM", "of an element: its line or value"),
    ("GANGER_STEP_SIGNAL", "of a script with `#SBATCH` lines: what `srun` in it takes care of"),
    ("GANGER_REQUEUE_SIGNAL", "the same of `scontrol requeue`"),
    ("GANGER_MARK", "how a worker finds what a task left behind; of no use to the task"),
)

CLI_HEAD = """# The command line

Every command with its options and the exit codes, written from the program by `make docs`. `ganger --help` and
`ganger COMMAND --help` show the same.

What takes ids takes these, and several of them: `42`; `42.7` and `42.3-9` for elements of an array; `1,3,5-8`; `last`;
`all`; a name or how it begins; `-l project=vision` for labels.

"""
CONFIGURATION_HEAD = """# Configuration

Every setting of the daemons and every variable, written from the settings by `make docs`.

A setting of a daemon is looked for in this order: its flag (`--lease-s 10m`), its variable (`GANGER_LEASE_S=10m`), its
key in the file `ganger.toml` of the state folder, its default. Durations are written as `90`, `30s`, `1h30m`, `14d`;
sizes as `512MiB`, `8GiB`. What makes no sense is refused at the start, with the place where it was said.

```toml
[master]
lease_s = "10m"
keep_failed_s = "60d"

[worker]
cpus = "8"
```

"""


def cli_page() -> str:
    """The reference of the command line."""
    command = typer.main.get_command(app)
    context = command.make_context("ganger", ["version"], resilient_parsing=True)
    parts = [CLI_HEAD, "## Exit codes\n\n", *_table(("code", "when"), EXIT_CODES)]
    parts += [
        "\n## Options of every command\n\n",
        "They stand before the verb: `ganger --address HOST:PORT ls`.\n\n",
    ]
    parts += _options(command, context)
    for title, names in SECTIONS.items():
        parts.append(f"\n## {title}\n")
        for name in names:
            parts += _command(command, context, name)
    return "".join(parts)


def configuration_page() -> str:
    """The reference of the settings and variables."""
    parts = [CONFIGURATION_HEAD]
    for name, settings in DAEMONS.items():
        parts.append(f"## {name.capitalize()}\n\nFlags of `ganger {name} start`, keys of `[{name}]`.\n\n")
        parts += _table(
            ("flag", "variable", "key", "default", "takes", "meaning"), map(_setting, fields(settings))
        )
        parts.append("\n")
    parts += ["## Variables of commands\n\n", *_table(("variable", "meaning"), _code_first(VARIABLES))]
    parts += ["\n## Variables that a task finds\n\n", *_table(("variable", "meaning"), _code_first(OF_TASKS))]
    return "".join(parts)


def _command(root: Any, context: Any, name: str) -> Iterator[str]:
    """One command: what it does, how it is called, its options, an example."""
    command, inner = root, context
    for word in name.split():
        command = command.get_command(inner, word)
        inner = type(context)(command, info_name=word, parent=inner)
    usage = " ".join([f"ganger {name}", *command.collect_usage_pieces(inner)]).translate(_BRACES)
    yield f"\n### ganger {name}\n\n`{usage}`\n\n{_prose(inspect.cleandoc(command.help or ''))}\n"
    if command.add_help_option:
        yield "\n"
        yield from _options(command, inner)
    elif (daemon := name.removesuffix(" start")) in DAEMONS:
        yield f"\nIts settings are in [configuration](configuration.md#{daemon}).\n"
    if command.epilog:
        yield f"\nExample: `{command.epilog.removeprefix(EXAMPLE)}`\n"


def _options(command: Any, context: Any) -> Iterator[str]:
    found = [record for param in command.get_params(context) if (record := param.get_help_record(context))]
    shown = [
        (f"`{_cell(_TYPE.sub('', names))}`", _cell(text))
        for names, text in found
        if names.strip() != "-h, --help"
    ]
    yield from _table(("argument or option", "meaning"), shown)


def _setting(setting: Field[Any]) -> tuple[str, ...]:
    given = setting.metadata["help"].replace("%%", "%")
    text, _, shown = given.removesuffix(")").partition(" (default: ")
    if setting.default == "" and not shown:
        shown = "none"
    if setting.default is not MISSING and setting.name.endswith("_s") and not shown.endswith("d"):
        shown = f"{float(shown):g}s"
    key = NOTHING if setting.name == "state_dir" else f"`{setting.name}`"
    flag = "--" + setting.name.replace("_", "-")
    return (f"`{flag}`", f"`GANGER_{setting.name.upper()}`", key, shown, takes(setting), _cell(text))


def takes(setting: Field[Any]) -> str:
    """What a setting takes, in words."""
    parse = setting.metadata["parse"]
    if parse.__qualname__.startswith("_count."):
        bounds: Mapping[str, int] = inspect.getclosurevars(parse).nonlocals
        return f"{bounds['least']} to {bounds['most']}"
    return TAKES[parse.__name__]


def _code_first(rows: tuple[tuple[str, str], ...]) -> Iterator[tuple[str, str]]:
    return ((f"`{name}`", text) for name, text in rows)


def _table(head: tuple[str, ...], rows: Any) -> Iterator[str]:
    yield f"| {' | '.join(head)} |\n| {' | '.join('---' for _ in head)} |\n"
    yield from (f"| {' | '.join(row)} |\n" for row in rows)


def _prose(text: str) -> str:
    return re.sub(r"(?<!\n)\n(?!\n)", " ", text)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> int:
    """Write both pages."""
    (DOCS / "cli.md").write_text(cli_page(), encoding="utf-8")
    (DOCS / "configuration.md").write_text(configuration_page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
