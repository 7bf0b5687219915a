"""This module checks what the store gives and forgets of arrays, on a master in one thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ganger_core.domain.array import Array, Indices, Items
from ganger_core.domain.clock import ManualClock
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import AttemptRef
from ganger_master.changes import Forget
from ganger_master.store.aged import AgedRows
from ganger_master.store.reader import StoreReader
from testkit.builders import a_spec, a_worker, ended
from testkit.one_thread import OneThreadMaster

WORKER = a_worker("w1", cpus=4)
PENDING, SUCCEEDED, CANCELLED = TaskState.PENDING, TaskState.SUCCEEDED, TaskState.CANCELLED


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def master(tmp_path: Path, clock: ManualClock) -> OneThreadMaster:
    master = OneThreadMaster(tmp_path, clock)
    master.register(WORKER)
    return master


def an_array(text: str) -> Array:
    return Array(Indices.parse(text))


def run_four(master: OneThreadMaster) -> Sequence[AttemptRef]:
    """As many elements as the worker has room for run and are over."""
    master.run_cycle()
    refs = master.deliver(WORKER)
    master.report(WORKER, *(ended(ref) for ref in refs))
    return refs


def test_elements_are_kept_as_long_as_their_array_lives(master: OneThreadMaster, clock: ManualClock) -> None:
    array_id = master.submit_array(a_spec(), an_array("0-9"))
    refs = run_four(master)
    old = AgedRows(master.path)
    later_ms = clock.now().wall_ms + 1
    assert old.tasks({SUCCEEDED: later_ms}, 100) == ()
    master.apply(Forget(task_ids=tuple(ref.task_id for ref in refs)))
    kept = master._db.execute("SELECT count(*) FROM tasks WHERE array_id > 0").fetchone()
    assert kept == (4,)
    master.cancel(array_id)
    assert set(old.tasks({SUCCEEDED: later_ms}, 100)) == {ref.task_id for ref in refs}
    old.close()


def test_the_store_gives_elements_without_rows_and_not_those_forgotten(master: OneThreadMaster) -> None:
    items = Items.of(f"item {n}" for n in range(6))
    array_id = master.submit_array(a_spec(), replace(an_array("0-5"), items=items.digest), items)
    refs = run_four(master)
    reader = StoreReader(master.path)
    first = reader.elements(array_id, before=2**62, limit=3, owner="", states=())
    assert [(task.index, task.state, worker) for task, worker in first] == [
        (5, PENDING, ""),
        (4, PENDING, ""),
        (3, SUCCEEDED, "w1"),
    ]
    waiting = reader.elements(array_id, before=2**62, limit=9, owner="ann", states=[PENDING])
    assert [task.index for task, _ in waiting] == [5, 4]
    assert reader.elements(array_id, before=2**62, limit=9, owner="bob", states=()) == []
    assert [task.id for task, _ in reader.tasks(before=2**62, limit=9, owner="", states=(), ids=())] == [
        array_id
    ]
    named = reader.tasks(before=2**62, limit=9, owner="", states=(), ids=[array_id + 6, array_id + 1, 999])
    assert [task.id for task, _ in named] == [array_id + 6, array_id + 1]
    assert named[0][0].spec.env[-1] == ("GANGER_ARRAY_ITEM", "item 5")
    master.cancel(array_id)
    master.apply(Forget(task_ids=(refs[0].task_id,)))
    assert reader.task(refs[0].task_id) is None
    rest = reader.task(array_id + 6)
    assert rest is not None
    assert rest.state is CANCELLED
    reader.close()


def test_items_are_forgotten_with_the_last_array_that_has_them(master: OneThreadMaster) -> None:
    items = Items.of(["a", "b"])
    array = replace(an_array("0-1"), items=items.digest)
    first, second = master.submit_array(a_spec(), array, items), master.submit_array(a_spec(), array, items)

    def kept() -> int:
        return int(master._db.execute("SELECT count(*) FROM items").fetchone()[0])

    for left, array_id in ((1, first), (0, second)):
        master.cancel(array_id)
        master.apply(Forget(task_ids=(array_id,)))
        assert kept() == left
