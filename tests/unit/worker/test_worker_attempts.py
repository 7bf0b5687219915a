"""This module tests when the keeper stops, kills and gives up attempts, on a machine made of a few dictionaries."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from math import inf
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ganger_worker import keeper_attempts
from ganger_worker.keeper_attempts import LEASE_GRACE_S, QUIET_S, Attempts
from ganger_worker.keeper_journal import Journal
from ganger_worker.keeper_process import MARK, Process, mark_of

KEY = {"task": 1, "token": 1}
TERM, KILL, USR1 = signal.SIGTERM, signal.SIGKILL, signal.SIGUSR1
PATIENCE_S = 60.0
BEGIN_S = 1_000.0


class Machine:
    """A clock, processes that live until the test says otherwise, and the signals that they got."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = BEGIN_S
        self.living: dict[int, Process] = {}
        self.ended: list[tuple[int, int]] = []
        self.signals: list[tuple[float, int]] = []
        kernel = SimpleNamespace(
            O_RDONLY=0,
            WNOHANG=1,
            open=lambda path, flags: 0,
            close=lambda fd: None,
            getpid=lambda: 1,
            chdir=lambda path: None,
            waitpid=lambda pid, options: self.ended.pop(0) if self.ended else (0, 0),
            waitstatus_to_exitcode=lambda status: status,
            pread=lambda fd, most, offset: self._children()[offset:][:4095],  # as the kernel: a page
        )
        for name, what in {
            "os": kernel,
            "launch": self._launch,
            "survey": lambda: self.living,
            "signal_all": self._signal,
        }.items():
            monkeypatch.setattr(keeper_attempts, name, what)
        self.journal = Journal(str(folder / "journal"))
        self.attempts = Attempts(self.journal, "w", "", lambda: self.now, PATIENCE_S)

    def start(self, *, lease_s: float | None = 1e6, **more: object) -> None:
        deadline = None if lease_s is None else self.now + lease_s
        item = {**KEY, "command": ["x"], "env": {}, "cwd": "/", "deadline": deadline, **more}
        assert list(self.attempts.start([item], {})) == []

    def stop(self, grace: float, signum: int = TERM, cause: str = "order") -> None:
        self.attempts.stop([{**KEY, "grace": grace, "cause": cause, "signal": signum}])

    def end(self, status: int) -> None:
        """The process ends; the keeper has yet to notice."""
        pid, _ = self.living.popitem()
        self.ended.append((pid, status))

    def wait(self, seconds: float) -> None:
        """Let time pass; the keeper looks when it wants to, and at least every second."""
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + 1.0, max(self.now, self.attempts.next_tick))
            self.attempts.tick()

    def suspend(self, seconds: float) -> None:
        """The whole host is suspended, and wakes."""
        self.now += seconds
        self.attempts.tick()

    def got(self) -> list[tuple[float, int]]:
        """Signals since the last question, each with when it came."""
        got, self.signals = self.signals, []
        return got

    def exits(self) -> list[dict[str, Any]]:
        """What was told as over since the last question."""
        return [exit_ for news in self.attempts.news() for exit_ in news["exits"]]

    def news(self) -> list[dict[str, Any]]:
        """What is told now."""
        return list(self.attempts.news())

    def _children(self) -> bytes:
        return b"".join(b"%4d " % pid for pid in self.living)

    def _launch(self, command: list[str], env: dict[str, str], *_: str) -> int:
        self.living[100] = Process(1, 100, env[MARK])
        return 100

    def _signal(self, pids: Iterable[int], signum: int) -> None:
        self.signals += [(round(self.now - BEGIN_S, 6), signum) for _ in pids]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_the_grace_that_ends_first_counts_and_a_signal_goes_out_once(machine: Machine) -> None:
    machine.start()
    machine.stop(30.0)
    machine.stop(10.0)
    machine.stop(500.0, USR1)
    machine.stop(400.0, USR1)
    machine.wait(9.9)
    assert machine.got() == [(0.0, TERM), (0.0, USR1)]
    machine.wait(0.1)
    assert machine.got() == [(10.0, KILL)]


@pytest.mark.parametrize("stop", [(0.0, TERM), (30.0, KILL)])
def test_without_a_grace_and_by_its_own_name_there_is_only_kill(
    machine: Machine, stop: tuple[float, int]
) -> None:
    machine.start()
    machine.wait(1.0)
    machine.stop(*stop)
    assert machine.attempts.next_tick == machine.now, "the loop looks at once"
    machine.attempts.tick()
    assert machine.got() == [(1.0, KILL)]


def test_the_run_limit_counts_from_the_start_and_gives_the_tasks_own_grace(machine: Machine) -> None:
    machine.start(limit=90.0, grace=7.0)
    machine.wait(89.5)
    assert machine.got() == []
    machine.wait(0.5)
    assert machine.got() == [(90.0, TERM)]
    machine.wait(7.0)
    assert machine.got() == [(97.0, KILL)]
    machine.end(-KILL)
    machine.attempts.reap()
    (exit_,) = machine.exits()
    assert (exit_["cause"], exit_["limit"], exit_["signal"]) == ("limit", 90.0, KILL)


