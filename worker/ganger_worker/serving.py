"""This module sends parts of published outputs to whoever wants them, and removes those that nobody needs any more.

The master cannot call a worker: one call after another brings it what it wanted and takes what it wants next. Whether
something is still needed is the master's to say, and always asked: a report that was refused may have been the
repetition of one that was taken.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from typing import Protocol

from ganger_core.convert.outputs import output_part_to_proto, output_range_from_proto
from ganger_core.convert.task import attempt_ref_from_proto, attempt_ref_to_proto
from ganger_core.domain.errors import GangerError
from ganger_core.domain.outputs import is_inside
from ganger_core.domain.published import OutputPart, OutputRange
from ganger_core.domain.task import AttemptRef
from ganger_core.logs import get_logger
from ganger_core.wire.v1 import worker_pb2
from ganger_worker.keeper import boottime
from ganger_worker.session import MasterSession
from ganger_worker.threads import Loop, Pauses

WAIT_S = 20.0  # of a call while nothing is wanted
MOST_KEPT = 1_000  # attempts that one call asks about

_log = get_logger()

Kept = list[tuple[AttemptRef, float]]
"""Attempts, and for how many seconds their outputs have been published."""


class KeptOutputs(Protocol):
    """What is published here; see `executors.outputs.OutputFolders`."""

    def everything(self) -> Iterator[tuple[AttemptRef, float]]:
        """Every attempt with published outputs, and their age in seconds."""
        ...

    def remove(self, ref: AttemptRef) -> None:
        """Nobody needs them any more."""
        ...

    def read(self, ref: AttemptRef, path: str, offset: int, most: int) -> bytes:
        """A part of a file; raises OSError."""
        ...


class Holder(Protocol):
    """Who knows which attempts are still to be reported."""

    def holding(self) -> Collection[AttemptRef]:
        """Their outputs are not asked about yet."""
        ...


class Answers:
    """What there is to say in the next call, and what follows from an answer. `now_s` is CLOCK_BOOTTIME."""

    def __init__(self, outputs: KeptOutputs, holder: Holder) -> None:
        self._outputs = outputs
        self._holder = holder
        self._parts: Sequence[OutputPart] = ()
        self._left: Kept = []  # to be asked about in this round
        self._is_asking = False  # whether a round is under way
        self._ask_at_s = 0.0

    def request(self, worker_id: str, incarnation: int, now_s: float) -> worker_pb2.ServeOutputsRequest:
        """The next call; the same again after one that was not answered."""
        if not self._is_asking and now_s >= self._ask_at_s:
            everything = list(self._outputs.everything())
            held = set(self._holder.holding())  # later: what was reported meanwhile may be asked about
            self._left = [(ref, age_s) for ref, age_s in everything if ref not in held]
            self._is_asking = True
        return worker_pb2.ServeOutputsRequest(
            worker_id=worker_id,
            incarnation=incarnation,
            parts=map(output_part_to_proto, self._parts),
            kept=[
                worker_pb2.ServeOutputsRequest.Kept(ref=attempt_ref_to_proto(ref), age_s=age_s)
                for ref, age_s in self._left[:MOST_KEPT]
            ],
            wait_s=min(WAIT_S, max(0.0, self._ask_at_s - now_s)),
        )

    def take(self, answer: worker_pb2.ServeOutputsResponse, now_s: float) -> None:
        """Read what is wanted, and remove what is not."""
        del self._left[:MOST_KEPT]
        if self._is_asking and not self._left:
            self._is_asking = False
            self._ask_at_s = now_s + answer.ask_after_s
        self._parts = [self._read(output_range_from_proto(wanted)) for wanted in answer.wanted]
        for ref in map(attempt_ref_from_proto, answer.unwanted):
            self._outputs.remove(ref)
            _log.info("outputs removed", action="forget_outputs", attempt=str(ref))

    def _read(self, wanted: OutputRange) -> OutputPart:
        if not is_inside(wanted.path):
            return OutputPart(wanted, error="it does not lie in the output folder")
        try:
            data = self._outputs.read(wanted.ref, wanted.path, wanted.offset, wanted.most)
        except OSError as error:
            return OutputPart(wanted, error=error.strerror or str(error))
        return OutputPart(wanted, data)


class Serving:
    """The thread that makes these calls, from the first published outputs on."""

    def __init__(
        self, session: MasterSession, outputs: KeptOutputs, holder: Holder, anything: threading.Event
    ) -> None:
        self._session = session
        self._anything = anything  # set while there are published outputs
        self._answers = Answers(outputs, holder)
        self._stopping = threading.Event()
        self._pauses = Pauses(self._stopping)
        self.loop = Loop("outputs", self.run_once, self._stopping, anything.set)

    def run_once(self) -> None:
        """Make the next call, once there is something to serve."""
        self._anything.wait()
        if self._stopping.is_set():
            return
        request = self._answers.request(self._session.worker_id, self._session.incarnation, boottime())
        try:
            answer = self._session.serve_outputs(request)
        except GangerError as error:
            if not self._stopping.is_set():
                _log.warning("outputs not served", action="serve_outputs", cause=error.message)
                self._pauses.wait()
            return
        self._pauses.over()
        self._answers.take(answer, boottime())
