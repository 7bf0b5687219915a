"""This module sends wrong requests to a real master: each is refused by name and changes nothing."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Callable, Iterator

import grpc
import pytest

from ganger_core.domain.errors import GangerError, Invalid
from ganger_core.rpc.channels import Target, open_channel
from ganger_core.rpc.status import from_rpc_error
from ganger_core.wire.v1 import task_pb2, task_pb2_grpc, worker_pb2, worker_pb2_grpc
from testkit.processes import Cluster, Daemon, a_cluster


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with a_cluster() as cluster:
        cluster.start_master()
        yield cluster


@pytest.fixture
def channel(cluster: Cluster) -> Iterator[grpc.Channel]:
    with cluster.channel() as channel:
        yield channel


def good_spec() -> task_pb2.TaskSpec:
    return task_pb2.TaskSpec(
        command=["true"], name="n", resources=task_pb2.Resources(cpu_milli=1000, slots=1), priority=50
    )


def refused(call: Callable[[], object]) -> GangerError:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    assert "Traceback" not in str(caught.value)
    return from_rpc_error(caught.value)


def spec_with(**fields: object) -> task_pb2.TaskSpec:
    spec = good_spec()
    for name in fields:
        spec.ClearField(name)  # type: ignore[arg-type]
    spec.MergeFrom(task_pb2.TaskSpec(**{name: value for name, value in fields.items() if value is not None}))  # type: ignore[arg-type]
    return spec


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (spec_with(command=None), "spec.command"),
        (spec_with(command=["tr\0ue"]), "spec.command"),
        (spec_with(command=["x" * 200_000]), "spec.command"),
        (spec_with(name="n" * 129), "spec.name"),
        (spec_with(name="a\0b"), "spec.name"),
        (spec_with(name="a\nb"), "spec.name"),
        (spec_with(workdir="not/absolute"), "spec.workdir"),
        (spec_with(env=[task_pb2.EnvVar(name="A=B", value="1")]), "spec.env"),
        (spec_with(env=[task_pb2.EnvVar(name="", value="1")]), "spec.env"),
        (spec_with(env=[task_pb2.EnvVar(name="A", value="\0")]), "spec.env"),
        (spec_with(env=[task_pb2.EnvVar(name="GANGER_TASK_ID", value="1")]), "spec.env"),
        (
            spec_with(env=[task_pb2.EnvVar(name="A", value="1"), task_pb2.EnvVar(name="A", value="2")]),
            "spec.env",
        ),
        (spec_with(priority=101), "spec.priority"),
        (spec_with(priority=-1), "spec.priority"),
        (spec_with(resources=None), "spec.resources"),
        (spec_with(resources=task_pb2.Resources(cpu_milli=-1, slots=1)), "spec.resources"),
        (spec_with(resources=task_pb2.Resources(cpu_milli=2**62, slots=1)), "spec.resources"),
        (spec_with(resources=task_pb2.Resources(memory_bytes=2**62, slots=1)), "spec.resources"),
        (spec_with(resources=task_pb2.Resources(cpu_milli=1, slots=2)), "spec.resources"),
    ],
)
def test_a_wrong_spec_is_refused_naming_the_field(
    channel: grpc.Channel, spec: task_pb2.TaskSpec, field: str
) -> None:
    stub = task_pb2_grpc.TaskServiceStub(channel)
    before = stub.ListTasks(task_pb2.ListTasksRequest(), timeout=10)
    error = refused(
        lambda: stub.SubmitTask(task_pb2.SubmitTaskRequest(request_id="r", spec=spec), timeout=10)
    )
    assert isinstance(error, Invalid)
    assert error.field.startswith(field)
    both = task_pb2.SubmitTasksRequest(request_id="r", specs=[good_spec(), spec])
    error = refused(lambda: stub.SubmitTasks(both, timeout=10))
    assert error.field.startswith(
        field.replace("spec", "specs[1]", 1)
    )  # and the good one was not accepted either
    assert stub.ListTasks(task_pb2.ListTasksRequest(), timeout=10) == before


@pytest.mark.parametrize(
    ("method", "request_", "field"),
    [
        ("SubmitTask", task_pb2.SubmitTaskRequest(spec=good_spec()), "request_id"),
        ("SubmitTask", task_pb2.SubmitTaskRequest(request_id="x" * 200, spec=good_spec()), "request_id"),
        ("SubmitTask", task_pb2.SubmitTaskRequest(request_id="r"), "spec"),
        ("SubmitTasks", task_pb2.SubmitTasksRequest(request_id="r"), "specs"),
        ("GetTaskStatus", task_pb2.GetTaskStatusRequest(), "task_id"),
        ("GetTaskStatus", task_pb2.GetTaskStatusRequest(task_id=-1), "task_id"),
        ("ListTasks", task_pb2.ListTasksRequest(states=[99]), "state"),
        ("ListTasks", task_pb2.ListTasksRequest(page_size=-1), "page_size"),
        ("ListTasks", task_pb2.ListTasksRequest(labels=[{"key": "a b", "value": "1"}]), "labels"),
        ("ListTasks", task_pb2.ListTasksRequest(name_prefix="x" * 129), "name_prefix"),
        ("ListTasks", task_pb2.ListTasksRequest(page_size=100_000), "page_size"),
        ("ListTasks", task_pb2.ListTasksRequest(page_token="'; DROP TABLE tasks"), "page_token"),
        ("CancelTask", task_pb2.CancelTaskRequest(task_id=0, request_id="r"), "task_id"),
        ("CancelTask", task_pb2.CancelTaskRequest(task_id=1, request_id="r", reason="\0"), "reason"),
    ],
)
def test_wrong_requests_name_the_field(
    channel: grpc.Channel, method: str, request_: object, field: str
) -> None:
    error = refused(lambda: getattr(task_pb2_grpc.TaskServiceStub(channel), method)(request_, timeout=10))
    assert isinstance(error, Invalid)
    assert error.field.startswith(field)


def test_a_missing_task_is_not_found(channel: grpc.Channel) -> None:
    stub = task_pb2_grpc.TaskServiceStub(channel)
    for call in (
        lambda: stub.GetTaskStatus(task_pb2.GetTaskStatusRequest(task_id=99), timeout=10),
        lambda: stub.CancelTask(task_pb2.CancelTaskRequest(task_id=99, request_id="r"), timeout=10),
        lambda: list(stub.ReadLogs(task_pb2.ReadLogsRequest(task_id=99), timeout=10)),
    ):
        error = refused(call)
        assert (error.reason, error.message) == ("NOT_FOUND", "there is no task 99")


@pytest.mark.parametrize(
    "wire", [b"\xff\xff\xff", b"\x0a\x04\xff\xfe\xff\xff", b"\x12\x08\x12\x06\xff\xfe\xff\xff\xff\xff"]
)
def test_bytes_that_are_no_request_are_invalid(channel: grpc.Channel, wire: bytes) -> None:
    call = channel.unary_unary("/ganger.v1.TaskService/SubmitTask")
    assert isinstance(refused(lambda: call(wire, timeout=10)), Invalid)


def test_a_message_over_the_limit_is_exhausted(channel: grpc.Channel) -> None:
    call = channel.unary_unary("/ganger.v1.TaskService/SubmitTask")
    assert refused(lambda: call(b"\x0a" + b"x" * 20_000_000, timeout=10)).reason == "EXHAUSTED"


def test_a_request_id_with_another_payload_is_refused(channel: grpc.Channel) -> None:
    stub = task_pb2_grpc.TaskServiceStub(channel)
    first = stub.SubmitTask(task_pb2.SubmitTaskRequest(request_id="same", spec=good_spec()), timeout=10)
    again = stub.SubmitTask(task_pb2.SubmitTaskRequest(request_id="same", spec=good_spec()), timeout=10)
    assert first.task_id == again.task_id
    other = task_pb2.SubmitTaskRequest(request_id="same", spec=spec_with(name="other"))
    error = refused(lambda: stub.SubmitTask(other, timeout=10))
    assert (error.reason, error.field) == ("REQUEST_ID_REUSED", "request_id")


def test_a_worker_that_never_registered_is_told_to(channel: grpc.Channel) -> None:
    stub = worker_pb2_grpc.WorkerServiceStub(channel)
    error = refused(
        lambda: stub.Heartbeat(worker_pb2.HeartbeatRequest(worker_id="nobody", incarnation=1), timeout=10)
    )
    assert error.reason == "REGISTER_AGAIN"


def test_tcp_needs_the_token(cluster: Cluster) -> None:
    with a_cluster() as other:
        port = free_port()
        other.start_master("--listen", f"127.0.0.1:{port}")
        for token, reason in (("", "UNAUTHENTICATED"), ("ganger_wrong", "UNAUTHENTICATED")):
            with open_channel(Target(f"127.0.0.1:{port}", token)) as channel:
                stub = task_pb2_grpc.TaskServiceStub(channel)
                error = refused(lambda stub=stub: stub.ListTasks(task_pb2.ListTasksRequest(), timeout=10))
                assert error.reason == reason
        token = (other.folder / "token").read_text().strip()
        with open_channel(Target(f"127.0.0.1:{port}", token)) as channel:
            task_pb2_grpc.TaskServiceStub(channel).ListTasks(task_pb2.ListTasksRequest(), timeout=10)
        assert (other.folder / "token").stat().st_mode & 0o777 == 0o600
        assert (other.folder / "socket").stat().st_mode & 0o777 == 0o600


def test_a_second_master_on_the_folder_refuses_and_so_does_a_port_in_use(cluster: Cluster) -> None:
    second = Daemon("ganger_master", "--state-dir", str(cluster.folder), log=cluster.folder / "second.log")
    assert second.process.wait(20) == 1
    assert second.said("another ganger master")
    with a_cluster() as other:
        with a_listener() as taken:
            flags = "--state-dir", str(other.folder), "--listen", f"127.0.0.1:{taken.getsockname()[1]}"
            third = Daemon("ganger_master", *flags, log=other.folder / "third.log")
            assert third.process.wait(20) == 1
        assert third.said("port in use")


def test_a_damaged_or_newer_database_is_refused(cluster: Cluster) -> None:
    for content, text in ((b"this is no database" * 100, "cannot be used"), (None, "schema 999")):
        with a_cluster() as other:
            path = other.folder / "ganger.db"
            if content is not None:
                path.write_bytes(content)
            else:
                db = sqlite3.connect(path)
                db.execute("PRAGMA user_version = 999")
                db.close()
            daemon = Daemon("ganger_master", "--state-dir", str(other.folder), log=other.folder / "m.log")
            assert daemon.process.wait(20) == 1
            assert daemon.said(text)
            assert not daemon.said("Traceback")


def a_listener() -> socket.socket:
    """A socket that listens on a port of its own."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


def free_port() -> int:
    """A port of this host that nobody listens on."""
    with a_listener() as listener:
        return int(listener.getsockname()[1])
