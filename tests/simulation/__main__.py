"""This module is `python -m simulation`: run many seeds, or replay one with its whole trace."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from math import inf

from simulation.run import run_seed


def main() -> int:
    """Exit status 1 when a seed failed."""
    parser = argparse.ArgumentParser(prog="simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many seeds to run")
    parser.add_argument("--start", type=int, default=1, help="the first one")
    parser.add_argument("--seed", type=int, help="replay this one and show its trace")
    parser.add_argument("--seconds", type=float, default=inf, help="begin no other seed after so long")
    parser.add_argument("--stored", action="store_true", help="with the real SQLite store")
    parser.add_argument("--only", default="", help="inject this kind of fault alone")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at the first failing seed")
    options = parser.parse_args()
    if options.seed is not None:
        result = run_seed(options.seed, stored=options.stored, every_line=True, only=options.only)
        sys.stdout.write("\n".join((*result.lines, f"trace hash {result.trace_hash}", "")))
        return 1 if result.violation else 0
    faults: Counter[str] = Counter()
    checks: Counter[str] = Counter()
    virtual_s = real_s = cpu_s = 0.0
    failed: list[tuple[int, str]] = []
    done = 0
    for seed in range(options.start, options.start + options.seeds):
        if real_s > options.seconds:
            break
        result = run_seed(seed, stored=options.stored, only=options.only)
        done += 1
        faults.update(result.injected)
        checks.update(result.checks)
        virtual_s += result.virtual_s
        real_s += result.real_s
        cpu_s += result.cpu_s
        if result.violation:
            failed.append((seed, result.violation))
            sys.stdout.write(f"seed {seed}: {result.violation}\n")
            sys.stdout.flush()
            if not options.keep_going:
                break
    summary = {
        "what": "simulation",
        "seeds": done,
        "start": options.start,
        "violations": len(failed),
        "failed_seeds": [seed for seed, _ in failed],
        "faults": dict(sorted(faults.items())),
        "checks": dict(sorted(checks.items())),
        "virtual_s": round(virtual_s),
        "real_s": round(real_s, 1),
        "cpu_s": round(cpu_s, 1),
        "times_real": round(virtual_s / real_s) if real_s else 0,
    }
    sys.stdout.write(json.dumps(summary) + "\n")
    return 1 if failed or not sum(faults.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
