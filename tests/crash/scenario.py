"""This module is a fixed sequence of 100 operations on a master, each of which writes, and what must be so afterwards.

One thread makes the calls one after the other, without any repetition of its own, until the master dies. It plays
clients and one worker, so that submissions, cancels, assignments, starts and ends all are among the writes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import grpc

from crash.checkers import Ack, Finding
from crash.load import waiting_spec
from ganger import Client, TaskState, task_spec
from ganger_core.convert.task import spec_to_proto
from ganger_core.convert.worker import (
    order_batch_from_proto,
    profile_to_proto,
    report_to_proto,
    usage_to_proto,
)
from ganger_core.domain.task import AttemptRef, StartOrder, WorkerUsage
from ganger_core.wire.v1 import task_pb2, task_pb2_grpc, worker_pb2, worker_pb2_grpc
from testkit.builders import a_worker, ended, started
from testkit.waiting import wait_until

ROUNDS = 10
OPERATIONS = 10 * ROUNDS
CALL_S = 20.0

T = TypeVar("T")


class Scenario:
    """One run against the master of `folder`. `acks`, `states` and `ran` are what it acknowledged."""

    def __init__(self, folder: Path) -> None:
        self.acks: list[Ack] = []
        self.sent: set[str] = set()
        self.states: dict[int, TaskState] = {}  # acknowledged ends
        self.done = 0  # operations answered
        self.open: Callable[[], object] | None = None  # the one not answered
        self._order_seq = 0
        self._profile = a_worker()
        self._connect(folder)

    def _connect(self, folder: Path) -> None:
        # A fresh connection at each attempt, and none of the SDK's repetitions: a call fails when the master does.
        options = [("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1)]
        self._channel = grpc.insecure_channel(f"unix:{folder / 'socket'}", options)
        self._tasks = task_pb2_grpc.TaskServiceStub(self._channel)
        self._worker = worker_pb2_grpc.WorkerServiceStub(self._channel)

    def run(self) -> bool:
        """Go on until all is done, or until a call fails; whether all was done."""
        try:
            self._register()
            for number in range(ROUNDS):
                self._round(number)
        except grpc.RpcError:
            return False
        finally:
            self._channel.close()
        return True

    def settle(self, folder: Path) -> Finding:
        """After a restart: repeat the call that was not answered, and check what was acknowledged."""
        self._connect(folder)
        wrong = []
        try:
            self._register()
            if self.open is not None:
                self.open()
        except (grpc.RpcError, AssertionError) as error:
            wrong.append(f"the call that was not answered does not work after the restart: {error}")
        finally:
            self._channel.close()
        with Client(state_dir=folder) as client:
            now = {row.task.id: row.task.state for row in client.tasks()}
        wrong += [
            f"I1: task {i} was acknowledged as {state} and is {now.get(i)}"
            for i, state in self.states.items()
            if now.get(i) is not state
        ]
        return Finding(len(self.states), tuple(wrong))

    def _round(self, number: int) -> None:
        waits = self._submit(f"a{number}")
        runs = self._submit(f"r{number}", cpus=0.1)
        ref = AttemptRef(runs, 1)
        self._do(lambda: self._await_order(ref))
        self._do(
            lambda: self._report(
                worker_pb2.ReportTaskCompletionRequest(reports=[report_to_proto(started(ref))])
            )
        )
        self._cancel(waits, f"x{number}")
        first, second = self._submit_two(f"b{number}")
        self._do(
            lambda: self._report(
                worker_pb2.ReportTaskCompletionRequest(reports=[report_to_proto(ended(ref))])
            )
        )
        self.states[runs] = TaskState.SUCCEEDED
        self._cancel(first, f"y{number}")
        self._submit(f"c{number}")
        self._cancel(second, f"z{number}")

    def _do(self, call: Callable[[], T]) -> T:
        self.open = call
        answer = call()
        self.open = None
        self.done += 1
        return answer

    def _submit(self, name: str, cpus: float = 0) -> int:
        spec = task_spec(["true"], name=name, cpus=cpus) if cpus else waiting_spec(name)
        request = task_pb2.SubmitTaskRequest(request_id=name, spec=spec_to_proto(spec))
        self.sent.add(name)

        def call() -> int:
            task_id = self._tasks.SubmitTask(request, timeout=CALL_S).task_id
            self.acks.append(Ack(name, task_id, spec))
            return task_id

        return self._do(call)

    def _submit_two(self, name: str) -> tuple[int, int]:
        specs = [waiting_spec(f"{name}.{n}") for n in (1, 2)]
        request = task_pb2.SubmitTasksRequest(request_id=name, specs=map(spec_to_proto, specs))
        self.sent.update(spec.name for spec in specs)

        def call() -> tuple[int, int]:
            first = self._tasks.SubmitTasks(request, timeout=CALL_S).first_task_id
            self.acks += [Ack(spec.name, first + n, spec) for n, spec in enumerate(specs)]
            return first, first + 1

        return self._do(call)

    def _cancel(self, task_id: int, name: str) -> None:
        request = task_pb2.CancelTaskRequest(request_id=name, task_id=task_id)

        def call() -> None:
            self._tasks.CancelTask(request, timeout=CALL_S)
            self.states[task_id] = TaskState.CANCELLED

        self._do(call)

    def _register(self) -> None:
        request = worker_pb2.RegisterWorkerRequest(profile=profile_to_proto(self._profile))
        self._worker.RegisterWorker(request, timeout=CALL_S)

    def _report(self, request: worker_pb2.ReportTaskCompletionRequest) -> None:
        request.worker_id, request.incarnation = self._profile.id, self._profile.incarnation
        self._worker.ReportTaskCompletion(request, timeout=CALL_S)

    def _await_order(self, ref: AttemptRef) -> None:
        def came() -> bool:
            request = worker_pb2.HeartbeatRequest(
                worker_id=self._profile.id,
                incarnation=self._profile.incarnation,
                usage=usage_to_proto(WorkerUsage()),
                applied_order_seq=self._order_seq,
            )
            answer = self._worker.Heartbeat(request, timeout=CALL_S)
            if not answer.HasField("orders"):
                return False
            batch = order_batch_from_proto(answer.orders)
            self._order_seq = batch.order_seq
            return any(isinstance(order, StartOrder) and order.ref == ref for order in batch.orders)

        wait_until(came, what=f"the order for {ref}")
