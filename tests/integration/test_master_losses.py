"""This module checks losses, fences, drain and stop options over real gRPC, against a whole master."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import grpc
import pytest

from ganger_core.convert import worker as convert_worker
from ganger_core.domain.task import (
    AttemptRef,
    Order,
    Outcome,
    OutcomeKind,
    Report,
    StartOrder,
    StopOrder,
)
from ganger_core.rpc.channels import Target, open_channel, unix_address
from ganger_core.rpc.status import from_rpc_error
from ganger_core.settings import MasterSettings
from ganger_core.wire.v1 import task_pb2, task_pb2_grpc, worker_pb2, worker_pb2_grpc
from ganger_master.app import Master
from testkit.builders import a_worker, ended, started
from testkit.waiting import wait_until

WORKER = a_worker("w1", cpus=4)
REF = AttemptRef(1, 1)
SETTINGS = {"heartbeat_every_s": 0.1, "suspect_after_s": 1.0, "lost_after_s": 1.5, "cleanup_every_s": 0.05}


class Talk:
    """Both services of a master, as a user and as a worker without a stream."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.tasks = task_pb2_grpc.TaskServiceStub(channel)
        self.workers = worker_pb2_grpc.WorkerServiceStub(channel)

    def register(self) -> None:
        profile = convert_worker.profile_to_proto(WORKER)
        self.workers.RegisterWorker(worker_pb2.RegisterWorkerRequest(profile=profile), timeout=10)

    def beat(self, *, holds: bool = False, draining: bool = False) -> list[Order]:
        request = worker_pb2.HeartbeatRequest(
            worker_id=WORKER.id,
            incarnation=1,
            draining=draining,
            applied_order_seq=getattr(self, "seq", 0),
            holding=[{"task_id": 1, "token": 1}] if holds else [],
        )
        answer = self.workers.Heartbeat(request, timeout=10)
        if not answer.HasField("orders"):
            return []
        batch = convert_worker.order_batch_from_proto(answer.orders)
        self.seq = batch.order_seq
        return list(batch.orders)

    def report(self, *reports: Report) -> list[str]:
        request = worker_pb2.ReportTaskCompletionRequest(
            worker_id=WORKER.id, incarnation=1, reports=map(convert_worker.report_to_proto, reports)
        )
        return [refused.reason for refused in self.workers.ReportTaskCompletion(request, timeout=10).refused]

    def submit(self, **spec: object) -> None:
        resources = {"cpu_milli": 1000, "slots": 1}
        spec_ = task_pb2.TaskSpec(command=["true"], resources=resources, **spec)  # type: ignore[arg-type]
        self.tasks.SubmitTask(task_pb2.SubmitTaskRequest(request_id="s", spec=spec_), timeout=10)

    def run(self, **spec: object) -> None:
        """Submit a task and let the worker start it."""
        self.register()
        self.submit(**spec)
        orders: list[Order] = []
        wait_until(lambda: orders.extend(self.beat()) or orders, what="an order")
        assert [order.ref for order in orders if isinstance(order, StartOrder)] == [REF]
        assert self.report(started(REF)) == []

    def task(self) -> task_pb2.Task:
        return self.tasks.GetTaskStatus(task_pb2.GetTaskStatusRequest(task_id=1), timeout=10).task

    def state(self) -> str:
        return task_pb2.TaskState.Name(self.task().state).removeprefix("TASK_STATE_")

    def worker_state(self) -> str:
        (worker,) = self.workers.ListWorkers(worker_pb2.ListWorkersRequest(), timeout=10).workers
        return worker_pb2.WorkerState.Name(worker.state).removeprefix("WORKER_STATE_")

    def fence(self, worker: str = "w1", request_id: str = "f") -> int:
        request = worker_pb2.FenceWorkerRequest(request_id=request_id, worker=worker)
        attempts: int = self.workers.FenceWorker(request, timeout=10).attempts
        return attempts

    def cordon(
        self, *workers: str, reason: str = "", request_id: str = "c", drain: bool = False
    ) -> list[str]:
        request = worker_pb2.CordonWorkerRequest(
            request_id=request_id, workers=workers, reason=reason, drain=drain
        )
        return list(self.workers.CordonWorker(request, timeout=10).worker_ids)

    def cancel(self, request_id: str, **options: object) -> str:
        request = task_pb2.CancelTaskRequest(request_id=request_id, task_id=1, **options)  # type: ignore[arg-type]
        answer = self.tasks.CancelTask(request, timeout=10)
        return task_pb2.TaskState.Name(answer.state).removeprefix("TASK_STATE_")


