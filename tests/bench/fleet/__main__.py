"""This module runs a fleet from the command line: `python -m bench.fleet`, with `tests` on the Python path.

stdout has one line of JSON; the exit status is 1 when its `wrong` is not empty.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from bench.fleet.behaviour import Habits
from bench.fleet.run import Plan, run
from bench.report import tell


def main(argv: Sequence[str] | None = None) -> int:
    """Run the fleet asked for."""
    whole, habits = Plan(), Habits()
    parser = argparse.ArgumentParser(prog="python -m bench.fleet", description="A master before a fleet.")
    add = parser.add_argument
    add("--workers", type=int, default=whole.workers, help="simulated workers (default: %(default)s)")
    add("--tasks", type=int, default=whole.tasks, help="tasks, all handed in at once (default: %(default)s)")
    add("--shapes", type=int, default=whole.shapes, help="of the tasks (default: %(default)s)")
    add("--slots", type=int, default=habits.slots, help="tasks at once on a worker (default: %(default)s)")
    add("--run-s", type=float, default=habits.mean_run_s, help="mean run time (default: %(default)s)")
    add("--flapping", type=float, default=5.0, help="%% of the workers that flap in a minute (default: 5)")
    add("--seed", type=int, default=whole.seed, help="of everything random (default: %(default)s)")
    add("--limit-s", type=float, default=whole.limit_s, help="give up after so long (default: %(default)s)")
    options = parser.parse_args(argv)
    line = run(
        Plan(
            workers=options.workers,
            tasks=options.tasks,
            shapes=options.shapes,
            seed=options.seed,
            habits=Habits(options.slots, options.run_s, options.flapping / 100),
            limit_s=options.limit_s,
        )
    )
    tell(line)
    return int(bool(line["wrong"]))


if __name__ == "__main__":
    sys.exit(main())
