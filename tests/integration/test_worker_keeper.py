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
from testkit.waiting import wait_until
from testkit.worker_keeper import SCRIPT, KeeperUnderTest, children_of, is_alive, pid_in


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
        126,
        "working folder /no/such/folder: No such file or directory",
    )
    assert (script_exit["launch"], script_exit["why"]) == (126, f"{script}: its interpreter was not found")


def test_output_is_kept_byte_for_byte_and_apart(keeper: KeeperUnderTest) -> None:
    program = "import os; os.write(1, bytes(range(256)) * 999); os.write(2, b'\\xff\\xfe no newline')"
    keeper.start(keeper.item(1, sys.executable, "-c", program))
    assert keeper.exit_of(1)["code"] == 0
    assert keeper.output(1) == (bytes(range(256)) * 999, b"\xff\xfe no newline")


def test_output_that_cannot_be_written_is_told_as_that(keeper: KeeperUnderTest) -> None:
    item = keeper.item(1, "true")
    (keeper.place(1) / "stderr").mkdir()
    keeper.start(item)
    exit_ = keeper.exit_of(1)
    assert (exit_["launch"], exit_["why"]) == (125, "cannot write its output: Is a directory")


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
