"""This module tests what may be asked of an array, and in which words the rest is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ganger_core.domain.array import (
    MAX_INDEX,
    MAX_ITEM_BYTES,
    MAX_ITEMS_BYTES,
    MOST_ELEMENTS,
    Array,
    Indices,
    Items,
)
from ganger_core.domain.errors import Invalid
from ganger_core.domain.task import Task, TaskSpec, TaskState
from ganger_core.domain.validate import check_array

ARRAY = Array(Indices.first(3), max_parallel=2, max_fails=0, items="a" * 64, retry_of=7)


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        ("0", [0]),
        ("0-3", [0, 1, 2, 3]),
        ("0-99:25", [0, 25, 50, 75]),
        ("9,1,3-4", [1, 3, 4, 9]),
        (" 1 , 2 ", [1, 2]),
        ("0-8:4,2-6:4", [0, 2, 4, 6, 8]),
        ("5-6:3", [5]),
        (str(MAX_INDEX), [MAX_INDEX]),
    ],
)
def test_indices(text: str, listed: list[int]) -> None:
    assert list(Indices.parse(text)) == listed


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "'' is no index; write 0-99, 0-99:5 or 1,3,7-9"),
        ("1,,2", "'' is no index"),
        ("a", "'a' is no index"),
        ("-1", "'-1' is no index"),
        ("0-", "'0-' is no index"),
        ("0:5", "'0:5' is no index"),
        ("1.5", "'1.5' is no index"),
        ("\N{ARABIC-INDIC DIGIT ONE}", "is no index"),
        ("9" * 11, "is no index"),
        ("9-0", "'9-0' counts backwards; write 0-9"),
        ("0-9:0", "'0-9:0' has a step of 0"),
        (str(MAX_INDEX + 1), f"{MAX_INDEX + 1} is beyond the highest index, {MAX_INDEX}"),
        ("1-5,3", "3 is there twice"),
        ("0-9:2,1-9:2,4", "4 is there twice"),
        (f"0-{MOST_ELEMENTS}", f"{MOST_ELEMENTS + 1} elements; at most {MOST_ELEMENTS} are allowed"),
        (f"0-{MOST_ELEMENTS - 1},{MAX_INDEX}", f"{MOST_ELEMENTS + 1} elements; at most {MOST_ELEMENTS}"),
        (f"0-{MAX_INDEX}:2,1-{MAX_INDEX}:2", "elements; at most"),
        ("0-999998:2,1-999999:2,3-1000001:2", f"more than {MOST_ELEMENTS} elements"),
    ],
)
def test_what_are_no_indices(text: str, said: str) -> None:
    with pytest.raises(Invalid, match="--array: ") as refused:
        Indices.parse(text, "--array")
    assert said in refused.value.message
    assert refused.value.field == "--array"


def test_as_many_elements_as_allowed_are_neither_written_nor_held_one_by_one() -> None:
    most = Indices.parse(f"0-{2 * MOST_ELEMENTS - 1}:2")
    assert len(most) == MOST_ELEMENTS
    assert len(most.runs) == 1
    assert str(Indices.first(MOST_ELEMENTS)) == f"0-{MOST_ELEMENTS - 1}"
    assert (most.at(MOST_ELEMENTS - 1), most.position(7)) == (2 * MOST_ELEMENTS - 2, None)


@pytest.mark.parametrize(
    ("listed", "text"),
    [
        ([], ""),
        ([5], "5"),
        ([2, 1], "1-2"),
        ([1, 3], "1,3"),
        ([1, 3, 5], "1-5:2"),
        ([1, 3, 4, 5, 9], "1,3-5,9"),
        ([0, 5, 10, 11, 12, 20, 30, 40, 41, 43], "0-10:5,11-12,20-40:10,41,43"),
        ([1, 2, 4, 6, 8], "1-2,4-8:2"),
        (range(0, 2 * MOST_ELEMENTS, 2), f"0-{2 * MOST_ELEMENTS - 2}:2"),
    ],
)
def test_listed_indices_are_said_briefly(listed: list[int], text: str) -> None:
    found = Indices.of(listed)
    assert str(found) == text
    assert list(found) == sorted(listed)


def test_items_have_an_address() -> None:
    items = Items.of(["a", "", "ü\n"])
    assert items.blob == b"a\0\0\xc3\xbc\n"
    assert [items[position] for position in range(3)] == ["a", "", "ü\n"]
    assert len(Items.of([""])) == 1


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ([], "items is empty: an array has an element for each item"),
        (["a", 3], "items[1] must be text, not 3"),
        (["a\0b"], "items[0] holds a NUL character"),
        (["a", "\udcff"], "items[1] holds bytes that are not UTF-8"),
        (["a", "x" * (MAX_ITEM_BYTES + 1)], f"items[1] has {MAX_ITEM_BYTES + 1} bytes; at most {MAX_ITEM_BYTES}"),
        (["x" * MAX_ITEM_BYTES] * 672, f"items have 67200671 bytes; at most {MAX_ITEMS_BYTES} are allowed: put"),
    ],
)  # fmt: skip
def test_what_are_no_items(texts: list[Any], said: str) -> None:
    with pytest.raises(Invalid) as refused:
        Items.of(texts)
    assert refused.value.message.startswith(said)
    assert refused.value.field == "items"


def test_a_blob_that_somebody_sent_is_checked_too() -> None:
    with pytest.raises(Invalid, match="items hold bytes that are not UTF-8"):
        Items(b"a\0\xff").check()
    with pytest.raises(Invalid, match=r"items\[1\] has"):
        Items(b"a\0" + b"x" * (MAX_ITEM_BYTES + 1) + b"\0b").check()


def test_a_good_array_passes() -> None:
    check_array(ARRAY)
    check_array(Array(Indices.first(1)))
    check_array(Array(Indices.first(1), max_parallel=MOST_ELEMENTS, max_fails=MOST_ELEMENTS))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"indices": Indices(())}, "indices"),
        ({"max_parallel": -1}, "max_parallel"),
        ({"max_parallel": MOST_ELEMENTS + 1}, "max_parallel"),
        ({"max_parallel": True}, "max_parallel"),
        ({"max_parallel": 1.5}, "max_parallel"),
        ({"max_fails": -1}, "max_fails"),
        ({"max_fails": MOST_ELEMENTS + 1}, "max_fails"),
        ({"items": "a" * 63}, "items"),
        ({"items": "A" * 64}, "items"),
        ({"retry_of": -1}, "retry_of"),
    ],
)
def test_what_an_array_may_not_ask(change: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_array(replace(ARRAY, **change))
    assert refused.value.field == f"array.{field}"
    assert refused.value.message.startswith(f"array.{field} ")


def test_what_people_call_tasks_and_who_may_take_whose_place() -> None:
    spec = TaskSpec(("true",))
    plain = Task(42, "me", spec, TaskState.PENDING, 0)
    element = replace(plain, id=50, array_id=42, index=7)
    assert (plain.label, element.label) == ("42", "42.7")
    assert element.lane != plain.lane
    assert element.lane == replace(element, id=51, index=8).lane
    assert element.lane != replace(element, array_id=43).lane
