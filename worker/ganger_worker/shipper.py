"""This module sends the output of attempts to the master while they write it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol

from ganger_core.convert.task import attempt_ref_from_proto, log_stream_from_proto
from ganger_core.convert.worker import log_chunk_to_proto
from ganger_core.domain.errors import GangerError
from ganger_core.domain.task import AttemptRef
from ganger_core.logs import get_logger
from ganger_core.wire.v1 import worker_pb2
from ganger_worker.session import MasterSession
from ganger_worker.spool import Spools
from ganger_worker.threads import Loop, Pauses

LOOK_EVERY_S = 0.25  # how long after it was written output may leave

_log = get_logger()


class LogListener(Protocol):
    """Who wants to know whose output is complete."""

    def on_logs_stored(self, refs: Sequence[AttemptRef]) -> None:
        """All output of these ended attempts is where it can be."""
        ...


class Shipper:
    """The thread that sends log bytes, by offset; what the master did not store is sent again."""

    def __init__(self, session: MasterSession, spools: Spools, listener: LogListener) -> None:
        self._session = session
        self._spools = spools
        self._listener = listener
        self._stopping = threading.Event()
        self._pauses = Pauses(self._stopping)
        self.loop = Loop("shipper", self.run_once, self._stopping, spools.wake)

    def run_once(self) -> None:
        """Send what there is, or wait."""
        chunks = self._spools.take()
        if chunks:
            request = worker_pb2.AppendLogsRequest(
                worker_id=self._session.worker_id,
                incarnation=self._session.incarnation,
                chunks=[log_chunk_to_proto(chunk) for chunk in chunks],
            )
            try:
                answer = self._session.append_logs(request)
            except GangerError as error:
                _log.warning("log bytes not delivered", action="ship", cause=error.message)
                self._pauses.wait()
                return
            self._note(answer)
        done = self._spools.settled()
        if done:
            self._listener.on_logs_stored(done)
        if not chunks and not done:
            self._spools.wait(LOOK_EVERY_S)

    def _note(self, answer: worker_pb2.AppendLogsResponse) -> None:
        progress = False
        for stored in answer.stored:
            ref = attempt_ref_from_proto(stored.ref)
            if stored.refused:
                self._spools.drop(ref)
                progress = True
            else:
                kind = log_stream_from_proto(stored.stream)
                progress |= self._spools.stored(ref, kind, stored.next_offset)
        if progress:
            self._pauses.over()
        else:  # the master answers and stores nothing
            self._pauses.wait()
