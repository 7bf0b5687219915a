"""This module tests which reports leave, in which batches."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from ganger_core.domain.task import AttemptRef, ReportKind
from ganger_worker.attempts import Told
from ganger_worker.reporter import BATCH_BYTES, QUIET_S, Outbox

ACCEPTED, STARTED, ENDED, LOST = ReportKind.ACCEPTED, ReportKind.STARTED, ReportKind.ENDED, ReportKind.LOST


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def box(clock: Clock) -> Outbox:
    return Outbox(clock)


def told(kind: ReportKind, task: int = 1, at_s: float = 100.0, tail: bytes = b"") -> Told:
    return Told(AttemptRef(task, 1), kind, at_s, stdout_tail=tail)


@pytest.mark.parametrize(
    ("first", "second", "sent"),
    [
        (ACCEPTED, STARTED, STARTED),
        (ACCEPTED, ENDED, ENDED),
        (STARTED, ENDED, ENDED),
        (STARTED, LOST, LOST),
        (ENDED, LOST, LOST),
        (ENDED, STARTED, ENDED),
        (ENDED, ACCEPTED, ENDED),
        (STARTED, ACCEPTED, STARTED),
    ],
)
def test_the_newest_report_of_an_attempt_counts(
    box: Outbox, clock: Clock, first: ReportKind, second: ReportKind, sent: ReportKind
) -> None:
    box.put([told(first)])
    box.put([told(second)])
    clock.now_s += QUIET_S
    assert [t.kind for t in box.take(10)] == [sent]


def test_what_is_not_acknowledged_is_taken_again(box: Outbox) -> None:
    report = told(ENDED)
    box.put([report])
    assert box.take(10) == [report]
    assert box.take(10) == [report]
    box.done([report])
    box.close()
    assert box.take(10) == []


def test_what_was_replaced_while_on_its_way_stays(box: Outbox) -> None:
    first, second = told(ENDED), told(LOST)
    box.put([first])
    batch = box.take(10)
    box.put([second])
    box.done(batch)
    assert box.take(10) == [second]


def test_news_that_an_attempt_lives_waits_for_its_end(box: Outbox, clock: Clock) -> None:
    box.put([told(ENDED, 1), told(STARTED, 2), told(ACCEPTED, 3, at_s=clock.now_s - QUIET_S)])
    assert [t.ref.task_id for t in box.take(10)] == [1, 3]
    clock.now_s += QUIET_S
    assert [t.ref.task_id for t in box.take(10)] == [1, 2, 3]


def test_an_end_that_can_wait_goes_with_the_next_that_cannot(box: Outbox) -> None:
    waits = [replace(told(ENDED, task), can_wait=True) for task in (1, 2)]
    box.put([waits[0], told(STARTED, 3)])
    box.put([waits[1], told(ENDED, 4)])
    assert [t.ref.task_id for t in box.take(10)] == [1, 2, 4]


def test_an_end_that_can_wait_goes_after_a_while(box: Outbox, clock: Clock) -> None:
    box.put([replace(told(ENDED), can_wait=True)])
    assert not box._due_locked()
    clock.now_s += QUIET_S
    assert [t.kind for t in box.take(10)] == [ENDED]


def test_reports_leave_in_the_order_of_what_happened(box: Outbox) -> None:
    box.put([told(ENDED, 1), told(ACCEPTED, 2), told(ENDED, 3), told(ENDED, 2)])
    assert [t.ref.task_id for t in box.take(10)] == [1, 3, 2]


def test_batches_are_bounded(box: Outbox) -> None:
    box.put([told(ENDED, task, tail=b"x" * (BATCH_BYTES // 4)) for task in range(1, 7)])
    assert len(box.take(10)) == 4
    assert len(box.take(2)) == 2
    box = Outbox()
    box.put([told(ENDED, 1, tail=b"x" * (BATCH_BYTES + 1))])
    assert len(box.take(10)) == 1


def test_a_report_wakes_who_waits_and_so_does_closing(box: Outbox) -> None:
    taken: list[list[Told]] = []
    thread = threading.Thread(target=lambda: taken.append(box.take(10)))
    thread.start()
    box.put([told(ENDED)])
    thread.join(10)
    assert [len(batch) for batch in taken] == [1]
    box.done(taken[0])
    thread = threading.Thread(target=lambda: taken.append(box.take(10)))
    thread.start()
    box.close()
    thread.join(10)
    assert taken[1] == []


def test_times_are_told_as_ages() -> None:
    report = Told(AttemptRef(1, 1), ENDED, at_s=90.0, started_s=80.0).report(100.0)
    assert (report.age_s, report.started_age_s) == (10.0, 20.0)
    report = Told(AttemptRef(1, 1), LOST, at_s=100.5).report(100.0)
    assert (report.age_s, report.started_age_s) == (0.0, None)
