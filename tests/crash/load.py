"""This module submits tasks from several clients at once, through the SDK, and remembers every acknowledgement."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import grpc

from crash import truth
from crash.checkers import Ack, Finding
from ganger import AlreadyExists, Client, TaskState, task_spec
from ganger_core.convert.task import spec_to_proto
from ganger_core.domain.task import TaskSpec
from ganger_core.wire.v1 import task_pb2, task_pb2_grpc
from testkit.processes import listens
from testkit.waiting import wait_until

RUNNABLE_IN = 25
"""One task of so many can run; the others ask for more CPUs than any worker has, and wait until cancelled."""
TOO_MANY_CPUS = 900
ARRAY_IN, MOST_ELEMENTS = 20, 5
"""One submission of so many is an array, of up to so many elements."""

CALL_S = 20.0

MakeSpec = Callable[[str, random.Random], TaskSpec]


def waiting_spec(name: str) -> TaskSpec:
    """A task that no worker can run."""
    return task_spec(["true"], name=name, cpus=TOO_MANY_CPUS)


def mixed(path: Path) -> MakeSpec:
    """Tasks that wait, and now and then one that runs for a moment and writes to the truth."""

    def make(name: str, rng: random.Random) -> TaskSpec:
        if rng.randrange(RUNNABLE_IN):
            return waiting_spec(name)
        return task_spec(truth.command(path, 0.05, 0.05), name=name, cpus=0.1)

    return make


class Load:
    """`clients` threads that submit to the master of `folder`, together about `per_s` tasks a second."""

    def __init__(
        self, folder: Path, make: MakeSpec, seed: int, *, clients: int = 8, per_s: float = 400
    ) -> None:
        self._folder = folder
        self._make = make
        self._pause_s = clients / per_s
        self._stopping = threading.Event()
        self.acks: list[Ack] = []
        self.acked_at: dict[str, float] = {}  # when each came (monotonic), by request id
        self.sent: dict[str, TaskSpec] = {}
        self.waiting: set[str] = set()  # sent and not answered
        self.arrays: set[str] = set()  # which of them were arrays
        self.failures: list[BaseException] = []
        self._threads = [
            threading.Thread(target=self._run, args=(n, random.Random(f"{seed}.{n}")), name=f"client-{n}")  # noqa: S311
            for n in range(clients)
        ]

    def start(self) -> None:
        """Start the clients; the master must be there."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let each client finish its call, which needs a master; raises what a client could not survive."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(90)
            assert not thread.is_alive(), "a client never got its answer"
        if self.failures:
            raise self.failures[0]

    def acks_outside(self, spans: Sequence[tuple[float, float]]) -> list[Ack]:
        """The acknowledgements that came in none of these spans of time (monotonic)."""
        return [
            ack
            for ack in self.acks
            if not any(begin <= self.acked_at[ack.request_id] <= end for begin, end in spans)
        ]

    def _run(self, number: int, rng: random.Random) -> None:
        try:
            with Client(state_dir=self._folder) as client:
                self._submit_on(client, number, rng)
        except BaseException as error:
            self.failures.append(error)
            raise

    def _submit_on(self, client: Client, number: int, rng: random.Random) -> None:
        for count in range(1_000_000_000):
            due = time.monotonic() + self._pause_s
            name = f"s{number}-{count}"
            spec = self.sent[name] = self._make(name, rng)
            self.waiting.add(name)
            cpus = spec.resources.cpu_milli / 1000
            if count % ARRAY_IN:
                task_id = client.submit(spec.command, name=name, cpus=cpus, request_id=name)
            else:
                indices = rng.randint(1, MOST_ELEMENTS)
                task_id = client.submit_array(
                    spec.command, indices, max_parallel=2, name=name, cpus=cpus, request_id=name
                )
                self.arrays.add(name)
            self.acked_at[name] = time.monotonic()
            self.acks.append(Ack(name, task_id, spec))
            self.waiting.discard(name)
            if self._stopping.wait(max(0.0, due - time.monotonic())):
                return


def first_answer_s(folder: Path, begin: float, name: str) -> tuple[float, Ack]:
    """Submit until a master acknowledges; seconds since `begin` (monotonic), and the acknowledgement.

    On a connection of its own, as a client has that begins now: gRPC lets all clients of a process wait together
    for their next attempt to connect.
    """
    spec = waiting_spec(name)
    request = task_pb2.SubmitTaskRequest(request_id=name, spec=spec_to_proto(spec))
    options = [("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1)]
    found: list[int] = []

    def answered() -> bool:
        if not listens(folder / "socket"):
            return False
        with suppress(grpc.RpcError), grpc.insecure_channel(f"unix:{folder / 'socket'}", options) as channel:
            found.append(task_pb2_grpc.TaskServiceStub(channel).SubmitTask(request, timeout=CALL_S).task_id)
        return bool(found)

    wait_until(answered, 30, "the master serves again")
    return time.monotonic() - begin, Ack(name, found[0], spec)


def repeat(client: Client, acks: Sequence[Ack], rng: random.Random, count: int) -> tuple[list[Ack], Finding]:
    """Send some acknowledged requests again: the answers, and whether another payload was refused each time."""
    again, wrong = [], []
    chosen = rng.sample(acks, min(count, len(acks)))
    for ack in chosen:
        spec = ack.spec
        assert isinstance(spec, TaskSpec)
        cpus = spec.resources.cpu_milli / 1000
        task_id = client.submit(spec.command, name=spec.name, cpus=cpus, request_id=ack.request_id)
        again.append(Ack(ack.request_id, task_id, spec))
        try:
            other = client.submit(["false"], name="other", request_id=ack.request_id)
        except AlreadyExists:
            continue
        wrong.append(f"I3: request {ack.request_id} with another payload became task {other}")
    return again, Finding(2 * len(chosen), tuple(wrong))


def cancel_all(folder: Path, task_ids: Sequence[int]) -> None:
    """Cancel these, several at a time."""
    with Client(state_dir=folder) as client, ThreadPoolExecutor(8, thread_name_prefix="cancel") as pool:
        list(pool.map(client.cancel, task_ids))


def pause(seconds: float) -> None:
    """Let the load run on: a campaign's faults come at random times."""
    threading.Event().wait(seconds)


def finish(folder: Path, *, timeout_s: float = 120) -> None:
    """Cancel what waits for ever and wait until everything else is over."""
    with Client(state_dir=folder) as client:
        rows = list(client.tasks([TaskState.PENDING]))
        doomed = [row.task.id for row in rows if row.task.spec.resources.cpu_milli == TOO_MANY_CPUS * 1000]
        cancel_all(folder, doomed)
        live = [TaskState.PENDING, TaskState.SCHEDULED, TaskState.STARTING, TaskState.RUNNING]
        wait_until(
            lambda: not list(client.tasks([*live, TaskState.STOPPING], limit=1)), timeout_s, "all is over"
        )
