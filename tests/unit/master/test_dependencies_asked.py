"""This module checks what calls of clients say of tasks that are to run after others: on the real service and store."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest

from ganger_core.domain.clock import ManualClock
from ganger_core.domain.errors import Invalid, NotFound
from ganger_core.domain.principal import Principal, Role
from ganger_core.rpc.guard import Call, current_call
from ganger_core.wire.v1 import task_pb2 as pb
from ganger_master.changes import Forget
from ganger_master.disk import DiskFloor, DiskGuard
from ganger_master.feed import Feed
from ganger_master.fetching import OutputDesk
from ganger_master.gate import DurableGate
from ganger_master.services.tasks import TaskService
from ganger_master.store.reader import StoreReader
from testkit.builders import a_spec, a_worker, ended
from testkit.one_thread import OneThreadMaster

WORKER = a_worker("w1", cpus=64)
OK, ANY = pb.DEPENDENCY_KIND_OK, pb.DEPENDENCY_KIND_ANY

T = TypeVar("T")


def a_message(after: Iterable[tuple[int, int]]) -> pb.TaskSpec:
    spec = pb.TaskSpec(command=["true"], resources=pb.Resources(cpu_milli=1000, slots=1))
    spec.after.extend(pb.Dependency(task_id=each, kind=kind) for each, kind in after)  # type: ignore[arg-type]
    return spec


class Desk:
    """The service before a master in one thread; each call is one of a user's."""

    def __init__(self, master: OneThreadMaster, readers: ThreadPoolExecutor) -> None:
        self.master = master
        self.reader = StoreReader(master.path)
        self.numbers = itertools.count()
        gate = DurableGate()
        gate.advance(10**9)  # the test commits
        nothing: Any = None
        roomy = DiskGuard(lambda: (2**40, 2**40), DiskFloor(0, 0), master.clock)
        self.service = TaskService(
            master.engine,
            master.queue,
            gate,
            Feed(nothing, 0),
            nothing,
            self.reader,
            readers,
            master.clock,
            roomy,
            OutputDesk(),
            heartbeat_every_s=5,
        )

    def call(self, asked: Awaitable[T], owner: str = "ann", role: Role = Role.USER) -> T:
        async def answer() -> T:
            current_call.set(Call(Principal(owner, role), "r", "m"))
            return await asked

        answered = asyncio.run(answer())
        self.master.commit()
        return answered

    def submit_array(self, indices: str, *after: tuple[int, int]) -> int:
        array = pb.Array(indices=indices)
        number = f"a{next(self.numbers)}"
        request = pb.SubmitArrayRequest(request_id=number, spec=a_message(after), array=array)
        return int(self.call(self.service.SubmitArray(request, None)).task_id)

    def submit(self, *after: tuple[int, int], request_id: str = "", **who: Any) -> int:
        spec = a_message(after)
        request = pb.SubmitTaskRequest(request_id=request_id or f"r{next(self.numbers)}", spec=spec)
        return int(self.call(self.service.SubmitTask(request, None), **who).task_id)

    def status(self, task_id: int) -> pb.Task:
        return self.call(self.service.GetTaskStatus(pb.GetTaskStatusRequest(task_id=task_id), None)).task


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    master = OneThreadMaster(tmp_path, ManualClock())
    master.register(WORKER)
    with ThreadPoolExecutor(1) as readers:
        desk = Desk(master, readers)
        yield desk
        desk.reader.close()


def finish(master: OneThreadMaster, code: int) -> None:
    master.run_cycle()
    for ref in master.deliver(WORKER):
        master.report(WORKER, ended(ref, code))


