"""This module holds the table of ends: what `ganger why` says of each, by its values."""

from __future__ import annotations

import signal
from dataclasses import replace

import pytest

from ganger_core.domain.array import Array, Indices
from ganger_core.domain.dependency import Dependency
from ganger_core.domain.explanation import (
    Explanation,
)
from ganger_core.domain.states import AttemptState, TaskState
from ganger_core.domain.task import (
    Outcome,
    OutcomeKind,
    Task,
)
from testkit.explained import NOW_MS, a_task, an_attempt, said_of

KIND, STATE = OutcomeKind, TaskState

ENDS = [
    (STATE.SUCCEEDED, Outcome(KIND.OK, 0), "succeeded", "code 0", "shows its output"),
    (
        STATE.FAILED,
        Outcome(KIND.EXIT_NONZERO, 3),
        "failed with exit code 3",
        "chose this exit code",
        "ganger logs 42",
    ),
    (
        STATE.FAILED,
        Outcome(KIND.SIGNALLED, 137, 9, "killed by SIGKILL"),
        "was killed by SIGKILL",
        "memory runs out",
        "ganger logs 42",
    ),
    (
        STATE.FAILED,
        Outcome(KIND.SIGNALLED, 139, signal.SIGSEGV),
        "was killed by SIGSEGV",
        "memory that is not its own",
        "ganger retry 42",
    ),
    (
        STATE.FAILED,
        Outcome(KIND.SIGNALLED, 168, 40),
        "was killed by signal 40",
        "sent no signal",
        "ganger logs 42",
    ),
    (
        STATE.FAILED,
        Outcome(KIND.LAUNCH_FAILED, 127, message="x: command not found on worker w1"),
        "could not be started: x: command not found on worker w1",
        "No process came to be",
        "in the PATH there?",
    ),
    (
        STATE.FAILED,
        Outcome(KIND.LAUNCH_FAILED, 126, message="working folder /x: No such file or directory on worker w1"),
        "could not be started: working folder /x",
        "No process came to be",
        "--workdir names a folder that w1 has",
    ),
    (
        STATE.FAILED,
        Outcome(KIND.LAUNCH_FAILED, 126, message="x: permission denied on worker w1"),
        "could not be started: x: permission denied on worker w1",
        "No process came to be",
        "chmod +x",
    ),
    (
        STATE.FAILED,
        Outcome(KIND.LAUNCH_FAILED, 125, message="no such folder on worker w1"),
        "could not be started: no such folder on worker w1",
        "No process came to be",
        "ganger show 42",
    ),
    (
        STATE.TIMED_OUT,
        Outcome(KIND.TIMED_OUT, 143, 15, "ran longer than its limit of 60s"),
        "timed out: ran longer than its limit of 60s",
        "SIGKILL after the grace",
        "a longer --time",
    ),
    (
        STATE.EXPIRED,
        Outcome(KIND.EXPIRED, message="waited longer than its limit of 5s"),
        "expired before it started: waited longer than its limit of 5s",
        "had started within the time",
        "--queue-timeout",
    ),
    (
        STATE.EXPIRED,
        Outcome(KIND.EXPIRED, message="could not be over by its deadline any more"),
        "expired before it started: could not be over by its deadline any more",
        "beyond its deadline",
        "a later --deadline",
    ),
    (
        STATE.SKIPPED,
        Outcome(KIND.SKIPPED, message='41 "prep" failed with exit code 3; 42 was skipped for it'),
        'never ran: 41 "prep" failed with exit code 3',
        "It never ran",
        "mend what failed first; then `ganger retry` with that",
    ),
    (
        STATE.CANCELLED,
        Outcome(KIND.CANCELLED, message="cancelled by bob: wrong data"),
        "was cancelled by bob: wrong data",
        "ended on request",
        "ganger retry 42 --cancelled",
    ),
    (
        STATE.FAILED,
        Outcome(KIND.CANCELLED, message="worker shut down"),
        "was cancelled: worker shut down",
        "nobody had asked",
        "ganger retry 42",
    ),
    (
        STATE.FAILED,
        Outcome(KIND.LOST, message="was lost 3 times while it ran, which may be its own doing"),
        "was lost: was lost 3 times",
        "What it did until then is not known",
        "the log of w1",
    ),
    (
        STATE.FAILED,
        Outcome(KIND.UNKILLABLE, message="still alive on worker w1 long after SIGKILL: 17, 18"),
        "cannot be ended: still alive on worker w1 long after SIGKILL: 17, 18",
        "could not end all of its processes",
        "look at these processes on w1",
    ),
]


