"""This module checks repeated requests over real gRPC, for tasks in memory and for those in the store alone."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest

from ganger_core.rpc.status import from_rpc_error
from ganger_core.wire.v1 import task_pb2, task_pb2_grpc
from testkit.processes import Cluster, a_cluster

SPEC = task_pb2.TaskSpec(command=["true"], resources={"cpu_milli": 1000, "slots": 1})


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with a_cluster() as cluster:
        cluster.start_master()
        yield cluster


def cancelled(stub: task_pb2_grpc.TaskServiceStub, request_id: str, reason: str = "") -> int:
    request = task_pb2.CancelTaskRequest(task_id=1, request_id=request_id, reason=reason)
    state: int = stub.CancelTask(request, timeout=10).state
    return state


def refused(stub: task_pb2_grpc.TaskServiceStub, request_id: str, reason: str) -> str:
    with pytest.raises(grpc.RpcError) as caught:
        cancelled(stub, request_id, reason)
    return from_rpc_error(caught.value).reason


def test_a_cancel_is_answered_as_before_and_another_with_its_id_is_refused(cluster: Cluster) -> None:
    with cluster.channel() as channel:
        stub = task_pb2_grpc.TaskServiceStub(channel)
        submit = task_pb2.SubmitTaskRequest(request_id="s", spec=SPEC)
        assert stub.SubmitTask(submit, timeout=10).task_id == 1
        assert cancelled(stub, "c") == task_pb2.TASK_STATE_CANCELLED
        assert (
            cancelled(stub, "c") == task_pb2.TASK_STATE_CANCELLED
        )  # the task is over, the answer is the stored one
        assert refused(stub, "c", "another") == "REQUEST_ID_REUSED"
        assert refused(stub, "s", "") == "REQUEST_ID_REUSED"  # that of the submission
        assert cancelled(stub, "ended") == task_pb2.TASK_STATE_CANCELLED
        assert refused(stub, "ended", "another") == "REQUEST_ID_REUSED"
    cluster.daemons["master"].kill()
    cluster.start_master()  # the task is in the store alone now
    with cluster.channel() as channel:
        stub = task_pb2_grpc.TaskServiceStub(channel)
        assert stub.SubmitTask(submit, timeout=10).task_id == 1
        assert cancelled(stub, "c") == task_pb2.TASK_STATE_CANCELLED
        assert refused(stub, "c", "another") == "REQUEST_ID_REUSED"
        assert cancelled(stub, "late") == task_pb2.TASK_STATE_CANCELLED
        assert refused(stub, "late", "another") == "REQUEST_ID_REUSED"
