"""This module puts the worker together, and takes it apart again when it is told to end.

Threads: main, keeper-link, orders, reporter, shipper, heartbeat, monitor. What they share is the agent's table,
the outbox and the spools, each behind a lock of its own that is never held together with another.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence

from ganger_core import logs, state_dir
from ganger_core.domain.errors import DeadlineExceeded, Exhausted, GangerError, Unavailable
from ganger_core.domain.validate import check_profile
from ganger_core.rpc.channels import open_channel
from ganger_core.settings import WorkerSettings, add_flags, load, master_target
from ganger_worker.agent import Agent
from ganger_worker.executors.folders import AttemptFolders
from ganger_worker.executors.process import ProcessExecutor, base_environment
from ganger_worker.heartbeat import Heartbeat
from ganger_worker.identity import make_profile
from ganger_worker.monitor import Monitor
from ganger_worker.orders import Orders
from ganger_worker.reporter import Outbox, Reporter
from ganger_worker.session import MasterSession
from ganger_worker.shipper import Shipper
from ganger_worker.spool import Spools
from ganger_worker.threads import Pauses

SHUTDOWN_GRACE_S = 5.0  # between TERM and KILL of what still runs
SHUTDOWN_END_S = 10.0  # until everything must be gone
SHUTDOWN_REPORT_S = 3.0  # then, to tell the master; what it does not hear it learns at the next start

REFUSED = 1  # exit code

_log = logs.get_logger()


class Worker:
    """One worker daemon, from its settings."""

    def __init__(self, settings: WorkerSettings, env: Mapping[str, str]) -> None:
        """Lock the worker's folder and make everything, without a thread or a call; raises `GangerError`."""
        folder = state_dir.prepare(settings.state_dir) / "workers" / settings.name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = state_dir.lock(folder / "worker.lock", f"worker {settings.name}")
        target = master_target(
            env, master=settings.master, token_file=settings.token_file, state_dir=settings.state_dir
        )
        profile = make_profile(settings, folder)
        check_profile(profile)
        self.profile = profile
        outbox = Outbox()
        folders = AttemptFolders(str(folder))
        spools = Spools(folders)
        self._agent = Agent(settings.name, outbox, spools)
        self._executor = ProcessExecutor(
            folder, folders, profile.id, settings.name, base_environment(env), self._agent
        )
        self._agent.connect(self._executor)
        self._session = MasterSession(open_channel(target), profile)
        monitor = Monitor()
        orders = Orders(self._session, self._agent)
        self._orders = orders.loop
        self._others = (
            Heartbeat(self._session, self._agent, orders, monitor).loop,
            monitor.loop,
            Reporter(self._session, outbox, self._agent).loop,
            Shipper(self._session, spools, self._agent).loop,
        )

    def run(self, stopping: threading.Event) -> None:
        """Work until `stopping` is set; raises a `GangerError` when the master or the host does not let it start."""
        self._executor.open()
        self._agent.recovered.wait()
        try:
            self._register(stopping)
        except GangerError:
            self._close(end_all=not self._agent.holding())
            raise
        if not stopping.is_set():
            for loop in (*self._others, self._orders):
                loop.start()
        stopping.wait()
        _log.info("shutting down", action="shutdown")
        self._orders.stop()
        self._agent.stop_all(SHUTDOWN_GRACE_S)
        if self._agent.wait_over(SHUTDOWN_END_S, reported=False):
            self._agent.wait_over(SHUTDOWN_REPORT_S, reported=True)
        self._close(end_all=True)

    def _register(self, stopping: threading.Event) -> None:
        """Register; wait for a master that is not there yet."""
        pauses = Pauses(stopping)
        while not stopping.is_set():
            try:
                self._session.register()
            except (Unavailable, DeadlineExceeded, Exhausted) as error:
                _log.warning(
                    "the master does not answer; trying again", action="register", cause=error.message
                )
                pauses.wait()
            else:
                return

    def _close(self, *, end_all: bool) -> None:
        self._session.close()
        for loop in (self._orders, *self._others):
            loop.stop()
        self._executor.close(end_all=end_all)
        self._lock.release()


def main(argv: Sequence[str], env: Mapping[str, str]) -> int:
    """Run a worker until SIGTERM or SIGINT; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="ganger worker start",
        description="Run a worker: it takes tasks from a master and runs them here.",
    )
    add_flags(parser, WorkerSettings)
    try:
        settings = load(WorkerSettings, parser.parse_args(argv), env)
        logs.configure(settings.log_level, "worker")
        os.umask(0o077)
        worker = Worker(settings, env)
        stopping = threading.Event()
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, lambda *_: stopping.set())
        worker.run(stopping)
    except GangerError as error:
        sys.stderr.write(f"ganger worker: {error.message}\n")
        return REFUSED
    except OSError as error:
        sys.stderr.write(f"ganger worker: {error}\n")
        return REFUSED
    return 0
