"""This module checks when an array counts as begun, for those that are to run once it has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ganger_core.domain.array import Array, Indices
from ganger_core.domain.clock import ManualClock
from ganger_core.domain.dependency import Dependency, DependencyKind, OnDependencyFailure
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import AttemptRef
from testkit.builders import a_spec, a_worker, ended, started
from testkit.one_thread import OneThreadMaster

WORKER = a_worker("w1", cpus=1)
ARRAY = Array(Indices.parse("0-3"))


def after_its_start(master: OneThreadMaster, task_id: int) -> TaskState:
    """What becomes of a task that is to run once this one has begun."""
    spec = replace(a_spec(), after=(Dependency(task_id, DependencyKind.START),))
    return master.task(master.submit(spec)).state


def test_an_array_that_failed_for_others_has_not_begun(tmp_path: Path) -> None:
    master = OneThreadMaster(tmp_path, ManualClock())
    master.register(WORKER)
    failed = master.submit(a_spec())
    master.run_cycle()
    master.report(WORKER, ended(AttemptRef(failed, 1), 1))
    for kind in (DependencyKind.OK, DependencyKind.START):
        spec = replace(a_spec(), after=(Dependency(failed),), on_dependency_failure=OnDependencyFailure.FAIL)
        array_id = master.submit_array(spec, ARRAY)
        assert (master.task(array_id).state, master.task(array_id).started_ms) == (TaskState.FAILED, 0), kind
        assert after_its_start(master, array_id) is TaskState.SKIPPED


def test_an_array_has_begun_with_the_first_process_of_an_element(tmp_path: Path) -> None:
    clock = ManualClock()
    master = OneThreadMaster(tmp_path, clock)
    master.register(WORKER)
    array_id = master.submit_array(a_spec(), ARRAY)
    master.run_cycle()
    first = AttemptRef(array_id + 1, 1)
    assert (master.task(array_id).state, master.task(array_id).started_ms) == (TaskState.RUNNING, 0)
    clock.advance(5)
    master.report(WORKER, started(first))
    began_ms = master.task(array_id).started_ms
    assert began_ms == clock.now().wall_ms
    clock.advance(5)
    master.report(WORKER, ended(first, 1))
    master.cancel(array_id)
    assert (master.task(array_id).state, master.task(array_id).started_ms) == (TaskState.FAILED, began_ms)
    assert after_its_start(master, array_id) is TaskState.PENDING
    master.kill()
    again = OneThreadMaster(tmp_path, clock)
    assert len(again.queue) == 1, "it runs once there is room"
