"""This module holds the one tree of errors that Ganger's parts raise and show to people.

Every error carries a stable `reason` code, a text that says cause and next step, and optionally
the `field` of the request at fault. `ganger_core.rpc.status` maps each class to one gRPC status.
"""

from __future__ import annotations


class GangerError(Exception):
    """Something was refused or failed; `reason` is a stable code, `field` the part of the request at fault."""

    reason = "INTERNAL"

    def __init__(self, message: str, *, field: str = "", reason: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        if reason:
            self.reason = reason


class Invalid(GangerError):
    """The request itself is wrong: a value out of range, unknown, or unstorable."""

    reason = "INVALID"


class NotFound(GangerError):
    """There is no such thing, or it is not the caller's to see."""

    reason = "NOT_FOUND"


class AlreadyExists(GangerError):
    """The request id was used before for another request."""

    reason = "REQUEST_ID_REUSED"


class Conflict(GangerError):
    """The request is well formed but the present state does not allow it."""

    reason = "CONFLICT"


class StaleAttempt(Conflict):
    """The message speaks of an attempt that is no longer the task's current one, or of one already ended."""

    reason = "STALE_ATTEMPT"


class UnknownWorker(Conflict):
    """The master does not know this worker or this start of it; it must register (again)."""

    reason = "REGISTER_AGAIN"


class FleetUnknown(Conflict):
    """The planner does not hold the fleet with this digest; send it in full."""

    reason = "FLEET_UNKNOWN"


class Exhausted(GangerError):
    """A limit is reached: message size, disk space, rate."""

    reason = "EXHAUSTED"


class Unauthenticated(GangerError):
    """No token, or not one that this master knows."""

    reason = "UNAUTHENTICATED"


class PermissionDenied(GangerError):
    """The caller is known but lacks the role that this call needs."""

    reason = "PERMISSION_DENIED"


class Unavailable(GangerError):
    """The other side cannot be reached or is going down; try again."""

    reason = "UNAVAILABLE"


class DeadlineExceeded(GangerError):
    """The answer did not come within the time that the caller gave."""

    reason = "DEADLINE_EXCEEDED"
