"""This module tests what a daemon's log looks like, in a process of its own."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import pytest

PROGRAM = """
import os, signal, sys, threading
from ganger_core.logs import bind_context, configure, get_logger
log = get_logger()
configure(sys.argv[1], "master")
log.debug("quiet", task=1)
def work():
    try:
        {}["x"]
    except KeyError as error:
        bind_context(worker="w1")
        log.error("failed", task=7, error=error, path="a b")
thread = threading.Thread(target=work, name="w")
thread.start()
thread.join()
os.kill(os.getpid(), signal.SIGUSR1)
"""


def run(level: str) -> list[str]:
    ran = subprocess.run([sys.executable, "-c", PROGRAM, level], capture_output=True, text=True, check=True)
    assert ran.stdout == ""
    return ran.stderr.splitlines()


def test_lines_are_json_with_service_and_traceback_from_every_thread() -> None:
    line, *stacks = run("info")
    fields = json.loads(line)
    assert (fields["event"], fields["service"], fields["level"], fields["task"]) == (
        "failed",
        "master",
        "error",
        7,
    )
    assert fields["at"].endswith("Z")
    assert (fields["worker"], fields["path"]) == ("w1", "a b")
    assert "KeyError: 'x'" in fields["exception"]
    assert any("most recent call first" in text for text in stacks), "SIGUSR1 prints the stacks"


@pytest.mark.parametrize(("level", "lines"), [("debug", 2), ("info", 1), ("error", 1)])
def test_the_level_decides(level: str, lines: int) -> None:
    assert sum(text.startswith("{") for text in run(level)) == lines


def test_on_a_terminal_lines_are_for_people() -> None:
    controller, terminal = pty.openpty()
    subprocess.run(
        [sys.executable, "-c", PROGRAM, "info"],
        stderr=terminal,
        env={**os.environ, "NO_COLOR": "1"},
        check=True,
    )
    os.close(terminal)
    text = os.read(controller, 65_536).decode()
    os.close(controller)
    assert 'error   master: failed  worker=w1 task=7 path="a b"' in text
    assert "\nKeyError: 'x'" in text.replace("\r", "")
    assert not text.startswith("{")
