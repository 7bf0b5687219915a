"""This module tests the keeper as a real process with real children."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganger_worker.keeper import ALREADY_RUNNING, boottime
from ganger_worker.keeper_attempts import LINGER_S
from testkit.requires import requires
from testkit.waiting import wait_until
from testkit.worker_keeper import SCRIPT, KeeperUnderTest, is_alive, pid_in

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


@pytest.mark.parametrize(
    ("command", "how"),
    [
        (("true",), {"code": 0}),
        (("sh", "-c", "exit 7"), {"code": 7}),
        (("sh", "-c", "kill -SEGV $$"), {"signal": signal.SIGSEGV}),
        (("sh", "-c", "kill -KILL $$"), {"signal": signal.SIGKILL}),
        (
            ("no-such-program",),
            {"launch": 127, "why": "no-such-program: command not found"},
        ),
        (("./absent",), {"launch": 127, "why": "./absent: command not found"}),
        (("/etc/passwd",), {"launch": 126, "why": "/etc/passwd: permission denied"}),
        (("/etc",), {"launch": 126, "why": "/etc: is a folder"}),
        (("echo", "a\0b"), {"launch": 126}),
    ],
)
def test_how_an_attempt_ends(
    keeper: KeeperUnderTest, command: tuple[str, ...], how: dict[str, object]
) -> None:
    keeper.start(keeper.item(1, *command))
    exit_ = keeper.exit_of(1)
    assert how.items() <= exit_.items()
    assert exit_["cause"] == ""
    if "launch" in how:
        assert exit_["started"] is None
    else:
        assert boottime() - 10 < exit_["started"] <= exit_["ended"] <= boottime()


def test_a_missing_folder_and_a_missing_interpreter_say_so(keeper: KeeperUnderTest) -> None:
    script = keeper.folder / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o700)
    keeper.start(keeper.item(1, "true", cwd="/no/such/folder"), keeper.item(2, str(script)))
    missing, script_exit = keeper.exit_of(1), keeper.exit_of(2)
    assert (missing["launch"], missing["why"]) == (
        125,
        "working folder /no/such/folder: No such file or directory",
    )
    assert (script_exit["launch"], script_exit["why"]) == (126, f"{script}: its interpreter was not found")


def test_output_is_kept_byte_for_byte_and_apart(keeper: KeeperUnderTest) -> None:
    program = "import os; os.write(1, bytes(range(256)) * 999); os.write(2, b'\\xff\\xfe no newline')"
    keeper.start(keeper.item(1, sys.executable, "-c", program))
    assert keeper.exit_of(1)["code"] == 0
    assert keeper.output(1) == (bytes(range(256)) * 999, b"\xff\xfe no newline")


def test_a_pipeline_that_outlives_the_main_process_writes_its_last_lines(keeper: KeeperUnderTest) -> None:
    keeper.start(keeper.item(1, "bash", "-c", "exec > >(sleep 0.2; cat); echo the last line"))
    assert keeper.exit_of(1)["code"] == 0
    assert keeper.output(1)[0] == b"the last line\n"


def test_what_a_process_inherits(keeper: KeeperUnderTest) -> None:
    program = """
