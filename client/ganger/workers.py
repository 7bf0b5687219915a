"""This module looks at workers, and says an operator's word about them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator

from ganger.calls import MasterCalls
from ganger_core.domain.task import WorkerView
from ganger_core.domain.validate import check_reason, check_workers

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
