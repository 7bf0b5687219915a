"""This module counts what a task needs and what a worker has, in whole numbers."""

from __future__ import annotations

from operator import add, le, sub
from typing import NamedTuple

MAX_AMOUNT = 2**53  # exact in every float64 computation of a planner, far above any host


class Resources(NamedTuple):
    """Amounts of each kind: thousandths of a CPU, bytes of memory, slots (tasks at the same time).

    A tuple, because it is hashed and compared at every step of every task.

    The same value serves as a task's request (`slots` is then 1) and as a worker's capacity.
    """

    cpu_milli: int = 0
    memory_bytes: int = 0
    slots: int = 0

    def amounts(self) -> tuple[int, int, int]:
        """The amounts in the order of `KINDS`."""
        return self

    def fits(self, free: Resources) -> bool:
        """Whether this request can be taken out of `free`."""
        return all(map(le, self.amounts(), free.amounts()))

    def missing(self, free: Resources) -> Resources:
        """What `free` is short of for this request; zero where there is enough."""
        return Resources(
            *(max(0, need - have) for need, have in zip(self.amounts(), free.amounts(), strict=True))
        )

    def plus(self, other: Resources) -> Resources:
        """The sum, kind by kind."""
        return Resources(*map(add, self.amounts(), other.amounts()))

    def minus(self, other: Resources) -> Resources:
        """The difference, kind by kind; may be negative where a worker is over-committed."""
        return Resources(*map(sub, self.amounts(), other.amounts()))


KINDS = ("cpu_milli", "memory_bytes", "slots")
