"""This module runs crash campaigns from the command line: `python -m crash`, with `tests` on the Python path."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence

from crash.arrays import arrays
from crash.clock_jump import clock_jump
from crash.disk_full import disk_full
from crash.every_write import every_write, write_errors
from crash.master_freeze import master_freeze
from crash.master_kill import master_kill
from crash.partition import keeper_freeze, partition
from crash.planner_faults import planner_faults
from crash.power_cut import power_cut
from crash.row import Row
from crash.short_tasks import short_tasks
from crash.worker_faults import keeper_kill, worker_freeze, worker_kill
from testkit.requires import ENV, PROBES

Campaign = Callable[[int, int], Row]


CAMPAIGNS: Mapping[str, tuple[Campaign, int, int, str]] = {
    "master-kill": (master_kill, 200, 5, ""),
    "worker-kill": (worker_kill, 100, 3, ""),
    "worker-freeze": (worker_freeze, 50, 2, ""),
    "every-write": (every_write, 0, 10, "strace"),
    "write-errors": (write_errors, 40, 6, "strace"),
    "power-cut": (power_cut, 50, 3, "power-cut"),
    "keeper-kill": (keeper_kill, 25, 2, ""),
    "master-freeze": (master_freeze, 10, 2, ""),
    "keeper-freeze": (keeper_freeze, 6, 1, "netns"),
    "planner-faults": (planner_faults, 20, 2, ""),
    "partition": (partition, 12, 2, "netns"),
    "disk-full": (disk_full, 9, 3, "power-cut"),
    "short-tasks": (short_tasks, 30, 3, ""),
    "arrays": (arrays, 30, 3, ""),
    "clock-jump": (clock_jump, 10, 2, "faketime"),
}
"""Row to its campaign, the trials of a full and of a quick run, and what it needs of the machine."""


DESCRIPTION = """Crash campaigns on real processes: one JSON line for each row, exit code 1 when a row fails. The
whole takes about an hour on two idle cores, half of it every-write; --quick takes about three minutes."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the campaigns asked for; 1 when a row fails."""
    parser = argparse.ArgumentParser(prog="python -m crash", description=DESCRIPTION)
    parser.add_argument("--rows", default=",".join(CAMPAIGNS), help="which, with commas (default: all)")
    parser.add_argument("--trials", type=int, default=0, help="trials of each row (default: its own number)")
    parser.add_argument("--seed", type=int, default=1, help="seed of everything random (default: 1)")
    parser.add_argument("--quick", action="store_true", help="a few trials of each row")
    options = parser.parse_args(argv)
    must = {part.strip() for part in os.environ.get(ENV, "").split(",")}
    failed = False
    for name in options.rows.split(","):
        campaign, full, quick, needs = CAMPAIGNS[name]
        if needs and (lacks := PROBES[needs](os.environ)):
            print(json.dumps({"name": name, "skipped": lacks}), flush=True)  # noqa: T201
            failed |= needs in must
            continue
        row = campaign(options.trials or (quick if options.quick else full), options.seed)
        print(row.line(), flush=True)  # noqa: T201
        failed |= bool(row.wrong)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