@pytest.mark.parametrize(("state", "outcome", "how", "meaning", "next_"), ENDS)
def test_every_end_says_what_happened_what_shows_it_and_what_to_do(
    state: TaskState, outcome: Outcome, how: str, meaning: str, next_: str
) -> None:
    lines = said_of(Explanation(a_task(state, outcome), (an_attempt(outcome=outcome),), NOW_MS))
    text = " ".join(" ".join(lines).split())
    assert text.startswith(f'task 42 "train" {how}')
    assert f"5.0s ago ({state.value})." in text
    assert "On w1, attempt 1, ran for 1m00s" in text
    assert "2KiB of output" in text
    assert meaning in text
    assert next_ in text.partition("Next: ")[2]


def test_what_was_skipped_is_retried_with_what_failed() -> None:
    skipped = Outcome(KIND.SKIPPED, message='41 "prep" failed with exit code 3; 42 was skipped for it')
    task = a_task(STATE.SKIPPED, skipped)
    task = replace(task, spec=replace(task.spec, after=(Dependency(7), Dependency(41))))
    assert said_of(Explanation(task, (), NOW_MS))[-1] == (
        "Next: mend 41; `ganger retry 41 42` then runs both again, one after the other."
    )


def test_every_kind_of_end_is_in_the_table() -> None:
    assert {outcome.kind for _, outcome, *_ in ENDS} == set(OutcomeKind) - {KIND.DRAINED}  # of attempts alone


def test_evidence_beside_the_end() -> None:
    ended = Outcome(KIND.EXIT_NONZERO, 3, log_incomplete=True)
    task = replace(a_task(STATE.FAILED, ended), crashes=1)
    earlier = an_attempt(AttemptState.LOST, Outcome(KIND.LOST, message="its keeper died"))
    refused = an_attempt(AttemptState.REJECTED, token=2)._replace(started_ms=0)
    last = an_attempt(outcome=ended, token=3)
    lines = said_of(Explanation(task, (earlier, refused, last), NOW_MS))
    assert "Its worker did not send all of its output in time: the end of it may be missing." in lines
    assert "It was lost with its worker 1 time while it ran." in lines
    assert lines[-3:] == [
        "Earlier:",
        "  attempt 1 on w1 was lost after 1m00s: its keeper died",
        "  attempt 2 on w1 was refused by it",
    ]


def test_an_end_without_an_attempt() -> None:
    outcome = Outcome(KIND.CANCELLED, message="cancelled by ann")
    assert said_of(Explanation(a_task(STATE.CANCELLED, outcome), (), NOW_MS))[1] == (
        "It never got a worker: it had waited for 1m25s."
    )


def test_many_attempts_are_cut() -> None:
    attempts = tuple(an_attempt(AttemptState.REVOKED, token=token) for token in range(1, 10))
    lines = said_of(Explanation(a_task(STATE.FAILED, Outcome(KIND.EXIT_NONZERO, 1)), attempts, NOW_MS))
    at = lines.index("Earlier:")
    assert lines[at + 1] == "  3 attempts before these"
    assert len(lines) == at + 1 + 6


def an_array(state: TaskState, *counts: tuple[TaskState, int]) -> Task:
    array = Array(Indices.first(4), counts=counts)
    return replace(
        a_task(state, Outcome(KIND.EXIT_NONZERO, 2, message="1 of 4 elements failed")), array=array
    )


def test_arrays_that_are_over() -> None:
    done = an_array(STATE.SUCCEEDED, (STATE.SUCCEEDED, 4))
    assert said_of(Explanation(done, (), NOW_MS))[1] == "All of its 4 elements succeeded."
    failed = an_array(STATE.FAILED, (STATE.SUCCEEDED, 3), (STATE.FAILED, 1))
    lines = said_of(Explanation(failed, (), NOW_MS))
    assert "Of its 4 elements: 3 SUCCEEDED, 1 FAILED." in lines
    assert "ganger why 42.INDEX" in " ".join(lines)