import json, os
status = dict(line.split(":\\t") for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
umask = os.umask(0)
print(json.dumps({
    "env": dict(os.environ), "cwd": os.getcwd(), "umask": umask, "leader": os.getsid(0) == os.getpid(),
    "fds": sorted(os.listdir("/proc/self/fd")), "stdin": os.readlink("/proc/self/fd/0"),
    "ignored": int(status["SigIgn"], 16) & ~{own}, "blocked": int(status["SigBlk"], 16),
}))
"""
    own = 1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1 | 3 << 31  # ignored by this Python, and by glibc
    program = program.replace("{own}", str(own))
    env = {"GREETING": "grüß", "PATH": "/changed"}
    keeper.start(keeper.item(1, sys.executable, "-I", "-c", program, env=env))
    assert keeper.exit_of(1)["code"] == 0, keeper.output(1)
    told = json.loads(keeper.output(1)[0])
    told["env"].pop("LC_CTYPE", None)  # Python itself sets it in the C locale
    assert told["env"] == {**env, "GANGER_MARK": f"{keeper.worker_id}:1.1"}
    assert told["cwd"] == str(keeper.place(1) / "work")
    assert (told["umask"], told["leader"], told["stdin"]) == (0o077, True, "/dev/null")
    assert told["fds"] in (["0", "1", "2"], ["0", "1", "2", "3"])  # 3 is the listing itself
    assert (told["ignored"], told["blocked"]) == (0, 0)


def test_files_are_private(keeper: KeeperUnderTest) -> None:
    keeper.start(keeper.item(1, "true"))
    keeper.exit_of(1)
    for path in (
        keeper.folder / "keeper.sock",
        keeper.folder / "keeper.journal",
        keeper.place(1) / "stdout",
    ):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


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
    wait_until(lambda: len(keeper.heard("started")) == 4, what="four run")
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


def children_of(pid: int) -> list[int]:
    return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_token_that_is_not_higher_is_refused(keeper: KeeperUnderTest) -> None:
    keeper.start(keeper.item(1, "true", token=5))
    keeper.exit_of(1, 5)
    keeper.send("ack", {"task": 1, "token": 5})
    keeper.start(keeper.item(1, "true", token=5), keeper.item(2, "true"))
    keeper.start(keeper.item(1, "true", token=4))
    keeper.exit_of(2)
    wait_until(lambda: len(keeper.heard("refused")) == 2, what="two refusals")
    assert [(r["token"], r["code"]) for r in keeper.heard("refused")] == [(5, "token"), (4, "token")]
    keeper.start(keeper.item(1, "true", token=6))
    assert keeper.exit_of(1, 6)["code"] == 0


def test_what_has_no_lease_any_more_is_not_started(keeper: KeeperUnderTest) -> None:
    keeper.start(keeper.item(1, "touch", "ran", lease_s=-0.1))
    wait_until(lambda: keeper.heard("refused"), what="a refusal")
    assert keeper.heard("refused")[0]["code"] == "late"
    keeper.start(keeper.item(1, "true"))
    assert keeper.exit_of(1)["code"] == 0
    assert not (keeper.place(1) / "work" / "ran").exists()


def test_a_task_never_has_two_attempts_alive(keeper: KeeperUnderTest) -> None:
    keeper.start(keeper.item(1, "sleep", "600"))
    keeper.start(keeper.item(1, "sleep", "600", token=2))
    keeper.start(keeper.item(2, "sleep", "600"), keeper.item(2, "sleep", "600", token=2))
    wait_until(lambda: len(keeper.heard("refused")) == 2, what="refusals")
    assert [(r["task"], r["token"], r["code"]) for r in keeper.heard("refused")] == [
        (1, 2, "older"),
        (2, 2, "older"),
    ]
    assert len(children_of(keeper.process.pid)) == 2


def test_exits_are_kept_until_acknowledged(keeper: KeeperUnderTest) -> None:
    keeper.start(*(keeper.item(task, "true") for task in (1, 2)))
    keeper.exit_of(1)
    keeper.exit_of(2)
    for _ in range(2):
        keeper.connect()
        assert {e["task"] for e in keeper.listing()["exits"]} == {1, 2}
    keeper.send("ack", {"task": 1, "token": 1})
    keeper.connect()
    assert [e["task"] for e in keeper.listing()["exits"]] == [2]


def test_after_kill_9_the_next_keeper_ends_what_is_left_and_knows_every_token(
    keeper: KeeperUnderTest,
) -> None:
    stubborn = "trap '' TERM; echo $$ > ready; while :; do sleep 0.05; done"
    keeper.start(
        keeper.item(1, "true"),
        keeper.item(2, "true"),
        keeper.item(3, "sh", "-c", "echo $$ > ready; exec sleep 600"),
    )
    keeper.exit_of(1)
    keeper.exit_of(2)
    keeper.send("ack", {"task": 1, "token": 1})
    keeper.start(keeper.item(4, "sh", "-c", stubborn))
    pids = [pid_in(keeper.place(task) / "work" / "ready") for task in (3, 4)]
    keeper.listing()
    keeper.kill()
    assert all(map(is_alive, pids))
    keeper.restart()
    assert {live["task"]: live["cause"] for live in keeper.listing()["live"]}[4] == "keeper"
    for task in (3, 4):
        exit_ = keeper.exit_of(task, timeout_s=15)
        assert (exit_["lost"], exit_["cause"]) == (True, "keeper")
    assert not any(map(is_alive, pids))
    assert [e["task"] for e in keeper.listing()["exits"]] == [2, 3, 4]
    keeper.start(*(keeper.item(task, "true") for task in (1, 2, 3, 4)))
    wait_until(lambda: len(keeper.heard("refused")) == 4, what="refusals")


def test_two_hundred_no_ops_leave_no_descriptor_and_no_zombie(keeper: KeeperUnderTest) -> None:
    keeper.start(keeper.item(1_000, "true"))
    keeper.exit_of(1_000)
    fds = os.listdir(f"/proc/{keeper.process.pid}/fd")
    for batch in range(0, 200, 20):
        keeper.start(*(keeper.item(task, "true") for task in range(batch + 1, batch + 21)))
    wait_until(lambda: len(keeper.heard("exits")) == 201, 30, "201 exits")
    assert all(e["code"] == 0 for e in keeper.heard("exits"))
    assert children_of(keeper.process.pid) == []
    assert os.listdir(f"/proc/{keeper.process.pid}/fd") == fds


def test_only_one_keeper_per_folder_and_a_stale_socket_is_replaced(keeper: KeeperUnderTest) -> None:
    command = [sys.executable, "-I", str(SCRIPT), "--folder", str(keeper.folder), "--worker-id", "w-x"]
    assert subprocess.run(command, check=False, timeout=20).returncode == ALREADY_RUNNING
    keeper.kill()
    keeper.restart()
    keeper.start(keeper.item(1, "true"))
    assert keeper.exit_of(1)["code"] == 0


def test_term_does_not_end_it_and_solitude_does(tmp_path: Path) -> None:
    keeper = KeeperUnderTest(tmp_path, "--idle-s", "0.1")
    keeper.start(keeper.item(1, "sleep", "600"))
    wait_until(lambda: keeper.heard("started"), what="it runs")
    keeper.process.send_signal(signal.SIGTERM)
    assert len(keeper.listing()["live"]) == 1  # it answers, and its attempt lives
    keeper.sock.close()
    with pytest.raises(subprocess.TimeoutExpired):
        keeper.process.wait(2.5)  # an attempt lives
    keeper.connect()
    keeper.send("stop", {"task": 1, "token": 1, "grace": 5, "cause": "order"})
    keeper.exit_of(1)
    keeper.sock.close()
    assert keeper.process.wait(10) == 0


def test_shutdown_ends_everything(tmp_path: Path) -> None:
    keeper = KeeperUnderTest(tmp_path)
    keeper.start(keeper.item(1, "sh", "-c", "trap '' TERM; echo $$ > ready; while :; do sleep 0.05; done"))
    pid = pid_in(keeper.place(1) / "work" / "ready")
    keeper.close()
    assert keeper.process.returncode == 0
    wait_until(lambda: not is_alive(pid), what="the attempt is gone")


def test_nonsense_closes_the_connection_only(keeper: KeeperUnderTest) -> None:
    keeper.sock.setblocking(True)
    keeper.sock.sendall(b"not json\n")
    assert keeper.sock.recv(10) == b""
    keeper.connect()
    keeper.start(keeper.item(1, "true"))
    assert keeper.exit_of(1)["code"] == 0
