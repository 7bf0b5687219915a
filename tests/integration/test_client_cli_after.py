"""This module checks how tasks that are to run after others are handed in, shown, and handed in again."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

import ganger
from ganger.client import Client
from ganger_core.domain.dependency import Dependency, DependencyKind, OnDependencyFailure
from ganger_core.domain.errors import Invalid
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import Outcome, OutcomeKind
from ganger_core.domain.waits import Waits
from testkit.client_cli import Cli
from testkit.client_master import ScriptedMaster

OK, ANY, FAIL, START, EACH = DependencyKind
WHY = '1 "prep" failed with exit code 3; 2 was skipped for it'


def test_what_to_wait_for_is_named_like_tasks_everywhere(cli: Cli) -> None:
    master = cli.master
    cli("submit", "--array", "0-9", "--", "true")
    cli("submit", "--", "true")
    given = ("--after", "1,12", "--after", "any:last", "--after", "fail:1.7", "--after", "start:12")
    assert cli("submit", *given, "--on-dependency-failure", "run", "--", "true").code == 0
    spec = master.tasks[13].spec
    assert spec.after == (
        Dependency(1, OK),
        Dependency(12, OK),
        Dependency(12, ANY),
        Dependency(9, FAIL),
        Dependency(12, START),
    )
    assert spec.on_dependency_failure is OnDependencyFailure.RUN
    shown = cli("show", "13").out
    assert "after      1 (ok), 12 (ok), 12 (any), 9 (fail), 12 (start); otherwise: run" in shown
    document = json.loads(cli("show", "13", "-o", "json").out)["tasks"][0]
    assert document["after"][3] == {"task_id": 9, "kind": "FAIL"}
    assert (document["on_dependency_failure"], document["waits_for"]) == ("RUN", [])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--after", "x"), "there is no task 'x'"),
        (("--after", "perhaps:1"), "after: 'perhaps' is none of ok, any, fail, start, each"),
        (
            ("--on-dependency-failure", "cry"),
            "--on-dependency-failure: 'cry' is none of skip, hold, run, fail",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(cli: Cli, words: tuple[str, ...], said: str) -> None:
    refused = cli("submit", *words, "--", "true")
    assert refused.code == 1
    assert said in refused.err
    assert not cli.master.tasks


def test_the_sdk_takes_ids_and_pairs(master: ScriptedMaster, client: Client) -> None:
    for _ in range(2):
        client.submit(["true"])
    client.submit(["true"], after=[1, ("any", 2), Dependency(2)], on_dependency_failure="hold")
    assert master.tasks[3].spec.after == (Dependency(1), Dependency(2, ANY), Dependency(2))
    for wrong in (1, "1", [("ok", 1, 2)], [("x", 1)], ["1"], [None]):
        with pytest.raises(Invalid, match="after") as caught:
            client.submit(["true"], after=wrong)  # type: ignore[arg-type]
        assert "after" in caught.value.field


def test_tasks_of_one_call_name_each_other_by_their_place(master: ScriptedMaster, client: Client) -> None:
    client.submit_many([ganger.task_spec(["a"]), ganger.task_spec(["b"], after=[-1])])
    assert master.tasks[2].spec.after == (Dependency(-1),)  # the master knows the ids
    with pytest.raises(Invalid, match="wait for each other: -1 before -1"):
        client.submit_many([ganger.task_spec(["a"], after=[-1])])


def skipped(cli: Cli) -> None:
    """Task 2 is skipped for want of task 1."""
    cli("submit", "-n", "prep", "--", "true")
    cli("submit", "--after", "1", "--", "true")
    cli.master.end(1, 3)
    cli.master.end(2, outcome=Outcome(OutcomeKind.SKIPPED, message=WHY))


def test_a_skipped_task_says_for_want_of_what(cli: Cli) -> None:
    skipped(cli)
    waited = cli("wait", "2")
    assert (waited.code, waited.out) == (125, f"task 2 never ran: {WHY}\n")
    assert "SKIPPED" in cli("ls", "-s", "skipped").out


def test_what_was_skipped_can_be_retried_and_does_not_wait_for_what_is_over(cli: Cli) -> None:
    master = cli.master
    skipped(cli)
    assert cli("retry", "1", "2").code == 0
    assert [master.tasks[each].spec.after for each in (3, 4)] == [(), (Dependency(3),)]
    assert cli("retry", "2").code == 0
    assert master.tasks[5].spec.after == ()
    assert cli("retry", "2", "--after", "3").code == 0
    assert master.tasks[6].spec.after == (Dependency(3),)
    waits = replace(master.tasks[6], waits=Waits(after=(Dependency(3),)))
    master.tasks[6] = waits
    assert "waits for  3" in cli("show", "6").out
    master.end(6, outcome=Outcome(OutcomeKind.CANCELLED))
    cli("submit", "--array", "0-1", "--after", "each:3", "--after", "3", "--", "true")
    assert master.tasks[7].spec.after == (Dependency(3, EACH), Dependency(3))
    for element in (8, 9):
        master.run(element)
        master.end(element, 1)
    with master.changed:
        master.change(7, state=TaskState.FAILED)
    assert cli("retry", "7").code == 0
    assert master.tasks[10].spec.after == (Dependency(3),)
    assert cli("retry", "6", "--cancelled").code == 0
    assert master.tasks[13].spec.after == (Dependency(3),)  # which goes on still
    assert master.tasks[2].state is TaskState.SKIPPED


def test_what_goes_element_by_element_does_so_again_with_the_same_indices(cli: Cli) -> None:
    master = cli.master
    for given in ((), ("--after", "each:1"), ("--after", "each:1")):
        cli("submit", "--array", "0-2", *given, "--", "true")
    for array_id, failed in ((1, {1, 2}), (5, {1, 2}), (9, {1})):
        for index in range(3):
            master.run(array_id + 1 + index)
            master.end(array_id + 1 + index, int(index in failed))
        with master.changed:
            master.change(array_id, state=TaskState.FAILED)
    assert cli("retry", "5", "9", "1").code == 0
    assert [str(master.tasks[each].array.indices) for each in (13, 16, 19)] == ["1-2", "1-2", "1"]  # type: ignore[union-attr]
    assert master.tasks[16].spec.after == (Dependency(13, EACH),)
    assert master.tasks[19].spec.after == (Dependency(13, OK),)
