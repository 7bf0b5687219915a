"""This module is `python -m ganger.slurm COMMAND …`: what the files of `ganger shim install` run."""

from __future__ import annotations

import sys

from ganger.slurm.commands import NAMES, run

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in NAMES:
        sys.exit(f"python -m ganger.slurm {'|'.join(NAMES)} …")
    sys.exit(run(sys.argv[1], sys.argv[2:]))
