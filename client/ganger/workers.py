"""This module looks at workers, and says an operator's word about them."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterable, Iterator

from ganger.build import seconds
from ganger.calls import MasterCalls
from ganger.errors import WaitTimeout
from ganger_core.domain.task import WorkerView
from ganger_core.domain.validate import check_reason, check_workers

FIRST_LOOK_S, LONGEST_PAUSE_S = 0.1, 2.0  # between looks at workers that are to become empty

Names = str | Iterable[str]
"""One worker or several, each by its name or id."""


class WorkerClient:
    """What a `Client` can do with workers."""

    _calls: MasterCalls

    def workers(self) -> Iterator[WorkerView]:
        """The workers that the master knows, by name."""
        token = ""
        while True:
            page, token = self._calls.worker_page(token)
            yield from page
            if not token:
                return

    def cordon(self, workers: Names, reason: str = "") -> list[str]:
        """Have these workers get no new work, until `resume`; returns their ids. What runs there goes on.

        That outlasts the master and the workers; `reason` is shown to whoever waits. Raises `NotFound` and `Conflict`
        when it is not clear which worker is meant, and then none is cordoned.
        """
        names = _names(workers)
        check_reason(reason)
        return self._calls.cordon(uuid.uuid4().hex, names, reason)

    def drain(self, workers: Names, reason: str = "", *, deadline: float | str | None = None) -> list[str]:
        """As `cordon`, to have these workers empty: they are DRAINED once what they have is over.

        What is still there at the `deadline` (from now: seconds, or text such as "2h") is stopped, and its tasks wait
        for another attempt, which costs them nothing; None lets everything finish.
        """
        names = _names(workers)
        check_reason(reason)
        deadline_s = None if deadline is None else seconds(deadline, "deadline")
        return self._calls.cordon(uuid.uuid4().hex, names, reason, drain=True, deadline_s=deadline_s)

    def wait_empty(self, worker_ids: Iterable[str], timeout_s: float | None = None) -> None:
        """Wait until nothing is left on the workers of these ids; raises `WaitTimeout` after `timeout_s` seconds."""
        ids = set(worker_ids)
        over_s = None if timeout_s is None else time.monotonic() + timeout_s
        pause, pause_s = threading.Event(), FIRST_LOOK_S
        while full := [w for w in self.workers() if w.profile.id in ids and w.attempts]:
            left_s = pause_s if over_s is None else min(pause_s, over_s - time.monotonic())
            if left_s <= 0:
                names = ", ".join(sorted(w.profile.name for w in full))
                raise WaitTimeout(
                    f"after {timeout_s:g}s there are attempts left on {names}; the drain goes on"
                )
            pause.wait(left_s)
            pause_s = min(LONGEST_PAUSE_S, 1.5 * pause_s)

    def resume(self, workers: Names) -> list[str]:
        """Let these workers have work again; returns their ids. One that was not cordoned stays as it is."""
        return self._calls.resume(uuid.uuid4().hex, _names(workers))

    def fence(self, worker: str) -> int:
        """Declare that a LOST worker's host is dead, by the worker's name or id; returns how many attempts that ends.

        Their tasks run elsewhere or fail. If the host lives after all, they may run twice until it reports.
        """
        return self._calls.fence(uuid.uuid4().hex, worker)


def _names(workers: Names) -> list[str]:
    names = [workers] if isinstance(workers, str) else list(workers)
    check_workers(names)
    return names
