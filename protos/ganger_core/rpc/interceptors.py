"""This module stands between gRPC and our handlers: who calls, how long, and what an error becomes.

    admit -> log context -> deadline -> handler -> status from the one table -> metrics

The master's edge runs on asyncio, the planner on threads; both wrap the same steps. Only calls with one
request are served, because no RPC of ours streams requests and an unguarded one must not slip through.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from ganger_core.domain.errors import DeadlineExceeded, GangerError, Invalid
from ganger_core.logs import bind_context, get_logger
from ganger_core.rpc.guard import Guard, current_call, is_open
from ganger_core.rpc.metrics import RpcMetrics
from ganger_core.rpc.status import Metadata, to_status

DEFAULT_DEADLINE_S = 60.0  # of a call with one answer whose caller gave none

_log = get_logger()


class MasterInterceptor(grpc.aio.ServerInterceptor):
    """Guards every call of an asyncio server."""

    def __init__(
        self, guard: Guard, metrics: RpcMetrics, default_deadline_s: float = DEFAULT_DEADLINE_S
    ) -> None:
        self._guard = guard
        self._metrics = metrics
        self._default_deadline_s = default_deadline_s

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any
    ) -> Any:
        """The handler wrapped, or None for a call that is not served."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or is_open(method):
            return handler
        if handler.request_streaming:
            return None
        decode = _tolerant(handler.request_deserializer, method)
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(
                self._stream(handler.unary_stream, method), decode, handler.response_serializer
            )
        return grpc.unary_unary_rpc_method_handler(
            self._unary(handler.unary_unary, method), decode, handler.response_serializer
        )

    def _unary(self, behaviour: Callable[..., Awaitable[Any]], method: str) -> Callable[..., Awaitable[Any]]:
        async def answer(request: Any, context: Any) -> Any:
            with _Timed(self._metrics, method) as timed:
                try:
                    _enter(self._guard, method, request, context)
                    limit = self._default_deadline_s if context.time_remaining() is None else None
                    return await _within(limit, behaviour(request, context))
                except (grpc.aio.AbortError, asyncio.CancelledError):
                    timed.code = grpc.StatusCode.CANCELLED
                    raise
                except Exception as error:  # noqa: BLE001 - the one place where any error becomes a status
                    timed.code, text, details = _translate(error, method)
                return await context.abort(timed.code, text, details)

        return answer

    def _stream(
        self, behaviour: Callable[..., AsyncIterator[Any]], method: str
    ) -> Callable[..., AsyncIterator[Any]]:
        async def answer(request: Any, context: Any) -> AsyncIterator[Any]:
            with _Timed(self._metrics, method) as timed:
                try:
                    _enter(self._guard, method, request, context)
                    async for message in behaviour(request, context):
                        yield message
                    return
                except (grpc.aio.AbortError, asyncio.CancelledError, GeneratorExit):
                    timed.code = grpc.StatusCode.CANCELLED
                    raise
                except Exception as error:  # noqa: BLE001 - the one place where any error becomes a status
                    timed.code, text, details = _translate(error, method)
                await context.abort(timed.code, text, details)

        return answer


class PlannerInterceptor(grpc.ServerInterceptor):
    """Guards every call of a threaded server, whose calls have one request and one answer.

    A thread cannot be interrupted: a handler has to mind `context.time_remaining()` by itself.
    """

    def __init__(self, guard: Guard, metrics: RpcMetrics) -> None:
        self._guard = guard
        self._metrics = metrics

    def intercept_service(self, continuation: Callable[[Any], Any], handler_call_details: Any) -> Any:
        """The handler wrapped, or None for a call that is not served."""
        handler = continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or is_open(method):
            return handler
        if handler.unary_unary is None:
            return None
        return grpc.unary_unary_rpc_method_handler(
            self._unary(handler.unary_unary, method),
            _tolerant(handler.request_deserializer, method),
            handler.response_serializer,
        )

    def _unary(self, behaviour: Callable[..., Any], method: str) -> Callable[..., Any]:
        def answer(request: Any, context: Any) -> Any:
            with _Timed(self._metrics, method) as timed:
                try:
                    _enter(self._guard, method, request, context)
                    return behaviour(request, context)
                except Exception as error:  # noqa: BLE001 - the one place where any error becomes a status
                    timed.code, text, details = _translate(error, method)
                context.set_trailing_metadata(details)
                return context.abort(timed.code, text)

        return answer


class _Timed:
    """Counts one call when it is over, with the code set by then."""

    def __init__(self, metrics: RpcMetrics, method: str) -> None:
        self._metrics = metrics
        self._method = method
        self.code = grpc.StatusCode.OK

    def __enter__(self) -> _Timed:
        self._started = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self._metrics.observe(self._method, self.code.name, time.perf_counter() - self._started)


class _Unreadable:
    """Stands for a request whose bytes are no message; refused once the caller is known."""

    def __init__(self, why: str) -> None:
        self.why = why


def _tolerant(decode: Callable[[bytes], Any], method: str) -> Callable[[bytes], Any]:
    """A deserializer that never raises: gRPC would call it an internal error of ours."""

    def tolerant(data: bytes) -> Any:
        try:
            return decode(data)
        except (DecodeError, UnicodeDecodeError):
            return _Unreadable(f"the request is no valid message of {method}")

    return tolerant


def _enter(guard: Guard, method: str, request: Any, context: Any) -> None:
    """Admit the call, or raise. gRPC gives each call a context of its own, so what is set here ends with it."""
    call = guard.admit(method, context.peer(), context.invocation_metadata() or ())
    current_call.set(call)
    bind_context(request_id=call.request_id, method=method, principal=call.principal.name)
    if isinstance(request, _Unreadable):
        raise Invalid(request.why)


async def _within(limit_s: float | None, answer: Awaitable[Any]) -> Any:
    scope = asyncio.timeout(limit_s)
    try:
        async with scope:
            return await answer
    except TimeoutError:
        if not scope.expired():
            raise
        raise DeadlineExceeded(f"no answer within {limit_s:g} s; give the call a longer deadline") from None


def _translate(error: Exception, method: str) -> tuple[grpc.StatusCode, str, Metadata]:
    """Our errors by the table; of any other the caller learns only an id that finds it in the log."""
    if isinstance(error, GangerError):
        _log.debug("call refused", rpc=method, reason=error.reason, cause=error.message)
        return to_status(error)
    error_id = secrets.token_hex(4)
    _log.error("call failed", rpc=method, error_id=error_id, error=error)
    return to_status(GangerError(f"internal error {error_id}; the server's log tells more"))
