"""This module asks a real master for the status of tasks that are not over yet, and has it wait with the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import grpc
import pytest

from ganger import Client
from ganger_core.wire.v1 import task_pb2, task_pb2_grpc
from testkit.processes import Cluster, a_cluster

TOO_MANY_CPUS = 900
PENDING, CANCELLED = task_pb2.TASK_STATE_PENDING, task_pb2.TASK_STATE_CANCELLED


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with a_cluster() as cluster:
        cluster.start_master()
        yield cluster


@pytest.fixture
def client(cluster: Cluster) -> Iterator[Client]:
    with cluster.client() as client:
        yield client


def status_of(cluster: Cluster, task_id: int, wait_s: float) -> task_pb2.TaskState:
    request = task_pb2.GetTaskStatusRequest(task_id=task_id, wait_s=wait_s)
    with cluster.channel() as channel:
        return task_pb2_grpc.TaskServiceStub(channel).GetTaskStatus(request, timeout=30).task.state


def status_after(cluster: Cluster, task_id: int, change: Callable[[], object]) -> task_pb2.TaskState:
    """The answer to a call that waits while `change` is made."""
    request = task_pb2.GetTaskStatusRequest(task_id=task_id, wait_s=25)
    with cluster.channel() as channel:
        stub = task_pb2_grpc.TaskServiceStub(channel)
        waiting = stub.GetTaskStatus.future(request, timeout=30)
        stub.GetTaskStatus(
            task_pb2.GetTaskStatusRequest(task_id=task_id), timeout=30
        )  # on the same connection
        assert not waiting.done()
        change()
        return waiting.result().task.state


def test_the_answer_comes_when_the_task_is_over_and_as_it_is_when_the_time_is(
    cluster: Cluster, client: Client
) -> None:
    task_id = client.submit(["true"], cpus=TOO_MANY_CPUS)
    assert status_of(cluster, task_id, 0) == PENDING
    assert status_of(cluster, task_id, 0.2) == PENDING
    assert status_after(cluster, task_id, lambda: client.cancel(task_id)) == CANCELLED
    assert status_of(cluster, task_id, 25) == CANCELLED


def test_an_element_that_never_began_ends_with_its_array(cluster: Cluster, client: Client) -> None:
    array_id = client.submit_array(["true"], 9, cpus=TOO_MANY_CPUS)
    assert status_after(cluster, array_id + 5, lambda: client.cancel(array_id)) == CANCELLED


def test_a_time_without_sense_is_refused(cluster: Cluster, client: Client) -> None:
    task_id = client.submit(["true"])
    with pytest.raises(grpc.RpcError, match="wait_s must be from 0"):
        status_of(cluster, task_id, -1)
