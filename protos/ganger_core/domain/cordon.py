"""This module says what an operator's word is by which a worker gets no new work."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cordon:
    """A worker gets no new work, whatever it says of itself, until somebody takes that back.

    `by` is who said so, and `since_ms` when (Unix milliseconds); `reason` may be empty. One that `drains` is there to
    empty the worker: then it is DRAINING, and DRAINED once nothing is left on it.
    """

    by: str
    reason: str
    since_ms: int
    drains: bool = False

    def __str__(self) -> str:
        """In words, as they follow the worker's name: cordoned by ann: new driver."""
        return self.told()

    def told(self, *, empty: bool = False) -> str:
        """The same; `empty` is whether nothing is left on the worker."""
        word = "cordoned" if not self.drains else "drained" if empty else "being drained"
        return f"{word} by {self.by}" + (f": {self.reason}" if self.reason else "")
