"""This module checks how commands find tasks by names, by labels, and by `last` and `all`."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from ganger import Array, Indices, task_spec
from ganger_core.domain.clock import ManualClock
from ganger_core.settings import MasterSettings
from ganger_master.app import Master
from testkit.builders import a_spec
from testkit.client_cli import Cli, Result
from testkit.client_master import ScriptedMaster
from testkit.one_thread import OneThreadMaster


@pytest.fixture
def master(cli: Cli) -> ScriptedMaster:
    """Three tasks `train`, of which the first is over; two others, of which one failed; the array 6 of two elements."""
    one = cli.master
    for name, labels in (
        ("train", {"exp": "7"}),
        ("train", {"exp": "7", "who": "ann"}),
        ("train", {"exp": "8"}),
        ("trim", {"exp": "7"}),
        ("eval, all of it", {}),
    ):
        one.submit(task_spec(["true"], name=name, labels=labels))
    one.arrays.submit(task_spec(["x"], name="sweep", labels={"exp": "9"}), Array(Indices.first(2)))
    for task_id, code in ((1, 0), (4, 3)):
        one.run(task_id)
        one.end(task_id, code)
    return one


def ids_of(result: Result) -> list[int]:
    assert result.code == 0, result.err
    return [task["id"] for task in json.loads(result.out)["tasks"]]


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        (("train",), [3]),
        (("sweep", "1"), [6, 1]),
        (("swe",), [6]),
        (("eval, all of it",), [5]),
        (("e",), [5]),
        (("all",), [6, 5, 3, 2]),
        (("-l", "exp=7"), [4, 2, 1]),
        (("-l", "exp=7", "-l", "who=ann"), [2]),
        (("train", "-l", "exp=7"), [2]),
        (("last", "-l", "exp=7"), [4]),
        (("all", "-l", "exp=7"), [2]),
        (("1-5", "-l", "exp=7"), [1, 2, 4]),
        (("6.1", "6.0", "5", "-l", "exp=9"), [8, 7]),
    ],
)
def test_what_show_finds(master: ScriptedMaster, cli: Cli, words: tuple[str, ...], ids: list[int]) -> None:
    assert ids_of(cli("show", *words, "-o", "json")) == ids


NO_NAME = "ids are written as 42, 1,3,5-8, last, all, or 42.7 of an array; ganger ls --all shows names"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "tr"), "'tr' is how several names begin: trim, train; write one of them"),
        (("show", "Train"), f"there is no task 'Train'; {NO_NAME}"),
        (("show", "train", "-l", "exp=9"), f"there is no task 'train' with the label exp=9; {NO_NAME}"),
        (("show", "-l", "exp=6"), "no task has the label exp=6: ganger show ID tells what labels one has"),
        (("cancel", "-l", "exp=6"), "no task has the label exp=6: ganger show ID tells what labels one has"),
        (
            ("show", "last", "-l", "exp=6"),
            "no task has the label exp=6: ganger show ID tells what labels one has",
        ),
        (("show", "1,5", "-l", "exp=9"), "none of 1, 5 has the label exp=9"),
        (("show", "-l", "exp"), "-l exp: write KEY=VALUE, such as -l project=vision"),
        (("show", "99", "-l", "exp=7"), "there is no task 99"),
        (("logs", "all"), "all is what goes on, and here one task is meant: name it, such as last"),
        (
            ("retry", "all"),
            "all is what goes on, and only what is over can be retried: name it, or say -l KEY=VALUE",
        ),
    ],
)
def test_what_is_not_found_says_how_to_go_on(
    master: ScriptedMaster, cli: Cli, words: tuple[str, ...], said: str
) -> None:
    assert cli(*words) == Result(1, "", f"ganger: {said}\n")


def test_of_many_names_that_begin_so_five_are_shown(master: ScriptedMaster, cli: Cli) -> None:
    for number in range(6):
        master.submit(task_spec(["true"], name=f"t{number}"))
    said = "ganger: 't' is how several names begin: t5, t4, t3, t2, t1 …; write one of them\n"
    assert cli("wait", "t") == Result(125, "", said)


def test_logs_are_those_of_the_newest(master: ScriptedMaster, cli: Cli) -> None:
    for task_id in (2, 3):
        master.run(task_id)
        master.write(task_id, b"%d\n" % task_id)
        master.end(task_id)
    assert cli("logs", "train") == Result(0, "3\n", "")
    assert cli("logs", "-l", "who=ann") == Result(0, "2\n", "")
    assert cli("logs").code == 2


def test_wait_is_for_what_goes_on_of_a_name_and_for_all_that_has_labels(
    master: ScriptedMaster, cli: Cli
) -> None:
    late = cli("wait", "train", "--timeout", "0.01")
    assert (late.code, late.err) == (124, "ganger: 2 of 2 tasks are not over after 0.01s: 2, 3\n")
    assert (
        cli("wait", "all", "--timeout", "0.01").err
        == "ganger: 4 of 4 tasks are not over after 0.01s: 2, 3, 5, 6\n"
    )
    for task_id in (2, 3, 5):
        master.run(task_id)
        master.end(task_id)
    assert cli("wait", "train") == Result(0, "task 3 succeeded\n", "")
    assert cli("wait", "-l", "exp=7").code == 3  # also what was over before
    master.arrays.close(6)
    assert cli("wait", "all") == Result(0, "", "nothing goes on\n")


def cancelled(result: Result) -> list[str]:
    assert result.code == 0, result.err
    return [line.split()[1] for line in result.out.splitlines() if line.endswith(" is cancelled")]


def test_a_script_cancels_by_labels_and_all_but_not_several_by_name(master: ScriptedMaster, cli: Cli) -> None:
    master.submit(task_spec(["true"], name="train", labels={"exp": "8"}))
    refused = cli("cancel", "train")
    assert refused == Result(
        1,
        "",
        "ganger: 3 tasks with the name 'train' go on: 9, 3, 2; name one of them by its id, "
        "or say --yes to cancel them all\n",
    )
    assert cancelled(cli("cancel", "-l", "exp=8")) == ["9", "3"]
    assert cancelled(cli("cancel", "train")) == ["2"]  # the only one that goes on
    assert cancelled(cli("cancel", "train")) == ["9"]  # all are over: the newest, which it says again
    prefix = cli("cancel", "ev")
    assert (cancelled(prefix), prefix.err) == (["5"], "'ev' stands for 'eval, all of it'\n")
    assert cancelled(cli("cancel", "all")) == ["6"]
    assert cli("cancel", "-l", "exp=7") == Result(0, "", "nothing with these labels goes on\n")


def test_yes_cancels_all_of_a_name(master: ScriptedMaster, cli: Cli) -> None:
    assert cancelled(cli("cancel", "train", "--yes")) == ["3", "2"]


@pytest.mark.parametrize(
    "words", [("train",), ("-l", "exp=7", "train", "-l", "who=ann"), ("all",), ("-l", "exp=7")]
)
@pytest.mark.parametrize("answer", [True, False])
def test_on_a_terminal_several_are_asked_about(
    master: ScriptedMaster, cli: Cli, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], answer: bool
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("ganger.cli.named.can_ask", lambda: True)
    monkeypatch.setattr("ganger.cli.named.confirmed", lambda question: bool(asked.append(question)) or answer)
    result = cli("cancel", *words)
    if "exp=7" in words:  # one task is no question
        assert (asked, cancelled(result)) == ([], ["2"])
        return
    several = "4 tasks: 6, 5, 3, 2" if words == ("all",) else "2 tasks: 3, 2"
    assert asked == [f"cancel {several}?"]
    if answer:
        assert cancelled(result) == several.partition(": ")[2].split(", ")
    else:
        assert result == Result(1, "", "ganger: nothing is cancelled\n")
        assert not master.requests["CancelTask"]


def test_tasks_named_one_by_one_are_never_asked_about(
    master: ScriptedMaster, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganger.cli.named.can_ask", lambda: True)
    assert cancelled(cli("cancel", "2,3,5-6")) == ["2", "3", "5", "6"]


def test_retry_takes_what_failed_of_the_labels(master: ScriptedMaster, cli: Cli) -> None:
    assert cli("retry", "-l", "exp=7", "-q") == Result(0, "9\n", "")
    assert master.tasks[9].spec == master.tasks[4].spec
    cli("cancel", "2", "9")
    assert cli("retry", "-l", "exp=7", "--cancelled", "-q").out.split() == ["10", "11", "12"]
    assert cli("retry", "-l", "exp=8") == Result(
        0, "", "nothing with these labels failed, timed out or expired\n"
    )
    assert cli("retry", "trim", "--cancelled", "-q").code == 1  # the newest of that name goes on


def test_a_real_master_finds_them_too(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    with tempfile.TemporaryDirectory(prefix="gg") as folder:
        before = OneThreadMaster(Path(folder), ManualClock())
        before.submit(*[replace(a_spec(name="trend"), labels=(("exp", "7"),))] * 2, owner="somebody else")
        before.kill()
        master = Master(MasterSettings(state_dir=Path(folder)))
        master.start()
        try:
            cli = Cli(SimpleNamespace(folder=folder), capsysbinary)
            for words in (("-n", "train", "--array", "0-2"), ("-n", "train"), ("-n", "prep")):
                assert cli("submit", *words, "--label", "exp=7", "--", "true").code == 0
            assert cli("submit", "-n", "trim", "true").code == 0
            assert cli("ls", "-q", "-l", "exp=7").out.split() == ["8", "7", "3", "2", "1"]
            assert cli("ls", "-q", "-n", "tr").out.split() == ["9", "7", "3", "2", "1"]
            assert cli("ls", "-q", "3", "-l", "exp=7").out.split() == ["3.2", "3.1", "3.0"]
            assert cancelled(cli("cancel", "pr")) == ["8"]
            assert cancelled(cli("cancel", "3.0,3.2,9", "-l", "exp=7")) == ["3.0", "3.2"]
            assert cli("cancel", "train").code == 1
            assert "no task 'trend'" in cli("cancel", "trend").err  # it is somebody else's
            assert cancelled(cli("cancel", "-l", "exp=7")) == ["7", "3"]
            assert cli("wait", "-l", "exp=7").code == 125
            assert cancelled(cli("cancel", "all")) == ["9"]
            assert cli("ls", "-q", "-s", "pending").out.split() == ["2", "1"]
            assert cancelled(cli("cancel", "1,2")) == ["1", "2"]
        finally:
            master.stop()


def test_hold_and_release_take_what_makes_sense_of_labels_and_all(master: ScriptedMaster, cli: Cli) -> None:
    master.run(2)
    held = cli("hold", "all")
    assert (held.code, held.out) == (0, "task 6 is held\ntask 5 is held\ntask 3 is held\n")
    assert cli("hold", "-l", "exp=8") == Result(0, "", "nothing of it is to be held\n")
    assert cli("hold", "2").code == 1  # named itself, it is tried
    assert cli("release", "-l", "exp=9").out == "task 6 is released\n"
    assert cli("release", "all").out == "task 5 is released\ntask 3 is released\n"


def test_update_changes_what_goes_on(master: ScriptedMaster, cli: Cli) -> None:
    assert cli("update", "-l", "exp=9", "--max-parallel", "2").code == 0
    assert cli("update", "sweep", "--max-parallel", "1").code == 0
    limits = [(each.task_id, each.max_parallel) for each in master.requests["UpdateTask"]]
    assert limits == [(6, 2), (6, 1)]
