"""This module checks how arrays are read from options and files, and how they are put into words."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from ganger.cli.array_options import ArrayAsked, lines_of, read_array, read_items, split_limit
from ganger.cli.retry import by_array
from ganger.documents import task_document
from ganger.wording import describe_counts, describe_end, describe_limit, describe_queued, name_of
from ganger_core.domain.array import MAX_ITEM_BYTES, Array, Indices
from ganger_core.domain.errors import Invalid
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import Outcome, OutcomeKind, Task, TaskSpec

KIND, STATE = OutcomeKind, TaskState
PENDING = Task(42, "me", TaskSpec(("x",)), STATE.PENDING, 0, array=Array(Indices.first(100)))


def asked(
    array: str | None = None,
    each_line: str | None = None,
    from_json: str | None = None,
    max_parallel: int | None = None,
    max_fails: int | None = None,
) -> ArrayAsked | None:
    return read_array(array, each_line, from_json, max_parallel, max_fails)


def test_options_that_make_an_array() -> None:
    assert asked() is None
    assert asked("0-9") == ArrayAsked(Indices.first(10), None, 0, None)
    assert asked("0-9%3", max_fails=0) == ArrayAsked(Indices.first(10), None, 3, 0)
    assert asked("1,7-8", max_parallel=2) == ArrayAsked(Indices.parse("1,7-8"), None, 2, None)


def test_files_that_make_an_array(tmp_path: Path) -> None:
    lines, values = tmp_path / "lines", tmp_path / "values"
    lines.write_bytes(b"a b\r\n\n c\nend")
    values.write_text('["a", 1, {"ü": [true]}, null]')
    from_lines, from_values = asked(each_line=str(lines), max_parallel=2), asked(from_json=str(values))
    assert from_lines and from_values and from_lines.items and from_values.items  # noqa: PT018
    assert list(from_lines.items) == ["a b", "", " c", "end"]
    assert (str(from_lines.indices), from_lines.max_parallel) == ("0-3", 2)
    assert list(from_values.items) == ["a", "1", '{"ü": [true]}', "null"]


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"a\n", ["a"]),
        (b"a", ["a"]),
        (b"\n", [""]),
        (b"a\n\n", ["a", ""]),
        (b"a\n\nb", ["a", "", "b"]),
        (b"a\r\nb\rc\x0bd", ["a", "b\rc\x0bd"]),
        (b"", []),
    ],
)
def test_lines(data: bytes, lines: list[str]) -> None:
    assert lines_of(data, "f") == lines


def test_items_come_from_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"a\nb\n")))
    assert list(read_items("--each-line", "-")) == ["a", "b"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"array": "0-9", "each_line": "x"}, "--array and --each-line: only one of them"),
        ({"each_line": "", "from_json": ""}, "--each-line and --from-json: only one of them"),
        ({"array": ""}, "--array: '' is no index"),
        ({"array": "0-9,x"}, "--array: 'x' is no index; write 0-99, 0-99:5 or 1,3,7-9"),
        ({"array": "0-1000000"}, "--array: 1000001 elements; at most 1000000 are allowed"),
        ({"array": "0-9%"}, "--array: '' is no number of elements; write 0-9%8 for at most 8 at a time"),
        ({"array": "0-9%0"}, "--array: '0' is no number of elements"),
        ({"array": "0-9%x"}, "--array: 'x' is no number of elements"),
        ({"array": "0-9%2%3"}, "--array: '2%3' is no number of elements"),
        ({"array": "0-9%2", "max_parallel": 2}, "--max-parallel 2 and --array …%2 say the same"),
        ({"array": "%2"}, "--array: '' is no index"),
        ({"max_parallel": 0}, "--max-parallel is for arrays: say also --array, --each-line, --from-json"),
        ({"max_fails": 0}, "--max-fails is for arrays"),
    ],
)
def test_options_that_make_none(options: dict[str, object], said: str) -> None:
    with pytest.raises(Invalid) as refused:
        asked(**options)  # type: ignore[arg-type]
    assert said in refused.value.message


@pytest.mark.parametrize(
    ("option", "data", "said"),
    [
        ("--each-line", b"", "it is empty, and an array has at least one element"),
        ("--each-line", b"a\nb\n\xff\n", "line 3 is no UTF-8 text"),
        ("--each-line", b"a\nb\0\n", "--each-line[1] holds a NUL character"),
        ("--each-line", b"x" * (MAX_ITEM_BYTES + 1), f"--each-line[0] has {MAX_ITEM_BYTES + 1} bytes"),
        ("--from-json", b"[]", "it is empty, and an array has at least one element"),
        ("--from-json", b"", "no JSON: Expecting value"),
        ("--from-json", b'["a",]', "no JSON: "),
        ("--from-json", b'{"a": 1}', "the JSON must be a list with something for each element"),
        ("--from-json", b'"a"', "the JSON must be a list"),
        ("--from-json", b"[" * 200_000, "no JSON: "),
        ("--from-json", b'"\xff"', "no JSON: "),
        ("--from-json", b"[1, NaN]", "--from-json[1] is neither text nor can it be written as JSON"),
        ("--from-json", b'["\\ud800"]', "--from-json[0] holds bytes that are not UTF-8"),
        ("--from-json", b'["a\\u0000"]', "--from-json[0] holds a NUL character"),
    ],
)
def test_files_that_make_none(tmp_path: Path, option: str, data: bytes, said: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(Invalid) as refused:
        read_items(option, str(path))
    assert said in refused.value.message
    assert option in refused.value.message


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path, said in ((tmp_path / "none", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(Invalid, match=f"--each-line {path}: {said}"):
            read_items("--each-line", str(path))
    monkeypatch.setattr("ganger.cli.array_options.MOST_FILE_BYTES", 2**20)
    with pytest.raises(Invalid, match="--from-json /dev/zero: more than 1 MiB; put the data into files"):
        read_items("--from-json", "/dev/zero")


def test_the_limit_behind_the_indices() -> None:
    assert split_limit("0-99") == ("0-99", None)
    assert split_limit("0-99:5,7%8") == ("0-99:5,7", 8)


def test_what_is_retried_together() -> None:
    labels = {7: "7", 44: "42.1", 60: "60", 45: "42.2", 42: "42", 81: "80.0"}
    assert by_array(labels) == {7: None, 42: None, 60: None, 80: [0]}
    assert by_array({44: "42.1", 9: "9", 45: "42.2"}) == {42: [1, 2], 9: None}


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ({}, "0/100 done"),
        ({STATE.PENDING: 100}, "0/100 done"),
        ({STATE.SCHEDULED: 3, STATE.PENDING: 97}, "0/100 done"),
        (
            {STATE.RUNNING: 6, STATE.STARTING: 1, STATE.STOPPING: 1, STATE.SUCCEEDED: 35, STATE.FAILED: 2},
            "37/100 done, 8 running, 2 failed",
        ),
        (
            {STATE.FAILED: 1, STATE.TIMED_OUT: 1, STATE.EXPIRED: 1, STATE.CANCELLED: 97},
            "100/100 done, 3 failed, 97 cancelled",
        ),
    ],
)
def test_how_far_an_array_is(counts: dict[TaskState, int], text: str) -> None:
    assert describe_counts(Array(Indices.first(100), counts=tuple(counts.items()))) == text


CANCELLED = Outcome(KIND.CANCELLED, message="97 of 100 elements were cancelled")


@pytest.mark.parametrize(
    ("state", "reason", "outcome", "text"),
    [
        (STATE.PENDING, "", None, "goes on"),
        (STATE.PENDING, "no worker is connected", None, "goes on: no worker is connected"),
        (STATE.SUCCEEDED, "", Outcome(KIND.OK, 0), "succeeded"),
        (
            STATE.FAILED,
            "3 of 100 elements failed",
            Outcome(KIND.EXIT_NONZERO, 9, message="3 of 100 elements failed"),
            "failed: 3 of 100 elements failed; the highest exit code is 9",
        ),
        (
            STATE.FAILED,
            "more than 0 of its elements failed",
            Outcome(KIND.SIGNALLED, 137, 9, "1 of 9 elements failed"),
            "failed: 1 of 9 elements failed; the highest exit code is 137; "
            "the rest was not run: more than 0 of its elements failed",
        ),
        (
            STATE.FAILED,
            "2 of 2 elements failed",
            Outcome(KIND.EXPIRED, message="2 of 2 elements failed"),
            "failed: 2 of 2 elements failed",
        ),
        (
            STATE.CANCELLED,
            "cancelled by ann: enough",
            CANCELLED,
            "was cancelled by ann: enough; 97 of 100 elements were cancelled",
        ),
        (
            STATE.CANCELLED,
            CANCELLED.message,
            CANCELLED,
            "was cancelled: 97 of 100 elements were cancelled",
        ),
    ],
)
def test_how_arrays_end(state: TaskState, reason: str, outcome: Outcome | None, text: str) -> None:
    assert describe_end(replace(PENDING, state=state, reason=reason, outcome=outcome)) == text


def test_what_they_are_called() -> None:
    element = replace(PENDING, id=50, array=None, array_id=42, index=7)
    assert (name_of(PENDING), name_of(element)) == ("array 42", "task 42.7")
    assert describe_limit(0) == "as many at a time as there is room for"
    assert describe_queued(42, 100, 8) == "array 42 is queued: 100 elements, at most 8 at a time"
    assert (
        describe_queued(43, 1, 0, " of array 42 again") == "array 43 is queued: 1 element of array 42 again"
    )


def test_documents_of_arrays_and_elements() -> None:
    element = task_document(replace(PENDING, id=43, array=None, array_id=42, index=0))
    assert [element[key] for key in ("id", "label", "array_id", "index", "array")] == [
        43,
        "42.0",
        42,
        0,
        None,
    ]
    plain = task_document(replace(PENDING, array=None))
    assert [plain[key] for key in ("label", "array_id", "index", "array")] == ["42", None, None, None]
    whole = Array(Indices.parse("0-9:3"), 2, 0, "d", 7, STATE.EXPIRED, 4, ((STATE.EXPIRED, 4),))
    assert task_document(replace(PENDING, array=whole))["array"] == {
        "indices": "0-9:3",
        "elements": 4,
        "max_parallel": 2,
        "max_fails": 0,
        "items": "d",
        "retry_of": 7,
        "closed": "EXPIRED",
        "counts": {"EXPIRED": 4},
    }
    bare = task_document(PENDING)["array"]
    assert isinstance(bare, dict)
    names = ("max_parallel", "max_fails", "items", "retry_of", "closed", "counts")
    assert [bare[name] for name in names] == [None, None, None, None, None, {}]
