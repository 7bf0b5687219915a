"""This module tests the interceptors over real servers: the asyncio one of a master, the threaded one of a planner."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from ganger_core.domain import errors
from ganger_core.domain.errors import GangerError, Invalid
from ganger_core.domain.principal import Principal, Role
from ganger_core.logs import bound_context
from ganger_core.rpc.channels import Target, open_aio_channel, open_channel, server_options, unix_address
from ganger_core.rpc.guard import Guard, Tokens, current_call
from ganger_core.rpc.interceptors import MasterInterceptor, PlannerInterceptor
from ganger_core.rpc.metrics import RpcMetrics
from ganger_core.rpc.status import domain_errors
from ganger_core.wire.v1 import plan_pb2, plan_pb2_grpc, task_pb2, task_pb2_grpc
from testkit.captured_logs import captured

SUBMIT, WATCH, PLAN = (
    "/ganger.v1.TaskService/SubmitTask",
    "/ganger.v1.TaskService/WatchEvents",
    "/ganger.v1.PlannerService/Plan",
)
TOKEN = "ganger_token_of_ada"  # noqa: S105
GUARD = Guard(Tokens.single(TOKEN, Principal("ada", Role.USER)), Principal("local", Role.ADMIN))
CLASSES = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, GangerError)]
BEHAVIOURS: dict[str, Callable[[], object]] = {
    cls.__name__: lambda cls=cls: _raise(cls("no", field="f")) for cls in CLASSES
}
BEHAVIOURS |= {
    "boom": lambda: _raise(KeyError("secret detail")),
    "own": lambda: _raise(TimeoutError("secret")),
}


def _raise(error: Exception) -> None:
    raise error


class Tasks(task_pb2_grpc.TaskServiceServicer):
    """Answers as the request id says; keeps what it saw of the call."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.both = asyncio.Barrier(2)
        self.cancelled = asyncio.Event()

    def _note(self) -> None:
        self.seen.append({**bound_context(), "call": current_call.get()})

    async def SubmitTask(self, request: Any, context: Any) -> Any:
        if request.request_id == "meet":
            await self.both.wait()
        self._note()
        if request.request_id == "hang":
            await asyncio.Event().wait()
        if request.request_id == "abort":
            await context.abort(grpc.StatusCode.DATA_LOSS, "by hand")
        if request.request_id == "turn":
            await asyncio.sleep(0)
        BEHAVIOURS.get(request.request_id, lambda: None)()
        return task_pb2.SubmitTaskResponse(task_id=7)

    async def WatchEvents(self, request: Any, context: Any) -> AsyncIterator[Any]:
        self._note()
        yield task_pb2.WatchEventsResponse(as_of_seq=1)
        if request.after_seq == 1:
            raise errors.Exhausted("too slow", field="f")
        if request.after_seq == 2:
            raise KeyError("secret detail")
        if request.after_seq == 3:
            try:
                await asyncio.Event().wait()
            finally:
                self.cancelled.set()
        if request.after_seq == 4:
            await context.abort(grpc.StatusCode.DATA_LOSS, "by hand")


class Master:
    """A running asyncio server and what to ask of it."""

    def __init__(self, folder: Path) -> None:
        self.metrics, self.tasks = RpcMetrics(), Tasks()
        self.unix = unix_address(folder / "s o%cket")
        self.tcp = ""

    @contextlib.asynccontextmanager
    async def serve(self, default_deadline_s: float) -> AsyncIterator[Master]:
        interceptor = MasterInterceptor(GUARD, self.metrics, default_deadline_s)
        server = grpc.aio.server(interceptors=[interceptor], options=server_options())
        task_pb2_grpc.add_TaskServiceServicer_to_server(self.tasks, server)
        checks = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(checks, server)
        await checks.set("", health_pb2.HealthCheckResponse.SERVING)
        echo = grpc.stream_unary_rpc_method_handler(lambda requests, context: b"", None, None)
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("x.Y", {"Stream": echo})])
        server.add_insecure_port(self.unix)
        self.tcp = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        await server.start()
        try:
            yield self
        finally:
            await server.stop(None)

    def codes(self) -> dict[tuple[str, str], int]:
        """How many calls were counted, by short method name and code."""
        return {
            (m.rpartition("/")[2], code): stats.count for (m, code), stats in self.metrics.snapshot().items()
        }


