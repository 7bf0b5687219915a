"""This module tests that every value of every converted message survives the wire."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testkit.core_values import PAIRS


@pytest.mark.parametrize("name", PAIRS)
@given(choice=st.data())
@settings(max_examples=60, deadline=None)
def test_values_survive_the_wire(name: str, choice: st.DataObject) -> None:
    pair = PAIRS[name]
    value = choice.draw(pair.values)
    message = pair.to_proto(value)
    assert pair.from_proto(type(message).FromString(message.SerializeToString())) == value
