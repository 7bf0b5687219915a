"""This module checks what an operator's word about workers does: cordon, resume, who is meant, what outlasts it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ganger_core.domain.array import Array, Indices
from ganger_core.domain.clock import ManualClock
from ganger_core.domain.cordon import Cordon
from ganger_core.domain.errors import AlreadyExists, Conflict, NotFound
from ganger_core.domain.states import AttemptState, TaskState
from ganger_core.domain.task import (
    AttemptRef,
    OnWorkerLost,
    Outcome,
    OutcomeKind,
    Report,
    ReportKind,
    RevokeOrder,
    StopOrder,
    TaskSpec,
    WorkerProfile,
    WorkerUsage,
)
from ganger_master.changes import Change, Evict, Request, SettleLog, Tell
from ganger_master.cordons import is_leaving
from ganger_master.fencing import cordoning, find_workers
from ganger_master.moves import awaiting_logs
from ganger_master.state import Rules, State
from ganger_master.transitions import step
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


def overdue(master: OneThreadMaster, *specs: TaskSpec, cordon: Cordon | None = None) -> list[AttemptRef]:
    """These run on w1, whose drain is out of time: what is left is told to stop."""
    refs = running(master, W1, *specs)
    master.orders.clear()
    now_ms = master.clock.now().wall_ms
    say(master, cordon or replace(CORDON, drains=True, since_ms=now_ms, deadline_ms=now_ms + 60_000), W1)
    sweep_after(master, 59)
    assert master.orders == []
    sweep_after(master, 1)
    return refs


def sweep_after(master: OneThreadMaster, seconds: float) -> None:
    master.clock.advance(seconds)
    for worker in (W1, W2):
        held = [ref for ref, _ in master.registry.held(worker.id)]
        master.registry.heartbeat(worker.id, WorkerUsage(), held, master.clock.now().steady_s)
    master.cleanup.run_once(master.clock.now())
    master.commit()


def stopped(ref: AttemptRef, kind: OutcomeKind = OutcomeKind.CANCELLED) -> Report:
    """Its worker ended it as it was told to."""
    return replace(ended(ref), outcome=Outcome(kind, 143, 15, "as told"))


WHY = "w1 is being drained by ann: new driver, and its deadline is over"


def test_what_is_left_at_the_deadline_is_stopped_and_waits_again_as_if_nothing_had_been(
    master: OneThreadMaster,
) -> None:
    spec = replace(a_spec(cpus=2), on_worker_lost=OnWorkerLost.FAIL)
    (ref,) = overdue(master, spec)
    ((worker_id, order),) = master.orders
    assert (worker_id, order) == ("id-w1", StopOrder(ref, 30, WHY, 15))
    assert (master.task(1).state, master.task(1).reason) == (TaskState.STOPPING, WHY)
    sweep_after(master, 10)
    assert len(master.orders) == 1  # told once
    before = master.task(1)
    master.report(W1, stopped(ref))
    task, attempt = master.task(1), master.state.attempts[1]
    assert (task.state, task.crashes, task.started_ms) == (TaskState.PENDING, 0, 0)
    assert task.reason == f"attempt 1 on w1 was stopped: {WHY}"
    assert attempt.outcome == Outcome(OutcomeKind.DRAINED, 143, 15, WHY)
    assert states(master)["w1"] == "DRAINED"
    master.run_cycle()
    assert master.task(1).state is TaskState.PENDING  # too large for the other worker
    assert master.task(1).submitted_ms == before.submitted_ms
    say(master, None, W1)
    master.run_cycle()
    assert master.state.attempts[1].ref == AttemptRef(1, 2)


def test_a_deadline_that_is_over_at_once_waits_for_no_sweep(master: OneThreadMaster) -> None:
    running(master, W1, a_spec())
    master.submit(a_spec())
    master.run_cycle()  # its order has not left
    now_ms = master.clock.now().wall_ms
    say(master, Cordon("ann", "", now_ms, drains=True, deadline_ms=now_ms), W1)
    assert [master.task(task_id).state for task_id in (1, 2)] == [TaskState.STOPPING, TaskState.PENDING]


def test_a_drained_attempt_that_ended_by_itself_counts_as_it_ended(master: OneThreadMaster) -> None:
    one, two, three = overdue(master, *[a_spec(cpus=0.5)] * 3)
    master.report(W1, ended(one), ended(two, 3), stopped(three, OutcomeKind.UNKILLABLE))
    found = [(task.state, task.outcome.kind) for task in map(master.task, (1, 2, 3)) if task.outcome]
    assert found == [
        (TaskState.SUCCEEDED, OutcomeKind.OK),
        (TaskState.FAILED, OutcomeKind.EXIT_NONZERO),
        (TaskState.FAILED, OutcomeKind.UNKILLABLE),  # something of it lives: it must not run a second time
    ]


@pytest.mark.parametrize("kind", [ReportKind.REVOKED, ReportKind.REJECTED, ReportKind.LOST])
def test_a_drained_attempt_that_never_ran_or_is_lost_costs_its_task_nothing(
    master: OneThreadMaster, kind: ReportKind
) -> None:
    (ref,) = overdue(master, replace(a_spec(), on_worker_lost=OnWorkerLost.FAIL))
    master.report(W1, Report(ref, kind, message="gone", started_age_s=1.0))
    task = master.task(1)
    assert (task.state, task.crashes, task.outcome) == (TaskState.PENDING, 0, None)
    assert WHY in task.reason or kind is ReportKind.LOST
    master.run_cycle()
    assert master.state.attempts[1].worker_name == "w2"


@pytest.mark.parametrize("log_complete", [True, False])
def test_whoever_cancels_meanwhile_wins(master: OneThreadMaster, log_complete: bool) -> None:
    (ref,) = overdue(master, a_spec())
    if not log_complete:
        master.report(W1, stopped(ref), log_complete=False)
        assert master.task(1).state is TaskState.STOPPING  # until its log is whole
    assert master.cancel(1, "enough") == "STOPPING"
    assert master.task(1).reason == "cancelled by ann: enough"
    if log_complete:
        master.report(W1, stopped(ref))
    else:
        master.apply(SettleLog(ref, incomplete=False))
    task = master.task(1)
    assert task.state is TaskState.CANCELLED
    assert task.outcome is not None
    assert (task.outcome.kind, task.outcome.message) == (OutcomeKind.CANCELLED, "cancelled by ann: enough")
    assert master.state.attempts[1].outcome is not None
    assert master.state.attempts[1].outcome.kind is OutcomeKind.CANCELLED


def test_a_drained_attempt_waits_for_its_log_before_its_task_waits_again(
    tmp_path: Path, master: OneThreadMaster, clock: ManualClock
) -> None:
    (ref,) = overdue(master, a_spec())
    master.report(W1, stopped(ref), log_complete=False)
    assert master.task(1).state is TaskState.STOPPING
    master.kill()
    again = OneThreadMaster(tmp_path, clock)
    again.apply(SettleLog(ref, incomplete=True))
    assert again.task(1).state is TaskState.PENDING
    outcome = again.state.attempts[1].outcome
    assert outcome is not None
    assert (outcome.kind, outcome.log_incomplete) == (OutcomeKind.DRAINED, True)
    again.kill()


def test_a_task_that_waits_again_awaits_no_log_of_its_drained_attempt(master: OneThreadMaster) -> None:
    (ref,) = overdue(master, a_spec(cpus=2))
    master.report(W1, stopped(ref))
    assert master.engine.awaiting_log(ref) is None
    assert master.engine.look(awaiting_logs) == []
    master.apply(SettleLog(ref, incomplete=True))  # decided before it waited again
    assert master.task(1).state is TaskState.PENDING


def test_a_cancel_is_still_known_as_one_when_its_log_comes_late(master: OneThreadMaster) -> None:
    (ref,) = running(master, W1, a_spec())
    master.cancel(1, "enough")
    master.report(W1, stopped(ref), log_complete=False)
    master.apply(SettleLog(ref, incomplete=False))
    assert master.task(1).reason == "cancelled by ann: enough"


def test_what_goes_behind_others_is_asked_back_at_the_deadline_too(master: OneThreadMaster) -> None:
    state, now = master.state, master.clock.now()
    (ref,) = running(master, W1, a_spec())
    state.attempts[1] = state.attempts[1]._replace(behind=True, state=AttemptState.ASSIGNED)
    change, _ = step(state, Rules(300, 30), Evict(ref, WHY), now)
    assert [type(effect.order) for effect in change.effects if isinstance(effect, Tell)] == [RevokeOrder]
    assert is_leaving(replace_attempt(state, change), ref)


def replace_attempt(state: State, change: Change) -> State:
    (attempt,) = change.attempts
    state.attempts[attempt.ref.task_id] = attempt
    return state


def test_elements_of_arrays_wait_again_and_end_with_their_array(master: OneThreadMaster) -> None:
    array_id = master.submit_array(a_spec(), Array(Indices.parse("0-1")))
    master.run_cycle()
    refs = master.deliver(W1)
    now_ms = master.clock.now().wall_ms
    say(master, Cordon("ann", "", now_ms, drains=True, deadline_ms=now_ms), W1)
    master.report(W1, stopped(refs[0]))
    assert master.task(refs[0].task_id).state is TaskState.PENDING
    assert master.task(array_id).state is TaskState.RUNNING
    assert master.cancel(array_id) == "STOPPING"
    master.report(W1, stopped(refs[1]))
    assert master.task(array_id).state is TaskState.CANCELLED


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
