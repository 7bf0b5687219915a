"""This module tells the master what became of attempts: in batches, again and again until acknowledged.

A batch is what gathered while the call before it was under way; of each attempt only the newest report counts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from ganger_core.convert.task import attempt_ref_from_proto
from ganger_core.convert.worker import report_to_proto
from ganger_core.domain.errors import GangerError, Invalid
from ganger_core.domain.task import AttemptRef, ReportKind
from ganger_core.logs import get_logger
from ganger_core.wire.v1 import worker_pb2
from ganger_worker.attempts import Told
from ganger_worker.keeper import boottime
from ganger_worker.session import MasterSession
from ganger_worker.threads import Loop, Pauses

BATCH_REPORTS = 1_000
QUIET_S = 0.01
"""How long a report that nobody needs that fast waits for others to go with: that an attempt lives, which may be over
by then, or an end that can wait."""
BATCH_BYTES = 2 * 1024 * 1024  # of tails and outputs, unless one has more; a master takes messages of 4 MiB

_RANKS = {ReportKind.ACCEPTED: 0, ReportKind.STARTED: 1}  # all others are final
_FINAL = 2

_log = get_logger()


class Outbox:
    """The newest unacknowledged report of each attempt. `clock` is CLOCK_BOOTTIME in seconds."""

    def __init__(self, clock: Callable[[], float] = boottime) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._pending: dict[AttemptRef, Told] = {}  # guarded by _changed
        self._closed = False  # guarded by _changed

    def put(self, reports: Iterable[Told]) -> None:
        """Add reports; each replaces an older one of its attempt.

        One that says less than the one that waits (two threads may put them in any order) is left out.
        """
        with self._changed:
            hurry = not self._pending
            for told in reports:
                waiting = self._pending.get(told.ref)
                if waiting is None or _rank(told) >= _rank(waiting):
                    self._pending.pop(told.ref, None)  # in the order in which things happened
                    self._pending[told.ref] = told
                    hurry |= _is_urgent(told)
            if hurry:
                self._changed.notify()

    def take(self, most: int) -> list[Told]:
        """The next batch, at most `most` reports, which stay here until `done`. Waits until there is one.

        Ends go with whatever goes, also those that could wait; that an attempt lives waits `QUIET_S` for the news
        that it ended. Empty only once the box is closed.
        """
        with self._changed:
            while not (due := self._due_locked()) and not self._closed:
                self._changed.wait(QUIET_S if self._pending else None)
            batch: list[Told] = []
            size = 0
            for told in due[:most]:
                size += told.size
                if batch and size > BATCH_BYTES:
                    break
                batch.append(told)
            return batch

    def done(self, batch: Iterable[Told]) -> None:
        """These were acknowledged; one that was replaced meanwhile stays."""
        with self._changed:
            for told in batch:
                if self._pending.get(told.ref) is told:
                    del self._pending[told.ref]

    def close(self) -> None:
        """Let nobody wait any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _due_locked(self) -> list[Told]:
        before_s = self._clock() - QUIET_S
        if not any(_is_urgent(told) or told.at_s <= before_s for told in self._pending.values()):
            return []
        return [told for told in self._pending.values() if _rank(told) == _FINAL or told.at_s <= before_s]


def _rank(told: Told) -> int:
    return _RANKS.get(told.kind, _FINAL)


def _is_urgent(told: Told) -> bool:
    return _rank(told) == _FINAL and not told.can_wait


class ReportListener(Protocol):
    """Who wants to know which reports the master has."""

    def on_reported(self, reports: Sequence[Told], refused: Mapping[AttemptRef, str]) -> None:
        """The master has taken these, or refused them for a reason; it need not be told again."""
        ...


class Reporter:
    """The thread that empties the outbox."""

    def __init__(self, session: MasterSession, outbox: Outbox, listener: ReportListener) -> None:
        self._session = session
        self._outbox = outbox
        self._listener = listener
        self._stopping = threading.Event()
        self._pauses = Pauses(self._stopping)
        self._most = BATCH_REPORTS
        self.loop = Loop("reporter", self.run_once, self._stopping, outbox.close)

    def run_once(self) -> None:
        """Send the next batch, or wait for one."""
        batch = self._outbox.take(self._most)
        if not batch:
            return
        now_s = boottime()
        request = worker_pb2.ReportTaskCompletionRequest(
            worker_id=self._session.worker_id,
            incarnation=self._session.incarnation,
            reports=[report_to_proto(told.report(now_s)) for told in batch],
        )
        try:
            answer = self._session.report(request)
        except Invalid as error:
            if len(batch) > 1:  # find the one at fault
                self._most = 1
                return
            _log.error("the master finds a report invalid", attempt=str(batch[0].ref), cause=error.message)
            self._finish(batch, {batch[0].ref: error.message})
        except GangerError as error:
            _log.warning("reports not delivered", count=len(batch), cause=error.message)
            self._pauses.wait()
        else:
            self._finish(batch, {attempt_ref_from_proto(r.ref): r.reason for r in answer.refused})

    def _finish(self, batch: Sequence[Told], refused: Mapping[AttemptRef, str]) -> None:
        self._pauses.over()
        self._most = BATCH_REPORTS
        self._outbox.done(batch)
        self._listener.on_reported(batch, refused)
