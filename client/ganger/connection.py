"""This module holds a client's connection to its master: calls repeated while the master is away, and streams.

A master that has never answered gets no patience: somebody who has none running is told at once.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from typing import TypeVar

import grpc

from ganger_core.domain.errors import DeadlineExceeded, GangerError, Unavailable
from ganger_core.rpc.channels import Target, open_channel
from ganger_core.rpc.status import from_rpc_error

CALL_TIMEOUT_S = 20.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 2.0

# What a master that stops, restarts or hangs looks like from here.
_AWAY = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED})

Request = TypeVar("Request")
Answer = TypeVar("Answer")


class Effort:
    """One thing tried until it works: longer pauses after each failure, the end after `patience_s` without success."""

    def __init__(self, address: str, patience_s: float) -> None:
        self._address = address
        self._patience_s = patience_s
        self._pause = threading.Event()
        self.succeeded()

    def succeeded(self) -> None:
        """The master answered: patience is whole again."""
        self._failing_since: float | None = None
        self._failures = 0

    def failed(self, error: grpc.RpcError | None) -> None:
        """Wait before the next try, or raise `error` in Ganger's terms when another try makes no sense.

        None says that a stream ended without an error before its time.
        """
        code = error.code() if isinstance(error, grpc.Call) else grpc.StatusCode.UNAVAILABLE
        if error is not None and code not in _AWAY:
            raise from_rpc_error(error) from None
        now = time.monotonic()
        if self._failing_since is None:
            self._failing_since = now
        if now - self._failing_since >= self._patience_s:
            raise self._away(code) from None
        longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(self._failures, 10))
        self._failures += 1
        self._pause.wait(longest * random.uniform(0.5, 1.0))  # noqa: S311 - spreads clients, hides nothing

    def _away(self, code: grpc.StatusCode) -> GangerError:
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return DeadlineExceeded(f"the master at {self._address} did not answer in time")
        return Unavailable(
            f"no master answers at {self._address}: start one with `ganger dev`, "
            "or name it with --address / GANGER_ADDR"
        )


class Connection:
    """A channel to a master, and how calls go over it. Safe to use from several threads."""

    def __init__(self, target: Target, patience_s: float) -> None:
        self.address = target.address
        self._patience_s = patience_s
        self._met = False
        self._channel = open_channel(target)

    def close(self) -> None:
        """Close the connection; streams under way end."""
        self._channel.close()

    def effort(self) -> Effort:
        """A new effort towards this master: without patience as long as it has never answered."""
        return Effort(self.address, self._patience_s if self._met else 0.0)

    def _call(
        self,
        method: grpc.UnaryUnaryMultiCallable[Request, Answer],
        request: Request,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> Answer:
        effort = self.effort()
        while True:
            try:
                answer = method(request, timeout=timeout_s)
            except grpc.RpcError as error:
                effort.failed(error)
            else:
                self._met = True
                return answer

    def _stream(
        self,
        method: grpc.UnaryStreamMultiCallable[Request, Answer],
        request: Request,
        timeout_s: float | None = None,
    ) -> Iterator[Answer]:
        """What the stream brings; the call ends with the caller's interest in it."""
        stream = method(request, timeout=timeout_s)
        try:
            for answer in stream:
                self._met = True
                yield answer
        finally:
            stream.cancel()