@pytest.fixture
def talk() -> Iterator[Talk]:
    with tempfile.TemporaryDirectory(prefix="gg") as name:
        folder = Path(name)
        master = Master(MasterSettings(state_dir=folder, **SETTINGS))  # type: ignore[arg-type]
        master.start()
        try:
            with open_channel(Target(unix_address(folder / "socket"))) as channel:
                yield Talk(channel)
        finally:
            master.stop()


def refusal(call: object, *arguments: object, **options: object) -> SimpleNamespace:
    with pytest.raises(grpc.RpcError) as caught:
        call(*arguments, **options)  # type: ignore[operator]
    error = from_rpc_error(caught.value)
    return SimpleNamespace(reason=error.reason, text=error.message, code=caught.value.code())


def test_a_task_without_a_lease_waits_for_its_lost_worker_and_a_fence_ends_that(talk: Talk) -> None:
    talk.run(on_worker_lost=task_pb2.ON_WORKER_LOST_WAIT)
    talk.beat(holds=True)
    found = refusal(talk.fence)
    assert found.code is grpc.StatusCode.FAILED_PRECONDITION
    assert "drain it or stop it" in found.text
    assert refusal(talk.fence, "w9").code is grpc.StatusCode.NOT_FOUND
    assert talk.task().reason == ""
    wait_until(lambda: talk.worker_state() == "LOST", what="lost")
    assert talk.state() == "RUNNING"
    assert "waits for worker w1" in talk.task().reason
    assert "ganger worker fence w1" in talk.task().reason
    rows = talk.tasks.ListTasks(task_pb2.ListTasksRequest(), timeout=10).rows
    assert [row.task.reason for row in rows] == [talk.task().reason]

    assert talk.fence() == 1
    assert talk.state() == "PENDING"
    assert talk.task().crashes == 1
    assert talk.fence() == 1  # the same request has the same answer
    assert refusal(talk.fence, "id-w1").reason == "REQUEST_ID_REUSED"
    assert talk.fence(request_id="again") == 0
    assert refusal(talk.beat, holds=True).reason == "REGISTER_AGAIN"  # it is alive after all
    assert refusal(talk.report, started(REF)).reason == "REGISTER_AGAIN"


def test_after_a_fence_a_living_worker_learns_that_nothing_of_it_counts(talk: Talk) -> None:
    talk.run(on_worker_lost=task_pb2.ON_WORKER_LOST_WAIT, limits={"queue_s": 1000.0})
    wait_until(lambda: talk.worker_state() == "LOST", what="lost")
    assert talk.fence() == 1
    talk.register()
    assert talk.worker_state() == "UP"
    orders: list[Order] = []
    talk.seq = 0
    wait_until(lambda: orders.extend(talk.beat(holds=True)) or orders, what="the next attempt's order")
    assert REF not in [order.ref for order in orders]
    (refused,) = talk.report(started(REF))
    assert "not the task's current one" in refused or "STARTED" in refused


def test_a_draining_worker_is_shown_and_gets_nothing(talk: Talk) -> None:
    talk.register()
    talk.beat(draining=True)
    assert talk.worker_state() == "DRAINED"  # for nothing is on it
    talk.submit()
    shut = "no worker takes new work: w1 is excluded: draining, for its daemon was told to end"
    wait_until(lambda: talk.task().reason == shut, what="a cycle without this worker")
    assert talk.beat(draining=True) == []
    talk.register()  # the next start of the daemon
    orders: list[Order] = []
    wait_until(lambda: orders.extend(talk.beat()) or orders, what="its work")
    assert orders[0].ref == REF


def test_a_cordoned_worker_is_shown_with_its_operator_and_gets_nothing_until_it_is_resumed(
    talk: Talk,
) -> None:
    talk.register()
    assert refusal(talk.cordon, "w9").code is grpc.StatusCode.NOT_FOUND
    assert refusal(talk.cordon).code is grpc.StatusCode.INVALID_ARGUMENT
    assert talk.cordon("w1", "id-w1", reason="dust") == ["id-w1"]
    (worker,) = talk.workers.ListWorkers(worker_pb2.ListWorkersRequest(), timeout=10).workers
    author = worker.cordon.by
    assert (talk.worker_state(), worker.cordon.reason) == ("CORDONED", "dust")
    assert author
    assert worker.cordon.since_ms > 0
    talk.submit()
    shut = f"no worker takes new work: w1 is excluded: cordoned by {author}: dust"
    wait_until(lambda: talk.task().reason == shut, what="a cycle without this worker")
    assert talk.beat() == []
    resume = worker_pb2.ResumeWorkerRequest(request_id="r", workers=["w1"])
    assert talk.workers.ResumeWorker(resume, timeout=10).worker_ids == ["id-w1"]
    assert talk.cordon("w1", "id-w1", reason="dust") == ["id-w1"]  # the same request does nothing again
    assert refusal(talk.cordon, "w1", reason="rust").reason == "REQUEST_ID_REUSED"
    assert refusal(talk.cordon, "w1", "id-w1", reason="dust", drain=True).reason == "REQUEST_ID_REUSED"
    talk.cordon("w1", request_id="d", drain=True)
    assert talk.worker_state() == "DRAINED"
    talk.workers.ResumeWorker(worker_pb2.ResumeWorkerRequest(request_id="r2", workers=["w1"]), timeout=10)
    orders: list[Order] = []
    wait_until(lambda: orders.extend(talk.beat()) or orders, what="its work")
    assert orders[0].ref == REF


