"""This module is `python -m simulation`: run many seeds, replay one or a scenario, or hunt the planted bugs."""

from __future__ import annotations

import argparse
import json
import sys
from math import inf
from pathlib import Path

from simulation.many import run_many
from simulation.run import run_seed
from simulation.scenario import ScenarioError, load, written
from simulation.scripted import play


def main() -> int:
    """Exit status 1 when a seed failed, a scenario came out otherwise, or a planted bug was not found."""
    parser = argparse.ArgumentParser(prog="simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many seeds to run")
    parser.add_argument("--start", type=int, default=1, help="the first one")
    parser.add_argument("--jobs", type=int, default=1, help="how many processes share the work")
    parser.add_argument("--seed", type=int, help="replay this one and show its trace")
    parser.add_argument("--seconds", type=float, default=inf, help="begin no other seed after so long")
    parser.add_argument("--stored", action="store_true", help="with the real SQLite store")
    parser.add_argument("--only", default="", help="inject this kind of fault alone")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at the first failing seed")
    parser.add_argument("--scenario", type=Path, help="play this file and show its trace")
    parser.add_argument("--accept", action="store_true", help="write the scenario's outcome into its file")
    parser.add_argument(
        "--bugs", action="store_true", help="plant each bug and say what finds it, and how fast"
    )
    options = parser.parse_args()
    if options.bugs:
        from simulation.hunting import hunt  # needs Hypothesis

        return hunt(options.jobs)
    if options.scenario is not None:
        return _scenario(options.scenario, options.accept)
    if options.seed is not None:
        result = run_seed(options.seed, stored=options.stored, every_line=True, only=options.only)
        sys.stdout.write("\n".join((*result.lines, f"trace hash {result.trace_hash}", "")))
        return 1 if result.violation else 0
    return _many(options)


def _scenario(path: Path, accept: bool) -> int:
    try:
        scenario = load(path)
    except ScenarioError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    played = play(scenario)
    sys.stdout.write("\n".join((*played.lines, "", *played.outcome, "")))
    if accept:
        path.write_text(written(scenario, played.outcome), encoding="utf-8")
    return 0 if accept or played.outcome == scenario.expected else 1


def _many(options: argparse.Namespace) -> int:
    row: dict[str, object] = {}
    status = 1
    for result, summary in run_many(
        range(options.start, options.start + options.seeds),
        jobs=options.jobs,
        stored=options.stored,
        only=options.only,
        seconds=options.seconds,
        keep_going=options.keep_going,
    ):
        if result.violation:
            sys.stdout.write(f"seed {result.seed}: {result.violation}\n")
            sys.stdout.flush()
        row = summary.row()
        status = 1 if summary.failed or not sum(summary.faults.values()) else 0
    sys.stdout.write(json.dumps(row) + "\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
