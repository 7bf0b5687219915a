"""This module tests the indices and items of arrays against plain sets and lists."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ganger_core.domain.array import Indices, Items
from ganger_core.domain.errors import Invalid
from testkit.core_values import indices

parts = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 30), st.integers(1, 9)), min_size=1, max_size=5)
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


def as_written(first: int, more: int, step: int) -> str:
    return f"{first}-{first + more}:{step}"


@given(parts)
def test_what_is_written_in_any_order_is_what_it_lists_or_names_what_is_there_twice(
    written: list[tuple[int, int, int]],
) -> None:
    listed = [index for first, more, step in written for index in range(first, first + more + 1, step)]
    text = ",".join(as_written(*part) for part in written)
    if len(set(listed)) == len(listed):
        assert list(Indices.parse(text)) == sorted(listed)
        return
    with pytest.raises(Invalid, match="is there twice"):
        Indices.parse(text)


@given(indices)
def test_what_is_printed_is_read_again(found: Indices) -> None:
    assert Indices.parse(str(found)) == found


@given(indices, st.integers(-1, 1000))
def test_positions_and_indices_belong_to_each_other(found: Indices, other: int) -> None:
    listed = list(found)
    assert len(found) == len(listed)
    assert listed == sorted(set(listed))
    assert [found.at(position) for position in range(len(found))] == listed
    assert [found.position(index) for index in listed] == list(range(len(listed)))
    assert (found.position(other) is None) == (other not in listed)


@given(st.sets(st.integers(0, 60), min_size=1), st.randoms())
def test_any_distinct_indices_can_be_said(wanted: set[int], shuffle: Random) -> None:
    order = list(wanted)
    shuffle.shuffle(order)
    assert list(Indices.of(order)) == sorted(wanted)


@given(st.lists(texts, min_size=1, max_size=20))
def test_items_come_back_by_position_also_from_what_was_sent(wanted: list[str]) -> None:
    items = Items.of(wanted)
    received = Items(items.blob)
    received.check()
    assert [received[position] for position in range(len(received))] == wanted
    assert received.digest == items.digest


@given(st.lists(texts, min_size=1, max_size=5), st.lists(texts, min_size=1, max_size=5))
def test_different_items_have_different_addresses(some: list[str], others: list[str]) -> None:
    assume(some != others)
    assert Items.of(some).digest != Items.of(others).digest
