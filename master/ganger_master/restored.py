"""This module takes up work after a restore, when the master knows less than has happened.

What the backup shows as waiting may have been started since, by a master of before, and still live where
nobody has told it to end. So for as long as such an attempt may live without an answered heartbeat, no
task is assigned. Attempts that workers still hold go on meanwhile; the others are told as lost by them.
"""

from __future__ import annotations

from ganger_core.domain.clock import Instant
from ganger_core.domain.states import AttemptState
from ganger_core.domain.task import Report, ReportKind
from ganger_core.logs import get_logger
from ganger_master import reasons
from ganger_master.changes import Command, LoseAttempt, SettleRestore, Told
from ganger_master.cleanup import LEASE_MARGIN_S
from ganger_master.engine import Engine
from ganger_master.epochs import HOLD
from ganger_master.state import Rules, State

REASON = reasons.RESTORED

_log = get_logger()


class RestoreHold:
    """Holds assignments back after a restore, until the leases of before are over."""

    def __init__(self, engine: Engine, until_s: float) -> None:
        self._engine = engine
        self._until_s = until_s  # steady
        self._over = False

    def until_ms(self, now: Instant) -> int:
        """When assignments go on, by the wall clock as it is `now`."""
        return now.wall_ms + round(1000 * (self._until_s - now.steady_s))

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


def take_up(engine: Engine, state: State, rules: Rules, now: Instant) -> RestoreHold | None:
    """Settle what a restore left open, before anything is served; None when there was none.

    An attempt whose order may or may not have left before is never told again: its start could be a second
    one. With a lease it is lost, and the hold outlasts it; without one its worker is asked for it.
    """
    if not state.restored:
        return None
    may_live = state.restored == HOLD  # else it is known that nothing runs any more
    live = [attempt for attempt in state.attempts.values() if attempt.is_live]
    commands: list[Command] = []
    for attempt in live:
        if not may_live or (attempt.state is AttemptState.ASSIGNED and attempt.lease_s):
            commands.append(LoseAttempt(attempt.ref, "the database was restored from a backup", orderly=True))
        elif attempt.state is AttemptState.ASSIGNED:
            # As if it were accepted: its worker then says whether it has it, and starts nothing.
            taken = Report(attempt.ref, ReportKind.ACCEPTED, message="asked for after a restore")
            commands.append(Told(attempt.worker_id, taken, log_complete=False))
    hold_s = _longest_lease_s(state, rules) + LEASE_MARGIN_S if may_live else 0.0
    if commands:
        engine.apply(commands, now)
    if may_live:
        _log.warning("restored from a backup: nothing is assigned yet", seconds=hold_s)
    return RestoreHold(engine, now.steady_s + hold_s)


def _longest_lease_s(state: State, rules: Rules) -> float:
    """Also of waiting tasks: they may have been started since."""
    tasks = (task for task in state.tasks.values() if not task.is_final)
    return max((rules.lease_s, *(rules.lease_of(task.spec) for task in tasks)))