def with_master(
    folder: Path,
    use: Callable[[Master, grpc.aio.Channel], Awaitable[None]],
    *,
    default_deadline_s: float = 60.0,
) -> Master:
    """Run `use` against a master dialled over its Unix socket."""

    async def run() -> Master:
        async with Master(folder).serve(default_deadline_s) as master:
            async with open_aio_channel(Target(master.unix)) as channel:
                await use(master, channel)
            return master

    return asyncio.run(run())


async def submit(channel: grpc.aio.Channel, what: str = "", **options: Any) -> task_pb2.SubmitTaskResponse:
    request = task_pb2.SubmitTaskRequest(request_id=what)
    with domain_errors():
        return await task_pb2_grpc.TaskServiceStub(channel).SubmitTask(request, **options)


async def watch(channel: grpc.aio.Channel, after_seq: int) -> list[int]:
    """The sequence numbers of the answers that come before the stream ends."""
    request = task_pb2.WatchEventsRequest(after_seq=after_seq)
    with domain_errors():
        return [e.as_of_seq async for e in task_pb2_grpc.TaskServiceStub(channel).WatchEvents(request)]


def test_a_good_call_knows_its_caller_and_logs_its_id(tmp_path: Path) -> None:
    async def use(master: Master, channel: grpc.aio.Channel) -> None:
        metadata = grpc.aio.Metadata(("ganger-request-id", "req-9"))
        assert (await submit(channel, metadata=metadata)).task_id == 7
        assert await watch(channel, 0) == [1]
        async with open_aio_channel(Target(master.tcp, TOKEN)) as remote:
            await submit(remote)
        first, second, third = master.tasks.seen
        assert (first["request_id"], first["method"], first["principal"]) == ("req-9", SUBMIT, "local")
        assert first["call"].request_id == "req-9"
        assert first["call"].principal == Principal("local", Role.ADMIN)
        assert (second["method"], len(second["request_id"])) == (WATCH, 16)
        assert third["principal"] == "ada"

    master = with_master(tmp_path, use)
    assert master.codes() == {("SubmitTask", "OK"): 2, ("WatchEvents", "OK"): 1}
    assert all(stats.seconds > 0 for stats in master.metrics.snapshot().values())


def test_calls_at_the_same_time_do_not_mix(tmp_path: Path) -> None:
    async def use(master: Master, channel: grpc.aio.Channel) -> None:
        ids = [grpc.aio.Metadata(("ganger-request-id", name)) for name in ("one", "two")]
        await asyncio.gather(*(submit(channel, "meet", metadata=metadata) for metadata in ids))
        assert {seen["request_id"] for seen in master.tasks.seen} == {"one", "two"}
        assert all(seen["request_id"] == seen["call"].request_id for seen in master.tasks.seen)

    with_master(tmp_path, use)


def test_every_error_arrives_as_itself(tmp_path: Path) -> None:
    async def use(master: Master, channel: grpc.aio.Channel) -> None:
        for cls in CLASSES:
            with pytest.raises(GangerError) as caught:
                # Not to be repeated by the channel: UNAVAILABLE would be.
                await submit(channel, cls.__name__)
            assert type(caught.value) is cls
            assert (caught.value.message, caught.value.field, caught.value.reason) == ("no", "f", cls.reason)
        with pytest.raises(errors.Exhausted, match="too slow"):
            await watch(channel, 1)

    codes = with_master(tmp_path, use).codes()
    assert codes["SubmitTask", "FAILED_PRECONDITION"] == 4
    assert codes["SubmitTask", "UNAVAILABLE"] > 1, "the channel repeats these"
    assert codes["WatchEvents", "RESOURCE_EXHAUSTED"] == 1


