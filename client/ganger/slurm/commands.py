"""This module runs one of the commands that stand in for Slurm's, and says what went wrong as they do."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from ganger.cli import exits
from ganger.cli.failure import tell_crash
from ganger.render import note, say
from ganger.slurm.command_line import Option, Takes
from ganger_core.domain.errors import GangerError

NAMES = ("sbatch", "squeue", "sacct", "scancel", "srun", "scontrol", "sinfo")
HELP = (
    Option("help", "", Takes.NOTHING),
    Option("usage", "", Takes.NOTHING),
    Option("version", "V", Takes.NOTHING),
)
FAILED = 1


def run(name: str, words: Sequence[str]) -> int:
    """Run a command and return its exit code. What Ganger refuses ends as a line on stderr."""
    main: Callable[[Sequence[str]], int] = import_module(f"ganger.slurm.{name}").main
    if words[:1] in (["--version"], ["-V"]):
        from importlib.metadata import version

        say(f"ganger {version('ganger')}, in place of slurm")
        return 0
    if words[:1] in (["--help"], ["--usage"]):
        say(sys.modules[main.__module__].USAGE)
        return 0
    try:
        return main(words)
    except GangerError as error:
        note(f"{name}: error: {error.message}")
        return FAILED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the process ends here, and a traceback helps nobody unasked
        tell_crash(error)
        return FAILED


def user_name() -> str:
    """Who calls, by name where there is one."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
