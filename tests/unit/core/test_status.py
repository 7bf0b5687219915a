"""This module tests the table between errors and statuses, without a network."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from ganger_core.domain import errors
from ganger_core.domain.errors import Conflict, GangerError, Invalid
from ganger_core.rpc.status import (
    DETAILS_KEY,
    MAX_TEXT_BYTES,
    STATUS_OF,
    domain_errors,
    from_rpc_error,
    to_status,
)

EXPECTED = {
    "GangerError": "INTERNAL",
    "Invalid": "INVALID_ARGUMENT",
    "NotFound": "NOT_FOUND",
    "AlreadyExists": "ALREADY_EXISTS",
    "Conflict": "FAILED_PRECONDITION",
    "StaleAttempt": "FAILED_PRECONDITION",
    "UnknownWorker": "FAILED_PRECONDITION",
    "FleetUnknown": "FAILED_PRECONDITION",
    "Exhausted": "RESOURCE_EXHAUSTED",
    "Unauthenticated": "UNAUTHENTICATED",
    "PermissionDenied": "PERMISSION_DENIED",
    "Unavailable": "UNAVAILABLE",
    "DeadlineExceeded": "DEADLINE_EXCEEDED",
}


def all_classes(cls: type[GangerError] = GangerError) -> Iterator[type[GangerError]]:
    yield cls
    for below in cls.__subclasses__():
        if below.__module__ == errors.__name__:
            yield from all_classes(below)


class FailedCall(grpc.RpcError):
    """What a failed call raises, with chosen contents."""

    def __init__(self, code: grpc.StatusCode, text: str | None, metadata: object) -> None:
        super().__init__()
        self._contents = code, text, metadata

    def code(self) -> grpc.StatusCode:
        return self._contents[0]

    def details(self) -> str | None:
        return self._contents[1]

    def trailing_metadata(self) -> object:
        return self._contents[2]


def test_every_error_has_its_status() -> None:
    assert {cls.__name__: STATUS_OF[cls].name for cls in all_classes()} == EXPECTED
    assert len({cls.reason for cls in all_classes()}) == len(EXPECTED)


@pytest.mark.parametrize("cls", list(all_classes()))
@pytest.mark.parametrize("reason", ["", "SPECIAL"])
def test_there_and_back(cls: type[GangerError], reason: str) -> None:
    code, text, metadata = to_status(cls("häßlich", field="spec.name", reason=reason))
    back = from_rpc_error(FailedCall(code, text, metadata))
    assert (back.message, back.field, back.reason) == ("häßlich", "spec.name", reason or cls.reason)
    # A reason of its own is all that tells apart classes of one code.
    assert type(back) is (cls if not reason or EXPECTED[cls.__name__] != "FAILED_PRECONDITION" else Conflict)


def test_the_details_are_googles() -> None:
    _, _, ((key, raw),) = to_status(Invalid("bad", field="spec.name"))
    status = status_pb2.Status.FromString(raw if isinstance(raw, bytes) else b"")
    info, violations = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert key == DETAILS_KEY
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(violations)
    assert (status.code, status.message, info.reason, info.domain) == (3, "bad", "INVALID", "ganger")
    assert [(v.field, v.description) for v in violations.field_violations] == [("spec.name", "bad")]


def test_a_class_below_one_of_ours_gets_the_status_of_that_one() -> None:
    class Special(Conflict):
        """More special."""

    assert to_status(Special("x"))[0] is grpc.StatusCode.FAILED_PRECONDITION


def test_a_long_or_unsendable_text_is_cut_and_escaped() -> None:
    _, text, ((_, raw),) = to_status(Invalid("é" * 5000 + "\udcff", field="f" * 5000))
    assert len(text.encode()) <= MAX_TEXT_BYTES
    assert text.endswith("é…")
    assert 3 * len(text.encode()) + 4 * len(raw) / 3 < 8192
    assert to_status(Invalid("a\udcffb"))[1] == "a\\udcffb"


@pytest.mark.parametrize("code", grpc.StatusCode)
def test_any_status_of_a_stranger_becomes_an_error(code: grpc.StatusCode) -> None:
    error = from_rpc_error(FailedCall(code, "why", None))
    assert error.message == "why"
    assert error.reason == (code.name if type(error) is GangerError else type(error).reason)


@pytest.mark.parametrize(
    "raw", [b"\xff\xff", b"", "text", status_pb2.Status(details=[{"value": b"\xff"}]).SerializeToString()]
)
def test_unreadable_details_are_passed_over(raw: bytes | str) -> None:
    error = from_rpc_error(FailedCall(grpc.StatusCode.NOT_FOUND, None, [(DETAILS_KEY, raw)]))
    assert type(error) is errors.NotFound
    assert error.message == "the call failed: NOT_FOUND"


def test_a_strangers_reason_is_not_ours() -> None:
    status = status_pb2.Status()
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason="REGISTER_AGAIN", domain="elsewhere"))
    metadata = [(DETAILS_KEY, status.SerializeToString())]
    assert type(from_rpc_error(FailedCall(grpc.StatusCode.FAILED_PRECONDITION, "x", metadata))) is Conflict


def test_an_error_without_a_status() -> None:
    assert "closed" in from_rpc_error(grpc.RpcError("closed")).message
    with pytest.raises(GangerError, match="closed"), domain_errors():
        raise grpc.RpcError("closed")
    with pytest.raises(KeyError), domain_errors():
        raise KeyError