def test_an_unexpected_error_shows_an_id_and_is_logged_in_full(tmp_path: Path) -> None:
    async def use(master: Master, channel: grpc.aio.Channel) -> None:
        for ask in (submit(channel, "boom"), watch(channel, 2)):
            with (
                captured() as lines,
                pytest.raises(GangerError) as caught,
            ):
                await ask
            (line,) = lines
            assert caught.value.message == f"internal error {line['error_id']}; the server's log tells more"
            assert (line["level"], repr(line["error"])) == ("ERROR", "KeyError('secret detail')")
            assert line["request_id"] in {seen["request_id"] for seen in master.tasks.seen}
        with captured(), pytest.raises(GangerError, match="internal error"):
            await submit(channel, "own")  # a handler's own time-out is not the call's deadline

    assert with_master(tmp_path, use).codes()["SubmitTask", "INTERNAL"] == 2


def test_strangers_are_turned_away_before_the_handler(tmp_path: Path) -> None:
    async def use(master: Master, channel: grpc.aio.Channel) -> None:
        for token in ("", "ganger_wrong"):
            async with open_aio_channel(Target(master.tcp, token)) as remote:
                with pytest.raises(errors.Unauthenticated, match="token"):
                    await submit(remote)
                with pytest.raises(errors.Unauthenticated, match="token"):
                    await watch(remote, 0)
                answer = await health_pb2_grpc.HealthStub(remote).Check(health_pb2.HealthCheckRequest())
                assert answer.status == health_pb2.HealthCheckResponse.SERVING
        assert master.tasks.seen == []

    with_master(tmp_path, use)


async def raw_call(channel: grpc.aio.Channel, method: str, raw: bytes) -> None:
    with domain_errors():
        if method == SUBMIT:
            await channel.unary_unary(method)(raw)
        else:
            _ = [answer async for answer in channel.unary_stream(method)(raw)]


@pytest.mark.parametrize(
    ("method", "raw"),
    [
        (SUBMIT, b"\xff\xff\xff"),
        (SUBMIT, b"\x0a\x01\xff"),  # a text that is not UTF-8
        (SUBMIT, b"\x0a\x05a"),  # ends too early
        (WATCH, b"\xff\xff\xff"),
        (WATCH, b"\x12\x05a"),
    ],
)
def test_bytes_that_are_no_message_are_the_callers_mistake(tmp_path: Path, method: str, raw: bytes) -> None:
    async def use(master: Master, channel: grpc.aio.Channel) -> None:
        with pytest.raises(Invalid, match=f"no valid message of {method}"):
            await raw_call(channel, method, raw)
        async with open_aio_channel(Target(master.tcp)) as remote:
            with pytest.raises(errors.Unauthenticated):
                await raw_call(remote, method, raw)
        assert master.tasks.seen == []

    with_master(tmp_path, use)


def test_a_call_without_a_deadline_gets_one_and_any_other_keeps_its_own(tmp_path: Path) -> None:
    async def use(master: Master, channel: grpc.aio.Channel) -> None:
        with pytest.raises(errors.DeadlineExceeded, match="longer deadline"):
            await submit(channel, "hang")
        assert (await submit(channel, "turn", timeout=30)).task_id == 7
        assert await watch(channel, 0) == [1]

    master = with_master(tmp_path, use, default_deadline_s=0.0)
    assert master.codes()["SubmitTask", "DEADLINE_EXCEEDED"] == 1


def test_a_caller_that_hangs_up_ends_its_stream(tmp_path: Path) -> None:
    async def use(master: Master, channel: grpc.aio.Channel) -> None:
        request = task_pb2.WatchEventsRequest(after_seq=3)
        call = task_pb2_grpc.TaskServiceStub(channel).WatchEvents(request)
        async for _ in call:
            break
        call.cancel()
        await asyncio.wait_for(master.tasks.cancelled.wait(), 10)

    assert with_master(tmp_path, use).codes() == {("WatchEvents", "CANCELLED"): 1}


def test_a_handler_that_aborts_by_itself_is_let_through(tmp_path: Path) -> None:
    async def use(master: Master, channel: grpc.aio.Channel) -> None:
        for ask in (submit(channel, "abort"), watch(channel, 4)):
            with pytest.raises(GangerError, match="by hand") as caught:
                await ask
            assert caught.value.reason == "DATA_LOSS"

    with_master(tmp_path, use)


