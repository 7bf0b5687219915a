"""This module tests which results are stored, and as what."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from ganger_core.domain.errors import Invalid
from ganger_core.domain.outputs import (
    MOST_RESULT_BYTES,
    OutputFile,
    Outputs,
    Publish,
    canonical_result,
    publishes,
)
from ganger_core.domain.task import AttemptRef, Outcome, OutcomeKind, Report, ReportKind
from ganger_core.domain.validate_outputs import check_report_outputs

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(), below, max_size=3),
    max_leaves=8,
)


@given(values)
def test_a_result_keeps_its_value_and_has_one_text(value: Any) -> None:
    try:
        text = canonical_result(json.dumps(value, indent=3).encode())
    except Invalid as error:
        said = error.message
        with pytest.raises(UnicodeEncodeError):
            json.dumps(value, ensure_ascii=False).encode()
        event(said)
        return
    assert json.loads(text) == value
    assert canonical_result(text.encode()) == text
    assert "\0" not in text


REFUSED = {
    b"": "no valid JSON: Expecting value",
    b"{": "no valid JSON",
    b"[1] 2": "Extra data",
    b"NaN": "NaN is no number of JSON",
    b"[-Infinity]": "-Infinity is no number",
    b"1e999": "no valid JSON",
    b'"\\ud800"': "half of a character",
    b'"\xff"': "not UTF-8",
    b"[" * 100_000: "nested too deeply",
    b'"' + b"x" * MOST_RESULT_BYTES + b'"': "has 1048578 bytes; at most 1048576",
    b"[" + b"1e9," * 200_000 + b"1]": "bytes in canonical JSON",
    b"9" * 5_000: "no valid JSON",
}


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_what_cannot_be_stored_is_refused_with_the_cause(number: int) -> None:
    data, why = list(REFUSED.items())[number]
    with pytest.raises(Invalid) as caught:
        canonical_result(data)
    assert caught.value.message.startswith("result.json ")
    assert why in caught.value.message


def test_the_largest_result_is_stored() -> None:
    data = b'"' + b"x" * (MOST_RESULT_BYTES - 2) + b'"'
    assert canonical_result(data) == data.decode()


@pytest.mark.parametrize(("policy", "failed", "succeeded"), [
    (Publish.ON_SUCCESS, False, True), (Publish.ALWAYS, True, True), (Publish.NEVER, False, False),
])  # fmt: skip
def test_when_outputs_are_published(policy: Publish, failed: bool, succeeded: bool) -> None:
    assert publishes(policy, succeeded=False) is failed
    assert publishes(policy, succeeded=True) is succeeded


DIGEST = "0" * 64
BAD = {
    "above": Outputs((OutputFile("../x", 1, DIGEST),)),
    "absolute": Outputs((OutputFile("/x", 1, DIGEST),)),
    "dot": Outputs((OutputFile("a/./x", 1, DIGEST),)),
    "nothing": Outputs((OutputFile("", 1, DIGEST),)),
    "NUL": Outputs((OutputFile("a\0", 1, DIGEST),)),
    "negative": Outputs((OutputFile("a", -1, DIGEST),)),
    "hash": Outputs((OutputFile("a", 1, "x"),)),
    "twice": Outputs((OutputFile("a", 1, DIGEST), OutputFile("a", 1, DIGEST))),
    "many": Outputs(tuple(OutputFile(str(n), 1, DIGEST) for n in range(10_001))),
    "long": Outputs(tuple(OutputFile(f"{n}{'x' * 4_000}", 1, DIGEST) for n in range(400))),
    "result": Outputs((), "x" * (MOST_RESULT_BYTES + 1)),
    "NUL in the result": Outputs((), '"\0"'),
    "notes": Outputs(notes=("n",) * 21),
    "long note": Outputs(notes=("n" * 501,)),
}


@pytest.mark.parametrize("what", BAD)
def test_a_report_with_bad_outputs_is_refused(what: str) -> None:
    report = Report(AttemptRef(1, 1), ReportKind.ENDED, outcome=Outcome(OutcomeKind.OK, 0), outputs=BAD[what])
    with pytest.raises(Invalid) as caught:
        check_report_outputs(report)
    assert caught.value.field.startswith("report.outputs")


def test_only_an_end_has_outputs() -> None:
    good = Outputs((OutputFile("a/b c\n", 0, DIGEST),), "1", ("left out: x",))
    check_report_outputs(
        Report(AttemptRef(1, 1), ReportKind.ENDED, outcome=Outcome(OutcomeKind.OK, 0), outputs=good)
    )
    with pytest.raises(Invalid, match="only an ENDED report"):
        check_report_outputs(Report(AttemptRef(1, 1), ReportKind.LOST, outputs=good))
    assert math.isclose(good.wire_bytes, 100, abs_tol=20)
