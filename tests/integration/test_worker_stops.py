"""This module tests how a real keeper ends real processes: stops, leases, limits, daemons, the unkillable."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganger_worker.keeper import boottime
from ganger_worker.keeper_attempts import LINGER_S
from testkit.requires import requires
from testkit.waiting import wait_until
from testkit.worker_keeper import KeeperUnderTest, children_of, is_alive, pid_in

DAEMON = """
import os, sys, time
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
{clear}
open(sys.argv[1], "w").write(str(os.getpid()))
time.sleep(600)
"""


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[KeeperUnderTest]:
    under_test = KeeperUnderTest(tmp_path)
    yield under_test
    under_test.close()


def test_stop_is_term_first_and_says_its_cause(keeper: KeeperUnderTest) -> None:
    script = "trap 'echo got TERM; exit 3' TERM; echo $$ > ready; while :; do sleep 0.05; done"
    keeper.start(keeper.item(1, "sh", "-c", script))
    pid_in(keeper.place(1) / "work" / "ready")
    keeper.send("stop", {"task": 1, "token": 1, "grace": 30, "cause": "order"})
    exit_ = keeper.exit_of(1)
    assert (exit_["code"], exit_["cause"]) == (3, "order")
    assert keeper.output(1)[0] == b"got TERM\n"


def test_several_stops_send_each_signal_once_and_the_earliest_grace_ends_it(keeper: KeeperUnderTest) -> None:
    script = "trap 'echo USR1' USR1; trap 'echo TERM' TERM; echo $$ > ready; while :; do sleep 0.05; done"
    keeper.start(keeper.item(1, "sh", "-c", script))
    pid_in(keeper.place(1) / "work" / "ready")
    first = {"task": 1, "token": 1, "grace": 600, "cause": "order", "signal": signal.SIGUSR1}
    keeper.send("stop", first)
    wait_until(lambda: keeper.output(1)[0] == b"USR1\n", what="the first signal")
    keeper.send("stop", {**first, "grace": 700})  # told again, as after a new connection
    keeper.send("stop", {**first, "signal": signal.SIGTERM, "cause": "shutdown"})
    wait_until(lambda: keeper.output(1)[0] == b"USR1\nTERM\n", what="the second signal")
    keeper.send("stop", {**first, "grace": 0})
    exit_ = keeper.exit_of(1)
    assert (exit_["signal"], exit_["cause"]) == (signal.SIGKILL, "order")
    assert keeper.output(1)[0] == b"USR1\nTERM\n"


def test_a_run_limit_ends_it_also_when_the_worker_is_gone_and_an_endless_lease_does_not(
    keeper: KeeperUnderTest,
) -> None:
    stubborn = "trap '' TERM; sleep 600 & while :; do wait; done"
    keeper.start(
        keeper.item(1, "sleep", "600", limit=0.5, grace=30, deadline=None),
        keeper.item(2, "sh", "-c", stubborn, limit=0.5, grace=0.2),
        keeper.item(3, "sleep", "600", limit=None, grace=0.2, deadline=None),
        keeper.item(4, "sh", "-c", "exit 4", limit=0.5, grace=30),
    )
    # The fourth may be over before anybody is told that it has started, or not.
    wait_until(lambda: {1, 2, 3} <= {e["task"] for e in keeper.heard("started")}, what="three run on")
    keeper.sock.close()
    wait_until(lambda: len(children_of(keeper.process.pid)) == 1, what="only one is left")
    keeper.connect()
    listing = keeper.listing()
    assert [live["task"] for live in listing["live"]] == [3]
    assert sorted(
        (e["task"], e["cause"], e["limit"], e.get("signal") or e["code"]) for e in listing["exits"]
    ) == [
        (1, "limit", 0.5, signal.SIGTERM),
        (2, "limit", 0.5, signal.SIGKILL),
        (4, "", 0.5, 4),
    ]


@pytest.fixture
def freezer() -> Iterator[Path]:
    """A group of processes that can be frozen; thawed and removed afterwards."""
    requires("freezer")
    group = Path(f"/sys/fs/cgroup/freezer/ganger-test-{os.getpid()}")
    group.mkdir()
    yield group
    (group / "freezer.state").write_text("THAWED")
    wait_until(lambda: not (group / "tasks").read_text(), what="nothing is left in the group")
    group.rmdir()


def test_what_kill_does_not_end_is_told_as_unkillable_and_killed_later(tmp_path: Path, freezer: Path) -> None:
    keeper = KeeperUnderTest(tmp_path, "--kill-patience-s", "0.5")
    try:
        keeper.start(keeper.item(1, "sleep", "600"))
        wait_until(lambda: keeper.heard("started"), what="it runs")
        (pid,) = children_of(keeper.process.pid)
        (freezer / "tasks").write_text(str(pid))
        (freezer / "freezer.state").write_text("FROZEN")
        wait_until(lambda: (freezer / "freezer.state").read_text() == "FROZEN\n", what="it is frozen")
        keeper.send("stop", {"task": 1, "token": 1, "grace": 0.1, "cause": "order"})
        exit_ = keeper.exit_of(1)
        assert (exit_["cause"], exit_["unkillable"]) == ("order", [pid])
        assert is_alive(pid)
        assert keeper.listing()["live"] == []
        keeper.send("ack", {"task": 1, "token": 1})
        (freezer / "freezer.state").write_text("THAWED")
        wait_until(lambda: not is_alive(pid), what="it is killed at last")
        wait_until(lambda: not children_of(keeper.process.pid), what="it is reaped")
        assert keeper.listing()["exits"] == [], "it ended twice"
    finally:
        (freezer / "freezer.state").write_text("THAWED")
        keeper.close()


def test_who_ignores_term_is_killed_after_the_grace_with_his_children(keeper: KeeperUnderTest) -> None:
    forever = "while :; do sleep 0.05; done"
    script = f"trap '' TERM; sh -c 'echo $$ > child; {forever}' & echo $$ > ready; {forever}"
    keeper.start(keeper.item(1, "sh", "-c", script))
    work = keeper.place(1) / "work"
    pid_in(work / "ready")
    child = pid_in(work / "child")
    before = boottime()
    keeper.send("stop", {"task": 1, "token": 1, "grace": 0.3, "cause": "order"})
    exit_ = keeper.exit_of(1)
    assert (exit_["signal"], exit_["cause"]) == (signal.SIGKILL, "order")
    assert boottime() - before >= 0.3
    assert not is_alive(child)


def test_a_child_that_saves_its_work_has_the_whole_grace_although_its_shell_is_gone(
    keeper: KeeperUnderTest,
) -> None:
    child = f"trap 'sleep {LINGER_S + 0.5}; echo saved; exit 0' TERM; echo $$ > ready; while :; do sleep 0.05; done"
    keeper.start(keeper.item(1, "sh", "-c", f'sh -c "{child.replace("$", chr(92) + "$")}"; true'))
    pid_in(keeper.place(1) / "work" / "ready")
    keeper.send("stop", {"task": 1, "token": 1, "grace": 30, "cause": "order"})
    exit_ = keeper.exit_of(1)
    assert (exit_["signal"], exit_["cause"]) == (signal.SIGTERM, "order")
    assert keeper.output(1)[0] == b"saved\n"


@pytest.mark.parametrize("clear", ["", "os.execve('/usr/bin/env', ['env', '-i', *CMD], {})"])
def test_a_daemon_does_not_outlive_its_attempt(keeper: KeeperUnderTest, clear: str) -> None:
    pid_file = keeper.folder / "daemon.pid"
    program = DAEMON.format(clear="")
    if clear:  # it forgets its mark as well: new session, empty environment, orphaned
        inner = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"
        command = [sys.executable, "-c", inner, str(pid_file)]
        program = DAEMON.format(clear=clear.replace("CMD", repr(command)))
    outer = f"{sys.executable} -c '$PROGRAM' {pid_file}".replace("'$PROGRAM'", '"$PROGRAM"')
    script = f"{outer}; while [ ! -s {pid_file} ]; do sleep 0.01; done"
    keeper.start(keeper.item(1, "sh", "-c", script, env={"PROGRAM": program}))
    pid = pid_in(pid_file)
    exit_ = keeper.exit_of(1)
    assert (exit_["code"], exit_["cause"]) == (0, "")
    assert not is_alive(pid), "told over, and yet it lives"


def test_a_daemon_is_stopped_with_its_attempt_and_no_other_is(keeper: KeeperUnderTest) -> None:
    pids = {}
    for task in (1, 2):
        pid_file = keeper.folder / f"daemon{task}.pid"
        script = f'{sys.executable} -c "$PROGRAM" {pid_file}; exec sleep 600'
        keeper.start(keeper.item(task, "sh", "-c", script, env={"PROGRAM": DAEMON.format(clear="")}))
        pids[task] = pid_in(pid_file)
    keeper.send("stop", {"task": 1, "token": 1, "grace": 5, "cause": "order"})
    assert keeper.exit_of(1)["signal"] == signal.SIGTERM
    assert not is_alive(pids[1])
    assert is_alive(pids[2])
    assert [live["task"] for live in keeper.listing()["live"]] == [2]


def test_the_lease_ends_an_attempt_also_when_the_worker_is_gone(keeper: KeeperUnderTest) -> None:
    keeper.start(
        keeper.item(1, "sleep", "600", lease_s=0.5),
        keeper.item(2, "sleep", "600", lease_s=0.5),
        keeper.item(3, "sleep", "600", lease_s=0.5),
    )
    wait_until(lambda: len(keeper.heard("started")) == 3, what="three run")
    keeper.send("extend", {"task": 3, "token": 1, "deadline": boottime() + 300})
    keeper.listing()  # the extension has arrived
    keeper.sock.close()
    wait_until(lambda: len(list(children_of(keeper.process.pid))) == 1, what="two of three are killed")
    keeper.connect()
    listing = keeper.listing()
    assert [live["task"] for live in listing["live"]] == [3]
    assert sorted((e["task"], e["cause"], e["signal"]) for e in listing["exits"]) == [
        (1, "lease", signal.SIGTERM),
        (2, "lease", signal.SIGTERM),
    ]


def test_it_is_warned_before_its_run_limit_and_a_new_limit_counts_from_its_start(
    keeper: KeeperUnderTest,
) -> None:
    script = "trap 'echo USR1' USR1; echo $$ > ready; while :; do sleep 0.02; done"
    warned = {"limit": 600, "warn": [599.0, signal.SIGUSR1], "grace": 0.1}
    keeper.start(
        keeper.item(1, "sh", "-c", script, **warned), keeper.item(2, "sleep", "600", limit=0.6, grace=0.1)
    )
    pid_in(keeper.place(1) / "work" / "ready")
    keeper.send("limit", {"task": 2, "token": 1, "limit": 600})
    wait_until(lambda: keeper.output(1)[0] == b"USR1\n", what="the warning")
    keeper.send("limit", {"task": 1, "token": 1, "limit": 1.6})
    first = keeper.exit_of(1)
    assert (first["cause"], first["limit"]) == ("limit", 1.6)
    assert keeper.output(1)[0] == b"USR1\n" * 2  # of the new limit it was warned at once
    assert [live["task"] for live in keeper.listing()["live"]] == [2]  # whose old limit is over
    keeper.send("limit", {"task": 2, "token": 1, "limit": None})
    keeper.send("limit", {"task": 2, "token": 1, "limit": 0.1})
    assert keeper.exit_of(2)["limit"] == 0.1
