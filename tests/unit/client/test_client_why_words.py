"""This module holds the table of situations of `ganger why`: values of an explanation, and the words for them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ganger.why.amounts import Moments
from ganger.why.document import explanation_document
from ganger.why.waiting import ahead_words, change_words, holder_words, plan_line, start_line, verdict_words
from ganger.why.words import wrapped
from ganger_core.domain.explanation import (
    AheadGroup,
    AheadWhy,
    Cause,
    CauseCode,
    Change,
    ChangeKind,
    Explanation,
    Holder,
    IfLost,
    Line,
    Living,
    PlanWord,
    Start,
    Verdict,
    Waiting,
    WorkerGroup,
)
from ganger_core.domain.resources import Resources
from ganger_core.domain.states import AttemptState, TaskState, WorkerState
from ganger_core.domain.task import (
    Limits,
    OnWorkerLost,
)
from testkit.explained import GIB, NOW_MS, TWO_CPUS, a_task, an_attempt, clock, said_of

ONE_CPU, STATE, V = Resources(1000, 0, 1), TaskState, Verdict
MOMENTS = Moments(NOW_MS, clock)
GROUP = WorkerGroup((V.BUSY,), 1, ("w1",), "w1", TWO_CPUS, ONE_CPU, ONE_CPU._replace(slots=0))


@pytest.mark.parametrize(
    ("group", "words"),
    [
        (replace(GROUP, verdicts=(V.ROOM,)), "has room for it"),
        (replace(GROUP, verdicts=(V.ROOM,), workers=2), "have room for it"),
        (GROUP, "1 CPU short"),
        (replace(GROUP, workers=3), "at least 1 CPU short"),
        (replace(GROUP, shortage=Resources(0, 2 * GIB, 1)), "2GiB and 1 slot short"),
        (replace(GROUP, verdicts=(V.TOO_LARGE,)), "too small: 1 CPU short even when idle"),
        (
            replace(GROUP, verdicts=(V.LATE, V.BUSY), silent_s=20),
            "late: silent for 20s, gets no new work; 1 CPU short",
        ),
        (replace(GROUP, verdicts=(V.LOST,), silent_s=200), "lost: silent for 3m20s"),
        (
            replace(GROUP, verdicts=(V.DRAINING,)),
            "draining: its daemon was told to end, and finishes what it has",
        ),
        (
            replace(GROUP, verdicts=(V.DRAINING,), words="being drained by ann: new driver", since_ms=5_000),
            "excluded: being drained by ann: new driver, since at 5",
        ),
        (
            replace(
                GROUP, verdicts=(V.LOST, V.CORDONED), silent_s=99, words="cordoned by ann", since_ms=5_000
            ),
            "lost: silent for 1m39s; excluded: cordoned by ann, since at 5",
        ),
        (
            replace(GROUP, verdicts=(V.RESTING,), rests_s=8, words="disk full"),
            "rests for 8.0s, because it refused what it was given: disk full",
        ),
    ],
)
def test_what_workers_mean(group: WorkerGroup, words: str) -> None:
    assert verdict_words(group, MOMENTS) == words


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (Change(ChangeKind.REQUEST, amounts=Resources(1500, 4 * GIB)), "submitted again with --cpus 1.5"),
        (
            Change(ChangeKind.REQUEST, amounts=Resources(1000, 512 * 2**20)),
            "submitted again with --cpus 1 --mem 512MiB",
        ),
        (Change(ChangeKind.PRIORITY, number=51), "priority > 50 (ganger update 42 --priority 51)"),
        (Change(ChangeKind.MAX_PARALLEL, number=9), "ganger update 42 --max-parallel 9"),
        (
            Change(ChangeKind.NEW_WORKER, amounts=TWO_CPUS),
            "ganger worker start (with 2 CPUs and 4GiB or more)",
        ),
        (Change(ChangeKind.WORKER_BACK, name="w3"), "w3 taking work again"),
        (Change(ChangeKind.RESUME_WORKER, name="w3"), "ganger worker resume w3"),
        (Change(ChangeKind.RELEASE, number=42), "ganger release 42"),
    ],
)
def test_what_would_help(change: Change, words: str) -> None:
    assert change_words(change, a_task()) == words


def test_every_change_verdict_and_reason_has_words() -> None:
    for kind in ChangeKind:
        assert change_words(Change(kind, 1, "w", ONE_CPU), a_task())
    for verdict in Verdict:
        assert verdict_words(replace(GROUP, verdicts=(verdict,)), MOMENTS)
    for code in IfLost:
        living = Living(WorkerState.UP, 1.0, 200.0, code)
        running = replace(a_task(STATE.RUNNING), started_ms=NOW_MS - 65_000)
        (said,) = [
            line
            for line in said_of(
                Explanation(running, (an_attempt(AttemptState.RUNNING),), NOW_MS, living=living)
            )
            if line.startswith("If w1 is lost: ")
        ]
        assert said


HOLDER = Holder("41.7", "prep", 1, Resources(2000, 0, 1), "w1", 500_000)


@pytest.mark.parametrize(
    ("holder", "named", "words"),
    [
        (HOLDER, False, '41.7 "prep" holds 2 CPUs since at 500'),
        (HOLDER, True, '41.7 "prep" holds 2 CPUs on w1 since at 500'),
        (
            replace(HOLDER, label="41", tasks=3, until_ms=2_000_000),
            False,
            '3 elements of array 41 "prep" hold 2 CPUs since at 500, over by at 2000: run limit',
        ),
        (replace(HOLDER, name="", held=Resources(0, 0, 1)), False, "41.7 holds 1 slot since at 500"),
    ],
)
def test_who_holds_what_is_short(holder: Holder, named: bool, words: str) -> None:
    assert holder_words(holder, MOMENTS, named=named) == words


@pytest.mark.parametrize(
    ("group", "words"),
    [
        (AheadGroup(1, "7", "a", 0, 70, ONE_CPU, AheadWhy.HIGHER), '7 "a" (priority 70)'),
        (AheadGroup(3, "7", "", 0, 50, ONE_CPU, AheadWhy.OLDER), "7 and 2 like it (same priority, older)"),
        (
            AheadGroup(33, "41.2", "sweep", 41, 40, ONE_CPU, AheadWhy.AGED),
            '33 elements of array 41 "sweep" (priority 40, raised by waiting)',
        ),
    ],
)
def test_who_comes_first(group: AheadGroup, words: str) -> None:
    assert ahead_words(group) == words


PLAN = PlanWord(7, NOW_MS - 3_000, "planner", "", "bestfit", 84.25, 5, 2, "no room")


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (
            PLAN,
            "Plan 7, 3.0s ago by the planner (bestfit) in 84.2 ms, placed 2 of 5 like it and left it out: no room.",
        ),
        (
            replace(PLAN, by="first-fit", stage="first-fit", why_not_planner="dead", placed=0),
            "Plan 7, 3.0s ago by first-fit in 84.2 ms, because the planner could not: dead, left it out: no room.",
        ),
        (
            replace(PLAN, said=""),
            "Plan 7, 3.0s ago by the planner (bestfit) in 84.2 ms, has not come to this task yet.",
        ),
        (replace(PLAN, by=""), "Plan 7, 3.0s ago, without asking the planner: no room."),
    ],
)
def test_the_last_plan(plan: PlanWord, words: str) -> None:
    assert plan_line(plan, MOMENTS) == words


def a_waiting(start: Start) -> Waiting:
    return Waiting("42", TWO_CPUS, (Cause(CauseCode.NO_ROOM, "no room"),), (GROUP,), Line(3, 2), start)


def test_the_start() -> None:
    assert (
        start_line(a_waiting(Start(0, "others come first")), MOMENTS) == "Start: unknown (others come first)."
    )
    assert start_line(a_waiting(Start(NOW_MS + 60_000, "17 is over")), MOMENTS) == (
        "Start: by at 1060, in 1m00s, unless something of a higher rank comes (17 is over)."
    )


@pytest.mark.parametrize(
    ("queue_s", "deadline_ms", "began", "words"),
    [
        (60, 0, False, "It is given up unless it starts by at 970: its queue limit."),
        (60, 0, True, ""),
        (600, 1_200_000, False, "It is given up unless it starts by at 1170: its deadline."),
        (0, 1_200_000, True, "It is given up unless it starts by at 1170: its deadline."),
    ],
)
def test_when_it_is_given_up(queue_s: float, deadline_ms: int, began: bool, words: str) -> None:
    limits = Limits(run_s=30, queue_s=queue_s)
    task = replace(a_task(), spec=replace(a_task().spec, limits=limits, deadline_ms=deadline_ms))
    attempts = (an_attempt(AttemptState.LOST),) if began else ()
    lines = said_of(Explanation(task, attempts, NOW_MS, a_waiting(Start(0, "x"))))
    assert [line for line in lines if "given up" in line] == ([words] if words else [])


def test_a_task_that_is_placed_at_this_very_moment() -> None:
    assert (
        said_of(Explanation(a_task(), (), NOW_MS))[1] == "It is being placed at this very moment: ask again."
    )


def test_hostile_names_stay_on_their_line() -> None:
    task = replace(a_task(), spec=replace(a_task().spec, name="\x1b[2J\n" + "n" * 500))
    group = replace(GROUP, names=("w" * 300, "幅" * 50), workers=2, nearest="w" * 300, words="\x07" * 300)
    waiting = replace(
        a_waiting(Start(0, "x")), groups=(group,), causes=(Cause(CauseCode.HELD, "held by \x1b"),)
    )
    lines = said_of(Explanation(task, (), NOW_MS, waiting))
    assert all(line.isprintable() for line in lines)


def test_a_running_task_of_a_silent_worker() -> None:
    task = replace(a_task(STATE.RUNNING), started_ms=NOW_MS - 65_000)
    task = replace(task, spec=replace(task.spec, limits=Limits(run_s=60), on_worker_lost=OnWorkerLost.WAIT))
    living = Living(WorkerState.LOST, 45.0, None, IfLost.WAIT)
    assert said_of(Explanation(task, (an_attempt(AttemptState.RUNNING),), NOW_MS, living=living)) == [
        'task 42 "train" is RUNNING on w1 for 1m05s.',
        "Placed on w1 by the planner at at 934, 24s after it was submitted.",
        "Its run limit is 1m00s: it is over: its worker stops it.",
        "It has no lease: it goes on however long its worker is silent; w1 is lost: silent for 45s.",
        "As w1 is lost: the task stays with it, until it returns or `ganger worker fence w1` gives it up.",
    ]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (None, "w1 is not known any more."),
        (WorkerState.UP, "w1 was heard of 2.0s ago."),
        (WorkerState.CORDONED, "w1 was heard of 2.0s ago, and takes no new work."),
        (WorkerState.SUSPECT, "w1 is late: silent for 2.0s."),
        (WorkerState.LOST, "w1 is lost: silent for 2.0s."),
    ],
)
def test_how_the_worker_of_a_running_task_stands(state: WorkerState | None, words: str) -> None:
    living = Living(state, 2.0, 200.0, IfLost.REQUEUE)
    task = replace(a_task(STATE.RUNNING), started_ms=NOW_MS - 65_000)
    lines = said_of(Explanation(task, (an_attempt(AttemptState.RUNNING),), NOW_MS, living=living))
    text = " ".join(" ".join(lines).split())
    assert f"Its lease lasts 3m20s without a further sign of its worker; {words}" in text


def test_long_lines_are_broken_between_words() -> None:
    assert wrapped("  - one two three", 11) == ["  - one two", "      three"]
    assert wrapped("short", 10) == ["short"]
    assert wrapped("a" * 12 + " b", 10) == ["a" * 9 + "…", "  b"]


def test_the_document_has_names_for_everything() -> None:
    waiting = a_waiting(Start(0, "x"))
    document = explanation_document(Explanation(a_task(), (), NOW_MS, waiting))
    assert document["waiting"]["groups"][0]["verdicts"] == ["BUSY"]  # type: ignore[index]
    assert document["waiting"]["request"] == {"cpu_milli": 2000, "memory_bytes": 4 * GIB, "slots": 1}  # type: ignore[index]
    assert document["living"] is None
