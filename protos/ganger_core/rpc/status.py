"""This module holds the one table between our errors and gRPC's statuses, used by both sides of every call.

Beside code and text an error crosses with `google.rpc` details: its stable reason (ErrorInfo) and the
field at fault (BadRequest), so that the caller gets the same class back, with the same reason and field.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, cast

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from ganger_core.domain.errors import (
    AlreadyExists,
    Conflict,
    DeadlineExceeded,
    Exhausted,
    FleetUnknown,
    GangerError,
    Invalid,
    NotFound,
    PermissionDenied,
    StaleAttempt,
    Unauthenticated,
    Unavailable,
    UnknownWorker,
)

DOMAIN = "ganger"
DETAILS_KEY = "grpc-status-details-bin"
MAX_TEXT_BYTES = 1024  # of a message on its way: text and details must stay below 8 KiB of headers together

Metadata = tuple[tuple[str, str | bytes], ...]

STATUS_OF: dict[type[GangerError], grpc.StatusCode] = {
    GangerError: grpc.StatusCode.INTERNAL,
    Invalid: grpc.StatusCode.INVALID_ARGUMENT,
    NotFound: grpc.StatusCode.NOT_FOUND,
    AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    Conflict: grpc.StatusCode.FAILED_PRECONDITION,
    StaleAttempt: grpc.StatusCode.FAILED_PRECONDITION,
    UnknownWorker: grpc.StatusCode.FAILED_PRECONDITION,
    FleetUnknown: grpc.StatusCode.FAILED_PRECONDITION,
    Exhausted: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    PermissionDenied: grpc.StatusCode.PERMISSION_DENIED,
    Unavailable: grpc.StatusCode.UNAVAILABLE,
    DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
}
_BY_REASON = {(code, cls.reason): cls for cls, code in STATUS_OF.items()}
_BY_CODE: dict[grpc.StatusCode, type[GangerError]] = {}
for _cls, _code in STATUS_OF.items():
    _BY_CODE.setdefault(_code, _cls)  # the first of a code is the general one: Conflict before StaleAttempt


def to_status(error: GangerError) -> tuple[grpc.StatusCode, str, Metadata]:
    """What to abort a call with: code, text and trailing metadata with the details."""
    code = next(STATUS_OF[cls] for cls in type(error).__mro__ if cls in STATUS_OF)
    message, field = _sendable(error.message), _sendable(error.field)
    status = status_pb2.Status(code=code.value[0], message=message)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=_sendable(error.reason), domain=DOMAIN))
    if field:
        violation = error_details_pb2.BadRequest.FieldViolation(field=field, description=message)
        status.details.add().Pack(error_details_pb2.BadRequest(field_violations=[violation]))
    return code, message, ((DETAILS_KEY, status.SerializeToString()),)


def from_rpc_error(error: grpc.RpcError) -> GangerError:
    """The error that the other side raised, or the one that stands for what gRPC itself reports."""
    if not hasattr(error, "code"):
        return GangerError(f"the call failed: {error}")
    call = cast(_FailedCall, error)
    code, text = call.code(), call.details() or ""
    reason, field = _read_details(call.trailing_metadata() or ())
    cls = _BY_REASON.get((code, reason)) or _BY_CODE.get(code, GangerError)
    if cls is GangerError and not reason:
        reason = code.name
    return cls(text or f"the call failed: {code.name}", field=field, reason=reason)


@contextmanager
def domain_errors() -> Iterator[None]:
    """Turn a `grpc.RpcError` raised inside into our error."""
    try:
        yield
    except grpc.RpcError as error:
        raise from_rpc_error(error) from error


class _FailedCall(Protocol):
    """What every error of a call has, in the synchronous and in the asynchronous library."""

    def code(self) -> grpc.StatusCode: ...
    def details(self) -> str | None: ...
    def trailing_metadata(self) -> Iterable[tuple[str, str | bytes]] | None: ...


def _sendable(text: str) -> str:
    """The text in at most MAX_TEXT_BYTES bytes of UTF-8; what UTF-8 cannot say is written as an escape."""
    raw = text.encode("utf-8", "backslashreplace")
    if len(raw) <= MAX_TEXT_BYTES:
        return raw.decode()
    return raw[: MAX_TEXT_BYTES - 3].decode("utf-8", "ignore") + "…"


def _read_details(metadata: Iterable[tuple[str, str | bytes]]) -> tuple[str, str]:
    """Reason and field from the trailing metadata; empty where there are none or they cannot be read."""
    reason = field = ""
    raw = next((value for key, value in metadata if key == DETAILS_KEY), b"")
    try:
        status = status_pb2.Status.FromString(raw if isinstance(raw, bytes) else raw.encode())
        for detail in status.details:
            info, bad_request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
            if detail.Unpack(info) and info.domain == DOMAIN:
                reason = info.reason
            elif detail.Unpack(bad_request) and bad_request.field_violations:
                field = bad_request.field_violations[0].field
    except DecodeError:  # written by something else than us; code and text still tell
        return "", ""
    return reason, field
