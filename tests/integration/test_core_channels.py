"""This module tests channels against real servers: what each call carries, limits, repeats, finding a server again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest

from ganger_core.domain.errors import Exhausted, Unavailable
from ganger_core.rpc.channels import (
    MAX_MESSAGE,
    Target,
    open_aio_channel,
    open_channel,
    server_options,
    unix_address,
)
from ganger_core.rpc.status import domain_errors

Headers = dict[str, str | bytes]


class Echo:
    """A server of raw bytes that keeps the metadata of its calls and fails the first few when told."""

    def __init__(self) -> None:
        self.calls: list[Headers] = []
        self.fail_first = 0

    def one(self, request: bytes, context: Any) -> bytes:
        self.calls.append(dict(context.invocation_metadata()))
        if len(self.calls) <= self.fail_first:
            context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")
        return request[:9]

    def many(self, request: bytes, context: Any) -> Iterator[bytes]:
        self.calls.append(dict(context.invocation_metadata()))
        yield from (b"a", b"b")

    @contextlib.contextmanager
    def serve(self, address: str, options: list[tuple[str, Any]] | None = None) -> Iterator[str]:
        pool = futures.ThreadPoolExecutor(2, thread_name_prefix="echo")
        server = grpc.server(pool, options=server_options() if options is None else options)
        handlers = {
            "One": grpc.unary_unary_rpc_method_handler(self.one),
            "Many": grpc.unary_stream_rpc_method_handler(self.many),
        }
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("x.Echo", handlers)])
        port = server.add_insecure_port(address)
        server.start()
        try:
            yield address if address.startswith("unix:") else f"127.0.0.1:{port}"
        finally:
            server.stop(None).wait(10)
            pool.shutdown()


def call_one(channel: grpc.Channel, data: bytes = b"x", **options: Any) -> bytes:
    with domain_errors():
        return channel.unary_unary("/x.Echo/One")(data, **options)


def sync_calls(target: Target, metadata: list[tuple[str, str]]) -> None:
    with open_channel(target) as channel:
        assert call_one(channel) == b"x"
        assert list(channel.unary_stream("/x.Echo/Many")(b"")) == [b"a", b"b"]
        assert call_one(channel, metadata=metadata) == b"x"


def aio_calls(target: Target, metadata: list[tuple[str, str]]) -> None:
    async def run() -> None:
        async with open_aio_channel(target) as channel:
            assert await channel.unary_unary("/x.Echo/One")(b"x") == b"x"
            assert [part async for part in channel.unary_stream("/x.Echo/Many")(b"")] == [b"a", b"b"]
            assert await channel.unary_unary("/x.Echo/One")(b"x", metadata=tuple(metadata)) == b"x"

    asyncio.run(run())


@pytest.mark.parametrize("calls", [sync_calls, aio_calls])
def test_every_call_carries_the_token_and_an_id_of_its_own(
    calls: Callable[[Target, list[tuple[str, str]]], None],
) -> None:
    echo = Echo()
    with echo.serve("127.0.0.1:0") as address:
        calls(Target(address, "hush"), [("ganger-request-id", "mine"), ("other", "kept")])
        calls(Target(address), [])
    signed, bare = echo.calls[:3], echo.calls[3:]
    assert {headers["authorization"] for headers in signed} == {"Bearer hush"}
    assert all("authorization" not in headers for headers in bare)
    assert (signed[2]["ganger-request-id"], signed[2]["other"]) == ("mine", "kept")
    assert len({headers["ganger-request-id"] for headers in echo.calls}) == 6


def test_a_call_answered_unavailable_is_repeated_a_few_times() -> None:
    echo = Echo()
    echo.fail_first = 2
    with echo.serve("127.0.0.1:0") as address, open_channel(Target(address)) as channel:
        assert call_one(channel) == b"x"
        assert len(echo.calls) == 3
        echo.fail_first = 100
        with pytest.raises(Unavailable, match="not yet"):
            call_one(channel)
    assert len(echo.calls) == 3 + 4


def test_a_server_refuses_what_is_too_large_and_clients_send_up_to_16_mib() -> None:
    echo = Echo()
    with echo.serve("127.0.0.1:0") as address, open_channel(Target(address)) as channel:
        assert call_one(channel, b"y" * (MAX_MESSAGE - 1)) == b"y" * 9
        with pytest.raises(Exhausted):
            call_one(channel, b"y" * (MAX_MESSAGE + 1))
    with (
        echo.serve("127.0.0.1:0", server_options(2 * MAX_MESSAGE)) as address,
        open_channel(Target(address)) as channel,
    ):
        assert call_one(channel, b"y" * (MAX_MESSAGE + 1)) == b"y" * 9
        with pytest.raises(Exhausted):
            call_one(channel, b"y" * (16 * 1024 * 1024 + 1))


def test_a_restarted_server_is_found_again(tmp_path: Path) -> None:
    echo, address = Echo(), unix_address(tmp_path / "socket")
    with open_channel(Target(address)) as channel:
        with echo.serve(address):
            call_one(channel)
        with pytest.raises(Unavailable):
            call_one(channel)
        with echo.serve(address):
            assert call_one(channel, wait_for_ready=True, timeout=10) == b"x"


def test_two_servers_do_not_share_a_port() -> None:
    with (
        Echo().serve("127.0.0.1:0") as address,
        pytest.raises(RuntimeError, match="Failed to bind"),
        Echo().serve(address),
    ):
        pass


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with Echo().serve("127.0.0.1:0") as address, open_channel(Target(address)) as channel:
        assert call_one(channel) == b"x"
