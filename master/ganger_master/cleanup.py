"""This module sweeps every ten seconds: silent workers, what is overdue, lost log tails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from ganger_core.domain.clock import Clock, Instant
from ganger_core.domain.task import AttemptRef
from ganger_core.logs import get_logger
from ganger_master.changes import Age, Command, Evict, LoseAttempt, Revoke, SettleLog, Withdraw
from ganger_master.cordons import is_leaving
from ganger_master.engine import Engine
from ganger_master.expiring import expire
from ganger_master.fencing import evictions
from ganger_master.moves import awaiting_logs
from ganger_master.prefill import overdue
from ganger_master.queue import TaskQueue
from ganger_master.registry import WorkerRegistry
from ganger_master.state import Rules, State
from ganger_master.transitions import ages

LEASE_MARGIN_S = 15.0  # beyond the lease: the worker's own stop takes a moment, and its clock may run slower
LOG_PATIENCE_S = 30.0  # how long an ended task waits for the rest of its log

_log = get_logger()


class Cleanup:
    """One sweep after another; `run_once` is the whole of it."""

    def __init__(self, engine: Engine, queue: TaskQueue, registry: WorkerRegistry, rules: Rules) -> None:
        self._engine = engine
        self._queue = queue
        self._registry = registry
        self._rules = rules
        self._log_waits: dict[AttemptRef, float] = {}  # since when (steady) an ended task waits for its log

    def run_once(self, now: Instant) -> None:
        """Sweep once, as of `now`."""
        for lost in self._registry.sweep(now.steady_s):
            _log.warning("worker is silent and counts as lost", worker=lost.name)
        logs = [SettleLog(ref, incomplete=True) for ref in self._overdue_logs(now)]
        late = expire(self._engine, self._queue, now)

        def decide(state: State) -> Sequence[Command]:
            return [
                *self._overdue_attempts(now),
                *self._aged_attempts(state, now),
                *self._evictions(state, now),
                *(Revoke(ref, "asked back: nothing came free for it") for ref in overdue(state, now.wall_ms)),
                *logs,
            ]

        applied = self._engine.apply_with(decide, now)
        if applied.answers or late:
            _log.info("swept", action="sweep", settled=len(applied.answers), expired=late)

    def _aged_attempts(self, state: State, now: Instant) -> list[Command]:
        live = self._registry.leased()
        return [Age(ref) for ref in live if ages(state, self._rules, ref, now)]

    def _evictions(self, state: State, now: Instant) -> list[Command]:
        """What is left on workers that should be empty by now."""
        over = [pair for pair in state.cordons.items() if pair[1].is_over(now.wall_ms)]
        found = [
            each for key, cordon in over for each in evictions(self._registry, state.workers[key], cordon)
        ]
        return [each for each in found if not (isinstance(each, Evict) and is_leaving(state, each.ref))]

    def _overdue_attempts(self, now: Instant) -> list[Command]:
        """Decided under the engine lock, because an order that leaves meanwhile may not be withdrawn."""
        expired, lease_over = self._registry.overdue(now.steady_s, LEASE_MARGIN_S)
        return [
            *(Withdraw(ref, "its worker did not take the order in time") for ref in expired),
            *(LoseAttempt(ref, "its worker was silent beyond the lease") for ref in lease_over),
        ]

    def _overdue_logs(self, now: Instant) -> list[AttemptRef]:
        waiting = {attempt.ref for attempt in self._engine.look(awaiting_logs)}
        self._log_waits = {ref: self._log_waits.get(ref, now.steady_s) for ref in waiting}
        return [ref for ref, since in self._log_waits.items() if now.steady_s - since >= LOG_PATIENCE_S]


class CleanupLoop:
    """The cleanup thread."""

    def __init__(
        self, cleanup: Cleanup, clock: Clock, every_s: float, on_failure: Callable[[BaseException], None]
    ) -> None:
        self._cleanup = cleanup
        self._clock = clock
        self._every_s = every_s
        self._on_failure = on_failure
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cleanup")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stopping.wait(self._every_s):
                self._cleanup.run_once(self._clock.now())
        except BaseException as error:
            self._on_failure(error)
            raise