def test_who_ended_by_himself_before_the_limit_is_what_he_was(machine: Machine) -> None:
    machine.start(limit=90.0, grace=7.0)
    machine.wait(80.0)
    machine.end(0)
    machine.wait(20.0)  # nobody rang: the keeper finds out when it looks at the limit
    (exit_,) = machine.exits()
    assert (exit_["cause"], exit_["code"]) == ("", 0)
    assert machine.got() == []


def test_a_stop_before_the_limit_keeps_its_cause(machine: Machine) -> None:
    machine.start(limit=90.0, grace=7.0)
    machine.wait(85.0)
    machine.stop(60.0)
    machine.wait(59.0)
    assert machine.got() == [(85.0, TERM)]
    machine.end(-TERM)
    machine.attempts.reap()
    assert machine.exits()[0]["cause"] == "order"


def test_no_lease_has_no_end_and_gets_one_when_told(machine: Machine) -> None:
    machine.start(lease_s=None)
    machine.suspend(1e9)
    assert machine.got() == []
    machine.attempts.extend([{**KEY, "deadline": machine.now + 5}])
    machine.wait(6)
    assert [signum for _, signum in machine.got()] == [TERM]
    machine.attempts.extend([{**KEY, "deadline": None}])  # too late
    machine.wait(LEASE_GRACE_S)
    assert KILL in [signum for _, signum in machine.got()]


def test_a_long_grace_does_not_outlive_the_lease(machine: Machine) -> None:
    machine.start(lease_s=100.0)
    machine.stop(3_600.0)
    assert machine.got() == [(0.0, TERM)]
    machine.wait(100.0 + LEASE_GRACE_S - 1)
    assert machine.got() == []
    machine.wait(1)
    assert machine.got() == [(100.0 + LEASE_GRACE_S, KILL)]
    machine.end(-KILL)
    machine.attempts.reap()
    assert machine.exits()[0]["cause"] == "order"


def test_a_suspended_host_grants_no_second_grace(machine: Machine) -> None:
    machine.start(lease_s=100.0)
    machine.suspend(1_000.0)
    assert machine.got() == [(1_000.0, TERM), (1_000.0, KILL)]
    assert machine.attempts.next_tick > machine.now, "it does not spin"
    machine.attempts.tick()
    assert machine.got() == []


def test_what_kill_does_not_end_is_told_once_and_killed_on(machine: Machine) -> None:
    machine.start()
    machine.stop(5.0)
    machine.wait(5.0 + PATIENCE_S - 1)
    assert machine.exits() == []
    machine.wait(10.0)
    (exit_,) = machine.exits()
    assert (exit_["cause"], exit_["unkillable"]) == ("order", [100])
    assert exit_["ended"] >= BEGIN_S + 5.0 + PATIENCE_S
    assert "code" not in exit_
    assert machine.attempts.listing()["live"] == []
    assert len(machine.attempts.listing()["exits"]) == 1
    machine.got()
    machine.wait(100.0)
    assert {signum for _, signum in machine.got()} == {KILL}
    assert machine.attempts.lives, "the keeper stays for it"
    machine.end(-KILL)
    machine.attempts.reap()
    assert machine.exits() == []
    assert not machine.attempts.lives


def test_the_next_keeper_gives_up_what_it_cannot_kill_either(machine: Machine, tmp_path: Path) -> None:
    machine.start()
    machine.attempts = Attempts(Journal(str(tmp_path / "journal")), "w", "", lambda: machine.now, PATIENCE_S)
    machine.wait(LEASE_GRACE_S + PATIENCE_S + 6)
    (exit_,) = machine.exits()
    assert (exit_["cause"], exit_["unkillable"]) == ("keeper", [100])
    machine.living.clear()
    machine.wait(2.0)
    assert machine.exits() == []
    assert not machine.attempts.lives


def test_what_is_over_soon_is_told_once(machine: Machine) -> None:
    machine.start()
    assert machine.news() == []
    machine.end(0)
    machine.attempts.reap()
    (news,) = machine.news()
    assert (news["started"], [exit_["started"] for exit_ in news["exits"]]) == ([], [BEGIN_S])
    assert machine.attempts.next_news == inf


def test_what_runs_on_is_told_after_a_moment(machine: Machine) -> None:
    machine.start()
    machine.now = machine.attempts.next_news
    assert machine.now == BEGIN_S + QUIET_S
    (news,) = machine.news()
    assert news["started"] == [{**KEY, "started": BEGIN_S}]
    assert machine.news() == []
    assert machine.attempts.next_news == inf


def test_a_refusal_of_a_second_start_does_not_overtake_the_news_of_the_first(machine: Machine) -> None:
    machine.start()
    machine.start()
    (news,) = machine.news()
    assert ([s["task"] for s in news["started"]], [r["code"] for r in news["refused"]]) == ([1], ["token"])


def test_it_is_not_over_while_one_of_a_thousand_orphans_lives(machine: Machine) -> None:
    machine.start()
    machine.end(0)
    machine.ended += [(pid, 0) for pid in range(1000, 2000)]
    others = {pid: Process(1, 100, mark_of("w", (9, 9))) for pid in range(1000, 2000)}
    machine.living = others | {2000: Process(1, 100, mark_of("w", (1, 1)))}
    machine.attempts.reap()
    assert machine.exits() == []
    machine.ended.append((2000, 0))
    machine.living = others
    machine.attempts.reap()
    assert [exit_["code"] for exit_ in machine.exits()] == [0]
