"""This module says who calls and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a caller may do. An ADMIN may do everything and see every task."""

    USER = "USER"
    WORKER = "WORKER"
    ADMIN = "ADMIN"


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller. `name` becomes the owner of what it submits."""

    name: str
    role: Role

    def may(self, needed: Role) -> bool:
        """Whether this caller may make a call that needs the role `needed`."""
        return self.role in (needed, Role.ADMIN)

    def owns(self, owner: str) -> bool:
        """Whether this caller may see and change what belongs to `owner`."""
        return self.role is Role.ADMIN or self.name == owner
