"""This module checks what an operator's word about workers does: cordon, resume, who is meant, what outlasts it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ganger_core.domain.clock import ManualClock
from ganger_core.domain.cordon import Cordon
from ganger_core.domain.errors import AlreadyExists, Conflict, NotFound
from ganger_core.domain.states import AttemptState, TaskState
from ganger_core.domain.task import AttemptRef, TaskSpec, WorkerProfile, WorkerUsage
from ganger_master.changes import Request
from ganger_master.fencing import cordoning, find_workers
from testkit.builders import a_spec, a_worker, ended, started
from testkit.one_thread import OneThreadMaster

W1, W2 = a_worker("w1", cpus=2), a_worker("w2", cpus=1)
CORDON = Cordon("ann", "new driver", 5)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def master(tmp_path: Path, clock: ManualClock) -> OneThreadMaster:
    master = OneThreadMaster(tmp_path, clock)
    master.register(W1, W2)
    return master


def say(
    master: OneThreadMaster,
    cordon: Cordon | None,
    *workers: WorkerProfile,
    request: Request | None = None,
) -> str:
    request = request or Request("ann", f"{cordon} {id(workers)} {len(master.events)}", "")
    applied = master.engine.apply_with(
        lambda _: cordoning(master.registry, workers, request, cordon), master.clock.now()
    )
    master.commit()
    answer = applied.answers[-1]
    if isinstance(answer, Exception):
        raise answer
    return str(answer)


def states(master: OneThreadMaster) -> dict[str, str]:
    return {view.profile.name: view.state for view in master.registry.views(master.clock.now().steady_s)}


def running(master: OneThreadMaster, worker: WorkerProfile, *specs: TaskSpec) -> list[AttemptRef]:
    master.submit(*specs)
    master.run_cycle()
    refs = master.deliver(worker)
    master.report(worker, *map(started, refs))
    return refs


def reasons(master: OneThreadMaster, *task_ids: int) -> Sequence[str]:
    master.run_cycle()
    return [master.queue.reason(task_id) for task_id in task_ids]


def test_a_cordoned_worker_gets_nothing_new_and_what_runs_there_goes_on(master: OneThreadMaster) -> None:
    (ref,) = running(master, W1, a_spec(cpus=2))
    assert say(master, CORDON, W1, W2) == "id-w1 id-w2"
    assert states(master) == {"w1": "CORDONED", "w2": "CORDONED"}
    master.report(W1, ended(ref))
    assert master.task(1).state is TaskState.SUCCEEDED
    master.submit(a_spec())
    master.run_cycle()
    assert master.task(2).state is TaskState.PENDING
    say(master, None, W2)
    assert states(master) == {"w1": "CORDONED", "w2": "UP"}
    master.run_cycle()
    assert master.state.attempts[2].worker_name == "w2"


def test_who_waits_is_told_who_is_excluded_and_why_as_far_as_it_concerns_them(
    master: OneThreadMaster,
) -> None:
    say(master, CORDON, W1)
    running(master, W2, a_spec(cpus=1))
    master.submit(a_spec(cpus=2), a_spec(cpus=64), a_spec(cpus=1))
    assert reasons(master, 2, 3, 4) == [
        "asks for more than any worker has: needs 2 CPUs; the nearest is short of 1 CPU; "
        "w1 is excluded: cordoned by ann: new driver",
        "asks for more than any worker has: needs 64 CPUs; the nearest is short of 63 CPUs",
        "waiting for capacity: 1 worker could run it, the nearest is short of 1 CPU; "
        "w1 is excluded: cordoned by ann: new driver",
    ]
    say(master, Cordon("bob", "", 6), W2)
    (reason,) = reasons(master, 4)
    assert reason == "no worker takes new work: w1 and 1 other are excluded: cordoned by ann: new driver"
    master.registry.heartbeat(W1.id, WorkerUsage(), [], master.clock.now().steady_s, draining=True)
    say(master, None, W1, W2)
    (reason,) = reasons(master, 2)
    assert reason.endswith("w1 is excluded: draining, for its daemon was told to end")


def test_a_drained_worker_is_draining_until_it_is_empty_and_stays_so(
    tmp_path: Path, master: OneThreadMaster, clock: ManualClock
) -> None:
    (ref,) = running(master, W1, a_spec(cpus=2))
    say(master, replace(CORDON, drains=True), W1)
    assert states(master)["w1"] == "DRAINING"
    master.submit(a_spec(cpus=2))
    assert reasons(master, 2)[0].endswith("w1 is excluded: being drained by ann: new driver")
    master.report(W1, ended(ref))
    assert states(master)["w1"] == "DRAINED"
    master.run_cycle()
    assert states(master)["w1"] == "DRAINED"
    master.kill()
    again = OneThreadMaster(tmp_path, clock)
    again.register(W1)
    assert states(again)["w1"] == "DRAINED"
    again.kill()


def test_an_order_that_has_not_left_is_taken_back_and_one_that_has_is_not(master: OneThreadMaster) -> None:
    master.submit(a_spec(), a_spec())
    master.run_cycle()
    orders, master.orders = master.orders, master.orders[:1]
    assert master.deliver(W1) == [AttemptRef(1, 1)]
    master.orders = orders[1:]
    say(master, CORDON, W1)
    assert master.deliver(W1) == []  # what was on its way is stopped at the door
    assert master.state.attempts[1].state is AttemptState.ASSIGNED
    assert master.state.attempts[2].state is AttemptState.REVOKED
    assert "its worker is cordoned by ann: new driver" in master.task(2).reason
    master.run_cycle()
    assert master.state.attempts[2].worker_name == "w2"


def test_a_cordon_outlasts_the_master_and_every_start_of_the_worker(
    tmp_path: Path, master: OneThreadMaster, clock: ManualClock
) -> None:
    say(master, CORDON, W1, W2)
    say(master, None, W2)
    master.register(a_worker("w1", cpus=2, incarnation=2))
    assert states(master) == {"w1": "CORDONED", "w2": "UP"}
    master.kill()
    again = OneThreadMaster(tmp_path, clock)
    assert states(again) == {"w1": "LOST", "w2": "LOST"}
    assert [view.cordon for view in again.registry.views(0)] == [CORDON, None]
    again.register(a_worker("w1", cpus=2, incarnation=3), W2)
    assert states(again) == {"w1": "CORDONED", "w2": "UP"}
    again.kill()


def test_the_newest_word_counts_and_a_repeated_one_is_answered_as_the_first(master: OneThreadMaster) -> None:
    first = Request("ann", "one", "d")
    say(master, CORDON, W1, request=first)
    say(master, Cordon("bob", "again", 6), W1)
    assert say(master, None, W1) == "id-w1"
    assert say(master, CORDON, W1, request=first) == "id-w1"
    assert states(master)["w1"] == "UP"
    with pytest.raises(AlreadyExists):
        say(master, CORDON, W1, request=Request("ann", "one", "other"))


def test_workers_are_meant_by_name_or_id_each_once_and_lost_ones_only_if_no_other(
    master: OneThreadMaster, clock: ManualClock
) -> None:
    def found(*asked: str) -> list[str]:
        return [profile.id for profile in find_workers(master.registry.views(clock.now().steady_s), asked)]

    clock.advance(31)
    master.registry.sweep(clock.now().steady_s)
    twin = WorkerProfile("id-new", "w1", 1, "h", "b", W1.capacity, "0")
    master.register(twin)
    assert found("w1", "id-w1", "id-new", "w2") == ["id-new", "id-w1", "id-w2"]
    with pytest.raises(NotFound, match="no worker w9"):
        found("w1", "w9")
    master.register(W1)
    with pytest.raises(Conflict, match="2 workers are called w1"):
        found("w1")