def test_what_a_drain_stops_at_its_deadline_waits_again(talk: Talk) -> None:
    talk.run()
    drain = worker_pb2.CordonWorkerRequest(request_id="d", workers=["w1"], drain=True, deadline_s=0.1)
    talk.workers.CordonWorker(drain, timeout=10)
    orders: list[Order] = []
    wait_until(lambda: orders.extend(talk.beat(holds=True)) or orders, what="the stop at the deadline")
    assert [type(order) for order in orders] == [StopOrder]
    as_told = Outcome(OutcomeKind.CANCELLED, 143, 15, "as told")
    assert talk.report(replace(ended(REF), outcome=as_told)) == []
    assert talk.state() == "PENDING"
    answer = talk.tasks.GetTaskStatus(task_pb2.GetTaskStatusRequest(task_id=1), timeout=10)
    assert [attempt.outcome.kind for attempt in answer.attempts] == [task_pb2.OUTCOME_KIND_DRAINED]
    assert talk.worker_state() == "DRAINED"
    wrong = worker_pb2.CordonWorkerRequest(request_id="x", workers=["w1"], deadline_s=1)
    assert "deadline_s is of a drain" in refusal(talk.workers.CordonWorker, wrong, timeout=10).text
    wrong = worker_pb2.CordonWorkerRequest(request_id="x", workers=["w1"], drain=True, deadline_s=-1)
    assert refusal(talk.workers.CordonWorker, wrong, timeout=10).code is grpc.StatusCode.INVALID_ARGUMENT


def test_stop_options_reach_the_worker_and_are_part_of_the_request(talk: Talk) -> None:
    talk.run()
    assert talk.cancel("c1", reason="enough", signal=2, grace_s=60.0) == "STOPPING"
    assert talk.cancel("c1", reason="enough", signal=2, grace_s=60.0) == "STOPPING"
    assert refusal(talk.cancel, "c1", reason="enough").reason == "REQUEST_ID_REUSED"
    (order,) = (order for order in talk.beat(holds=True) if isinstance(order, StopOrder))
    assert (order.signal, order.grace_s) == (2, 60.0)
    assert talk.cancel("c2", grace_s=0.0) == "STOPPING"
    (order,) = (order for order in talk.beat(holds=True) if isinstance(order, StopOrder))
    assert (order.signal, order.grace_s) == (2, 0.0)
    assert refusal(talk.cancel, "c3", signal=65).code is grpc.StatusCode.INVALID_ARGUMENT
    assert refusal(talk.cancel, "c3", signal=-1).code is grpc.StatusCode.INVALID_ARGUMENT
    assert refusal(talk.cancel, "c3", grace_s=-1.0).code is grpc.StatusCode.INVALID_ARGUMENT


def test_a_task_expires_while_the_master_runs(talk: Talk) -> None:
    talk.submit(limits={"queue_s": 0.2})
    wait_until(lambda: talk.state() == "EXPIRED", what="expired")
    assert talk.task().reason == "waited longer than its limit of 0.2s"


def test_a_lease_that_a_late_heartbeat_would_end_is_refused() -> None:
    with tempfile.TemporaryDirectory(prefix="gg") as folder:
        master = Master(MasterSettings(Path(folder), heartbeat_every_s=5.0))
        with open_channel(Target(master.start())) as channel:
            talk = Talk(channel)
            with pytest.raises(grpc.RpcError) as caught:
                talk.submit(limits={"lost_after_s": 14.9})
            error = from_rpc_error(caught.value)
            assert error.field == "spec.limits.lost_after_s"
            assert "at least 15 seconds" in error.message
            talk.submit(limits={"lost_after_s": 15.0})
            assert talk.task().spec.limits.lost_after_s == 15.0
        master.stop()
