"""This module opens channels to a master or planner and holds the options of both ends.

Every call carries the bearer token and a fresh request id for the logs. A call answered UNAVAILABLE is
repeated a few times by gRPC itself; requests that change something carry their own id, so that is safe.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import grpc
import grpc.aio

from ganger_core.rpc.addresses import Target, unix_address

__all__ = ["MAX_MESSAGE", "Target", "open_aio_channel", "open_channel", "server_options", "unix_address"]

MAX_MESSAGE = 4 * 1024 * 1024  # bytes of one request that a master takes
MAX_ANSWER = 16 * 1024 * 1024  # bytes of one message that a client takes or sends
REQUEST_ID_KEY = "ganger-request-id"
TOKEN_KEY = "authorization"  # noqa: S105 - the name of the header
KEEPALIVE_MS = 20_000

T = TypeVar("T")
Q = TypeVar("Q")

_RETRIES = json.dumps(
    {
        "methodConfig": [
            {
                "name": [{}],
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "1s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ]
    }
)

_CLIENT_OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.service_config", _RETRIES),
    ("grpc.max_receive_message_length", MAX_ANSWER),
    ("grpc.max_send_message_length", MAX_ANSWER),
    ("grpc.keepalive_time_ms", KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    # A restarted master must be found again within seconds; gRPC's own back-off goes up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.enable_http_proxy", 0),
)


def server_options(receive_limit: int = MAX_MESSAGE) -> list[tuple[str, Any]]:
    """Options of a server that takes requests of up to `receive_limit` bytes."""
    return [
        ("grpc.max_receive_message_length", receive_limit),
        ("grpc.max_send_message_length", MAX_ANSWER),
        ("grpc.keepalive_time_ms", KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", 10_000),
        # Clients ping as often as this; a server that expects less hangs up on them.
        ("grpc.http2.min_ping_interval_without_data_ms", KEEPALIVE_MS // 2),
        ("grpc.so_reuseport", 0),  # a second server on the same port must fail, not share it
    ]


def open_channel(target: Target) -> grpc.Channel:
    """A channel to `target` for synchronous calls; nothing is sent until the first one."""
    channel = grpc.insecure_channel(target.address, options=_CLIENT_OPTIONS)
    return grpc.intercept_channel(channel, _Signer(target.token))


def open_aio_channel(target: Target) -> grpc.aio.Channel:
    """A channel to `target` for the running event loop."""
    return grpc.aio.insecure_channel(
        target.address,
        options=_CLIENT_OPTIONS,
        interceptors=[_AioUnarySigner(target.token), _AioStreamSigner(target.token)],
    )


def _signed(metadata: Any, token: str) -> list[tuple[str, str | bytes]]:
    """The call's metadata with the token, and with a request id unless the caller chose one."""
    entries = list(metadata or ())
    if token:
        entries.append((TOKEN_KEY, f"Bearer {token}"))
    if all(key != REQUEST_ID_KEY for key, _ in entries):
        entries.append((REQUEST_ID_KEY, secrets.token_hex(8)))
    return entries


class _Details(NamedTuple):
    """What gRPC wants to know of a call; its own type cannot be built from outside."""

    method: str
    timeout: float | None
    metadata: list[tuple[str, str | bytes]]
    credentials: Any
    wait_for_ready: bool | None
    compression: Any


class _Signer(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Signs synchronous calls; none of ours streams requests."""

    def __init__(self, token: str) -> None:
        self._token = token

    def intercept_unary_unary(
        self, continuation: Callable[[Any, Q], T], client_call_details: Any, request: Q
    ) -> T:
        return continuation(self._sign(client_call_details), request)

    def intercept_unary_stream(
        self, continuation: Callable[[Any, Q], T], client_call_details: Any, request: Q
    ) -> T:
        return continuation(self._sign(client_call_details), request)

    def _sign(self, call: Any) -> Any:
        signed = _signed(call.metadata, self._token)
        return _Details(
            call.method, call.timeout, signed, call.credentials, call.wait_for_ready, call.compression
        )


def _aio_signed(call: Any, token: str) -> Any:
    signed = grpc.aio.Metadata(*_signed(call.metadata, token))
    return grpc.aio.ClientCallDetails(
        call.method, call.timeout, signed, call.credentials, call.wait_for_ready
    )


class _AioUnarySigner(grpc.aio.UnaryUnaryClientInterceptor):
    def __init__(self, token: str) -> None:
        self._token = token

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await continuation(_aio_signed(client_call_details, self._token), request)


class _AioStreamSigner(grpc.aio.UnaryStreamClientInterceptor):
    def __init__(self, token: str) -> None:
        self._token = token

    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await continuation(_aio_signed(client_call_details, self._token), request)
