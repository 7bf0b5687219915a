"""This module says what an operator's word is by which a worker gets no new work."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cordon:
    """A worker gets no new work, whatever it says of itself, until somebody takes that back.

    `by` is who said so, and `since_ms` when (Unix milliseconds); `reason` may be empty. One that `drains` is there to
    empty the worker: then it is DRAINING, and DRAINED once nothing is left on it. With a `deadline_ms` (0: none), what
    is still there by then is stopped, and its tasks wait again.
    """

    by: str
    reason: str
    since_ms: int
    drains: bool = False
    deadline_ms: int = 0

    def __str__(self) -> str:
        """In words, as they follow the worker's name: cordoned by ann: new driver."""
        return self.told()

    def told(self, *, empty: bool = False) -> str:
        """The same; `empty` is whether nothing is left on the worker."""
        word = "cordoned" if not self.drains else "drained" if empty else "being drained"
        return f"{word} by {self.by}" + (f": {self.reason}" if self.reason else "")

    def is_over(self, now_ms: int) -> bool:
        """Whether the worker should be empty by now."""
        return 0 < self.deadline_ms <= now_ms
