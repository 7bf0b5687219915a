"""This module checks in which order the tasks of a job file are handed in, and what runs of files are called."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganger.build import task_spec
from ganger.jobfile.after import Named, resolved
from ganger.jobfile.job import After, Elements, Entry, Job, batches
from ganger.jobfile.problems import Problems
from ganger.jobfile.reading import Setting, read_job
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


HEAD = "apiVersion: ganger/v1\n"
AFTER = (
    HEAD
    + "kind: Tasks\ntasks:\n- {name: a, command: [x]}\n- {name: b, command: [x], array: {indices: 1-2}}\n"
)


def read(text: str) -> Job:
    return read_job(text.encode(), "job.yaml", Setting("/", datetime.now(UTC)), is_toml=False)


def refusal(text: str) -> str:
    with pytest.raises(Invalid) as caught:
        read(text)
    return caught.value.message


def test_tasks_wait_for_others_by_their_names_and_ids() -> None:
    job = read(AFTER + "- {command: [x], after: [a, any:b, 41, fail:42]}\n- {command: [x], after: start:a}\n")
    assert [entry.after for entry in job.entries] == [
        (),
        (),
        (After("ok", position=0), After("any", position=1), After("ok", 41), After("fail", 42)),
        (After("start", position=0),),
    ]


@pytest.mark.parametrize(
    ("after", "why"),
    [
        ("[c]", "tasks[2].after: 'c': there is no such task in this file"),
        ("prepp", "tasks[2].after: 'prepp': there is no such task in this file; did you mean prep?"),
        ("same", "tasks[2].after: 'same': several tasks of this file are called so"),
        ("each:b", "tasks[2].after: 'each:b': each goes element by element, and this is no array"),
        ("[a, ok:a]", "tasks[2].after: names a task twice"),
        ("0", "tasks[2].after: 0 is no id of a task"),
    ],
)
def test_names_that_no_task_has_are_refused(after: str, why: str) -> None:
    text = (
        AFTER
        + f"- {{command: [x], after: {after}}}\n"
        + "".join(f"- {{name: {name}, command: [x]}}\n" for name in ("prep", "same", "same"))
    )
    assert refusal(text).startswith(f"job.yaml, line 6: {why}")


def test_arrays_wait_for_arrays_element_by_element() -> None:
    (*_, last) = read(AFTER + "- {command: [x], array: {indices: '2,1'}, after: 'each:b'}\n").entries
    assert last.after == (After("each", position=1),)
    for wrong in ("array: {indices: 1-3}, after: 'each:b'", "array: {indices: 1-2}, after: 'each:a'"):
        assert "each needs an array with the same indices as this one's" in refusal(
            AFTER + f"- {{command: [x], {wrong}}}\n"
        )


def test_names_of_tasks_that_could_not_be_read_are_not_said_to_be_missing() -> None:
    text = HEAD + "kind: Tasks\ntasks:\n- {name: a, command: []}\n- {command: [x], after: a}\n"
    assert refusal(text) == "job.yaml, line 4: tasks[0].command: is empty: say which program to run"


def test_tasks_that_wait_for_each_other_are_refused_by_name() -> None:
    text = (
        HEAD
        + "kind: Tasks\ntasks:\n- {name: a, command: [x], after: b}\n- {name: b, command: [x], after: a}\n"
    )
    assert refusal(text) == "job.yaml: after: tasks wait for each other: a before b before a"
    many = "".join(f"- {{name: t{n}, command: [x], after: t{(n + 1) % 50}}}\n" for n in range(50))
    assert re.search(
        r": (t\d+ before ){3}… before t\d+ before t\d+$", refusal(HEAD + "kind: Tasks\ntasks:\n" + many)
    )
    alone = HEAD + "kind: Task\nname: a\ncommand: [x]\nafter: a"
    assert refusal(alone) == "job.yaml: after: tasks wait for each other: a before a"


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
    problems = Problems("x")
    assert resolved([Named("a", None, None), None, Named("", None, None)], problems) == [(), (), ()]
    assert not problems
