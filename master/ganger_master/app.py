"""This module puts the master together and runs it: settings, store, rooms, threads, signals."""

from __future__ import annotations

import argparse
import gc
import getpass
import os
import signal
import sys
from collections.abc import Mapping, Sequence

from ganger_core import state_dir
from ganger_core.domain.clock import Instant, SystemClock
from ganger_core.domain.errors import GangerError
from ganger_core.domain.principal import Principal, Role
from ganger_core.logs import configure, get_logger
from ganger_core.rpc.channels import Target, unix_address
from ganger_core.rpc.guard import Guard, Tokens
from ganger_core.rpc.metrics import RpcMetrics
from ganger_core.settings import MasterSettings, add_flags, load
from ganger_master import restored
from ganger_master.ageing import Ageing
from ganger_master.cleanup import Cleanup, CleanupLoop
from ganger_master.cycle import Cycle, Scheduler
from ganger_master.edge import Edge, Parts
from ganger_master.engine import Engine, Leaving
from ganger_master.expiring import expire
from ganger_master.forecasting import Forecaster
from ganger_master.loaded import enqueue_waiting, reserve_live
from ganger_master.plan_notes import PlanNotes
from ganger_master.planning import Planning, RemotePlanner
from ganger_master.queue import TaskQueue
from ganger_master.registry import WorkerRegistry
from ganger_master.remembering import Keep
from ganger_master.restored import take_up
from ganger_master.retention import Retention, RetentionLoop
from ganger_master.state import Rules
from ganger_master.store import reader
from ganger_master.store.aged import AgedRows
from ganger_master.store.database import NAME
from ganger_master.store.writer import StoreWriter

EXIT_REFUSED, EXIT_BROKEN = 1, 70
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
SWITCH_INTERVAL_S = 0.0005  # a busy thread must not hold up the others for the default 5 ms

_log = get_logger()


class Master:
    """A running master. `start` returns once it serves; `stop` ends it in order and keeps what was accepted."""

    def __init__(self, settings: MasterSettings) -> None:
        clock = SystemClock()
        folder = state_dir.prepare(settings.state_dir)
        self._lock = state_dir.lock(folder / "master.lock", "master")
        token = state_dir.read_or_make_token(folder / "token")
        path = folder / NAME
        db, state = reader.open_store(path, settings.busy_timeout_s)
        self.queue = TaskQueue(Ageing(settings.ageing_per_hour, settings.ageing_most))
        self.registry = WorkerRegistry(
            suspect_after_s=settings.suspect_after_s, lost_after_s=settings.lost_after_s
        )
        now = clock.now()
        for profile in state.workers.values():
            self.registry.register(profile, now.steady_s, remembered=True)
        rules = Rules(lease_s=settings.lease_s, stop_grace_s=settings.stop_grace_s)
        reserve_live(state, self.registry, rules, now)
        enqueue_waiting(state, self.queue, now)
        self._writer = StoreWriter(db, self._committed, die)
        self.engine = Engine(
            state, rules, self.queue, self.registry, self._writer.submit, settings.reservation_s
        )
        notes = PlanNotes()
        admin = Principal(getpass.getuser(), Role.ADMIN)
        self._reader = reader.StoreReader(path)
        planner = Target(settings.planner or unix_address(folder / "planner.socket"), token)
        self._dry_planner = RemotePlanner(planner, settings.plan_deadline_s)
        parts = Parts(
            engine=self.engine,
            queue=self.queue,
            registry=self.registry,
            reader=self._reader,
            clock=clock,
            guard=Guard(Tokens.single(token, admin), admin),
            last_seq=state.next_seq - 1,
            forecaster=Forecaster(
                self.queue, self.registry, Planning(self._dry_planner, clock), clock, self._holds
            ),
            notes=notes,
            rules=rules,
        )
        self.metrics = RpcMetrics()
        self._edge = Edge(parts, settings, self.metrics, die)
        self._planner = RemotePlanner(planner, settings.plan_deadline_s)
        hold = self._hold = take_up(self.engine, state, rules, now)
        expire(self.engine, self.queue, now)
        self.cycle = Cycle(
            self.engine, self.queue, self.registry, Planning(self._planner, clock), clock, hold, notes
        )
        self._scheduler = Scheduler(self.cycle, self.queue, clock, settings.cycle_every_s, die)
        cleanup = Cleanup(self.engine, self.queue, self.registry, rules)
        self._cleanup = CleanupLoop(cleanup, clock, settings.cleanup_every_s, die)
        rows, keep = AgedRows(path), _keep(settings)
        retention = Retention(self.engine, rows, folder / "logs", keep)
        self._retention = RetentionLoop(retention, rows, clock, settings.prune_every_s, die)
        _log.info("recovered", action="recover", live=len(state.tasks), next_task_id=state.next_task_id)

    def start(self) -> str:
        """Start all threads; returns where the master listens. Raises `Conflict` when the address is taken."""
        self._writer.start()
        try:
            where = self._edge.start()
        except GangerError:
            self._writer.stop()
            raise
        self._scheduler.start()
        self._cleanup.start()
        self._retention.start()
        return where

    def _holds(self, now: Instant) -> str:
        """Why nothing starts now after a restore; empty when that is no reason."""
        return restored.REASON if self._hold is not None and self._hold.holds(now) else ""

    def _committed(self, committed: Sequence[tuple[int, Leaving]]) -> None:
        self._edge.released(committed)

    def stop(self) -> None:
        """Stop: no new calls, no new cycle, everything accepted on disk."""
        self._scheduler.stop()
        self._cleanup.stop()
        self._retention.stop()
        self._edge.stop()
        self._writer.stop()
        self._planner.close()
        self._dry_planner.close()
        self._reader.close()
        self._lock.release()


def _keep(settings: MasterSettings) -> Keep:
    return Keep(
        settings.keep_ended_s, settings.keep_failed_s, settings.keep_events_s, settings.keep_requests_s
    )


def die(error: BaseException) -> None:
    """End the process at once: a thread died, or a commit failed. The next start reads the truth from the disk."""
    _log.error("the master cannot go on", error=error, cause=str(error))
    sys.stderr.flush()
    os._exit(EXIT_BROKEN)


def main(argv: Sequence[str] | None = None, env: Mapping[str, str] = os.environ) -> int:
    """Run the master until SIGTERM or SIGINT; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="ganger master start", description="Run the master: it keeps tasks, workers and their truth."
    )
    add_flags(parser, MasterSettings)
    args = parser.parse_args(argv)
    try:
        settings = load(MasterSettings, args, env)
        configure(settings.log_level, "master")
        os.umask(0o077)
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        # Blocked before any thread starts and waited for below: a handler that sets an event can be missed.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        master = Master(settings)
        gc.collect()
        gc.freeze()  # what was loaded stays: no collection goes through it again
        where = master.start()
    except GangerError as error:
        print(f"ganger master: {error.message}", file=sys.stderr)  # noqa: T201
        return EXIT_REFUSED
    _log.info("master is ready", action="ready", listen=where)
    signal.sigwait(STOP_SIGNALS)
    _log.info("stopping", action="stop")
    master.stop()
    return 0
