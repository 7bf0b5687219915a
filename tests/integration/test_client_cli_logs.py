"""This module checks what `ganger logs` writes: of one task byte for byte, of many behind their labels."""

from __future__ import annotations

import pytest

from ganger import Array, Indices, LogStream, task_spec
from testkit.client_cli import Cli, Result, in_background
from testkit.client_master import ScriptedMaster
from testkit.waiting import wait_until


@pytest.fixture
def master(cli: Cli) -> ScriptedMaster:
    return cli.master


def test_logs_are_byte_for_byte(master: ScriptedMaster, cli: Cli) -> None:
    master.submit(task_spec(["true"]))
    master.run(1)
    master.write(1, b"one")
    master.write(1, b"two", LogStream.STDERR)
    assert cli("logs", "1") == Result(0, "one", "two")
    master.lose(1)
    master.run(1)
    master.write(1, b"again")
    master.end(1)
    assert cli("logs", "-f", "last") == Result(0, "again", "")
    assert cli("logs", "--attempt", "1", "1") == Result(0, "one", "two")
    assert cli("logs", "1-2").err == "ganger: there is no task 2\n"


def test_who_sees_no_output_at_a_terminal_is_told_why(
    master: ScriptedMaster, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    master.submit(task_spec(["true"]))
    assert cli("logs", "1") == Result(0, "", "")
    monkeypatch.setattr("ganger.cli.logs.on_terminal", lambda: True)
    assert cli("logs", "1").err == ("task 1 has not started: ganger why 1 says why, ganger logs -f 1 waits\n")
    master.requests["WatchEvents"].clear()
    master.explain(1, "held by\x1b ann")
    script = in_background(
        lambda: wait_until(lambda: master.requests["WatchEvents"]),
        lambda: master.run(1),
        lambda: master.end(1, 0),
    )
    assert cli("logs", "-f", "1").err.startswith("task 1 has not started: held by\\x1b ann\n")
    script.join()
    assert cli("logs", "1").err == "no output of task 1 to show; it is SUCCEEDED\n"


def test_logs_of_a_part(master: ScriptedMaster, cli: Cli) -> None:
    master.submit(task_spec(["true"]))
    master.run(1)
    master.write(1, b"1\n2\n3\n")
    master.write(1, b"e\n", LogStream.STDERR)
    master.new_from = {LogStream.STDOUT: 2, LogStream.STDERR: 2}
    assert cli("logs", "-n", "1", "1") == Result(0, "3\n", "e\n")
    assert cli("logs", "-n", "0", "1") == Result(0, "", "")
    assert cli("logs", "--since", "5m", "1") == Result(0, "2\n3\n", "")
    assert cli("logs", "--stdout", "1") == Result(0, "1\n2\n3\n", "")
    assert cli("logs", "--stderr", "1") == Result(0, "", "e\n")
    assert "--since" in cli("logs", "--since", "soon", "1").err


def test_logs_of_many_have_their_labels(master: ScriptedMaster, cli: Cli) -> None:
    array = master.arrays.submit(task_spec(["work"]), Array(Indices.parse("7-9"), 2))
    master.submit(task_spec(["more"]))
    for task_id, data in ((2, b"a\n\nno end"), (4, b"\xffz\n"), (5, b"alone\n")):
        master.run(task_id)
        master.write(task_id, data)
    master.write(4, b"bad\n", LogStream.STDERR)
    assert array == 1
    assert cli("logs", "1").out == "1.7 | a\n1.7 | \n1.7 | no end\n1.9 | \ufffdz\n"
    both = cli("logs", "1,5", "-n", "1")
    assert both.out == "1.7 | no end\n1.9 | \ufffdz\n5 | alone\n"
    assert both.err == "1.9 | bad\n"
    assert cli("logs", "1.9") == Result(0, "\ufffdz\n", "bad\n")
    for words in (["-f", "1,5"], ["-a", "1", "1,5"], ["--exit-code", "-f", "1,5"]):
        assert "for one task at a time: name one, such as 42.7" in cli("logs", *words).err
    assert "ask for an element, such as 1.7" in cli("logs", "-f", "1").err


def test_following_can_exit_with_the_tasks_code(master: ScriptedMaster, cli: Cli) -> None:
    master.submit(task_spec(["true"]))
    master.run(1)
    master.end(1, 7)
    assert cli("logs", "-f", "1").code == 0
    assert cli("logs", "-f", "--exit-code", "1").code == 7
    assert cli("logs", "-f", "--exit-code", "2").code == 125
    assert cli("logs", "-f", "2").code == 1
    assert cli("logs", "--exit-code", "1").code == 125
