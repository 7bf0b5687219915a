"""This module tests labels and names in the store: how they are kept, and which tasks are found by them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ganger_core.domain.array import Array, Indices
from ganger_core.domain.clock import ManualClock
from ganger_core.domain.task import TaskSpec
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
