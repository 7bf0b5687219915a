"""This module shows that every checker of the crash campaign can fail, and that a row without a fault or check does."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from crash.checkers import (
    Ack,
    AttemptRow,
    EventRow,
    Finding,
    Limit,
    Snapshot,
    TaskRow,
    acknowledged_is_there,
    codes_kept,
    conserved,
    finals_stay,
    ids_are_kept,
    never_more_at_once,
    nothing_unasked,
    one_live,
    overlaps,
    tokens_grow,
    within_limits,
)
from crash.row import Row, percentile
from crash.truth import Span, parse

ACK = Ack("r1", 1, "spec")
DONE = TaskRow(1, "spec", "SUCCEEDED", 1, "OK")
FIRST = Span(1, 1, "h", 10, 1.0, 2.0)
SECOND = Span(1, 2, "h", 11, 2.5, 3.0)
EVENTS = (
    EventRow(1, 1, "PENDING", 0),
    EventRow(2, 1, "SCHEDULED", 1),
    EventRow(3, 1, "SUCCEEDED", 1),
)
SNAPSHOT = Snapshot({1: DONE}, (AttemptRow(1, 1, "ENDED"),), EVENTS)


def holds(finding: Finding) -> bool:
    return finding.checks > 0 and not finding.violations


def test_acknowledged_is_there() -> None:
    assert holds(acknowledged_is_there([ACK], {1: DONE}, over=True))
    pending = replace(DONE, state="PENDING")
    assert holds(acknowledged_is_there([ACK], {1: pending}, over=False))
    for tasks in ({}, {1: replace(DONE, spec="other")}, {1: pending}):
        assert len(acknowledged_is_there([ACK], tasks, over=True).violations) == 1


def test_ids_are_kept() -> None:
    assert holds(ids_are_kept([ACK, ACK, Ack("r2", 2, "spec")]))
    assert len(ids_are_kept([ACK, Ack("r2", 1, "spec")]).violations) == 1  # issued again
    assert len(ids_are_kept([ACK, Ack("r1", 2, "spec")]).violations) == 1  # submitted twice


def test_nothing_unasked() -> None:
    sent, ids = frozenset({"a", "b"}), frozenset({1})
    assert holds(nothing_unasked(["a", "b"], sent, [FIRST], ids))
    assert len(nothing_unasked(["a", "a"], sent, [], ids).violations) == 1
    assert len(nothing_unasked(["c"], sent, [], ids).violations) == 1
    assert len(nothing_unasked(["a"], sent, [replace(FIRST, task=9)], ids).violations) == 1


def test_one_live() -> None:
    assert holds(one_live([FIRST, SECOND]))
    assert holds(one_live([FIRST, replace(SECOND, task=2, start_s=1.5)]))
    early = replace(SECOND, start_s=1.75)
    finding, longest = overlaps([FIRST, early])
    assert len(finding.violations) == 1
    assert longest == 0.25
    twice = replace(FIRST, pid=99)  # the same attempt as two processes
    assert one_live([FIRST, twice]).violations


def test_never_more_at_once() -> None:
    first, second = Span(1, 1, "h", 1, 0.0, 2.0), Span(2, 1, "h", 2, 2.0, 3.0)
    assert never_more_at_once([first, second], 1).violations == ()
    third = Span(3, 1, "h", 3, 1.9, 2.5)
    assert never_more_at_once([first, second, third], 2).violations == ()
    assert never_more_at_once([first, second, third], 1).violations == ("2 ran at once, on 1 CPUs",)


def test_within_limits() -> None:
    first, second = Span(1, 1, "h", 1, 1.0, 3.0), Span(2, 1, "h", 2, 2.0, 4.0)
    assert within_limits([first, second], [Limit(0.0, 2)]).violations == ()
    assert within_limits([first, second], [Limit(0.0, 0)]).violations == ()
    one = [Limit(0.0, 2), Limit(1.5, 1, asked_s=1.2)]
    assert within_limits([first, second], one).violations == (
        "I10: 2 began at 2.000000 while 1 lived, 1 may",
    )
    asked = [Limit(0.0, 2), Limit(2.5, 1, asked_s=1.5)]  # it was not in force yet
    assert within_limits([first, second], asked).violations == ()
    raised = [Limit(0.0, 1), Limit(9.0, 2, asked_s=1.5)]  # it may have been
    assert within_limits([first, second], raised).violations == ()
    after = Span(3, 1, "h", 3, 3.0, 5.0)  # begins as the first one ends
    assert within_limits([first, replace(after, start_s=3.001)], [Limit(0.0, 1)]).violations == ()


def test_an_array_lives_without_attempts() -> None:
    running = TaskRow(1, "spec", "RUNNING")
    snapshot = replace(SNAPSHOT, tasks={1: running}, attempts=(), events=(EventRow(1, 1, "RUNNING", 0),))
    assert conserved(snapshot).violations
    assert holds(conserved(replace(snapshot, tasks={1: replace(running, is_array=True)})))


def test_tokens_grow() -> None:
    assert holds(tokens_grow(EVENTS, [FIRST, SECOND]))
    back = (*EVENTS[:2], EventRow(3, 1, "PENDING", 0))
    assert len(tokens_grow(back, []).violations) == 1
    assert len(tokens_grow((), [replace(FIRST, token=2), replace(SECOND, token=1)]).violations) == 1
    assert len(tokens_grow((), [FIRST, replace(SECOND, token=1)]).violations) == 1


def test_finals_stay() -> None:
    assert holds(finals_stay(EVENTS, [SNAPSHOT, SNAPSHOT]))
    assert len(finals_stay((*EVENTS, EventRow(4, 1, "PENDING", 1)), []).violations) == 1
    for later in ({}, {1: replace(DONE, outcome="FAILED")}):
        assert len(finals_stay((), [SNAPSHOT, replace(SNAPSHOT, tasks=later)]).violations) == 1


@pytest.mark.parametrize(
    "broken",
    [
        replace(SNAPSHOT, attempts=(AttemptRow(1, 1, "RUNNING"),)),
        replace(SNAPSHOT, attempts=()),
        replace(SNAPSHOT, tasks={1: replace(DONE, state="RUNNING")}, events=EVENTS[:2]),
        replace(SNAPSHOT, attempts=(*SNAPSHOT.attempts, AttemptRow(1, 2, "ENDED"))),
        replace(SNAPSHOT, attempts=(*SNAPSHOT.attempts, AttemptRow(7, 1, "ENDED"))),
        replace(SNAPSHOT, events=EVENTS[:2]),
        replace(SNAPSHOT, events=(EVENTS[0], EVENTS[2])),
    ],
)
def test_conserved(broken: Snapshot) -> None:
    assert holds(conserved(SNAPSHOT))
    assert conserved(broken).violations


def test_codes_kept() -> None:
    assert holds(codes_kept({1: 7}, {1: 7}))
    assert len(codes_kept({1: 7, 2: 0}, {1: 0}).violations) == 2


def test_truth_is_read_by_process() -> None:
    lines = ["START 1 1 h 10 1.0", "BEAT 1 1 h 10 1.5", "START 1 1 h 11 1.6", "END 1 1 h 10 2.0"]
    spans = parse(lines)
    assert spans == [Span(1, 1, "h", 10, 1.0, 2.0, True), Span(1, 1, "h", 11, 1.6, 1.6)]


def test_a_row_needs_a_fault_and_a_check() -> None:
    row = Row("x", 1, 1, 1, Finding(1), [3.0, 1.0, 2.0])
    assert not row.wrong
    assert json.loads(row.line())["p50_s"] == 2.0
    assert replace(row, faults=0).wrong
    assert replace(row, finding=Finding(0)).wrong
    broken = replace(row, finding=Finding(5, ("I1: lost",)))
    assert json.loads(broken.line())["wrong"] == ["I1: lost"]


def test_percentile() -> None:
    values = [float(n) for n in range(1, 101)]
    assert (percentile(values, 50), percentile(values, 99), percentile([], 50)) == (50.0, 99.0, None)
