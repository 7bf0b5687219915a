"""This module puts the worker together, and takes it apart again when it is told to end.

Threads: main, keeper-link, lease-watch, orders, reporter, shipper, publisher, outputs, heartbeat, monitor. What they
share is the agent's table, the outbox, the spools, what is to be published and the watched leases, each behind a lock
of its own that is never held together with another.
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
from ganger_worker.executors.outputs import OutputFolders
from ganger_worker.executors.process import ProcessExecutor, base_environment
from ganger_worker.heartbeat import Heartbeat
from ganger_worker.identity import make_profile
from ganger_worker.keeper import boottime
from ganger_worker.monitor import Monitor
from ganger_worker.orders import Orders
from ganger_worker.publisher import Publisher
from ganger_worker.reporter import Outbox, Reporter
from ganger_worker.serving import Serving
from ganger_worker.session import MasterSession
from ganger_worker.shipper import Shipper
from ganger_worker.spool import Spools
from ganger_worker.threads import Pauses

DRAIN_TELL_S = 3.0  # to tell the master that this worker drains, before it looks whether it holds anything
DRAIN_LOOK_S = 0.2  # how often it looks then
KEEPER_LIST_S = 10.0  # how long a keeper may take to tell what it has, before that is an error in the log
KEEPER_LOOK_S = 0.2  # how often a worker that waits for that looks whether it is to end
SHUTDOWN_GRACE_S = 5.0  # between TERM and KILL of what still runs
SHUTDOWN_END_S = 10.0  # until everything must be gone
SHUTDOWN_REPORT_S = 3.0  # then, to tell the master; what it does not hear it learns at the next start

REFUSED = 1  # exit code

_log = logs.get_logger()


class Ending:
    """How a worker is told to end: to drain, or to stop."""

    def __init__(self) -> None:
        self.drain = threading.Event()  # take nothing new, end when nothing is left
        self.stop = threading.Event()  # end what runs, and end
        self.told = threading.Event()  # either

    def on_signal(self, number: int, _: object = None) -> None:
        """The first SIGTERM drains, the second one and every SIGINT stops."""
        if number != signal.SIGTERM or self.drain.is_set():
            self.stop.set()
        self.drain.set()
        self.told.set()


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
        outputs = OutputFolders(str(folder), folders)
        publisher = Publisher(outputs, self._agent)
        self._publisher = publisher.loop
        self._executor = ProcessExecutor(
            folder, folders, profile.id, settings.name, base_environment(env), publisher
        )
        self._agent.connect(self._executor)
        self._session = MasterSession(open_channel(target), profile)
        monitor = Monitor()
        orders = Orders(self._session, self._agent)
        self._orders = orders.loop
        self._heartbeat = Heartbeat(self._session, self._agent, orders, monitor)
        self._others = (
            self._heartbeat.loop,
            monitor.loop,
            Reporter(self._session, outbox, self._agent).loop,
            Shipper(self._session, spools, self._agent).loop,
            Serving(self._session, outputs, self._agent, outputs.anything).loop,
        )

    def run(self, ending: Ending) -> None:
        """Work until told to end; raises a `GangerError` when the master or the host does not let it start."""
        self._publisher.start()
        self._executor.open()
        if not self._recover(ending):
            self._close(end_all=False)
            return
        try:
            registered = self._register(ending)
        except GangerError:
            self._close(end_all=not self._agent.holding())
            raise
        if registered:
            for loop in (*self._others, self._orders):
                loop.start()
            ending.told.wait()
            self._drain(ending)
        _log.info("shutting down", action="shutdown")
        self._orders.stop()
        self._agent.stop(SHUTDOWN_GRACE_S)
        if self._agent.wait_over(SHUTDOWN_END_S, reported=False):
            self._agent.wait_over(SHUTDOWN_REPORT_S, reported=True)
        self._close(end_all=True)

    def _recover(self, ending: Ending) -> bool:
        """Wait for the keeper's list of what runs here; false when told to end first."""
        warn_s = boottime() + KEEPER_LIST_S
        while not self._agent.recovered.wait(KEEPER_LOOK_S):
            if ending.told.is_set():
                return False
            if boottime() > warn_s:
                _log.error(
                    "the keeper does not tell what runs here; `kill -KILL` its process to end it and all of that",
                    action="recover",
                    pid=self._executor.keeper_pid(),
                )
                warn_s = boottime() + KEEPER_LIST_S
        return True

    def _register(self, ending: Ending) -> bool:
        """Register; wait for a master that is not there yet. Without one there is nothing to drain but what runs."""
        pauses = Pauses(ending.stop if self._agent.holding() else ending.told)
        while not ending.stop.is_set() and not (
            ending.drain.is_set() and self._agent.wait_over(0, reported=False)
        ):
            try:
                self._session.register()
            except (Unavailable, DeadlineExceeded, Exhausted) as error:
                _log.warning(
                    "the master does not answer; trying again", action="register", cause=error.message
                )
                pauses.wait()
            else:
                return True
        return False

    def _drain(self, ending: Ending) -> None:
        """Take nothing new, and return when nothing is left, or when told to stop."""
        if ending.stop.is_set():
            return
        _log.info("draining: what runs goes on, nothing new is taken", action="drain")
        self._agent.drain()
        self._heartbeat.drain(DRAIN_TELL_S)
        while not ending.stop.is_set() and not self._agent.wait_over(DRAIN_LOOK_S, reported=True):
            pass

    def _close(self, *, end_all: bool) -> None:
        self._session.close()
        for loop in (self._orders, self._publisher, *self._others):
            loop.stop()
        self._executor.close(end_all=end_all)
        self._lock.release()


def main(argv: Sequence[str], env: Mapping[str, str]) -> int:
    """Run a worker until it is told to end; returns the exit code.

    The first SIGTERM drains it; a second one, or SIGINT, stops it.
    """
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
        ending = Ending()
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, ending.on_signal)
        worker.run(ending)
    except GangerError as error:
        sys.stderr.write(f"ganger worker: {error.message}\n")
        return REFUSED
    except OSError as error:
        sys.stderr.write(f"ganger worker: {error}\n")
        return REFUSED
    return 0
