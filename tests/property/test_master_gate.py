"""This module checks that nothing leaves the master before its commit: commits happen only when the model says so."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from ganger_core.convert.task import event_from_proto, spec_to_proto, task_from_proto
from ganger_core.convert.worker import order_batch_from_proto, profile_to_proto
from ganger_core.domain.errors import AlreadyExists, GangerError, NotFound, Unavailable
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import Event, OrderBatch
from ganger_core.wire.v1 import task_pb2, worker_pb2
from simulation.disk import Disk
from simulation.host import Program
from simulation.master import MasterDaemon
from simulation.world import World, simulated
from testkit.builders import a_spec, a_worker

WORKER = a_worker("w1", cpus=3)
LABELS = st.integers(1, 6)


class HeldMaster(MasterDaemon):
    """The real rooms and services; what they want to store waits until `commit`."""

    def _begin_commit(self) -> None:
        """Not by itself."""

    def commit(self, count: int) -> None:
        """The next `count` changes reach the disk, as one group."""
        group, self._entries = self._entries[:count], self._entries[count:]
        if group:
            self.disk.commit(group)
            self._release([(entry.ticket, entry.leaving) for entry in group])


class Tickets(RuleBasedStateMachine):
    """Whatever comes out of the master is compared with what is on disk at that moment."""

    @initialize()
    def begin(self) -> None:
        self.stack = ExitStack()
        self.world = World(1)
        self.stack.enter_context(simulated(self.world))
        self.disk: Disk = self.world.disk
        self.disk.watch = lambda tasks, attempts: None  # no process runs here that it could compare with
        self.open = 0  # calls without an answer
        self.seen: list[Event] = []
        self.streams: list[Stream] = []
        self._start()

    @rule(label=LABELS)
    def submit(self, label: int) -> None:
        spec = a_spec(*Program(f"t{label}", 1.0).command())

        def came(answer: Any) -> None:
            if isinstance(answer, Exception):
                return
            stored = self.disk.tasks.get(answer.task_id)
            assert stored is not None, f"task {answer.task_id} was acknowledged before it was on disk"
            assert stored.spec == spec

        request = task_pb2.SubmitTaskRequest(request_id=f"t{label}", spec=spec_to_proto(spec))
        self._call("SubmitTask", request, came)

    @rule(label=LABELS)
    def submit_another_under_the_same_id(self, label: int) -> None:
        if ("ann", f"t{label}") not in self.master.state.requests:
            return
        other = task_pb2.SubmitTaskRequest(request_id=f"t{label}", spec=spec_to_proto(a_spec("other", "o")))

        def came(answer: object) -> None:
            assert isinstance(answer, AlreadyExists | Unavailable), "another request's id was accepted"

        self._call("SubmitTask", other, came)

    @rule(task_id=LABELS)
    def look(self, task_id: int) -> None:
        def came(answer: Any) -> None:
            if isinstance(answer, Exception):
                assert isinstance(answer, NotFound | Unavailable)
                return
            task, stored = task_from_proto(answer.task), self.disk.tasks.get(task_id)
            assert stored is not None, "a task was read that is not on disk"
            assert task.version <= stored.version, "a change was read that is not on disk"
            assert answer.as_of_seq <= len(self.disk.events)
            for attempt in answer.attempts:
                assert attempt.ref.token <= stored.token

        self._call("GetTaskStatus", task_pb2.GetTaskStatusRequest(task_id=task_id), came)

    @rule(task_id=LABELS)
    def cancel(self, task_id: int) -> None:
        def came(answer: Any) -> None:
            if isinstance(answer, Exception):
                return
            stored = self.disk.tasks[task_id]
            assert stored.is_final or stored.state is TaskState.STOPPING, (
                "an acknowledged cancel is not on disk"
            )

        request = task_pb2.CancelTaskRequest(request_id=f"c{task_id}", task_id=task_id)
        self._call("CancelTask", request, came)

    @rule()
    def register(self) -> None:
        def came(answer: object) -> None:
            assert isinstance(answer, Exception) or self.disk.load().workers, "registered, but not on disk"

        self._call("RegisterWorker", worker_pb2.RegisterWorkerRequest(profile=profile_to_proto(WORKER)), came)

    @rule()
    def receive_orders(self) -> None:
        """The worker opens its stream: what it is told to start is on disk."""
        request = worker_pb2.ReceiveOrdersRequest(worker_id=WORKER.id, incarnation=WORKER.incarnation)
        self._follow("ReceiveOrders", request, OrderStream(self.disk))

    @rule(after=st.integers(0, 3))
    def watch(self, after: int) -> None:
        after = min(after, len(self.disk.events))
        request = task_pb2.WatchEventsRequest(after_seq=after)
        self._follow("WatchEvents", request, EventStream(self.disk, after))

    @precondition(lambda self: self.master.is_committing)
    @rule(count=st.sampled_from([1, 1, 2, 5]))
    def commit(self, count: int) -> None:
        self.master.commit(count)
        self._go_on()

    @rule()
    def commit_everything(self) -> None:
        """Then nobody waits any more."""
        while self.master.is_committing:
            self.master.commit(100)
            self._go_on()
        assert self.open == 0, "everything is on disk, and somebody still waits"
        for stream in self.streams:
            assert not isinstance(stream, EventStream) or stream.ended or stream.at == len(self.disk.events)

    @rule(seconds=st.sampled_from([0.1, 6.0]))
    def time_goes_by(self, seconds: float) -> None:
        self.world.go_on_for(seconds)

    @rule()
    def kill(self) -> None:
        """What was not committed never happened, and nobody was told that it did."""
        self.master.kill()
        self.streams.clear()
        assert self.open == 0
        self._start()

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            self.stack.close()

    def _start(self) -> None:
        self.master = self.world.master = HeldMaster(self.world.master_host, self.disk, self.world.settings)

    def _call(self, method: str, request: Any, check: Any) -> None:
        self.open += 1

        def reply(answer: object) -> None:
            self.open -= 1
            assert not isinstance(answer, Exception) or isinstance(answer, GangerError)
            check(answer)

        self.master.serve(method, request, reply)
        self._go_on()

    def _follow(self, method: str, request: Any, stream: Stream) -> None:
        self.streams.append(stream)
        self.master.serve_stream(method, request, stream)  # type: ignore[arg-type]  # only `send` and `end`
        self._go_on()

    def _go_on(self) -> None:
        self.world.go_on_for(0.05)


class Stream:
    """The caller's end of a stream, without a network."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self.ended = False

    def end(self, error: GangerError | None) -> None:
        """The master ends it."""
        self.ended = True


class EventStream(Stream):
    """A watcher."""

    def __init__(self, disk: Disk, at: int) -> None:
        super().__init__(disk)
        self.at = at

    def send(self, answer: Any) -> None:
        """Each event once, in order, from disk."""
        for event in map(event_from_proto, answer.events):
            assert event.seq == self.at + 1, "an event came twice, or one was left out"
            assert event.seq <= len(self.disk.events), "an event was told before it was on disk"
            assert event == self.disk.events[event.seq - 1]
            self.at = event.seq


class OrderStream(Stream):
    """A worker."""

    def __init__(self, disk: Disk) -> None:
        super().__init__(disk)
        self.last: OrderBatch | None = None

    def send(self, answer: Any) -> None:
        """Numbered in order, beginning with a sync, nothing before its commit."""
        batch = order_batch_from_proto(answer.batch)
        if self.last is None:
            assert batch.sync
        else:
            assert batch.order_seq == self.last.order_seq + 1
        self.last = batch
        for order in batch.orders:
            assert order.ref in self.disk.tries, f"attempt {order.ref} was ordered before it was on disk"


Tickets.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestTickets = Tickets.TestCase