def test_calls_nobody_serves_and_calls_that_stream_requests_are_not_served(tmp_path: Path) -> None:
    async def use(master: Master, channel: grpc.aio.Channel) -> None:
        with pytest.raises(GangerError) as unknown, domain_errors():
            await channel.unary_unary("/ganger.v1.TaskService/Nothing")(b"")
        with pytest.raises(GangerError) as streaming, domain_errors():
            await channel.stream_unary("/x.Y/Stream")(iter([b""]))
        assert unknown.value.reason == streaming.value.reason == "UNIMPLEMENTED"

    assert with_master(tmp_path, use).codes() == {}


class Planner(plan_pb2_grpc.PlannerServiceServicer):
    """Answers as the digest of the snapshot says."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    def Plan(self, request: Any, context: Any) -> Any:
        self.seen.append({**bound_context(), "call": current_call.get()})
        BEHAVIOURS.get(request.snapshot.fleet_digest, lambda: None)()
        return plan_pb2.PlanResponse(plan=plan_pb2.Plan(value=5))


@pytest.fixture
def planner() -> Iterator[tuple[Planner, RpcMetrics, str]]:
    servicer, metrics = Planner(), RpcMetrics()
    pool = futures.ThreadPoolExecutor(
        1, thread_name_prefix="planner"
    )  # one: the next call meets the last one's thread
    server = grpc.server(pool, interceptors=[PlannerInterceptor(GUARD, metrics)], options=server_options())
    plan_pb2_grpc.add_PlannerServiceServicer_to_server(servicer, server)
    checks = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    streaming = grpc.unary_stream_rpc_method_handler(lambda request, context: iter([b""]), None, None)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("x.Y", {"Stream": streaming})])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield servicer, metrics, f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait(10)
        pool.shutdown()


def plan(channel: grpc.Channel, what: str = "", **options: Any) -> plan_pb2.PlanResponse:
    request = plan_pb2.PlanRequest(snapshot=plan_pb2.Snapshot(fleet_digest=what))
    with domain_errors():
        return plan_pb2_grpc.PlannerServiceStub(channel).Plan(request, **options)


def test_a_threaded_server_is_guarded_alike(planner: tuple[Planner, RpcMetrics, str]) -> None:
    servicer, metrics, address = planner
    with open_channel(Target(address, TOKEN)) as channel:
        assert plan(channel, metadata=[("ganger-request-id", "req-1")]).plan.value == 5
        for cls in CLASSES:
            with pytest.raises(GangerError) as caught:
                plan(channel, cls.__name__)
            assert type(caught.value) is cls
            assert (caught.value.message, caught.value.field) == ("no", "f")
        with (
            captured() as lines,
            pytest.raises(GangerError) as caught,
        ):
            plan(channel, "boom")
        assert caught.value.message == f"internal error {lines[0]['error_id']}; the server's log tells more"
        assert (lines[0]["principal"], lines[0]["request_id"]) == ("ada", servicer.seen[-1]["request_id"])
        with pytest.raises(Invalid, match="no valid message"), domain_errors():
            channel.unary_unary(PLAN)(b"\xff")
        with pytest.raises(GangerError) as streaming, domain_errors():
            list(channel.unary_stream("/x.Y/Stream")(b""))
        assert streaming.value.reason == "UNIMPLEMENTED"
    assert (servicer.seen[0]["request_id"], servicer.seen[0]["call"].principal.name) == ("req-1", "ada")
    assert len({seen["request_id"] for seen in servicer.seen}) > len(CLASSES), "one id per call"
    counts = {code: stats.count for (method, code), stats in metrics.snapshot().items() if method == PLAN}
    assert (counts["OK"], counts["INTERNAL"], counts["INVALID_ARGUMENT"]) == (1, 2, 2)


def test_a_threaded_server_turns_strangers_away(planner: tuple[Planner, RpcMetrics, str]) -> None:
    servicer, metrics, address = planner
    with open_channel(Target(address, "ganger_wrong")) as channel:
        with pytest.raises(errors.Unauthenticated):
            plan(channel)
        with pytest.raises(GangerError) as nobody, domain_errors():
            channel.unary_unary("/ganger.v1.PlannerService/Nothing")(b"")
        assert nobody.value.reason == "UNIMPLEMENTED"
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        for answer in health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest()):
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
            break
    assert servicer.seen == []
    assert [code for _, code in metrics.snapshot()] == ["UNAUTHENTICATED"]
