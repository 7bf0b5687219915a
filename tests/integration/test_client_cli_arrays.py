"""This module checks the verbs of the CLI on arrays: what is submitted, listed, changed and handed in again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ganger import Outcome, OutcomeKind, TaskState
from ganger.layout import cell_width
from ganger_core.domain.array import Array
from testkit.client_cli import Cli
from testkit.client_master import ScriptedMaster


@pytest.fixture
def master(cli: Cli) -> ScriptedMaster:
    return cli.master


def array_of(master: ScriptedMaster, array_id: int) -> Array:
    array = master.tasks[array_id].array
    assert array
    return array


def test_submit_says_what_was_queued_and_what_next(master: ScriptedMaster, cli: Cli) -> None:
    queued = cli("submit", "--array", "0-99%8", "--max-fails", "3", "-n", "x", "--", "work", "--array", "9")
    assert (queued.code, queued.out) == (0, "array 1 is queued: 100 elements, at most 8 at a time\n")
    assert queued.err == "  ganger progress 1     ganger wait 1     ganger cancel 1\n"
    assert (str(array_of(master, 1).indices), array_of(master, 1).max_fails) == ("0-99", 3)
    assert master.tasks[1].spec.command == ("work", "--array", "9")
    assert cli("submit", "-q", "--array", "7", "--max-parallel", "2", "work").out == "102\n"
    assert array_of(master, 102).max_parallel == 2
    document = json.loads(cli("submit", "-o", "json", "--array", "1,3,7-9", "work").out)
    assert document == {"version": 1, "task_ids": [104], "elements": 5}


def test_submit_takes_lines_and_json(master: ScriptedMaster, cli: Cli, tmp_path: Path) -> None:
    lines, values = tmp_path / "lines", tmp_path / "values.json"
    lines.write_text("a b\n\nc\n")
    values.write_text('["x", {"lr": 0.1}]')
    assert cli("submit", "--each-line", str(lines), "work").out == "array 1 is queued: 3 elements\n"
    assert cli("submit", "--from-json", str(values), "--max-parallel", "1", "work").code == 0
    got = [dict(task.spec.env).get("GANGER_ARRAY_ITEM") for task in master.tasks.values()]
    assert got == [None, "a b", "", "c", None, "x", '{"lr": 0.1}']


def test_submit_refuses_before_anything_is_sent(master: ScriptedMaster, cli: Cli, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    for words, said in (
        (["--array", "9-0"], "--array: '9-0' counts backwards; write 0-9"),
        (["--array", "0-9", "--from-json", "x"], "--array and --from-json: only one of them"),
        (["--each-line", str(empty)], f"--each-line {empty}: it is empty, and an array has at least one"),
        (["--from-json", str(tmp_path / "no")], "No such file or directory"),
        (["--max-parallel", "3"], "--max-parallel is for arrays"),
        (["--array", "0-9", "--max-parallel", "1000001"], "max_parallel must be from 0 to 1000000"),
        (["--array", "0-9", "-p", "101"], "priority"),
    ):
        refused = cli("submit", *words, "work")
        assert (refused.code, refused.out) == (1, "")
        assert said in refused.err
        assert refused.err.count("\n") == 1
    for words in (["--max-parallel", "-1"], ["--max-fails", "-1"], ["--max-fails", "x"]):
        refused = cli("submit", "--array", "0-9", *words, "work")
        assert refused.code == 2
        assert words[0] in refused.err
    assert cli("run", "--array", "0-9", "work").code == 125
    assert master.requests == {}


LS = """\
ID  NAME       STATE    PRI  CPU  MEM   TIME  WORKER  REASON
14  true       PENDING   50    1    –      –  –       queued
 1  six hours  RUNNING   50    2    –  1m39s  –       4/12 done, 2 running, 2 failed, 1 cancelled
"""
LS_1 = """\
  ID  NAME       STATE      PRI  CPU  MEM   TIME  WORKER  REASON
1.55  six hours  PENDING     50    2    –      –  –       queued
1.50  six hours  PENDING     50    2    –      –  –       queued
1.45  six hours  PENDING     50    2    –      –  –       queued
1.40  six hours  PENDING     50    2    –      –  –       queued
1.35  six hours  PENDING     50    2    –      –  –       queued
1.30  six hours  PENDING     50    2    –      –  –       queued
1.25  six hours  RUNNING     50    2    –  1m32s  w2
1.20  six hours  RUNNING     50    2    –  1m34s  w1
1.15  six hours  CANCELLED   50    2    –      –  –       cancelled by me
1.10  six hours  TIMED_OUT   50    2    –      –  –       ran longer than 9s
 1.5  six hours  FAILED      50    2    –   1.5s  w1      exit code 3
 1.0  six hours  SUCCEEDED   50    2    –   1.5s  w1
