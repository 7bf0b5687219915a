"""This module tests who may make which call, for every call of the schema and every kind of caller."""

from __future__ import annotations

import pytest

from ganger_core.domain.errors import PermissionDenied, Unauthenticated
from ganger_core.domain.principal import Principal, Role
from ganger_core.rpc.guard import Call, Guard, Tokens, is_open, required_role
from ganger_core.wire.v1 import options_pb2, plan_pb2, task_pb2, worker_pb2

CALLS = [
    f"/{service.full_name}/{method.name}"
    for file in (options_pb2, task_pb2, worker_pb2, plan_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]
FOR_ADMINS = {"CordonWorker", "FenceWorker", "ResumeWorker"}
FOR_WORKERS = {
    "RegisterWorker",
    "Heartbeat",
    "ReceiveOrders",
    "ServeOutputs",
    "ReportTaskCompletion",
    "AppendLogs",
}
PRINCIPALS = {role: Principal(role.lower(), role) for role in Role}
LOCAL = Principal("local", Role.ADMIN)
TOKENS = {f"token-of-a-{role.lower()}": principal for role, principal in PRINCIPALS.items()}
GUARD = Guard(Tokens(TOKENS), LOCAL)
TCP = "ipv4:127.0.0.1:5555"


def bearer(role: Role) -> list[tuple[str, str | bytes]]:
    return [("authorization", f"Bearer token-of-a-{role.lower()}")]


def needed(method: str) -> Role:
    name = method.rpartition("/")[2]
    return Role.ADMIN if name in FOR_ADMINS else Role.WORKER if name in FOR_WORKERS else Role.USER


def test_the_schema_has_the_calls_of_three_services() -> None:
    assert len(CALLS) == len(set(CALLS)) >= 14
    assert {method.split("/")[1] for method in CALLS} == {
        "ganger.v1.TaskService",
        "ganger.v1.WorkerService",
        "ganger.v1.PlannerService",
    }


@pytest.mark.parametrize("method", CALLS)
def test_every_call_names_the_role_it_needs(method: str) -> None:
    assert required_role(method) is needed(method)


@pytest.mark.parametrize("method", CALLS)
@pytest.mark.parametrize("role", Role)
def test_a_token_admits_to_the_calls_of_its_role(method: str, role: Role) -> None:
    if role in (needed(method), Role.ADMIN):
        call = GUARD.admit(method, TCP, bearer(role))
        assert call == Call(PRINCIPALS[role], call.request_id, method)
    else:
        with pytest.raises(
            PermissionDenied, match=f"{method} needs the role {needed(method)}; .* has {role}"
        ):
            GUARD.admit(method, TCP, bearer(role))


@pytest.mark.parametrize("method", CALLS)
@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Basic token-of-a-admin", "token-of-a-admin", "Bearer token-of-a-admi",
     "Bearer token-of-a-admin ", "Bearer TOKEN-OF-A-ADMIN", b"Bearer token-of-a-admin", "Bearer \udcff"],
)  # fmt: skip
def test_without_a_known_token_nobody_gets_in(method: str, header: str | bytes | None) -> None:
    with pytest.raises(Unauthenticated, match="token"):
        GUARD.admit(method, TCP, [] if header is None else [("authorization", header)])


@pytest.mark.parametrize("method", CALLS)
@pytest.mark.parametrize("peer", ["unix:", "unix:/run/ganger/socket"])
def test_the_unix_socket_admits_as_its_owner(method: str, peer: str) -> None:
    assert GUARD.admit(method, peer, []).principal == LOCAL
    with pytest.raises(Unauthenticated):
        Guard(Tokens(TOKENS), None).admit(method, peer, [])


@pytest.mark.parametrize("method", ["/ganger.v1.TaskService/Nothing", "/other.Service/Call", "", "/", "junk"])
def test_a_call_that_names_no_role_is_open_to_nobody(method: str) -> None:
    assert required_role(method) is None
    with pytest.raises(PermissionDenied, match="open to nobody"):
        GUARD.admit(method, "unix:", [])


def test_health_checks_alone_are_open() -> None:
    assert is_open("/grpc.health.v1.Health/Check")
    assert is_open("/grpc.health.v1.Health/Watch")
    assert not any(map(is_open, [*CALLS, "/grpc.health.v1.Healthy/Check", "/grpc.health.v1.Health"]))


def test_the_scheme_of_the_header_may_be_written_small() -> None:
    assert (
        GUARD.admit(CALLS[0], TCP, [("authorization", "bearer token-of-a-admin")]).principal.role
        is Role.ADMIN
    )


def test_a_request_id_is_taken_over_when_it_is_fit_for_a_log() -> None:
    assert GUARD.admit(CALLS[0], "unix:", [("ganger-request-id", "abc-1")]).request_id == "abc-1"
    for unfit in ("", "a b", "x" * 129, "a\nb", b"abc"):
        made = GUARD.admit(CALLS[0], "unix:", [("ganger-request-id", unfit)]).request_id
        assert len(made) == 16
    assert len({GUARD.admit(CALLS[0], "unix:", []).request_id for _ in range(9)}) == 9


def test_one_token() -> None:
    tokens = Tokens.single("secret", LOCAL)
    assert tokens.find("secret") == LOCAL
    assert tokens.find("secret2") is None
    assert "secret" not in repr(vars(tokens))
