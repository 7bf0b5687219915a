"""This module checks the CLI as a process of its own: Ctrl-C, closed pipes, terminals, help."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganger import LogStream, Outcome, OutcomeKind, TaskState, task_spec
from testkit.builders import a_worker
from testkit.client_master import ScriptedMaster, a_scripted_master, a_worker_view
from testkit.waiting import wait_until

# A shell that starts tests in the background makes them ignore Ctrl-C; the command here must not.
LIKE_A_SHELL = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from ganger.cli.main import main; main(sys.argv[1:])"
)
END_S = 20


@pytest.fixture
def master() -> Iterator[ScriptedMaster]:
    with a_scripted_master() as master:
        master.workers = [a_worker_view(a_worker())]
        yield master


def ganger(folder: Path, *words: str, **options: object) -> subprocess.Popen[bytes]:
    """Start a command; its output is read by the test."""
    pipes: dict[str, object] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
        [sys.executable, "-c", LIKE_A_SHELL, "--state-dir", str(folder), *words],
        env={**os.environ, "COLUMNS": "100"},
        **pipes,
    )


def read_line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    return process.stdout.readline()


def a_run_under_way(master: ScriptedMaster) -> subprocess.Popen[bytes]:
    """`ganger run`, with its first line of output already here."""
    process = ganger(master.folder, "run", "--", "work")
    wait_until(lambda: master.tasks, what="the task is submitted")
    master.run(1)
    master.write(1, b"begun\n")
    assert read_line(process) == b"begun\n"
    return process


def test_output_comes_as_it_is_written_and_byte_for_byte(master: ScriptedMaster) -> None:
    process = a_run_under_way(master)
    master.write(1, b"\xff\x00 no text\n")
    assert read_line(process) == b"\xff\x00 no text\n"
    master.write(1, b"\x80", LogStream.STDERR)
    master.end(1, 5)
    out, err = process.communicate(timeout=END_S)
    assert (process.returncode, out, err) == (5, b"", b"\x80")


def asked_to_stop(master: ScriptedMaster) -> list[tuple[int, float | None]]:
    """With which signal and grace each cancel came."""
    return [
        (asked.signal, asked.grace_s if asked.HasField("grace_s") else None)
        for asked in master.requests["CancelTask"]
    ]


def cancelled(code: int, number: int = 0) -> Outcome:
    return Outcome(OutcomeKind.CANCELLED, code, signal=number or None, message="cancelled by tester")


@pytest.mark.parametrize(
    ("number", "outcome", "code"),
    [
        (signal.SIGINT, cancelled(130, 2), 130),
        (signal.SIGTERM, cancelled(7), 7),
    ],
)
def test_run_passes_signals_on_and_goes_on_until_the_end(
    master: ScriptedMaster, number: signal.Signals, outcome: Outcome, code: int
) -> None:
    master.is_slow_to_stop = True
    process = a_run_under_way(master)
    process.send_signal(number)
    wait_until(lambda: master.tasks[1].state is TaskState.STOPPING, what="the task is told")
    master.write(1, b"last words\n")
    assert read_line(process) == b"last words\n"
    master.end(1, outcome=outcome)
    _, err = process.communicate(timeout=END_S)
    assert process.returncode == code
    assert asked_to_stop(master) == [(number, None)]
    name = b"Ctrl-C" if number == signal.SIGINT else b"SIGTERM"
    assert name + b" goes to task 1; a second one kills it" in err


def test_a_second_ctrl_c_kills_and_a_third_leaves(master: ScriptedMaster) -> None:
    master.is_slow_to_stop = True
    process = a_run_under_way(master)
    for count in (1, 2):
        process.send_signal(signal.SIGINT)
        wait_until(lambda count=count: len(asked_to_stop(master)) == count, what="the task is told")
    assert asked_to_stop(master) == [(2, None), (2, 0.0)]
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=END_S)
    assert process.returncode == 130
    assert b"not waiting for the end of task 1: ganger wait 1" in err
    assert master.tasks[1].state is TaskState.STOPPING


def test_ctrl_c_ends_a_run_that_waits(master: ScriptedMaster) -> None:
    process = ganger(master.folder, "run", "--", "work")
    wait_until(lambda: master.watchers, what="it waits for a place")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=END_S)
    assert process.returncode == 130
    assert err.endswith(b"ganger: task 1 was cancelled: Ctrl-C in ganger run\n")


def test_ctrl_c_ends_following_and_waiting_only(master: ScriptedMaster) -> None:
    master.submit(task_spec(["work"]))
    master.run(1)
    master.write(1, b"begun\n")
    following = ganger(master.folder, "logs", "-f", "1")
    assert read_line(following) == b"begun\n"
    following.send_signal(signal.SIGINT)
    _, err = following.communicate(timeout=END_S)
    assert (following.returncode, b"detached" in err) == (130, True)
    asked = len(master.requests["GetTaskStatus"])
    waiting = ganger(master.folder, "wait", "1")
    wait_until(lambda: len(master.requests["GetTaskStatus"]) > asked, what="it waits")
    waiting.send_signal(signal.SIGINT)
    assert waiting.communicate(timeout=END_S) == (
        b"",
        b"\ndetached: waiting ends here, what was waited for does not\n",
    )
    assert waiting.returncode == 130
    assert master.tasks[1].state is TaskState.RUNNING


def test_a_reader_that_goes_away_is_no_error(master: ScriptedMaster) -> None:
    with a_run_under_way(master) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        master.write(1, b"nobody reads this\n")
        err = process.stderr.read()
        assert process.wait(END_S) == 141
    assert err == b"ganger: the reader of the output is gone; task 1 goes on: ganger logs -f 1\n"


def on_a_terminal(master: ScriptedMaster, *words: str, **env: str) -> str:
    """What a command writes to a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "ganger", "--state-dir", str(master.folder), *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", **env},
    )
    os.close(theirs)
    written = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # how Linux says that nobody has the other end open any more
            break
        written += piece
        if not piece:
            break
    os.close(ours)
    assert process.wait(END_S) == 0
    return written.decode()


