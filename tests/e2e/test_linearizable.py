"""This module lets clients submit, read and cancel at once on a real cluster: an order must explain all answers.

The master is killed once in between. What a client repeats because no answer came is one call: it takes effect
at one moment between its first try and its answer.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from random import Random

import pytest

from ganger.calls import MasterCalls
from ganger_core.domain.errors import NotFound
from ganger_core.domain.resources import Resources
from ganger_core.domain.states import TASK_FINAL, TaskState
from ganger_core.domain.task import TaskSpec
from ganger_core.rpc.channels import Target
from testkit.linearize import Op, Read, check
from testkit.processes import Cluster, a_cluster
from testkit.waiting import wait_until

CLIENTS = 6
CALLS = 60  # of each client
PATIENCE_S = 40.0
COMMANDS = (("true",), ("false",), ("sleep", "0.2"), ("sleep", "60"))


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with a_cluster() as cluster:
        cluster.start_master("--heartbeat-every-s", "0.3")
        cluster.start_worker("w1")
        yield cluster


class Clients:
    """Everything that all clients asked and were told, with when."""

    def __init__(self, address: str, seed: int) -> None:
        self.history: list[tuple[int, Op]] = []
        self.known: list[int] = []  # ids that were acknowledged
        self.failures: list[BaseException] = []
        self._address = address
        self._seed = seed
        self._threads = [
            threading.Thread(target=self._run, args=(number,), name=f"client{number}")
            for number in range(CLIENTS)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()
        assert not self.failures

    def _run(self, number: int) -> None:
        rng = Random(f"{self._seed}.{number}")  # noqa: S311
        calls = MasterCalls(Target(self._address), PATIENCE_S)
        try:
            self._read(calls, number, 1)
            for count in range(CALLS):
                kind = rng.choice(("submit", "read", "read", "read", "cancel"))
                task_id = rng.choice(self.known[-4:]) if self.known else 1
                if kind == "submit":
                    self._submit(calls, number, f"c{number}-{count}", rng.choice(COMMANDS))
                elif kind == "cancel":
                    self._cancel(calls, number, f"x{number}-{count}", task_id)
                else:
                    self._read(
                        calls, number, task_id if rng.random() < 0.8 else max(self.known, default=0) + 1
                    )
        except BaseException as error:
            self.failures.append(error)
            raise
        finally:
            calls.close()

    def _submit(self, calls: MasterCalls, number: int, label: str, command: tuple[str, ...]) -> None:
        called = time.monotonic()
        task_id = calls.submit(label, TaskSpec(command, name=label, resources=Resources(100, 0, 1)))
        self._note(task_id, "submit", called, label, number)
        self.known.append(task_id)

    def _read(self, calls: MasterCalls, number: int, task_id: int) -> None:
        called, answer = time.monotonic(), None
        with suppress(NotFound):
            task = calls.status(task_id).task
            answer = Read(task.state, task.version, task.spec.name)
        self._note(task_id, "read", called, answer, number)

    def _cancel(self, calls: MasterCalls, number: int, request_id: str, task_id: int) -> None:
        called, answer = time.monotonic(), None
        with suppress(NotFound):
            answer = calls.cancel(request_id, task_id, "", 0, None)
        self._note(task_id, "cancel", called, answer, number)

    def _note(self, task_id: int, kind: str, called: float, answer: str | Read | None, number: int) -> None:
        self.history.append((task_id, Op(kind, called, time.monotonic(), answer, number)))


def test_what_concurrent_clients_saw_has_an_order(cluster: Cluster) -> None:
    clients = Clients(cluster.address, seed=1)
    clients.start()
    wait_until(lambda: len(clients.history) > CLIENTS * CALLS // 3, 30, "the clients are at work")
    before = len(clients.history)
    cluster.daemons["master"].kill()
    cluster.start_master("--heartbeat-every-s", "0.3")
    clients.join()

    assert len(clients.history) > before, "all was over before the master was killed"
    assert check(clients.history) == []
    kinds = Counter(op.kind for _, op in clients.history)
    states = {op.answer.state for _, op in clients.history if isinstance(op.answer, Read)}
    assert min(kinds[kind] for kind in ("submit", "read", "cancel")) > CALLS // 3
    assert TaskState.PENDING in states
    assert states & TASK_FINAL, "nothing ended: there was little to see"
    overlaps = sum(
        a.called < b.called < a.returned for i, a in clients.history for j, b in clients.history if i == j
    )
    assert overlaps > CLIENTS, "the clients waited for each other"
