"""This module has strategies and values of published outputs, for `core_values`."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from ganger_core.convert import outputs as convert
from ganger_core.domain.outputs import OutputFile, Outputs
from ganger_core.domain.published import OutputPart, OutputRange
from ganger_core.domain.task import AttemptRef

int64 = st.integers(-(2**63), 2**63 - 1)
text = st.text(max_size=8)

outputs = st.builds(
    Outputs,
    st.lists(st.builds(OutputFile, text, int64, text), max_size=3).map(tuple),
    text,
    st.lists(text, max_size=3).map(tuple),
)
ranges = st.builds(OutputRange, st.builds(AttemptRef, int64, int64), text, int64, int64)
parts = st.builds(OutputPart, ranges, st.binary(max_size=8), text)

SOME_OUTPUTS = Outputs((OutputFile("a/b", 3, "d"),), "1", ("n",))
A_RANGE = OutputRange(AttemptRef(7, 3), "p", 3, 4)
A_PART = OutputPart(A_RANGE, b"d", "e")

OUTPUT_PAIRS: dict[str, tuple[Any, ...]] = {
    "OutputRange": (convert.output_range_to_proto, convert.output_range_from_proto, ranges, A_RANGE),
    "OutputPart": (convert.output_part_to_proto, convert.output_part_from_proto, parts, A_PART),
    "Outputs": (convert.outputs_to_proto, convert.outputs_from_proto, outputs, SOME_OUTPUTS),
}
"""What a `Pair` of `core_values` is made of, by message."""