def test_colours_are_for_terminals_that_want_them(master: ScriptedMaster) -> None:
    master.submit(task_spec(["work"]))
    master.end(1)
    assert "\x1b[32mSUCCEEDED\x1b[0m" in on_a_terminal(master, "ls", NO_COLOR="")
    assert "\x1b" not in on_a_terminal(master, "ls", NO_COLOR="1")
    assert "\x1b" not in on_a_terminal(master, "ls", "--no-color", NO_COLOR="")
    piped = ganger(master.folder, "ls")
    out, _ = piped.communicate(timeout=END_S)
    assert b"SUCCEEDED" in out
    assert b"\x1b" not in out


def test_a_watched_list_is_drawn_over_itself_until_ctrl_c(master: ScriptedMaster) -> None:
    master.submit(task_spec(["work"]))
    ours, theirs = pty.openpty()
    process = ganger(
        master.folder, "ls", "-w", stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    written = b""
    while b"PENDING" not in written:
        written += os.read(ours, 65536)
    master.end(1)
    while b"SUCCEEDED" not in written:
        written += os.read(ours, 65536)
    process.send_signal(signal.SIGINT)
    assert process.wait(END_S) == 130
    os.close(theirs)
    os.close(ours)
    assert b"\x1b[4A" in written  # up over a headline, a gap, the titles and one task


def test_what_a_task_is_called_cannot_steer_the_terminal(master: ScriptedMaster) -> None:
    master.submit(task_spec(["printf", "\x1b[2J\r\n"]))
    listed = ganger(master.folder, "ls").communicate(timeout=END_S)[0]
    shown = ganger(master.folder, "show", "1").communicate(timeout=END_S)[0]
    assert b"\\x1b[2J" in listed
    assert b"\\x1b[2J" in shown
    assert b"\x1b" not in listed + shown


def test_a_terminal_that_knows_only_ascii_is_no_error(master: ScriptedMaster) -> None:
    master.submit(task_spec(["work"], name="名"))
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "ganger", "--state-dir", str(master.folder), "ls"]
    listed = subprocess.run(command, capture_output=True, env=env, timeout=END_S, check=True)
    assert b"\\u540d" in listed.stdout


def test_help_lists_every_verb_with_an_example() -> None:
    from ganger.cli.main import SECTIONS, app

    command = [sys.executable, "-m", "ganger", "--help"]
    helped = subprocess.run(command, capture_output=True, text=True, timeout=END_S, check=True).stdout
    listed = [name for names in SECTIONS.values() for name in names]
    groups = [group for group in app.registered_groups if group.typer_instance is not None]
    verbs = [str(each.name) for each in app.registered_commands if not each.hidden]
    verbs += [
        f"{group.name} {each.name}" for group in groups for each in group.typer_instance.registered_commands
    ]
    assert sorted(listed) == sorted(verbs)
    for name in listed:
        (line,) = [line for line in helped.splitlines() if line.startswith(f"  {name} ")]
        assert f"ganger {name}" in line
        assert len(line) <= 100
