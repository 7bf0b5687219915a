"""This module is the mission's sequential client: nine steps against a real master and planner, no worker process.

The test itself registers as a worker, takes its orders from the answers to its heartbeats, and reports.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ganger_core.wire.v1 import task_pb2, task_pb2_grpc, worker_pb2, worker_pb2_grpc
from testkit.processes import Cluster, a_cluster

WORKER, HEARTBEATS = "test-worker", 200


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with a_cluster() as cluster:
        cluster.start_planner()
        cluster.start_master()
        yield cluster


def a_spec(name: str) -> task_pb2.TaskSpec:
    return task_pb2.TaskSpec(
        command=["true"], name=name, resources=task_pb2.Resources(cpu_milli=1000, slots=1), priority=50
    )


class SequentialClient:
    """One call after another, each verified before the next."""

    def __init__(
        self, tasks: task_pb2_grpc.TaskServiceStub, workers: worker_pb2_grpc.WorkerServiceStub
    ) -> None:
        self.tasks = tasks
        self.workers = workers
        self.holding: dict[int, task_pb2.AttemptRef] = {}
        self.applied = 0

    def submit(self, name: str) -> int:
        request = task_pb2.SubmitTaskRequest(request_id=f"request-{name}", spec=a_spec(name))
        return self.tasks.SubmitTask(request, timeout=10).task_id

    def status(self, task_id: int) -> task_pb2.GetTaskStatusResponse:
        return self.tasks.GetTaskStatus(task_pb2.GetTaskStatusRequest(task_id=task_id), timeout=10)

    def heartbeat(self) -> worker_pb2.HeartbeatResponse:
        answer = self.workers.Heartbeat(
            worker_pb2.HeartbeatRequest(
                worker_id=WORKER,
                incarnation=1,
                holding=self.holding.values(),
                applied_order_seq=self.applied,
                usage=worker_pb2.WorkerUsage(cpu_percent=1),
            ),
            timeout=10,
        )
        if answer.HasField("orders"):
            self.applied = answer.orders.order_seq
            for order in answer.orders.orders:
                self.holding[getattr(order, order.WhichOneof("kind")).ref.task_id] = getattr(
                    order, order.WhichOneof("kind")
                ).ref
        return answer

    def heartbeat_until_ordered(self, task_id: int, kind: str) -> worker_pb2.Order:
        for _ in range(HEARTBEATS):
            for order in self.heartbeat().orders.orders:
                if order.WhichOneof("kind") == kind and getattr(order, kind).ref.task_id == task_id:
                    return order
        raise AssertionError(f"no {kind} order for task {task_id} in {HEARTBEATS} heartbeats")

    def report(self, *reports: worker_pb2.Report) -> worker_pb2.ReportTaskCompletionResponse:
        request = worker_pb2.ReportTaskCompletionRequest(worker_id=WORKER, incarnation=1, reports=reports)
        return self.workers.ReportTaskCompletion(request, timeout=10)


def test_the_nine_steps(cluster: Cluster) -> None:
    with cluster.channel() as channel:
        client = SequentialClient(
            task_pb2_grpc.TaskServiceStub(channel), worker_pb2_grpc.WorkerServiceStub(channel)
        )
        # 1 submit, 2 query its status
        first = client.submit("first")
        assert first == 1
        assert client.status(first).task.state == task_pb2.TASK_STATE_PENDING
        # 3 register a worker
        profile = worker_pb2.WorkerProfile(
            id=WORKER,
            name="test",
            incarnation=1,
            host="here",
            boot_id="boot",
            capacity=task_pb2.Resources(cpu_milli=1000, memory_bytes=2**30, slots=4),
            version="0.1.0",
        )
        answer = client.workers.RegisterWorker(worker_pb2.RegisterWorkerRequest(profile=profile), timeout=10)
        assert answer.heartbeat_every_s > 0
        # 4 heartbeat: its answer carries the order, because no order stream is open
        order = client.heartbeat_until_ordered(first, "start")
        assert order.start.spec.name == "first"
        assert order.start.ref.token == 1
        status = client.status(first)
        assert status.task.state == task_pb2.TASK_STATE_SCHEDULED
        assert status.attempts[0].planned_by == "planner"
        # 5 list workers
        (worker,) = client.workers.ListWorkers(worker_pb2.ListWorkersRequest(), timeout=10).workers
        assert worker.state == worker_pb2.WORKER_STATE_UP
        assert worker.free.cpu_milli == 0
        assert [ref.task_id for ref in worker.attempts] == [first]
        # 6 submit another
        second = client.submit("second")
        assert second == 2
        # 7 report the completion with that attempt and token
        ref = order.start.ref
        ok = task_pb2.Outcome(kind=task_pb2.OUTCOME_KIND_OK, exit_code=0)
        ended = worker_pb2.Report(
            ref=ref,
            kind=worker_pb2.REPORT_KIND_ENDED,
            started_age_s=1,
            outcome=ok,
            stdout_bytes=3,
            stdout_tail=b"hi\n",
        )
        assert not client.report(ended).refused
        del client.holding[first]
        # 8 verify the status
        status = client.status(first)
        assert status.task.state == task_pb2.TASK_STATE_SUCCEEDED
        assert status.attempts[0].state == task_pb2.ATTEMPT_STATE_ENDED
        (log,) = client.tasks.ReadLogs(task_pb2.ReadLogsRequest(task_id=first), timeout=10)
        assert log.data == b"hi\n"
        # a repeated report is refused and changes nothing
        assert client.report(ended).refused[0].ref == ref
        assert client.status(first).task == status.task
        # 9 cancel the second, which took the first one's place
        client.heartbeat_until_ordered(second, "start")
        cancel = task_pb2.CancelTaskRequest(request_id="cancel-second", task_id=second, reason="enough")
        assert client.tasks.CancelTask(cancel, timeout=10).state == task_pb2.TASK_STATE_STOPPING
        stop = client.heartbeat_until_ordered(second, "stop").stop
        assert not client.report(worker_pb2.Report(ref=stop.ref, kind=worker_pb2.REPORT_KIND_REVOKED)).refused
        status = client.status(second)
        assert status.task.state == task_pb2.TASK_STATE_CANCELLED
        assert "enough" in status.task.reason
