"""This module checks tasks that are to run after others, on a master in one thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ganger_core.domain.array import Array, Indices
from ganger_core.domain.clock import ManualClock
from ganger_core.domain.dependency import Dependency, DependencyKind, OnDependencyFailure, Verdict, judge
from ganger_core.domain.errors import Invalid, NotFound
from ganger_core.domain.states import TASK_FINAL, TaskState
from ganger_core.domain.task import AttemptRef, Limits, Outcome, OutcomeKind, Task, TaskSpec
from ganger_core.domain.validate import check_order
from ganger_core.domain.waits import Waits
from ganger_master import engine as engine_module
from ganger_master.changes import Request, Submit, Update
from ganger_master.reasons import why_aside
from ganger_master.settling import root, why_it_waits
from ganger_master.store.reader import StoreReader
from testkit.builders import a_spec, a_worker, ended, started
from testkit.one_thread import OneThreadMaster

WORKER = a_worker("w1", cpus=64, slots=64)
OK, ANY, FAIL, START, EACH = DependencyKind
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


def after(*upstreams: int | Dependency, policy: OnDependencyFailure = SKIP, name: str = "") -> TaskSpec:
    wanted = tuple(each if isinstance(each, Dependency) else Dependency(each) for each in upstreams)
    return replace(a_spec(cpus=1), name=name, after=wanted, on_dependency_failure=policy)


def cycle(master: OneThreadMaster) -> list[int]:
    """One cycle; returns the tasks that their worker is to start."""
    master.run_cycle()
    return [ref.task_id for ref in master.deliver(WORKER)]


def end(master: OneThreadMaster, task_id: int, code: int = 0) -> None:
    """The task, which has been given to the worker, runs and ends with this code."""
    ref = AttemptRef(task_id, master.task(task_id).token)
    master.report(WORKER, started(ref), ended(ref, code))


def see(master: OneThreadMaster, task_id: int) -> Task:
    """The task, also an element that never began of an array that is over."""
    seen = master.engine.see(task_id)
    if seen is not None:
        return seen.task
    stored = StoreReader(master.path)
    task = stored.task(task_id)
    stored.close()
    assert task is not None
    return task


def state(master: OneThreadMaster, *task_ids: int) -> list[TaskState]:
    return [see(master, task_id).state for task_id in task_ids]


def test_a_task_runs_once_all_that_it_is_after_has_succeeded(master: OneThreadMaster) -> None:
    first = master.submit(a_spec(), a_spec())
    task_id = master.submit(after(first, first + 1))
    assert cycle(master) == [first, first + 1]
    assert why_it_waits(master.state, task_id) == f"waits for {first} (SCHEDULED) and 1 other"
    end(master, first)
    assert cycle(master) == []
    assert master.task(task_id).waits == Waits(after=(Dependency(first + 1),))
    assert why_it_waits(master.state, task_id) == f"waits for {first + 1} (SCHEDULED)"
    end(master, first + 1)
    assert cycle(master) == [task_id]
    told = [event.reason for event in master.events if event.task_id == task_id]
    assert told[1] == f"waited for {first + 1}, which is over"


FINALS = {
    OK: {SUCCEEDED},
    ANY: TASK_FINAL,
    FAIL: {FAILED, TaskState.TIMED_OUT, TaskState.EXPIRED},
    START: set(),
}


@pytest.mark.parametrize("kind", FINALS)
def test_what_is_judged_is_the_final_state(kind: DependencyKind) -> None:
    for upstream in TaskState:
        waits = Verdict.WAITS if upstream not in TASK_FINAL else Verdict.NEVER
        assert judge(kind, upstream, False) is (Verdict.MET if upstream in FINALS[kind] else waits)
    assert (judge(kind, RUNNING, True) is Verdict.MET) == (kind is START)


def test_after_the_start_is_after_it_has_begun_to_run(master: OneThreadMaster) -> None:
    first = master.submit(a_spec())
    begins = master.submit(after(Dependency(first, START)), after(Dependency(first, START), first))
    both = begins + 1
    assert cycle(master) == [first]
    master.report(WORKER, started(AttemptRef(first, 1)))
    assert cycle(master) == [begins]
    assert master.task(both).waits.after == (Dependency(first),)
    end(master, first)
    assert cycle(master) == [both]
    at_once = master.submit(after(Dependency(first, START)))
    assert cycle(master) == [at_once]


def test_what_can_never_come_skips_all_that_follows_and_names_what_failed_first(
    master: OneThreadMaster,
) -> None:
    first = master.submit(replace(a_spec(), name="prep"))
    second = master.submit(after(first))
    third, on_failure, on_any = (
        master.submit(after(second)),
        master.submit(after(Dependency(first, FAIL))),
        master.submit(after(Dependency(second, ANY))),
    )
    cycle(master)
    end(master, first, 3)
    assert state(master, second, third) == [SKIPPED, SKIPPED]
    for task_id in (second, third):
        why = f'{first} "prep" failed with exit code 3; {task_id} was skipped for it'
        assert master.task(task_id).outcome == Outcome(OutcomeKind.SKIPPED, message=why)
        assert [e.reason for e in master.events if e.task_id == task_id][-1] == why
    assert cycle(master) == [on_failure, on_any]
    assert not master.state.dependents


@pytest.mark.parametrize(
    ("policy", "becomes"), [(SKIP, SKIPPED), (HOLD, PENDING), (RUN, PENDING), (AS_FAILURE, FAILED)]
)
@pytest.mark.parametrize("late", [False, True])
def test_each_policy(
    master: OneThreadMaster, policy: OnDependencyFailure, becomes: TaskState, late: bool
) -> None:
    first, other = master.submit(a_spec()), master.submit(a_spec())
    cycle(master)
    if late:
        end(master, first, 1)
    task_id = master.submit(after(first, other, policy=policy))
    array_id = master.submit_array(after(first, other, policy=policy), Array(Indices.parse("0-2")))
    if not late:
        end(master, first, 1)
    assert state(master, task_id, array_id, array_id + 2) == [becomes] * 3
    assert len(master.queue) == (4 if becomes is PENDING else 0)
    if policy in (SKIP, AS_FAILURE):
        outcome = master.task(task_id).outcome
        assert outcome is not None
        assert outcome.kind is OutcomeKind.SKIPPED
        assert outcome.message.startswith(f"{first} failed with exit code 1; {task_id} ")
        assert see(master, array_id + 2).outcome is not None
        return
    assert cycle(master) == []  # the other one still runs
    end(master, other)
    if policy is HOLD:
        assert cycle(master) == []
        words = f"held by dependency {first}, which is FAILED: `ganger release` lets it go on"
        assert why_it_waits(master.state, task_id) == master.queue.reason(array_id + 1) == words
        for each in (task_id, array_id):
            master.apply(Update(Request("bob", f"r{each}", ""), each, held=False))
    assert cycle(master) == [task_id, array_id + 1, array_id + 2, array_id + 3]


def test_what_is_released_before_all_has_come_goes_on_waiting(master: OneThreadMaster) -> None:
    first = master.submit(a_spec())
    task_id = master.submit(replace(after(first), hold=True))
    cycle(master)
    master.apply(Update(Request("bob", "r", ""), task_id, held=False))
    assert cycle(master) == []
    end(master, first)
    assert cycle(master) == [task_id]


def test_the_end_of_a_cancelled_or_expired_task_counts(master: OneThreadMaster, clock: ManualClock) -> None:
    waiting = master.submit(replace(a_spec(), limits=Limits(queue_s=5)), replace(a_spec(), hold=True))
    first = master.submit(replace(a_spec(), hold=True, limits=Limits(queue_s=5)))
    expired = master.submit(after(first), after(Dependency(first, FAIL)))
    cancelled = master.submit(after(waiting + 1), after(Dependency(waiting + 1, ANY)))
    master.cancel(waiting + 1)
    assert state(master, cancelled) == [SKIPPED]
    assert master.task(cancelled).reason.startswith(f"{waiting + 1} was cancelled by ann; ")
    clock.advance(6)
    master.cleanup.run_once(clock.now())
    master.commit()
    assert state(master, first, expired) == [TaskState.EXPIRED, SKIPPED]
    assert set(cycle(master)) == {expired + 1, cancelled + 1}


def test_a_dependent_that_is_cancelled_is_not_skipped_as_well(master: OneThreadMaster) -> None:
    first = master.submit(a_spec())
    task_id = master.submit(after(first))
    cycle(master)
    master.cancel(task_id)
    end(master, first, 1)
    assert state(master, task_id) == [CANCELLED]
    assert not master.state.dependents


def test_what_is_unknown_is_refused(master: OneThreadMaster) -> None:
    with pytest.raises(NotFound, match=r"^after: there is no task 7$") as caught:
        master.submit(a_spec(), after(7))
    assert caught.value.field == "after"
    assert master.submit(a_spec()) == 1


def test_an_array_is_waited_for_as_a_whole_or_by_an_element(master: OneThreadMaster) -> None:
    array_id = master.submit_array(replace(a_spec(), name="sweep"), Array(Indices.parse("0-2"), 1))
    whole, begun = master.submit(after(array_id)), master.submit(after(Dependency(array_id, START)))
    last, failed = master.submit(after(array_id + 3)), master.submit(after(Dependency(array_id, FAIL)))
    assert why_it_waits(master.state, last) == f"waits for {array_id}.2 (PENDING)"
    assert cycle(master) == [array_id + 1]
    assert cycle(master) == []
    master.report(WORKER, started(AttemptRef(array_id + 1, 1)))
    assert begun in cycle(master)
    end(master, array_id + 1, 4)
    for number in (2, 3):
        cycle(master)
        end(master, array_id + number)
    assert state(master, array_id, whole) == [FAILED, SKIPPED]
    assert {failed, last} <= set(cycle(master))
    why = f'{array_id} "sweep" failed: 1 of 3 elements failed; {whole} was skipped for it'
    assert master.task(whole).reason == why


def test_an_element_that_never_began_ends_with_the_rest_of_its_array(master: OneThreadMaster) -> None:
    array_id = master.submit_array(a_spec(), Array(Indices.parse("0-9"), 1))
    cycle(master)
    last, running = master.submit(after(array_id + 10)), master.submit(after(array_id + 1))
    master.cancel(array_id)
    assert state(master, last, running) == [SKIPPED, PENDING]
    assert master.task(last).reason == f"{array_id}.9 was cancelled by ann; {last} was skipped for it"
    master.report(WORKER, ended(AttemptRef(array_id + 1, 1), 0))
    assert cycle(master) == [running]


def test_an_array_that_is_skipped_is_skipped_as_a_whole_and_with_what_follows_it(
    master: OneThreadMaster,
) -> None:
    first = master.submit(a_spec())
    array_id = master.submit_array(after(first), Array(Indices.parse("0-2")))
    then, one = master.submit(after(array_id)), master.submit(after(array_id + 2))
    master.apply(Update(Request("bob", "h", ""), array_id + 1, held=True))  # it has a record now
    cycle(master)
    end(master, first, 3)
    assert state(master, *range(array_id, array_id + 4), then, one) == [SKIPPED] * 6
    array = master.task(array_id).array
    assert array is not None
    assert array.counts == ((SKIPPED, 3),)
    assert root(master.task(then)) == root(see(master, one)) == f"{first} failed with exit code 3"
    assert len(master.queue) == 0


def test_an_array_waits_and_then_runs_with_its_limit(master: OneThreadMaster) -> None:
    first = master.submit(a_spec())
    array_id = master.submit_array(after(first), Array(Indices.parse("0-9"), 2))
    cycle(master)
    assert why_it_waits(master.state, array_id + 5) == f"waits for {first} (SCHEDULED)"
    end(master, first)
    assert cycle(master) == [array_id + 1, array_id + 2]


def a_chain(master: OneThreadMaster, first: int) -> range:
    for number in range(300):
        master.submit(after(first + number))
    return range(first + 1, first + 301)


def a_fan(master: OneThreadMaster, first: int) -> range:
    start = master.submit(*[after(first)] * 300)
    return range(start, start + 300)


@pytest.mark.parametrize("shape", [a_chain, a_fan])
def test_many_that_follow_hear_in_parts_and_a_killed_master_goes_on(
    master: OneThreadMaster,
    tmp_path: Path,
    clock: ManualClock,
    shape: Callable[[OneThreadMaster, int], range],
) -> None:
    first = master.submit(a_spec())
    following = shape(master, first)
    cycle(master)
    end(master, first, 1)
    skipped = [task_id for task_id in following if master.task(task_id).state is SKIPPED]
    assert skipped == list(following[: engine_module.SETTLED_AT_ONCE])
    master.kill()
    again = OneThreadMaster(tmp_path, clock)
    again.run_cycle()
    tasks = [again.state.tasks[task_id] for task_id in following[len(skipped) :]]
    assert {task.state for task in tasks} == {SKIPPED}
    assert {root(task) for task in tasks} == {f"{first} failed with exit code 1"}
    assert not again.state.dependents.due


def test_a_restarted_master_knows_what_is_waited_for(
    master: OneThreadMaster, tmp_path: Path, clock: ManualClock
) -> None:
    first = master.submit(a_spec())
    array_id = master.submit_array(a_spec(), Array(Indices.parse("0-1"), 1))
    waiting = master.submit(after(first), after(array_id + 2), after(array_id, policy=HOLD))
    again_id = master.submit_array(after(first), Array(Indices.parse("0-1")))
    cycle(master)
    end(master, array_id + 1)
    specs = [master.task(task_id) for task_id in (*range(waiting, waiting + 3), again_id)]
    master.kill()
    again = OneThreadMaster(tmp_path, clock)
    again.register(WORKER)
    assert [again.task(task.id) for task in specs] == specs
    end(again, first)
    assert {waiting, again_id + 1, again_id + 2} < set(cycle(again))
    end(again, array_id + 2)
    assert set(cycle(again)) == {waiting + 1, waiting + 2}


def test_a_task_that_is_in_the_store_alone_is_known_by_what_the_call_found(
    master: OneThreadMaster,
) -> None:
    first = master.submit(a_spec(), a_spec())
    cycle(master)
    end(master, first)
    end(master, first + 1, 2)
    known: dict[int, Task] = {each: master.state.tasks.pop(each) for each in (first, first + 1)}
    specs = (after(first), after(first + 1))
    ids = master.apply(Submit(Request("ann", "x", ""), specs, known))
    assert isinstance(ids, int)
    assert state(master, ids, ids + 1) == [PENDING, SKIPPED]
    with pytest.raises(NotFound, match="no task 1 of yours: it is forgotten"):
        master.submit(*specs)


@pytest.mark.parametrize(
    ("after", "words"),
    [
        ((Dependency(41),), "waits for 41"),
        ((Dependency(41), Dependency(42)), "waits for 41 and 1 other"),
        ((Dependency(41, ANY), Dependency(42), Dependency(43)), "waits for 41 and 2 others"),
    ],
)
def test_what_is_said_of_one_that_waits(after: tuple[Dependency, ...], words: str) -> None:
    assert why_aside(Waits(after=after), Waits()) == why_aside(Waits(), Waits("", 5, after=after)) == words
    assert why_aside(Waits("bob", 0, after=after), Waits()).startswith("held by bob")


def test_tasks_of_one_call_may_be_after_each_other(master: OneThreadMaster) -> None:
    failed = master.submit(a_spec())
    cycle(master)
    end(master, failed, 1)
    last, middle, first = (after(-2), after(-3, Dependency(failed, ANY)), after(failed, policy=RUN))
    ids = master.submit(last, middle, first, after(-5), after(failed))
    assert [master.task(ids + n).spec.after for n in (0, 1)] == [
        (Dependency(ids + 1),),
        (Dependency(ids + 2), Dependency(failed, ANY)),
    ]
    assert state(master, ids + 3, ids + 4) == [SKIPPED, SKIPPED]
    for expected in (ids + 2, ids + 1, ids):
        assert cycle(master) == [expected]
        end(master, expected)


@pytest.mark.parametrize(
    ("specs", "words"),
    [
        ([after(-1)], "specs: tasks wait for each other: -1 before -1"),
        ([a_spec(), after(-3)], r"specs\[1\].after names the task -3 of this call, which has 2"),
        ([after(*range(1, 1001))] * 21, "specs: after names 21000 tasks in one call; at most 20000"),
        (
            [after(-2, name="a"), after(-3), after(-1, 7)],
            'specs: tasks wait for each other: -1 "a" before -3 before -2 before -1 "a"',
        ),
    ],
)
def test_circles_are_refused_by_name(specs: list[TaskSpec], words: str) -> None:
    with pytest.raises(Invalid, match=words):
        check_order(specs)
    check_order([after(-2), a_spec(), after(-1, -2)])
