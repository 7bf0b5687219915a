"""This module tests whose outputs the master stores, for how long, and what it shows of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ganger_core.domain.clock import ManualClock
from ganger_core.domain.errors import StaleAttempt
from ganger_core.domain.outputs import Outputs, Publish
from ganger_core.domain.published import Published
from ganger_core.domain.task import AttemptRef
from ganger_master.changes import Forget
from ganger_master.store.rows import spec_from_json, spec_to_json
from testkit.builders import a_spec, a_worker, ended, lost, outputs_of, started
from testkit.one_thread import OneThreadMaster

WORKER = a_worker()
FIRST, SECOND = AttemptRef(1, 1), AttemptRef(1, 2)


@pytest.fixture
def master(tmp_path: Path) -> OneThreadMaster:
    master = OneThreadMaster(tmp_path, ManualClock())
    master.register(WORKER)
    return master


def run(master: OneThreadMaster, policy: Publish = Publish.ON_SUCCESS) -> AttemptRef:
    """A task of this policy that has started; its first attempt."""
    master.submit(replace(a_spec(), publish=policy))
    return again(master)


def again(master: OneThreadMaster) -> AttemptRef:
    master.run_cycle()
    (ref,) = master.deliver(WORKER)
    master.report(WORKER, started(ref))
    return ref


@pytest.mark.parametrize(("policy", "code", "kept"), [
    (Publish.ON_SUCCESS, 0, True), (Publish.ON_SUCCESS, 1, False), (Publish.ALWAYS, 1, True),
    (Publish.NEVER, 0, False),
])  # fmt: skip
def test_outputs_are_stored_as_the_policy_says(
    master: OneThreadMaster, policy: Publish, code: int, kept: bool
) -> None:
    ref = run(master, policy)
    master.report(WORKER, ended(ref, code, outputs=outputs_of(ref)))
    stored = {1: Published(ref, WORKER.id, "w1", outputs_of(ref))} if kept else {}
    assert master.published() == stored


def test_a_late_attempt_neither_replaces_outputs_nor_reports_any(master: OneThreadMaster) -> None:
    run(master)
    master.report(WORKER, lost(FIRST))
    assert again(master) == SECOND
    with pytest.raises(StaleAttempt):
        master.report(WORKER, ended(FIRST, outputs=outputs_of(FIRST)))
    assert master.published() == {}
    master.report(WORKER, ended(SECOND, outputs=outputs_of(SECOND)))
    for late in (FIRST, SECOND):  # its own report, too, counts once
        with pytest.raises(StaleAttempt):
            master.report(WORKER, ended(late, outputs=Outputs(result='"late"')))
    assert master.published()[1].outputs == outputs_of(SECOND)


def test_no_other_worker_reports_outputs(master: OneThreadMaster) -> None:
    ref = run(master)
    with pytest.raises(StaleAttempt, match="not this worker's"):
        master.report(a_worker("w2"), ended(ref, outputs=outputs_of(ref)))
    assert master.published() == {}


def test_outputs_are_stored_before_the_log_is_whole_and_go_with_the_task(
    master: OneThreadMaster, tmp_path: Path
) -> None:
    ref = run(master)
    master.report(WORKER, ended(ref, outputs=outputs_of(ref)), log_complete=False)
    master.kill()
    master = OneThreadMaster(tmp_path, master.clock)
    assert master.published()[1].outputs == outputs_of(ref)
    master.apply(Forget(task_ids=(1,)))
    assert master.published() == {1: Published(ref, WORKER.id, "w1", outputs_of(ref))}  # it is not over
    master.kill()


def test_forgotten_tasks_have_no_outputs(master: OneThreadMaster) -> None:
    ref = run(master)
    master.report(WORKER, ended(ref, outputs=outputs_of(ref)))
    master.apply(Forget(task_ids=(1,)))
    assert master.published() == {}


def test_a_policy_is_stored_and_the_default_leaves_old_digests_as_they_were() -> None:
    assert "publish" not in spec_to_json(a_spec())
    for policy in Publish:
        spec = replace(a_spec(), publish=policy)
        assert spec_from_json(spec_to_json(spec)) == spec
