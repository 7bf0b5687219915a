"""This module says what a waiting task waits for beside capacity."""

from __future__ import annotations

from dataclasses import dataclass

from ganger_core.domain.dependency import Dependency


@dataclass(frozen=True, slots=True)
class Waits:
    """What a waiting task waits for beside capacity; of an array, what all its elements wait for.

    `held_by` names who holds it, empty when nobody does; `until_ms` is the moment before which it does not start, in
    Unix milliseconds, 0 for none; `pause_s` is how long it waits, from when it began to wait, before it is tried again;
    `after` is what has not come yet of that which it is to run after.
    """

    held_by: str = ""
    until_ms: int = 0
    pause_s: float = 0.0
    after: tuple[Dependency, ...] = ()


NO_WAITS = Waits()