"""


def a_mixed_array(master: ScriptedMaster, cli: Cli) -> None:
    """An array with elements in six states, and a plain task behind it."""
    cli("submit", "--array", "0-55:5%2", "--max-fails", "9", "-n", "six hours", "-c", "2", "--", "work")
    for task_id in (2, 3, 6):
        master.run(task_id)
    master.run(7, "w2")
    master.end(2)
    master.end(3, 3)
    master.end(4, outcome=Outcome(OutcomeKind.TIMED_OUT, message="ran longer than 9s"))
    master.end(5, outcome=Outcome(OutcomeKind.CANCELLED, message="cancelled by me"))
    with master.changed:
        started = master.tasks[1].submitted_ms
        master.change(1, state=TaskState.RUNNING, started_ms=started, reason="")
    cli("submit", "true")


def test_ls_shows_an_array_as_a_row_and_its_elements_with_its_id(master: ScriptedMaster, cli: Cli) -> None:
    a_mixed_array(master, cli)
    listed = cli("ls")
    assert (listed.out, listed.err) == (LS, "")
    elements = cli("ls", "1")
    assert (elements.code, elements.out, elements.err) == (0, LS_1, "")
    assert max(cell_width(line) for line in elements.out.splitlines()) <= 100
    assert cli("ls", "-q", "1", "-s", "failed,running").out.split() == ["1.25", "1.20", "1.5"]
    assert cli("ls", "-q", "1.5,14", "last").out.split() == ["14", "1.5"]
    assert cli("ls", "-q", "14", "1.50-55:5", "-s", "pending").out.split() == ["14", "1.55", "1.50"]
    assert cli("ls", "1.5", "-s", "running").err == "no such tasks\n"
    assert cli("ls", "9,77").err == "ganger: there is no task 77\n"
    assert "array 1 has no index 4; its indices are 0-55:5" in cli("ls", "1.4").err


def test_ls_of_a_long_array_shows_some_of_it(master: ScriptedMaster, cli: Cli) -> None:
    cli("submit", "--array", "0-99", "true")
    assert cli("ls").out.splitlines()[1].endswith("  0/100 done: queued")
    assert len(cli("ls", "-q", "1").out.split()) == 20
    for task_id in range(2, 60):
        master.end(task_id)
    master.run(60)
    master.run(61)
    shown = cli("ls", "1", "-q")
    assert shown.out.split() == [f"1.{index}" for index in (*range(99, 79, -1), 59, 58, *range(57, 37, -1))]
    assert shown.err == (
        "42 of 100 elements of array 1 are shown: ganger ls 1 --all, or ganger ls 1 -s failed\n"
    )
    everything = cli("ls", "1", "-q", "--all")
    assert everything.out.split() == [f"1.{index}" for index in range(99, -1, -1)]
    assert everything.err == ""
    asked = len(master.requests["ListTasks"])
    assert cli("ls", "1", "-s", "expired").err == "no such tasks\n"
    assert len(master.requests["ListTasks"]) == asked + 1  # for the array, which has none


SHOW = """\
array      1 six hours
state      RUNNING
command    work
folder     {folder}
indices    0-55:5
elements   12: 6 PENDING, 2 RUNNING, 1 SUCCEEDED, 1 FAILED, 1 CANCELLED, 1 TIMED_OUT
parallel   at most 2 at a time
max fails  9: with more, the rest is not run
needs      2 CPUs
priority   50
owner      tester
submitted  2023-11-14 22:13:21, 1m39s ago
started    2023-11-14 22:13:21, 1m39s ago
ran        1m39s
"""


def test_show_of_arrays_and_elements(master: ScriptedMaster, cli: Cli) -> None:
    a_mixed_array(master, cli)
    assert cli("show", "1").out.startswith(SHOW.format(folder=Path.cwd()))
    element = cli("show", "1.5").out
    assert element.startswith("task       1.5 six hours\nelement    index 5 of array 1; its own id is 3\n")
    assert "env        GANGER_ARRAY_INDEX=5\n" in element
    tasks = json.loads(cli("show", "-o", "json", "1,1.5").out)["tasks"]
    assert [task["label"] for task in tasks] == ["1", "1.5"]
    assert (tasks[0]["array"]["indices"], tasks[0]["array"]["elements"]) == ("0-55:5", 12)
    assert tasks[0]["array"]["counts"]["PENDING"] == 6
    assert (tasks[1]["array"], tasks[1]["array_id"], tasks[1]["index"]) == (None, 1, 5)


def test_waiting_cancelling_and_logs_take_elements(master: ScriptedMaster, cli: Cli) -> None:
    a_mixed_array(master, cli)
    waited = cli("wait", "1.0-5:5,1.15")
    assert waited.code == 125
    assert waited.out == (
        "task 1.0 succeeded\ntask 1.5 failed with exit code 3\ntask 1.15 was cancelled by me\n"
    )
    assert cli("wait", "1.55", "--timeout", "0.1").err == "ganger: task 1.55 is not over after 0.1s\n"
    assert cli("cancel", "1.50-55:5").out == "task 1.50 is cancelled\ntask 1.55 is cancelled\n"
    master.write(6, b"to stdout")
    assert cli("logs", "1.20").out == "to stdout"
    refused = cli("logs", "-f", "1")
    assert refused.code == 1
    assert refused.err == (
        "ganger: 1 is an array, which writes nothing itself: ask for an element, such as 1.0\n"
    )
    assert cli("logs", "1.0-20:5").out == "1.20 | to stdout\n"
    outcome = Outcome(OutcomeKind.EXIT_NONZERO, 7, message="2 of 12 elements failed")
    master.end(1, outcome=outcome)
    ended = cli("wait", "1")
    assert (ended.code, ended.out) == (
        7,
        "array 1 failed: 2 of 12 elements failed; the highest exit code is 7\n",
    )


def test_update_changes_a_limit(master: ScriptedMaster, cli: Cli) -> None:
    a_mixed_array(master, cli)
    assert cli("update", "1", "--max-parallel", "16").out == "task 1: at most 16 at a time\n"
    assert array_of(master, 1).max_parallel == 16
    master.arrays.out_of_reach = True
    late = cli("update", "1", "--max-parallel", "0")
    assert (late.code, late.out) == (0, "task 1: as many at a time as there is room for\n")
    assert late.err.startswith("task 1: not yet in force: a worker that cannot be reached may still start")
    document: dict[str, Any] = json.loads(cli("update", "1", "--max-parallel", "3", "-o", "json").out)
    (task,) = document["tasks"]
    assert (task["id"], task["max_parallel"], task["priority"], task["in_force"]) == (1, 3, None, False)
    some = cli("update", "14,1,77", "--max-parallel", "4")
    assert (some.code, some.out) == (1, "task 1: at most 4 at a time\n")
    assert some.err.splitlines() == [
        "ganger: task 14 is no array that goes on",
        "ganger: there is no task 77",
        late.err.strip(),
    ]
    for words in (["--max-parallel", "-1"], ["--max-parallel", "many"]):
        refused = cli("update", "1", *words)
        assert refused.code == 2
        assert "--max-parallel" in refused.err


def test_retry_hands_in_again_what_failed(master: ScriptedMaster, cli: Cli) -> None:
    a_mixed_array(master, cli)
    going_on = cli("retry", "1")
    assert (going_on.code, going_on.out) == (1, "")
    assert going_on.err.startswith("ganger: array 1 goes on: wait until it is over, or name elements")
    some = cli("retry", "1.0-10:5")
    assert (some.code, some.out) == (
        0,
        "array 15 is queued: 2 elements of array 1 again, at most 2 at a time\n",
    )
    assert some.err == "  ganger ls 15     ganger wait 15     ganger cancel 15\n"
    assert str(array_of(master, 15).indices) == "5,10"
    master.end(1, outcome=Outcome(OutcomeKind.EXIT_NONZERO, 3, message="2 of 12 elements failed"))
    assert cli("retry", "1", "--failed", "-q").out == "18\n"
    assert (str(array_of(master, 18).indices), array_of(master, 18).retry_of) == ("5,10", 1)
    assert "retry of   1\n" in cli("show", "18").out
    assert json.loads(cli("retry", "1", "--cancelled", "-o", "json").out) == {"version": 1, "task_ids": [21]}
    assert str(array_of(master, 21).indices) == "5-15:5"
    master.end(14, 3)
    both = cli("retry", "14,1.0,77")
    assert both.code == 1
    assert both.out == "task 25 is queued: task 14 again\n"
    assert "nothing to retry: of task 1.0 nothing failed, timed out or expired\n" in both.err
    assert "there is no task 77" in both.err
    master.end(25, 3)
    assert cli("retry", "14,25").err == "  ganger ls 26,27     ganger wait 26,27     ganger cancel 26,27\n"
