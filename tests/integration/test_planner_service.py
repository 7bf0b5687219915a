"""This module calls a planner over real gRPC: plans, fleets by digest, refusals, health, tokens."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ganger_core.convert import plan as convert
from ganger_core.domain.errors import Conflict, FleetUnknown, Invalid, NotFound, Unauthenticated, Unavailable
from ganger_core.domain.plan import PlanOptions
from ganger_core.rpc.channels import Target, open_channel
from ganger_core.rpc.status import domain_errors
from ganger_core.settings import PlannerSettings
from ganger_core.wire.v1 import plan_pb2, plan_pb2_grpc
from ganger_planner.app import PlannerServer
from ganger_planner.plan import plan
from ganger_planner.service import SERVICE_NAME
from testkit.fleets import a_mixed_snapshot, a_snapshot, cpus_and_gib

SERVING = health_pb2.HealthCheckResponse.SERVING
Ask = Callable[[plan_pb2.PlanRequest], plan_pb2.PlanResponse]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A state folder whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="planner-") as path:
        yield Path(path)


@pytest.fixture
def server(folder: Path) -> Iterator[PlannerServer]:
    """A planner on the socket of its folder."""
    running = PlannerServer(PlannerSettings(state_dir=folder))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def channel(server: PlannerServer) -> Iterator[grpc.Channel]:
    with open_channel(Target(server.address)) as opened:
        yield opened


@pytest.fixture
def ask(channel: grpc.Channel) -> Ask:
    """Ask for a plan; raises our errors."""
    stub = plan_pb2_grpc.PlannerServiceStub(channel)

    def call(request: plan_pb2.PlanRequest) -> plan_pb2.PlanResponse:
        with domain_errors():
            return stub.Plan(request, timeout=20)

    return call


def a_request(seed: int = 1, *, with_fleet: bool = True) -> plan_pb2.PlanRequest:
    """Twelve workers, thirty shapes."""
    snapshot = a_mixed_snapshot(seed, workers=12, shapes=30, tasks_per_shape=4, busy=0.7)
    return plan_pb2.PlanRequest(
        snapshot=convert.snapshot_to_proto(snapshot, with_fleet=with_fleet),
        options=convert.options_to_proto(PlanOptions(seed=seed)),
    )


def test_eight_callers_get_their_plans_at_the_same_time(server: PlannerServer) -> None:
    def call(seed: int) -> bytes:
        with open_channel(Target(server.address)) as channel:
            answer = plan_pb2_grpc.PlannerServiceStub(channel).Plan(a_request(seed), timeout=20)
            assert answer.report.wall_ms > 0
            return answer.plan.SerializeToString()

    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(call, range(8)))
    for seed, answer in enumerate(answers):
        snapshot = a_mixed_snapshot(seed, workers=12, shapes=30, tasks_per_shape=4, busy=0.7)
        assert answer == convert.plan_to_proto(plan(snapshot, PlanOptions(seed=seed))).SerializeToString()


def test_a_fleet_is_sent_once(ask: Ask) -> None:
    with pytest.raises(FleetUnknown) as refused:
        ask(a_request(with_fleet=False))
    assert refused.value.reason == "FLEET_UNKNOWN"
    in_full = ask(a_request(with_fleet=True))
    by_digest = ask(a_request(with_fleet=False))
    assert by_digest.plan == in_full.plan
    assert len(in_full.plan.task_ids) > 0


def _free_too_short(request: plan_pb2.PlanRequest) -> None:
    del request.snapshot.free.memory_bytes[-1]


def _free_too_long(request: plan_pb2.PlanRequest) -> None:
    for column in (
        request.snapshot.free.cpu_milli,
        request.snapshot.free.memory_bytes,
        request.snapshot.free.slots,
    ):
        column.append(1)


def _classes_too_short(request: plan_pb2.PlanRequest) -> None:
    del request.snapshot.fleet.class_of[-1]


def _class_that_is_not_there(request: plan_pb2.PlanRequest) -> None:
    request.snapshot.fleet.class_of[3] = 99


def _negative_class(request: plan_pb2.PlanRequest) -> None:
    request.snapshot.fleet.class_of[3] = -1


def _negative_request(request: plan_pb2.PlanRequest) -> None:
    request.snapshot.shapes[2].request.cpu_milli = -1


def _no_request(request: plan_pb2.PlanRequest) -> None:
    request.snapshot.shapes[2].ClearField("request")


def _huge_request(request: plan_pb2.PlanRequest) -> None:
    request.snapshot.shapes[2].request.memory_bytes = 2**62


def _negative_capacity(request: plan_pb2.PlanRequest) -> None:
    request.snapshot.fleet.classes[0].slots = -4
    request.snapshot.fleet_digest = ""


def _task_twice(request: plan_pb2.PlanRequest) -> None:
    request.snapshot.shapes[1].task_ids.append(1)


def _task_nought(request: plan_pb2.PlanRequest) -> None:
    request.snapshot.shapes[1].task_ids.append(0)


def _priority(request: plan_pb2.PlanRequest) -> None:
    request.snapshot.shapes[1].priority = 101


def _no_snapshot(request: plan_pb2.PlanRequest) -> None:
    request.ClearField("snapshot")


def _other_digest(request: plan_pb2.PlanRequest) -> None:
    request.snapshot.fleet_digest = "0" * 64


@pytest.mark.parametrize(
    ("spoil", "field"),
    [
        (_free_too_short, "snapshot.free"),
        (_free_too_long, "snapshot.free"),
        (_classes_too_short, "snapshot.fleet"),
        (_class_that_is_not_there, "snapshot.fleet.class_of"),
        (_negative_class, "snapshot.fleet.class_of"),
        (_negative_request, "snapshot.shapes.request.cpu_milli"),
        (_no_request, "snapshot.shapes.request"),
        (_huge_request, "snapshot.shapes.request.memory_bytes"),
        (_negative_capacity, "snapshot.fleet.capacities.slots"),
        (_task_twice, "snapshot.shapes.task_ids"),
        (_task_nought, "snapshot.shapes.task_ids"),
        (_priority, "snapshot.shapes.priority"),
        (_no_snapshot, "snapshot.fleet"),
        (_other_digest, "snapshot.fleet_digest"),
    ],
)
def test_a_malformed_snapshot_is_refused_by_field(
    ask: Ask, spoil: Callable[[plan_pb2.PlanRequest], None], field: str
) -> None:
    request = a_request()
    spoil(request)
    with pytest.raises(Invalid) as refused:
        ask(request)
    assert refused.value.field == field
    assert refused.value.message.startswith("snapshot.")
    assert ask(a_request()).plan.stage == "best-fit"


def test_bytes_that_are_no_message_are_the_callers_fault(channel: grpc.Channel) -> None:
    raw: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{SERVICE_NAME}/Plan")
    with pytest.raises(Invalid, match="no valid message"), domain_errors():
        raw(b"\xff\xff\xff", timeout=20)


def test_health_is_told_to_anybody(folder: Path) -> None:
    server = PlannerServer(PlannerSettings(state_dir=folder, listen="127.0.0.1:0"))
    server.start()
    with open_channel(Target(server.address)) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for name in ("", SERVICE_NAME):
            assert stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=20).status == SERVING
        with pytest.raises(NotFound), domain_errors():
            stub.Check(health_pb2.HealthCheckRequest(service="ganger.v1.TaskService"), timeout=20)
        server.stop()
        with pytest.raises(Unavailable), domain_errors():
            stub.Check(health_pb2.HealthCheckRequest(), timeout=20)


def test_watching_the_health_holds_no_thread(channel: grpc.Channel, ask: Ask) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    watches = [stub.Watch(health_pb2.HealthCheckRequest()) for _ in range(20)]
    assert ask(a_request()).plan.stage == "best-fit"
    for watch in watches:
        with pytest.raises(grpc.RpcError) as refused:
            next(watch)
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_over_tcp_every_call_needs_the_token(folder: Path) -> None:
    server = PlannerServer(PlannerSettings(state_dir=folder, listen="127.0.0.1:0"))
    server.start()
    try:
        token = (folder / "token").read_text().strip()
        assert (folder / "token").stat().st_mode & 0o777 == 0o600
        for wrong in ("", "ganger_wrong_wrong"):
            with (
                pytest.raises(Unauthenticated),
                open_channel(Target(server.address, wrong)) as channel,
                domain_errors(),
            ):
                plan_pb2_grpc.PlannerServiceStub(channel).Plan(a_request(), timeout=20)
        with open_channel(Target(server.address, token)) as channel:
            answer = plan_pb2_grpc.PlannerServiceStub(channel).Plan(a_request(), timeout=20)
        assert answer.plan.stage == "best-fit"
        assert not (folder / "planner.socket").exists()
    finally:
        server.stop()


def test_the_token_may_lie_elsewhere(folder: Path) -> None:
    file = folder / "mine"
    file.write_text("ganger_0123456789abcdef\n")
    file.chmod(0o600)
    server = PlannerServer(PlannerSettings(state_dir=folder, listen="127.0.0.1:0", token_file=str(file)))
    server.start()
    try:
        with open_channel(Target(server.address, "ganger_0123456789abcdef")) as channel:
            assert plan_pb2_grpc.PlannerServiceStub(channel).Plan(a_request(), timeout=20).plan.value > 0
    finally:
        server.stop()


def test_one_planner_for_one_state_folder(server: PlannerServer, folder: Path) -> None:
    with pytest.raises(Conflict, match="another ganger planner"):
        PlannerServer(PlannerSettings(state_dir=folder))
    assert (folder / "planner.socket").stat().st_mode & 0o777 == 0o600


def test_a_port_in_use_is_refused_and_the_folder_stays_free(folder: Path) -> None:
    first = PlannerServer(PlannerSettings(state_dir=folder / "a", listen="127.0.0.1:0"))
    with pytest.raises(Conflict, match="cannot listen on"):
        PlannerServer(PlannerSettings(state_dir=folder / "b", listen=first.address))
    first.stop()
    again = PlannerServer(PlannerSettings(state_dir=folder / "b"))
    again.stop()


def test_a_plan_for_ten_thousand_tasks_crosses(ask: Ask) -> None:
    snapshot = a_mixed_snapshot(2, workers=1_000, shapes=200, tasks_per_shape=50, busy=0.5)
    request = plan_pb2.PlanRequest(snapshot=convert.snapshot_to_proto(snapshot, with_fleet=True))
    assert convert.plan_from_proto(ask(request).plan) == plan(snapshot, PlanOptions())


def test_an_over_committed_worker_is_no_mistake(ask: Ask) -> None:
    size = cpus_and_gib(4, 8, 8)
    snapshot = a_snapshot([size, size], [(cpus_and_gib(1), 9)], free=[cpus_and_gib(-2, 8, 8), size])
    made = ask(plan_pb2.PlanRequest(snapshot=convert.snapshot_to_proto(snapshot, with_fleet=True))).plan
    assert list(made.workers) == [1, 1, 1, 1]
