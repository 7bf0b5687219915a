"""This module forgets what is older than it is kept for: tasks with their attempts and logs, events, requests.

It reads what is old on a connection of its own and asks the engine to forget it, so that the deletion is
committed by the one writer, in the order of everything else. Log files go after their tasks.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

from ganger_core.domain.clock import Clock, Instant
from ganger_core.logs import get_logger
from ganger_master import logfiles
from ganger_master.changes import Forget
from ganger_master.engine import Engine
from ganger_master.remembering import CLOCK_STEP_MS, DISTRUST_S, Cutoffs, Keep, cutoffs
from ganger_master.store.aged import AgedRows
from ganger_master.store.failures import StoreFailed, explain

BATCH = 1_000  # rows of each kind that one turn forgets
PAUSE_S = 0.2  # between two turns while there is more

_log = get_logger()


class Retention:
    """One turn after another; `run_once` is the whole of it."""

    def __init__(self, engine: Engine, rows: AgedRows, logs: Path, keep: Keep) -> None:
        self._engine = engine
        self._rows = rows
        self._logs = logs
        self._keep = keep
        # Folders with log files to look through, and the tasks that are to be gone first. At the start all
        # of them: the process may have ended between the commit and the removal.
        self._due: dict[int, set[int]] = {number: set() for number in logfiles.folders(logs)}
        self._last: Instant | None = None
        self._distrust_until_s = 0.0

    def run_once(self, now: Instant) -> bool:
        """Forget up to `BATCH` rows of each kind; returns whether there may be more."""
        if not self._clock_is_believed(now):
            return False
        old = cutoffs(now.wall_ms, self._keep)
        files = self._remove_logs(old)
        tasks = self._rows.tasks(old.tasks_ms, BATCH)
        requests = self._rows.requests(old.requests_ms, BATCH)
        last_event, events = self._rows.events(old.events_ms, BATCH)
        for command, count in (
            (Forget(task_ids=tasks), len(tasks)),
            (Forget(requests=requests), len(requests)),
            (Forget(events_up_to=last_event), events),
        ):
            if count:
                self._engine.apply([command], now)
        for task_id in tasks:
            self._due.setdefault(task_id // logfiles.PER_FOLDER, set()).add(task_id)
        if tasks or requests or events or files:
            _log.info(
                "forgotten",
                action="prune",
                tasks=len(tasks),
                requests=len(requests),
                events=events,
                files=files,
            )
        return bool(self._due) or BATCH in (len(tasks), len(requests), events)

    def _remove_logs(self, old: Cutoffs) -> int:
        before_ms = max(old.tasks_ms.values())
        removed = 0
        for folder, gone in list(self._due.items()):
            first = folder * logfiles.PER_FOLDER
            if gone & self._rows.task_ids(first, first + logfiles.PER_FOLDER - 1):
                continue  # not committed yet
            removed += logfiles.remove_forgotten(self._logs, folder, self._rows.task_ids, before_ms)
            del self._due[folder]
        return removed

    def _clock_is_believed(self, now: Instant) -> bool:
        """Whether the wall clock went as the steady one did: a wrong year must not make everything old."""
        last, self._last = self._last, now
        if last is not None:
            jump_ms = (now.wall_ms - last.wall_ms) - 1000 * (now.steady_s - last.steady_s)
            if abs(jump_ms) > CLOCK_STEP_MS:
                self._distrust_until_s = now.steady_s + DISTRUST_S
                _log.warning(
                    "the wall clock jumped: nothing is forgotten for a day", seconds=round(jump_ms / 1000)
                )
        return now.steady_s >= self._distrust_until_s


class RetentionLoop:
    """The retention thread."""

    def __init__(
        self,
        retention: Retention,
        rows: AgedRows,
        clock: Clock,
        every_s: float,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._retention = retention
        self._rows = rows
        self._clock = clock
        self._every_s = every_s
        self._on_failure = on_failure
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="retention")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self._thread.join()
        self._rows.close()

    def _turn(self) -> bool:
        try:
            return self._retention.run_once(self._clock.now())
        except sqlite3.Error as error:
            raise StoreFailed(f"the database cannot be read: {explain(error)}") from error

    def _run(self) -> None:
        try:
            pause_s = min(self._every_s, PAUSE_S)  # soon after the start, which must not wait for it
            while not self._stopping.wait(pause_s):
                more = self._turn()
                pause_s = min(self._every_s, PAUSE_S) if more else self._every_s
        except BaseException as error:
            self._on_failure(error)
            raise
