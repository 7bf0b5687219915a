"""This module tests what a worker says about its published outputs, and what it does with the answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ganger_core.convert.outputs import output_part_from_proto, output_range_to_proto
from ganger_core.convert.task import attempt_ref_from_proto, attempt_ref_to_proto
from ganger_core.domain.published import OutputPart, OutputRange
from ganger_core.domain.task import AttemptRef
from ganger_core.wire.v1 import worker_pb2
from ganger_worker import serving
from ganger_worker.serving import Answers

A, B, C = (AttemptRef(task, 1) for task in (1, 2, 3))
ASK_S = 30.0


class Desk:
    """Answers over outputs in memory; `held` are still to be reported."""

    def __init__(self) -> None:
        self.files = {A: b"0123456789", B: b"b", C: b"c"}
        self.held: set[AttemptRef] = set()
        self.answers = Answers(self, self)

    def everything(self) -> Iterator[tuple[AttemptRef, float]]:
        yield from [(ref, 5.0) for ref in self.files]

    def remove(self, ref: AttemptRef) -> None:
        del self.files[ref]

    def read(self, ref: AttemptRef, path: str, offset: int, most: int) -> bytes:
        if path != "f":
            raise FileNotFoundError(2, "No such file or directory")
        return self.files[ref][offset : offset + most]

    def holding(self) -> set[AttemptRef]:
        return self.held

    def ask(self, now_s: float) -> tuple[list[AttemptRef], float]:
        """Whom the next call asks about, and how long it may wait."""
        request = self.answers.request("id-w1", 1, now_s)
        return [attempt_ref_from_proto(kept.ref) for kept in request.kept], request.wait_s

    def parts(self) -> list[OutputPart]:
        return [output_part_from_proto(part) for part in self.answers.request("id-w1", 1, 1.0).parts]

    def answer(self, now_s: float, *wanted: OutputRange, unwanted: tuple[AttemptRef, ...] = ()) -> None:
        self.answers.take(
            worker_pb2.ServeOutputsResponse(
                wanted=map(output_range_to_proto, wanted),
                unwanted=map(attempt_ref_to_proto, unwanted),
                ask_after_s=ASK_S,
            ),
            now_s,
        )


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_what_is_reported_is_asked_about_again_and_again(desk: Desk) -> None:
    desk.held = {B}
    assert desk.ask(1.0) == ([A, C], 0.0)
    assert desk.ask(2.0) == ([A, C], 0.0)  # the call failed
    desk.answer(3.0, unwanted=(C,))
    assert desk.files.keys() == {A, B}
    assert desk.ask(4.0) == ([], 20.0)
    desk.answer(24.0)
    assert desk.ask(25.0) == ([], 8.0)
    desk.answer(33.5)  # this one waited for what is wanted, and asked nothing
    desk.held = set()
    assert desk.ask(33.6) == ([A, B], 0.0)


def test_many_are_asked_about_in_parts(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "MOST_KEPT", 2)
    assert desk.ask(1.0) == ([A, B], 0.0)
    desk.answer(1.0)
    assert desk.ask(1.0) == ([C], 0.0)
    desk.answer(1.0)
    assert desk.ask(1.0) == ([], 20.0)


def test_what_is_wanted_is_read_and_brought_until_it_arrives(desk: Desk) -> None:
    wanted = [
        OutputRange(A, "f", 2, 4),
        OutputRange(A, "f", 8, 4),
        OutputRange(A, "g", 0, 4),
        OutputRange(A, "../f", 0, 4),
    ]
    desk.answer(1.0, *wanted)
    errors = ("", "", "No such file or directory", "it does not lie in the output folder")
    brought = [OutputPart(*each) for each in zip(wanted, (b"2345", b"89", b"", b""), errors, strict=True)]
    assert desk.parts() == brought
    assert desk.parts() == brought
    desk.answer(1.0)
    assert desk.parts() == []
