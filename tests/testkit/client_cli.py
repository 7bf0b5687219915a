"""This module runs command lines of the client in the test's own process, against a scripted master."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from ganger.cli.main import main
from testkit.builders import a_worker
from testkit.client_master import START_MS, ScriptedMaster, a_scripted_master, a_worker_view

_GIVEN = ("GANGER_ADDR", "GANGER_TOKEN_FILE", "GANGER_EXIT_ERROR", "GANGER_DEBUG", "GANGER_OUTPUT")


@dataclass
class Result:
    """What a command wrote and how it exited."""

    code: int
    out: str
    err: str


class Cli:
    """Runs commands against one master."""

    def __init__(self, master: Any, capture: pytest.CaptureFixture[bytes]) -> None:
        self.master = master
        self._capture = capture

    def __call__(self, *words: str) -> Result:
        """One command line."""
        with pytest.raises(SystemExit) as exited:
            main(["--state-dir", str(self.master.folder), *words])
        out, err = self._capture.readouterr()
        code = exited.value.code
        assert isinstance(code, int)
        return Result(code, out.decode(errors="replace"), err.decode(errors="replace"))


@contextlib.contextmanager
def a_cli(capture: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Iterator[Cli]:
    """A command line in UTC against a scripted master with one worker, 100 seconds after the master's first moment."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    for variable in _GIVEN:
        monkeypatch.delenv(variable, raising=False)
    now_ns = (START_MS + 100_000) * 1_000_000
    monkeypatch.setenv("NO_COLOR", "")  # and so taken back, whatever a command sets it to
    for module in ("ls", "show", "task_table", "wait", "worker", "worker_show"):
        clock = SimpleNamespace(time_ns=lambda: now_ns, strftime=time.strftime, localtime=time.localtime)
        monkeypatch.setattr(f"ganger.cli.{module}.time", clock)
    with a_scripted_master() as master:
        master.workers = [a_worker_view(a_worker())]
        yield Cli(master, capture)
    monkeypatch.undo()
    time.tzset()


def in_background(*actions: object) -> threading.Thread:
    """Do these one after the other in a thread."""
    thread = threading.Thread(target=lambda: [action() for action in actions], name="script")  # type: ignore[operator]
    thread.start()
    return thread


def running_as(master: ScriptedMaster, *steps: object) -> None:
    """Let the next task run through `steps`, each a call with its id, once it is submitted."""

    def script(task_id: int) -> None:
        for step in steps:
            step(task_id)  # type: ignore[operator]

    def on_submit(task_id: int) -> None:
        threading.Thread(target=script, args=(task_id,), name="script").start()

    master.on_submit = on_submit
