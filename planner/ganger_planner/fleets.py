"""This module remembers fleets by their digest, so that callers send the workers' whole capacities only once."""

from __future__ import annotations

import threading
from collections import OrderedDict

from ganger_core.domain.errors import FleetUnknown, Invalid
from ganger_core.domain.placement import fleet_digest
from ganger_core.domain.plan import Fleet

FLEETS_KEPT = 32  # a few masters, each with a few generations of workers


class Fleets:
    """The fleets used last, at most `kept` of them. All that the planner remembers between two calls."""

    def __init__(self, kept: int = FLEETS_KEPT) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._by_digest: OrderedDict[str, Fleet] = (
            OrderedDict()
        )  # guarded by _lock, least recently used first

    def resolve(self, digest: str, sent: Fleet | None) -> Fleet:
        """The fleet of a request that names it by `digest`, sends it in full, or both.

        Raises `FleetUnknown` when it is only named and not (or no longer) held, and `Invalid` when the
        digest is not that of the fleet beside it.
        """
        if sent is None:
            return self._recall(digest)
        actual = fleet_digest(sent)
        if digest not in ("", actual):
            field = "snapshot.fleet_digest"
            raise Invalid(f"{field}: the fleet beside it has digest {actual}, not {digest}", field=field)
        with self._lock:
            self._by_digest[actual] = sent
            self._by_digest.move_to_end(actual)
            while len(self._by_digest) > self._kept:
                self._by_digest.popitem(last=False)
        return sent

    def _recall(self, digest: str) -> Fleet:
        if not digest:
            field = "snapshot.fleet"
            raise Invalid(f"{field}: neither a fleet nor the digest of one was sent", field=field)
        with self._lock:
            fleet = self._by_digest.get(digest)
            if fleet is None:
                raise FleetUnknown(
                    f"this planner does not hold fleet {digest}; send it in full", field="snapshot.fleet"
                )
            self._by_digest.move_to_end(digest)
        return fleet
