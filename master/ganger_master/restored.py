"""This module takes up work after a restore, when the master knows less than has happened.

What the backup shows as waiting may have been started since, by a master of before, and still live where
nobody has told it to end. So for as long as such an attempt may live without an answered heartbeat, no
task is assigned. Attempts that workers still hold go on meanwhile; the others are told as lost by them.
"""

from __future__ import annotations

from ganger_core.domain.clock import Instant
from ganger_core.domain.states import AttemptState
from ganger_core.logs import get_logger
from ganger_master.changes import LoseAttempt, SettleRestore
from ganger_master.engine import Engine
from ganger_master.epochs import HOLD
from ganger_master.transitions import State

REASON = "the database was restored from a backup: waits until whatever was started since must have ended"

_log = get_logger()


class RestoreHold:
    """Holds assignments back after a restore, until the leases of before are over."""

    def __init__(self, engine: Engine, until_s: float) -> None:
        self._engine = engine
        self._until_s = until_s  # steady
        self._over = False

    def holds(self, now: Instant) -> bool:
        """Whether nothing may be assigned yet. When that is over, it is noted in the store, once."""
        if self._over:
            return False
        if now.steady_s < self._until_s:
            return True
        self._over = True
        self._engine.apply([SettleRestore()], now)
        _log.info("the restore is settled: tasks are assigned again", action="restore_settled")
        return False


def take_up(engine: Engine, state: State, now: Instant, lease_s: float) -> RestoreHold | None:
    """Settle what a restore left open, before anything is served; None when there was none.

    `lease_s` is how long an attempt may live unheard, margin included. An attempt whose order may or may
    not have left before is never told again: its start could be a second one.
    """
    if not state.restored:
        return None
    may_live = state.restored == HOLD  # else it is known that nothing runs any more
    over = [
        LoseAttempt(attempt.ref, "the database was restored from a backup")
        for attempt in state.attempts.values()
        if attempt.is_live and (attempt.state is AttemptState.ASSIGNED or not may_live)
    ]
    if over:
        engine.apply(over, now)
    if may_live:
        _log.warning("restored from a backup: nothing is assigned yet", seconds=lease_s)
    return RestoreHold(engine, now.steady_s + (lease_s if may_live else 0.0))
