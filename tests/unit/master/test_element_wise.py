"""This module checks arrays that wait for others element by element, on a master in one thread."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ganger_core.domain.array import Array, Indices
from ganger_core.domain.clock import ManualClock
from ganger_core.domain.dependency import Dependency, DependencyKind, OnDependencyFailure
from ganger_core.domain.errors import Unavailable
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import AttemptRef, TaskSpec
from ganger_master.changes import Forget, Request, SubmitArray, Update
from ganger_master.settling import root, why_it_waits
from ganger_master.store.reader import StoreReader
from testkit.builders import a_spec, a_worker, ended, started
from testkit.one_thread import OneThreadMaster

WORKER = a_worker("w1", cpus=64, slots=64)
SKIP, HOLD, RUN, AS_FAILURE = OnDependencyFailure
PENDING, RUNNING, SUCCEEDED, FAILED = (
    TaskState.PENDING,
    TaskState.RUNNING,
    TaskState.SUCCEEDED,
    TaskState.FAILED,
)
CANCELLED, SKIPPED = TaskState.CANCELLED, TaskState.SKIPPED


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def master(tmp_path: Path, clock: ManualClock) -> OneThreadMaster:
    master = OneThreadMaster(tmp_path, clock)
    master.register(WORKER)
    return master


def each(*array_ids: int, policy: OnDependencyFailure = SKIP) -> TaskSpec:
    after = tuple(Dependency(array_id, DependencyKind.EACH) for array_id in array_ids)
    return replace(a_spec(), after=after, on_dependency_failure=policy)


def an_array(count: int = 4, most: int = 0) -> Array:
    return Array(Indices((range(0, 3 * count, 3),)), most)


def cycle(master: OneThreadMaster) -> list[int]:
    """Cycles until all that is due is settled; returns the tasks that their worker is to start."""
    for _ in range(3):
        master.run_cycle()
    return [ref.task_id for ref in master.deliver(WORKER)]


def end(master: OneThreadMaster, *task_ids: int, code: int = 0) -> None:
    for task_id in task_ids:
        ref = AttemptRef(task_id, master.task(task_id).token)
        master.report(WORKER, started(ref), ended(ref, code))


def states(master: OneThreadMaster, array_id: int) -> list[TaskState]:
    """Of the elements, also those that have no record, and of an array that is over."""
    stored = StoreReader(master.path)
    array = stored.task(array_id)
    assert array is not None
    assert array.array is not None
    found = [stored.task(array_id + 1 + position) for position in range(len(array.array))]
    stored.close()
    return [task.state for task in found if task]


def test_every_element_waits_for_that_with_its_index(master: OneThreadMaster) -> None:
    first = master.submit_array(a_spec(), an_array())
    then = master.submit_array(each(first), an_array(most=2))
    assert cycle(master) == [first + n for n in (1, 2, 3, 4)]
    assert why_it_waits(master.state, then + 2) == f"waits for {first}.3 (SCHEDULED)"
    assert len(master.queue) == 0  # they come as they get records
    end(master, first + 3)
    assert cycle(master) == [then + 3]
    end(master, first + 1, code=5)
    assert states(master, then)[0] is SKIPPED
    assert master.task(then + 1).reason == f"{first}.0 failed with exit code 5; {then}.0 was skipped for it"
    end(master, first + 2, first + 4)
    assert cycle(master) == [then + 2]  # at most two at a time
    end(master, then + 3, then + 2)
    assert cycle(master) == [then + 4]
    end(master, then + 4)
    assert states(master, then) == [SKIPPED, SUCCEEDED, SUCCEEDED, SUCCEEDED]
    array = master.task(then)
    assert (array.state, array.reason) == (SKIPPED, "1 of 4 elements were skipped")
    assert not master.state.dependents


def test_what_is_over_already_is_looked_for_in_parts(master: OneThreadMaster) -> None:
    first = master.submit_array(a_spec(), an_array(300, 40))
    for code in (0, 1):
        end(master, *cycle(master), code=code)
    then = master.submit_array(each(first), an_array(300))
    before = states(master, first)
    assert min(before.count(SUCCEEDED), before.count(FAILED)) >= 40
    begun = cycle(master)
    assert {n - then for n in begun if n > then} <= {
        n for n, each in enumerate(before, 1) if each is SUCCEEDED
    }
    after = states(master, then)
    assert after.count(SKIPPED) == before.count(FAILED)
    made = sum(task.array_id == then for task in master.state.tasks.values())
    assert made == before.count(SUCCEEDED) + before.count(FAILED)
    master.cancel(first)
    cycle(master)
    assert states(master, then).count(SKIPPED) == before.count(FAILED) + states(master, first).count(
        CANCELLED
    )


@pytest.mark.parametrize("policy", OnDependencyFailure)
def test_each_policy_is_of_the_element_alone(master: OneThreadMaster, policy: OnDependencyFailure) -> None:
    first = master.submit_array(a_spec(), an_array(2))
    then = master.submit_array(each(first, policy=policy), an_array(2))
    cycle(master)
    end(master, first + 1, code=1)
    if policy is HOLD:
        assert cycle(master) == []
        assert "held by dependency" in master.queue.reason(then + 1)
        master.apply(Update(Request("bob", "r", ""), then + 1, held=False))
    begun = cycle(master)
    assert begun == ([] if policy in (SKIP, AS_FAILURE) else [then + 1])
    end(master, first + 2)
    assert cycle(master) == [then + 2]
    end(master, *begun, then + 2)
    assert master.task(then).state is {SKIP: SKIPPED, AS_FAILURE: FAILED}.get(policy, SUCCEEDED)


def test_two_arrays_may_be_waited_for_and_one_as_a_whole(master: OneThreadMaster) -> None:
    first, second = master.submit_array(a_spec(), an_array(2)), master.submit_array(a_spec(), an_array(2))
    task_id = master.submit(a_spec())
    spec = each(first, second)
    then = master.submit_array(replace(spec, after=(*spec.after, Dependency(task_id))), an_array(2))
    cycle(master)
    end(master, first + 1, second + 1, first + 2)
    assert cycle(master) == []
    assert why_it_waits(master.state, then + 1) == f"waits for {task_id} (SCHEDULED)"
    assert why_it_waits(master.state, then + 2) == f"waits for {second}.3 (SCHEDULED) and 1 other"
    end(master, task_id)
    assert cycle(master) == [then + 1]
    end(master, second + 2)
    assert cycle(master) == [then + 2]


def test_an_element_that_is_held_or_cancelled_has_a_record_and_waits_all_the_same(
    master: OneThreadMaster,
) -> None:
    first = master.submit_array(a_spec(), an_array(2))
    then = master.submit_array(each(first), an_array(2))
    for held in (True, False):
        master.apply(Update(Request("bob", f"h{held}", ""), then + 1, held=held))
    master.cancel(then + 2)
    cycle(master)
    assert cycle(master) == []
    end(master, first + 1, first + 2)
    assert cycle(master) == [then + 1]
    assert master.task(then + 2).state is CANCELLED


@pytest.mark.parametrize("killed", ["before", "between", "after"])
def test_a_restarted_master_finds_what_ended(
    master: OneThreadMaster, tmp_path: Path, clock: ManualClock, killed: str
) -> None:
    first = master.submit_array(a_spec(), an_array(200))
    then = master.submit_array(each(first), an_array(200))
    for _ in range(4):
        end(master, *[n for n in cycle(master) if n < then])
        if killed == "before":
            break
        if killed == "after":
            master.cancel(first)
            master.state.dependents.due.clear()  # nobody has heard
            break
    before = sum(task.array_id == then for task in master.state.tasks.values())
    master.commit()
    master.kill()
    again = OneThreadMaster(tmp_path, clock)
    again.register(WORKER)
    cycle(again)
    over = {n - first for n, state in enumerate(states(again, first), first + 1) if state is not PENDING}
    heard = {n - then for n, state in enumerate(states(again, then), then + 1) if n in again.state.tasks}
    assert len(heard) >= before
    if killed == "after":
        assert states(again, then).count(SKIPPED) == states(again, first).count(CANCELLED) > 0
        return
    for number in over & heard:
        assert again.task(then + number).state is not SKIPPED


def test_an_array_that_is_over_is_known_by_what_the_call_found(master: OneThreadMaster) -> None:
    first = master.submit_array(a_spec(), an_array(3))
    cycle(master)
    end(master, first + 1)
    end(master, first + 2, first + 3, code=2)
    array = master.task(first)
    request = SubmitArray(Request("ann", "x", ""), each(first), an_array(3), known={first: array})
    with pytest.raises(Unavailable, match="has just ended; ask again"):
        master.apply(request)
    stored = StoreReader(master.path)
    then = master.apply(replace(request, states={first: stored.element_states(array)}))
    stored.close()
    assert isinstance(then, int)
    assert cycle(master) == [then + 1]
    assert states(master, then) == [TaskState.SCHEDULED, SKIPPED, SKIPPED]
    assert root(master.task(then + 2)) == f"{first}.3 failed with exit code 2"


def test_what_is_waited_for_may_be_forgotten_when_it_is_over(
    master: OneThreadMaster, tmp_path: Path, clock: ManualClock
) -> None:
    first = master.submit_array(a_spec(), an_array(2))
    then = master.submit_array(each(first), an_array(2))
    cycle(master)
    end(master, first + 1, first + 2)
    assert cycle(master) == [then + 1, then + 2]
    master.apply(Forget(task_ids=(first, first + 1, first + 2)))
    end(master, then + 1)
    master.kill()
    again = OneThreadMaster(tmp_path, clock)
    end(again, then + 2)
    assert again.task(then).state is SUCCEEDED


def test_an_array_that_has_succeeded_is_not_waited_for(master: OneThreadMaster) -> None:
    first = master.submit_array(a_spec(), an_array(2))
    cycle(master)
    end(master, first + 1, first + 2)
    then = master.submit_array(each(first), an_array(2))
    assert len(master.queue) == 2
    assert cycle(master) == [then + 1, then + 2]
