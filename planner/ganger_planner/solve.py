"""This module is the command that plans a snapshot file: `ganger planner solve -f snapshot.json`."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from ganger_core.domain.errors import Invalid
from ganger_core.domain.plan import PlanOptions
from ganger_planner.snapshot_file import read_snapshot

OK, WRONG_INPUT = 0, 2


def main(args: Sequence[str]) -> int:
    """Plan the file that `args` name and write the plan to standard output; returns the exit code."""
    asked = _parser().parse_args(args)
    name = "standard input" if asked.file == "-" else asked.file
    try:
        snapshot = read_snapshot(_read(asked.file))
    except (OSError, UnicodeDecodeError) as error:
        return _refuse(f"cannot read {name}: {_cause(error)}")
    except Invalid as error:
        return _refuse(f"{name}: {error.message}")
    from ganger_planner import render  # numpy comes with the plan: not for --help, not for a typing error
    from ganger_planner.plan import plan

    made = plan(snapshot, PlanOptions(seed=asked.seed))
    sys.stdout.write(
        render.as_json(snapshot, made) if asked.output == "json" else render.as_table(snapshot, made)
    )
    return OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ganger planner solve",
        description="Plan a snapshot file: which task goes to which worker, and why the others go nowhere.",
    )
    parser.add_argument(
        "-f", "--file", required=True, metavar="FILE", help="the snapshot, JSON; - reads standard input"
    )
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table", help="default: table")
    parser.add_argument("--seed", type=_seed, default=0, metavar="N", help="of the plan; default: 0")
    return parser


def _seed(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at most 18 digits")
    return int(text)


def _read(file: str) -> str:
    raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    return raw.decode("utf-8")


def _cause(error: OSError | UnicodeDecodeError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else f"not UTF-8 at byte {error.start}"


def _refuse(message: str) -> int:
    sys.stderr.write(f"ganger planner solve: {message}\n")
    return WRONG_INPUT
