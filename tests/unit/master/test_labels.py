"""This module tests labels and names in the store: how they are kept, and which tasks are found by them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ganger_core.domain.array import Array, Indices
from ganger_core.domain.clock import ManualClock
from ganger_core.domain.selection import Selection
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import TaskSpec
from ganger_master.changes import Forget
from ganger_master.store.reader import StoreReader
from ganger_master.store.rows import spec_from_json, spec_to_json
from testkit.builders import a_spec
from testkit.one_thread import OneThreadMaster


def labelled(name: str = "", **labels: str) -> TaskSpec:
    return replace(a_spec(name=name), labels=tuple(sorted(labels.items())))


@pytest.fixture
def master(tmp_path: Path) -> Iterator[OneThreadMaster]:
    one = OneThreadMaster(tmp_path, ManualClock())
    yield one
    one.kill()


def test_a_spec_without_labels_is_written_as_before_and_one_with_them_is_read_back() -> None:
    assert "labels" not in spec_to_json(a_spec())
    full = labelled(project="vision", exp="ü 7")
    assert spec_from_json(spec_to_json(full)) == full


def test_labels_are_kept_over_a_restart_and_elements_have_their_arrays(
    master: OneThreadMaster, tmp_path: Path
) -> None:
    spec = labelled(project="vision")
    task_id, array_id = master.submit(spec), master.submit_array(spec, Array(Indices.parse("0-3")))
    master.kill()
    again = OneThreadMaster(tmp_path, ManualClock())
    assert [again.task(each).spec.labels for each in (task_id, array_id, array_id + 2)] == [spec.labels] * 3
    again.kill()


def found(reader: StoreReader, chosen: Selection, **options: object) -> list[int]:
    how: dict[str, object] = {"before": 2**62, "limit": 99, "owner": "", "states": (), "ids": ()} | options
    return [task.id for task, _ in reader.tasks(chosen=chosen, **how)]  # type: ignore[arg-type]


@pytest.fixture
def reader(master: OneThreadMaster) -> Iterator[StoreReader]:
    """Tasks 1 to 5, the array 6 with the elements 7 to 10, of which 7 has a row, and task 11 of somebody else."""
    master.submit(
        labelled("train", project="vision", exp="7"),
        labelled("train-2", project="vision"),
        labelled("Train", project="speech", exp="7"),
        labelled("träin", exp="7"),
        a_spec(),
    )
    master.submit_array(labelled("train", project="vision"), Array(Indices.parse("0-3")))
    master.cancel(7)
    master.submit(labelled("train", project="vision"), owner="bob")
    one = StoreReader(master.path)
    yield one
    one.close()


@pytest.mark.parametrize(
    ("chosen", "ids"),
    [
        (Selection(), [11, 6, 5, 4, 3, 2, 1]),
        (Selection((("project", "vision"),)), [11, 6, 2, 1]),
        (Selection((("exp", "7"),)), [4, 3, 1]),
        (Selection((("exp", "7"), ("project", "vision"))), [1]),
        (Selection((("exp", "8"),)), []),
        (Selection((("vision", "project"),)), []),
        (Selection(name="train"), [11, 6, 1]),
        (Selection(name_prefix="train"), [11, 6, 2, 1]),
        (Selection(name_prefix="tr"), [11, 6, 4, 2, 1]),
        (Selection(name_prefix="trä"), [4]),
        (Selection(name_prefix="%"), []),
        (Selection(name="train", name_prefix="train-"), []),
        (Selection((("project", "vision"),), name_prefix="train-"), [2]),
        (Selection((("project", "vision"), ("exp", "7")), "train"), [1]),
    ],
)
def test_tasks_and_arrays_are_found_by_labels_and_names(
    reader: StoreReader, chosen: Selection, ids: list[int]
) -> None:
    assert found(reader, chosen) == ids
    assert found(reader, chosen, ids=range(1, 12)) == sorted(
        {*ids, *([7, 8, 9, 10] if 6 in ids else [])} if chosen != Selection() else range(1, 12), reverse=True
    )
    elements = reader.elements(6, before=2**62, limit=99, owner="", states=(), chosen=chosen)
    assert [task.id for task, _ in elements] == ([10, 9, 8, 7] if 6 in ids else [])


def test_what_is_chosen_comes_by_pages_of_one_owner_and_state(
    master: OneThreadMaster, reader: StoreReader
) -> None:
    vision = Selection((("project", "vision"),))
    assert found(reader, vision, limit=2) == [11, 6]
    assert found(reader, vision, limit=2, before=6) == [2, 1]
    assert found(reader, vision, ids=[2, 3, 9], limit=1) == [9]
    assert found(reader, vision, ids=[2, 3], limit=1) == [2]
    assert found(reader, vision, owner="ann") == [6, 2, 1]
    assert found(reader, Selection(name="train"), owner="bob") == [11]
    master.cancel(2)
    assert found(reader, vision, states=[TaskState.CANCELLED]) == [2]
    assert found(reader, Selection(name_prefix="t"), states=[TaskState.CANCELLED]) == [2]


def test_labels_are_forgotten_with_their_task(master: OneThreadMaster, reader: StoreReader) -> None:
    def kept() -> int:
        return int(master._db.execute("SELECT count(*) FROM labels").fetchone()[0])

    before = kept()
    assert before == 8  # none of an element
    master.cancel(1)
    master.apply(Forget(task_ids=(1,)))
    assert kept() == before - 2
    assert found(reader, Selection((("exp", "7"),))) == [4, 3]


@pytest.mark.parametrize(
    ("chosen", "index"),
    [
        (Selection((("a", "1"),)), "labels_by_value (key=? AND value=?"),
        (Selection((("a", "1"), ("b", "2"))), "labels_by_value (key=? AND value=?"),
        (Selection(name="n"), "tasks_named ("),
        (Selection(name_prefix="n"), "tasks_named ("),
    ],
)
def test_a_choice_is_answered_by_an_index(
    reader: StoreReader, monkeypatch: pytest.MonkeyPatch, chosen: Selection, index: str
) -> None:
    real, plans = reader._db(), []

    class Explaining:
        def execute(self, query: str, values: tuple[object, ...]) -> list[tuple[object, ...]]:
            plans.append([row[3] for row in real.execute(f"EXPLAIN QUERY PLAN {query}", values)])
            return []

    monkeypatch.setattr(reader, "_db", Explaining)
    found(reader, chosen)
    (plan,) = plans
    assert index in plan[0]
    if chosen.labels:
        assert "USE TEMP B-TREE FOR ORDER BY" not in plan
