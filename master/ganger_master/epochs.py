"""This module says which numbers are new after a restore. Pure.

A backup does not know what happened after it was taken. A restored master may therefore give out no task
id, attempt number or event number that the lost time may have seen. Every restore raises the *epoch*, and
the numbers of an epoch begin `SKIP` above those before.
"""

from __future__ import annotations

SKIP = 100_000_000
"""How many numbers a restore skips: far more than tasks (elements of arrays, too) between two backups, or attempts of
one task."""

HOLD, NOTHING_RUNS = 1, 2
"""What the counter `restored` says until the restored master has settled it: see `ganger_master.restored`."""


def next_token(epoch: int, newest: int) -> int:
    """The number of a task's next attempt, whose newest known one is `newest` (0 for none)."""
    return max(newest, (epoch - 1) * SKIP) + 1