def test_what_is_waited_for_is_the_callers_own_and_not_forgotten(desk: Desk) -> None:
    master = desk.master
    first = master.submit(a_spec(), owner="ann")
    with pytest.raises(NotFound, match=f"no task {first} of yours") as caught:
        desk.submit((first, OK), owner="bob")
    assert caught.value.field == "after"
    assert desk.submit((first, OK), owner="bob", role=Role.ADMIN) == first + 1
    with pytest.raises(NotFound, match=r"^after: there is no task 99$"):
        desk.submit((first, OK), (99, OK))
    finish(master, 0)
    master.apply(Forget(task_ids=(first,)))
    with pytest.raises(NotFound, match=f"no task {first} of yours: it is forgotten, as what ended is"):
        desk.submit((first, OK))


def test_a_task_that_ended_long_ago_is_looked_for_in_the_store(desk: Desk) -> None:
    master = desk.master
    first = master.submit(a_spec(name="prep"))
    finish(master, 3)
    del master.state.tasks[first], master.state.attempts[first]
    skipped = desk.submit((first, OK), request_id="again")
    assert desk.status(skipped).state == pb.TASK_STATE_SKIPPED
    assert desk.status(skipped).outcome.kind == pb.OUTCOME_KIND_SKIPPED
    why = f'{first} "prep" failed with exit code 3; {skipped} was skipped for it'
    assert desk.status(skipped).reason == why
    assert desk.status(desk.submit((first, ANY))).state == pb.TASK_STATE_PENDING
    master.apply(Forget(task_ids=(first,)))
    assert desk.submit((first, OK), request_id="again") == skipped  # whatever became of it


def test_one_that_waits_says_for_what(desk: Desk) -> None:
    first = desk.submit()
    then = desk.submit((first, OK))
    assert desk.status(then).reason == f"waits for {first} (PENDING)"
    rows = desk.call(desk.service.ListTasks(pb.ListTasksRequest(task_ids=[then]), None), role=Role.ADMIN).rows
    assert [row.task.reason for row in rows] == [f"waits for {first} (PENDING)"]
    assert [each.task_id for each in rows[0].task.waits.after] == [first]


def test_element_by_element_needs_an_array_with_the_same_indices(desk: Desk) -> None:
    master, each = desk.master, pb.DEPENDENCY_KIND_EACH
    first = desk.submit_array("0-9:3")
    assert desk.submit_array("9,0,3,6", (first, each)) == first + 5
    with pytest.raises(Invalid, match=r"array 1 has other indices: 0-9:3, not 0-3$") as caught:
        desk.submit_array("0-3", (first, each))
    assert caught.value.field == "after"
    task_id = desk.submit()
    with pytest.raises(Invalid, match=f"task {task_id} is no array"):
        desk.submit_array("0", (task_id, each))
    with pytest.raises(Invalid, match="each goes element by element, and this is no array"):
        desk.submit((first, each))
    finish(master, 3)
    assert desk.status(first).state == pb.TASK_STATE_FAILED
    for each_id in range(first, first + 5):
        del master.state.tasks[each_id]
    third = desk.submit_array("0-9:3", (first, each))
    assert desk.status(third).state == pb.TASK_STATE_SKIPPED
    assert desk.status(third + 2).reason == f"{first}.3 failed; {third}.3 was skipped for it"
    master.apply(Forget(task_ids=(first + 2,)))
    with pytest.raises(NotFound, match=f"after: elements of array {first} are forgotten"):
        desk.submit_array("0-9:3", (first, each))


@pytest.mark.parametrize(
    ("after", "words"),
    [
        ([(0, OK)], "spec.after names a task 0; the first one of the same call is -1"),
        ([(-1, OK)], "specs: tasks wait for each other: -1 before -1"),
        ([(1, OK), (1, OK)], "spec.after names a task twice"),
        ([(1, 0)], "spec.after.kind: dependency kind is not set"),
        ([(number, OK) for number in range(1, 1_002)], "spec.after names 1001 tasks; at most 1000"),
    ],
)
def test_what_makes_no_sense_is_refused(desk: Desk, after: list[tuple[int, int]], words: str) -> None:
    with pytest.raises(Invalid, match=words):
        desk.submit(*after)
