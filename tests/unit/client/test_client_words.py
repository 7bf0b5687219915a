"""This module checks how ids are read, exit codes chosen and ends described."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import typer

from ganger.build import signal_number, task_spec
from ganger.cli import exits
from ganger.cli.ids import parse_ids
from ganger.cli.task_options import Asked, asks_for_task, read_env, read_workdir
from ganger.errors import TaskFailed
from ganger.wording import describe_end, short_end
from ganger_core.domain.array import Array, Indices
from ganger_core.domain.errors import Invalid, NotFound
from ganger_core.domain.states import TASK_FINAL, TaskState
from ganger_core.domain.task import NO_LIMITS, Limits, OnWorkerLost, Outcome, OutcomeKind, Task, TaskSpec

KIND = OutcomeKind


def a_task(outcome: Outcome | None, state: TaskState = TaskState.FAILED, reason: str = "") -> Task:
    return Task(7, "me", TaskSpec(("x",)), state, 0, reason=reason, outcome=outcome)


ARRAY = replace(a_task(None), id=42, array=Array(Indices.parse("0-20:10,30-33")))


class Known:
    """What a master would say; fails where it is asked for what is not here."""

    def __init__(self, newest: int = 0, live: Sequence[int] = (), **names: list[int]) -> None:
        self._newest, self._live, self._names = newest, live, names

    def newest(self) -> int:
        assert self._newest
        return self._newest

    def going_on(self) -> Sequence[int]:
        assert self._live
        return self._live

    def named(self, name: str) -> list[int]:
        if name not in self._names:
            raise NotFound(f"there is no task {name!r}")
        return self._names[name]

    def task(self, task_id: int) -> Task:
        assert self._newest == 42
        return ARRAY if task_id == 42 else a_task(None)


@pytest.mark.parametrize(
    ("texts", "ids"),
    [
        (["42"], [42]),
        (["1,3,5-8"], [1, 3, 5, 6, 7, 8]),
        (["9", "2-3", "3,9"], [9, 2, 3]),
        (["last"], [99]),
        (["last,1"], [99, 1]),
        (["4-4"], [4]),
        (["all"], [99, 7]),
        (["7,all", "last"], [7, 99]),
        (["train"], [4, 3]),
        (["1", "train", "all"], [1, 4, 3, 99, 7]),
        (["1,2,x"], [5]),
        (["last one"], [6]),
        (["2026-11-21 run"], [8]),
    ],
)
def test_ids(texts: list[str], ids: list[int]) -> None:
    names = {"train": [4, 3], "1,2,x": [5], "last one": [6], "2026-11-21 run": [8]}
    labels = parse_ids(texts, Known(99, [99, 7], **names))
    assert list(labels.items()) == [(number, str(number)) for number in ids]


@pytest.mark.parametrize(
    ("texts", "labels"),
    [
        (["42.10"], {44: "42.10"}),
        (["42.31-33"], {47: "42.31", 48: "42.32", 49: "42.33"}),
        (["42.0-20:10"], {43: "42.0", 44: "42.10", 45: "42.20"}),
        (["42.30,7,42.0"], {46: "42.30", 7: "7", 43: "42.0"}),
        (["last.0,last"], {43: "42.0", 42: "42"}),
    ],
)
def test_elements(texts: list[str], labels: dict[int, str]) -> None:
    assert parse_ids(texts, Known(42)) == labels


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("42.1", "array 42 has no index 1; its indices are 0-20:10,30-33"),
        ("42.29-31", "array 42 has no index 29"),
        ("42.", "42.: '' is no index; write 0-99, 0-99:5 or 1,3,7-9"),
        ("42.7.1", "42.7.1: '7.1' is no index"),
        ("42.3-1", "42.3-1: '3-1' counts backwards; write 1-3"),
        (".7", "'.7' is not a task id"),
        ("all.7", "there is no task 'all.7'"),
        ("1-3.7", "'1-3.7' names elements of several arrays; write them one by one: 1.7"),
        ("42.0-100000", "42.0-100000 is more than 100000 tasks at once"),
        ("7.1", "7.1: task 7 is no array"),
    ],
)
def test_what_is_no_element(text: str, said: str) -> None:
    with pytest.raises((Invalid, NotFound)) as refused:
        parse_ids([text], Known(42))
    assert said in refused.value.message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "-1",
        "1-",
        "-",
        "3-1",
        "1,,2",
        "1" * 19,
        "1-200000",
    ],
)
def test_what_is_no_id(text: str) -> None:
    with pytest.raises(Invalid):
        parse_ids([text], Known())


@pytest.mark.parametrize("text", ["x", "42.x", "x.7", "last-3", "all,x", "\N{ARABIC-INDIC DIGIT ONE}", "1x"])
def test_what_is_no_id_is_a_name(text: str) -> None:
    assert parse_ids([text], Known(**{text: [9]})) == {9: "9"}


@pytest.mark.parametrize(
    ("outcome", "state", "code"),
    [
        (Outcome(KIND.OK, 0), TaskState.SUCCEEDED, 0),
        (Outcome(KIND.EXIT_NONZERO, 255), TaskState.FAILED, 255),
        (Outcome(KIND.SIGNALLED, 137, 9), TaskState.FAILED, 137),
        (Outcome(KIND.LAUNCH_FAILED, 126), TaskState.FAILED, 126),
        (Outcome(KIND.CANCELLED, 143, 15), TaskState.CANCELLED, 125),
        (Outcome(KIND.CANCELLED), TaskState.CANCELLED, 125),
        (Outcome(KIND.LOST), TaskState.FAILED, 125),
        (Outcome(KIND.TIMED_OUT, 143, 15), TaskState.TIMED_OUT, 124),
        (Outcome(KIND.TIMED_OUT, 0), TaskState.TIMED_OUT, 124),
        (Outcome(KIND.EXPIRED), TaskState.EXPIRED, 125),
        (Outcome(KIND.UNKILLABLE), TaskState.FAILED, 125),
        (Outcome(KIND.UNKILLABLE, 0), TaskState.FAILED, 125),
        (None, TaskState.CANCELLED, 125),
        (None, TaskState.SUCCEEDED, 0),
    ],
)
def test_exit_codes(outcome: Outcome | None, state: TaskState, code: int) -> None:
    assert exits.task_code(a_task(outcome, state), {}) == code


def test_the_highest_code_counts() -> None:
    tasks = [a_task(Outcome(KIND.EXIT_NONZERO, code)) for code in (3, 9, 4)]
    assert exits.highest(tasks, {}) == 9
    assert exits.highest([], {}) == 0


@pytest.mark.parametrize(
    ("value", "code"), [("0", 0), ("7", 7), ("255", 255), ("256", 125), ("-1", 125), ("x", 125), ("", 125)]
)
def test_the_code_of_our_own_failures_can_be_chosen(value: str, code: int) -> None:
    assert exits.own_failure({"GANGER_EXIT_ERROR": value}) == code
    assert exits.own_failure({}) == 125


@pytest.mark.parametrize(
    ("task", "text"),
    [
        (a_task(Outcome(KIND.OK, 0)), "succeeded"),
        (a_task(Outcome(KIND.EXIT_NONZERO, 3)), "failed with exit code 3"),
        (a_task(Outcome(KIND.SIGNALLED, 137, 9, "killed by SIGKILL")), "was killed by SIGKILL"),
        (a_task(Outcome(KIND.LAUNCH_FAILED, 127, message="x: not found")), "could not be started: x: not found"),
        (a_task(Outcome(KIND.CANCELLED, 143, 15, "cancelled by me: enough")), "was cancelled by me: enough"),
        (a_task(Outcome(KIND.CANCELLED, message="enough")), "was cancelled: enough"),
        (a_task(Outcome(KIND.LOST, message="gone")), "was lost: gone"),
        (a_task(Outcome(KIND.TIMED_OUT, 143, 15, "ran longer than 9s")), "timed out: ran longer than 9s"),
        (a_task(Outcome(KIND.EXPIRED)), "expired before it started"),
        (a_task(Outcome(KIND.UNKILLABLE, message="17 lives")), "cannot be ended: 17 lives"),
        (a_task(None, TaskState.TIMED_OUT), "timed out"),
        (a_task(None, TaskState.EXPIRED), "expired before it started"),
        (a_task(Outcome(KIND.EXIT_NONZERO, 3), reason="placed by planner"), "failed with exit code 3"),
        (a_task(Outcome(KIND.OK, 0, log_incomplete=True)), "succeeded (part of its output is missing)"),
        (a_task(None, TaskState.RUNNING), "goes on"),
        (a_task(None, TaskState.PENDING, "no worker is connected"), "goes on: no worker is connected"),
    ],
)  # fmt: skip
def test_how_tasks_ended(task: Task, text: str) -> None:
    assert describe_end(task) == text
    assert str(TaskFailed(task)) == f"task 7 {text}"


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        (Outcome(OutcomeKind.DRAINED, 143, 15, "w1 is empty now"), "drained: w1 is empty now"),
        (Outcome(KIND.OK, 0), ""),
        (Outcome(KIND.EXIT_NONZERO, 3, message="exited with code 3"), "exit code 3"),
        (Outcome(KIND.SIGNALLED, 128 + 11, 11), "killed by SIGSEGV"),
        (Outcome(KIND.SIGNALLED, 128 + 40, 40), "killed by signal 40"),
        (Outcome(KIND.LAUNCH_FAILED, 127, message="x: not found"), "x: not found"),
        (Outcome(KIND.LAUNCH_FAILED, 127), "launch failed"),
        (Outcome(KIND.CANCELLED, message="cancelled by me"), "cancelled by me"),
        (Outcome(KIND.LOST), "lost"),
        (
            Outcome(KIND.TIMED_OUT, 143, 15, "ran longer than its limit of 9s"),
            "ran longer than its limit of 9s",
        ),
        (Outcome(KIND.EXPIRED), "expired"),
    ],
)
def test_ends_for_tables(outcome: Outcome, text: str) -> None:
    assert short_end(outcome) == text


def test_environment_settings() -> None:
    assert read_env(["A=1", "B", "A=2", "C="], {"B": "b"}) == {"A": "2", "B": "b", "C": ""}
    with pytest.raises(Invalid, match="X=VALUE"):
        read_env(["X"], {})


def test_folders_become_absolute() -> None:
    import os

    assert read_workdir("") == ""
    assert read_workdir(None) == os.getcwd()
    assert read_workdir("/data/../x") == "/x"


@pytest.mark.parametrize("kind", KIND)
def test_every_end_has_words(kind: OutcomeKind) -> None:
    assert describe_end(a_task(Outcome(kind)))


@pytest.mark.parametrize("state", TaskState)
def test_every_state_has_words_without_an_outcome(state: TaskState) -> None:
    goes_on = describe_end(a_task(None, state)) == "goes on"
    assert goes_on == (state not in TASK_FINAL)


@pytest.mark.parametrize(
    ("value", "number"), [("INT", 2), ("sigterm", 15), ("SIGUSR1", 10), ("9", 9), (15, 15), ("64", 64)]
)
def test_signals(value: str | int, number: int) -> None:
    assert signal_number(value) == number


@pytest.mark.parametrize("value", ["", "0", 0, "65", "-1", "SIG", "SIG_DFL", "HANG", "9.5", "9" * 30])
def test_what_is_no_signal(value: str | int) -> None:
    with pytest.raises(Invalid, match="signal"):
        signal_number(value)


def test_limits_of_a_task() -> None:
    plain = task_spec(["true"])
    assert (plain.limits, plain.on_worker_lost) == (NO_LIMITS, OnWorkerLost.BY_AGE)
    spec = task_spec(
        ["true"], time="1h30m", queue_timeout=90, grace="0", lost_after=2.5, on_worker_lost="requeue"
    )
    assert spec.limits == Limits(run_s=5400.0, queue_s=90.0, grace_s=0.0, lost_after_s=2.5)
    assert spec.on_worker_lost is OnWorkerLost.REQUEUE
    assert task_spec(["true"], on_worker_lost=OnWorkerLost.WAIT).on_worker_lost is OnWorkerLost.WAIT


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"time": "soon"}, "time"),
        ({"time": -1}, "time"),
        ({"queue_timeout": "1x"}, "queue_timeout"),
        ({"grace": float("nan")}, "grace"),
        ({"lost_after": "0.5s"}, "lost_after"),
        ({"on_worker_lost": "panic"}, "on_worker_lost"),
    ],
)
def test_limits_that_are_none(options: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid, match=field):
        task_spec(["true"], **options)


@pytest.mark.parametrize("labels", [["project=vision"], {"a": 1}, {1: "a"}, {"a": ""}])
def test_labels_that_are_none(labels: Any) -> None:
    with pytest.raises(Invalid, match="labels") as refused:
        task_spec(["true"], labels=labels)
    assert refused.value.field.endswith("labels")


def test_a_verb_cannot_take_an_option_of_its_task() -> None:
    def verb(context: typer.Context, asked: Asked, grace: str = "") -> None: ...

    with pytest.raises(TypeError, match="verb has an option"):
        asks_for_task(verb)


@pytest.mark.parametrize(
    ("state", "code", "signal", "exit_code"),
    [
        (TaskState.CANCELLED, 130, 2, 130),
        (TaskState.CANCELLED, 137, 2, 137),
        (TaskState.CANCELLED, 7, 15, 7),
        (TaskState.CANCELLED, 0, 2, 130),  # who stops a script wants no more of it
        (TaskState.CANCELLED, None, 15, 143),
        (TaskState.CANCELLED, 143, None, 125),  # by somebody else
        (TaskState.FAILED, 3, 2, 3),
        (TaskState.SUCCEEDED, 0, 2, 0),
    ],
)
def test_the_code_after_a_signal_is_what_the_task_made_of_it(
    state: TaskState, code: int | None, signal: int | None, exit_code: int
) -> None:
    kind = {"CANCELLED": KIND.CANCELLED, "FAILED": KIND.EXIT_NONZERO}.get(state, KIND.OK)
    assert exits.code_after(a_task(Outcome(kind, code), state), signal, {}) == exit_code
