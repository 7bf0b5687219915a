"""This module is the command: `python -m ganger_planner [start] [flags]`, or `solve -f FILE`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence

from ganger_core.domain.errors import GangerError
from ganger_core.settings import PlannerSettings, add_flags, load

OK, REFUSED = 0, 1


def main(args: Sequence[str]) -> int:
    """Do what `args` say; returns the exit code."""
    if args[:1] == ["solve"]:
        from ganger_planner import solve

        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # a reader that has seen enough ends it, as everywhere
        return solve.main(args[1:])
    return _start(args[1:] if args[:1] == ["start"] else args)


def _start(args: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="ganger planner start",
        description="Serve plans to masters. `ganger planner solve` plans a snapshot file instead.",
    )
    add_flags(parser, PlannerSettings)
    given = parser.parse_args(args)
    try:
        settings = load(PlannerSettings, given, os.environ)
        from ganger_planner import app  # gRPC and numpy: not for --help, not for a wrong flag

        app.serve(settings)
    except GangerError as error:
        sys.stderr.write(f"ganger planner start: {error.message}\n")
        return REFUSED
    return OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
