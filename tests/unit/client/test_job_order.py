"""This module checks in which order the tasks of a job file are handed in, and what runs of files are called."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganger.build import task_spec
from ganger.jobfile.after import resolved
from ganger.jobfile.job import After, Elements, Entry, Job, batches
from ganger.jobfile.submission import check_run, moment_of, run_id_of
from ganger_core.domain.array import Indices
from ganger_core.domain.errors import Invalid

SPEC = task_spec(["x"])
ELEMENTS = Elements(Indices.first(2), None, 0, None)


def entry(*after: int, is_array: bool = False) -> Entry:
    waits = tuple(After("ok", position=position) for position in after)
    return Entry(("x",), {}, SPEC, ELEMENTS if is_array else None, waits)


def test_what_waits_for_nothing_is_one_call_and_each_array_another() -> None:
    assert list(batches([entry(), entry(is_array=True), entry(), entry(is_array=True)])) == [
        (0, 2),
        (1,),
        (3,),
    ]
    assert list(batches([])) == []


def test_what_waits_for_an_array_comes_after_it_and_tasks_that_wait_for_tasks_go_with_them() -> None:
    entries = [entry(3), entry(), entry(1), entry(2, is_array=True), entry(0)]
    assert list(batches(entries)) == [(1, 2), (3,), (0, 4)]


@st.composite
def acyclic(draw: st.DrawFn) -> list[Entry]:
    count = draw(st.integers(0, 12))
    order = draw(st.permutations(range(count)))
    found: dict[int, Entry] = {}
    for place, number in enumerate(order):
        earlier = st.lists(st.sampled_from(order[:place]), max_size=3, unique=True) if place else st.just([])
        found[number] = entry(*draw(earlier), is_array=draw(st.booleans()))
    return [found[number] for number in range(count)]


@settings(deadline=None)
@given(acyclic())
def test_everything_is_handed_in_once_after_what_it_waits_for(entries: list[Entry]) -> None:
    done: list[int] = []
    for batch in batches(entries):
        assert len(batch) == 1 or all(entries[number].array is None for number in batch)
        for number in batch:
            assert {each.position for each in entries[number].after} <= {*done, *batch}
        done += batch
    assert sorted(done) == list(range(len(entries)))


def job(digest: str) -> Job:
    return Job("job.yaml", "", digest, ())


def test_a_run_is_known_by_its_moment_and_its_files() -> None:
    moment = datetime(2026, 12, 24, 8, 0, 5, tzinfo=UTC)
    run_id = run_id_of(moment, "1f0c9a3e", [job("a")])
    assert run_id.startswith("20261224T080005Z-1f0c9a3e-")
    assert moment_of(run_id) == moment
    check_run(run_id, [job("a")])
    with pytest.raises(Invalid, match="these have changed since"):
        check_run(run_id, [job("b")])


@pytest.mark.parametrize(
    "text", ["", "x", "20261324T080005Z-1f0c9a3e-77aa01b2", "20261224T080005Z-1f0c9a3e-77"]
)
def test_what_is_no_run_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="is no run: they are called like"):
        moment_of(text)


def test_nobody_waits_while_nothing_is_said() -> None:
    from ganger.jobfile.problems import Problems

    problems = Problems("x")
    assert resolved([("a", None), None, ("", None)], problems) == [(), (), ()]
    assert not problems
