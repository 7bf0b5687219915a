"""This module says what an operator's word is by which a worker gets no new work."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cordon:
    """A worker gets no new work, whatever it says of itself, until somebody takes that back.

    `by` is who said so, and `since_ms` when (Unix milliseconds); `reason` may be empty.
    """

    by: str
    reason: str
    since_ms: int

    def __str__(self) -> str:
        """In words, as they follow the worker's name: cordoned by ann: new driver."""
        return f"cordoned by {self.by}" + (f": {self.reason}" if self.reason else "")
