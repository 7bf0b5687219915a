"""This module ends attempts whose lease is over when the keeper does not, because it hangs or was stopped.

The keeper enforces leases, and outlives the worker. For the one case in which it cannot while the worker can, the
worker looks after it: before the master may count on an attempt being gone, it is.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Collection, Iterable

from ganger_core.domain.task import AttemptRef
from ganger_core.logs import get_logger
from ganger_worker.keeper import boottime
from ganger_worker.keeper_attempt import LEASE_GRACE_S
from ganger_worker.keeper_process import owners, signal_all, survey
from ganger_worker.threads import Loop

EVERY_S = 1.0
PATIENCE_S = 2.0
"""How long the keeper may be late, in seconds that the host was awake: after a suspend both notice together."""

_log = get_logger()

Kill = Callable[[Collection[AttemptRef]], None]


class LeaseWatch:
    """The thread that looks, and the ends of all leases as the keeper was told them."""

    def __init__(self, kill: Kill) -> None:
        self._kill = kill
        self._lock = threading.Lock()
        self._deadlines: dict[AttemptRef, float] = {}  # guarded by _lock
        self._late_since: dict[AttemptRef, float] = {}  # in awake seconds
        self._cut: set[AttemptRef] = set()  # guarded by _lock
        self._stopping = threading.Event()
        self.loop = Loop("lease-watch", self.run_once, self._stopping, lambda: None)

    def expect(self, deadlines: Iterable[tuple[AttemptRef, float]]) -> None:
        """The leases of these are over then; infinity for never."""
        with self._lock:
            self._deadlines.update(deadlines)

    def keep_only(self, refs: Collection[AttemptRef]) -> None:
        """These are all that live."""
        with self._lock:
            self._deadlines = {ref: end for ref, end in self._deadlines.items() if ref in refs}

    def over(self, ref: AttemptRef) -> bool:
        """It lives no more; whether it was cut off here."""
        with self._lock:
            self._deadlines.pop(ref, None)
            was_cut = ref in self._cut
            self._cut.discard(ref)
            return was_cut

    def run_once(self) -> None:
        """Wait a period, then look."""
        if not self._stopping.wait(EVERY_S):
            self.look(boottime(), time.monotonic())

    def look(self, now_s: float, awake_s: float) -> None:
        """Cut off what the keeper should have ended; `awake_s` is a clock that stands still while the host sleeps."""
        with self._lock:
            overdue = [ref for ref, end in self._deadlines.items() if now_s > end + LEASE_GRACE_S]
            self._late_since = {ref: self._late_since.get(ref, awake_s) for ref in overdue}
            late = [ref for ref, since in self._late_since.items() if awake_s - since >= PATIENCE_S]
            is_new = not self._cut.issuperset(late)
            self._cut.update(late)
        if is_new:
            _log.error("the keeper does not end what has no lease any more", action="cut", attempts=len(late))
        if late:
            self._kill(late)  # at every look: what forked meanwhile must end, too


def kill_marked(worker_id: str, refs: Collection[AttemptRef]) -> None:
    """SIGKILL to everything that these attempts started, found by the mark that it carries."""
    keys = {(ref.task_id, ref.token) for ref in refs}
    found = owners(survey(), worker_id, {})
    signal_all([pid for pid, key in found.items() if key in keys], signal.SIGKILL)
