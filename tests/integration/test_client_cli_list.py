"""This module checks what the CLI lists and shows, as table and as JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ganger import Array, Indices, Outcome, OutcomeKind, task_spec
from ganger.layout import cell_width
from ganger_core.domain.outputs import OutputFile, Outputs
from ganger_core.domain.states import WorkerState
from testkit.builders import a_worker
from testkit.client_cli import Cli
from testkit.client_master import START_MS, ScriptedMaster, a_worker_view

LOST = Outcome(OutcomeKind.LOST, message="worker w1 was silent for 30 s")


@pytest.fixture
def master(cli: Cli) -> ScriptedMaster:
    return cli.master


def a_mixed_lot(master: ScriptedMaster) -> None:
    """Six tasks: one of each end, one that runs, one that waits."""
    long_name = "a-name-that-is-much-longer-than-any-column-of-a-table-should-be"
    for spec in (
        task_spec(["python", "prep.py"], name="prep"),
        task_spec(["python", "train.py"], name=long_name, cpus=2, memory="8GiB", priority=70),
        task_spec(["sleep", "1000"]),
        task_spec(["./nothing-here"], cpus="0.5"),
        task_spec(["echo", "wide"], name="準備をする"),
        task_spec(["sh", "-c", "kill -9 $$"], cpus=64, memory="512MiB"),
    ):
        master.submit(spec)
    for task_id in (1, 2, 3, 4, 5):
        master.run(task_id)
    master.end(1)
    master.end(2, 3)
    message = "./nothing-here: command not found on worker w1"
    master.end(4, outcome=Outcome(OutcomeKind.LAUNCH_FAILED, 127, message=message))
    master.end(5, outcome=Outcome(OutcomeKind.SIGNALLED, 137, signal=9))
    master.explain(
        6, "asks for more than any worker has: needs 64 CPUs; the nearest is short of 62 CPUs and 512MiB"
    )


LS = """\
ID  NAME              STATE      PRI  CPU     MEM   TIME  WORKER  REASON
 6  sh -c kill -9 $$  PENDING     50   64  512MiB      –  –       asks for more than any worker has…
 5  準備をする        FAILED      50    1       –   1.5s  w1      killed by SIGKILL
 4  ./nothing-here    FAILED      50  0.5       –   1.5s  w1      ./nothing-here: command not found…
 3  sleep 1000        RUNNING     50    1       –  1m36s  w1
 2  a-name-that-is-…  FAILED      70    2    8GiB   1.5s  w1      exit code 3
 1  prep              SUCCEEDED   50    1       –   1.5s  w1
"""


def test_ls_fits_every_terminal_and_says_why(master: ScriptedMaster, cli: Cli) -> None:
    a_mixed_lot(master)
    listed = cli("ls")
    assert (listed.code, listed.err) == (0, "")
    assert listed.out == LS
    assert max(cell_width(line) for line in listed.out.splitlines()) <= 100


def test_ls_takes_states_and_quiet(master: ScriptedMaster, cli: Cli) -> None:
    a_mixed_lot(master)
    assert cli("ls", "-q", "-s", "failed,Running").out.split() == ["5", "4", "3", "2"]
    assert cli("ls", "-q", "-s", "cancelled").out == ""
    wrong = cli("ls", "-s", "done")
    assert wrong.code == 1
    assert "-s done: no such state; there are pending, scheduled" in wrong.err


def test_ls_shows_what_goes_on_and_the_newest_that_are_over(master: ScriptedMaster, cli: Cli) -> None:
    for _ in range(24):
        master.submit(task_spec(["true"]))
    for task_id in range(2, 24):
        master.end(task_id)
    listed = cli("ls", "-q")
    assert listed.out.split() == [str(task_id) for task_id in (*range(24, 3, -1), 1)]
    assert "older tasks that are over are not shown: ganger ls --all" in listed.err
    everything = cli("ls", "-q", "--all")
    assert everything.out.split() == [str(task_id) for task_id in range(24, 0, -1)]
    assert everything.err == ""


def test_ls_takes_labels_and_the_beginning_of_a_name(master: ScriptedMaster, cli: Cli) -> None:
    for name, labels in (
        ("train", {"project": "vision", "exp": "7"}),
        ("train-2", {"project": "vision"}),
        ("", {"exp": "7"}),
    ):
        master.submit(task_spec(["train"], name=name, labels=labels))
    master.arrays.submit(task_spec(["x"], name="sweep", labels={"exp": "7"}), Array(Indices.first(2)))
    master.end(2)
    for words, ids in (
        (("-l", "exp=7"), ["4", "3", "1"]),
        (("-l", "exp=7", "-l", "project=vision"), ["1"]),
        (("--label", "project=vision", "-s", "succeeded"), ["2"]),
        (("-n", "tr"), ["2", "1"]),
        (("--name", "train-", "-l", "exp=7"), []),
        (("1-4", "-l", "exp=7"), ["4.1", "4.0", "3", "1"]),
        (("2,4", "-n", "train"), ["2"]),
    ):
        listed = cli("ls", "-q", *words)
        assert (listed.code, listed.out.split()) == (0, ids), words
    assert cli("ls", "-n", "other").err == "no such tasks\n"
    assert cli("ls", "-l", "exp").err == "ganger: -l exp: write KEY=VALUE, such as -l project=vision\n"


def test_ls_of_a_long_queue_shows_the_newest_of_it(
    master: ScriptedMaster, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganger.cli.ls.QUEUED_SHOWN", 3)
    for _ in range(6):
        master.submit(task_spec(["true"]))
    master.run(1)
    listed = cli("ls", "-q")
    assert listed.out.split() == ["6", "5", "4", "1"]
    assert listed.err == "the newest 3 that wait are shown: ganger ls -s pending lists all of them\n"
    assert cli("ls", "-q", "-s", "pending").out.split() == ["6", "5", "4", "3", "2"]
    assert cli("ls", "-q", "--limit", "2").out.split() == ["6", "5"]
    assert cli("ls", "-q", "--since", "96s").out.split() == ["6", "5", "4"]


def test_an_empty_list_says_how_to_begin(cli: Cli) -> None:
    listed = cli("ls")
    assert listed.code == 0
    assert listed.out == "ID  NAME  STATE  PRI  CPU  MEM  TIME  WORKER  REASON\n"
    assert listed.err == "no tasks yet: ganger run -- echo hello\n"


def test_json_of_ls(master: ScriptedMaster, cli: Cli) -> None:
    a_mixed_lot(master)
    listed = json.loads(cli("ls", "-o", "json").out)
    assert list(listed) == ["version", "tasks"]
    assert listed["version"] == 1
    assert [task["id"] for task in listed["tasks"]] == [6, 5, 4, 3, 2, 1]
    assert json.dumps(listed["tasks"][4]) == json.dumps(TASK_2 | {"worker": "w1"})
    assert listed["tasks"][0]["worker"] is None
    assert listed["tasks"][0]["outcome"] is None
    assert listed["tasks"][0]["started_ms"] is None


NO_OUTPUTS = {"count": 0, "bytes": 0, "files": [], "notes": []}
TASK_2: dict[str, object] = {
    "id": 2,
    "label": "2",
    "array_id": None,
    "index": None,
    "array": None,
    "name": "a-name-that-is-much-longer-than-any-column-of-a-table-should-be",
    "labels": {},
    "state": "FAILED",
    "reason": "",
    "owner": "tester",
    "command": ["python", "train.py"],
    "env": {},
    "workdir": "",
    "cpu_milli": 2000,
    "memory_bytes": 8 * 2**30,
    "priority": 70,
    "time_s": None,
    "queue_timeout_s": None,
    "grace_s": None,
    "lost_after_s": None,
    "on_worker_lost": "BY_AGE",
    "not_before_ms": None,
    "held_by": None,
    "deadline_ms": None,
    "warn_s": None,
    "warn_signal": None,
    "retries": 0,
    "retry_on": [],
    "never_retry_on": [],
    "backoff_s": 10.0,
    "failures": 0,
    "faults": 0,
    "after": [],
    "on_dependency_failure": "SKIP",
    "waits_for": [],
    "publish": "ON_SUCCESS",
    "crashes": 0,
    "attempt": 1,
    "submitted_ms": START_MS + 2000,
    "started_ms": START_MS + 2500,
    "finished_ms": START_MS + 4000,
    "outcome": {
        "kind": "EXIT_NONZERO",
        "exit_code": 3,
        "signal": None,
        "message": "",
        "log_incomplete": False,
    },
}
ATTEMPT_2_1: dict[str, object] = {
    "attempt": 1,
    "worker": "w1",
    "worker_id": "id-w1",
    "state": "ENDED",
    "phase": "",
    "planned_by": "planner",
    "assigned_ms": START_MS + 2400,
    "started_ms": START_MS + 2500,
    "ended_ms": START_MS + 4000,
    "outcome": TASK_2["outcome"],
    "stdout_bytes": 0,
    "stderr_bytes": 0,
    "lease_s": None,
}

EVENTS_2: list[dict[str, object]] = [
    {
        "seq": seq,
        "at_ms": START_MS + seq,
        "state": state,
        "attempt": attempt,
        "worker": worker,
        "reason": reason,
        "outcome": TASK_2["outcome"] if state == "FAILED" else None,
    }
    for seq, state, attempt, worker, reason in (
        (2, "PENDING", None, None, "queued"),
        (8, "RUNNING", 1, "w1", ""),
        (13, "FAILED", 1, "w1", ""),
    )
]

SHOW = """\
task       1 train
state      FAILED
end        failed with exit code 3
command    python train.py 'two words' '\\n'
folder     /data
env        A=1
needs      2 CPUs, 8GiB memory
priority   50
owner      tester
submitted  2023-11-14 22:13:21, 1m39s ago
started    2023-11-14 22:13:21, 1m38s ago
finished   2023-11-14 22:13:23, 1m37s ago
ran        1.5s

ATTEMPT  WORKER  PLACED BY  STATE  ASSIGNED         RAN  OUTPUT  END
      1  w1      planner    LOST   11-14 22:13:21     –       –  worker w1 was lost
      2  w2      first-fit  ENDED  11-14 22:13:21  1.5s       –  exit code 3

EVENT               STATE    ATTEMPT  WORKER  REASON
11-14 22:13:20.001  PENDING        –  –       queued
11-14 22:13:20.002  RUNNING        1  w1
11-14 22:13:20.003  PENDING        1  w1      worker w1 was lost
11-14 22:13:20.004  RUNNING        2  w2
11-14 22:13:20.005  FAILED         2  w2      exit code 3
"""


def test_show_tells_everything(master: ScriptedMaster, cli: Cli) -> None:
    master.submit(
        task_spec(
            ["python", "train.py", "two words", "\n"],
            name="train",
            cpus=2,
            memory="8GiB",
            env={"A": "1"},
            workdir="/data",
        )
    )
    master.run(1)
    master.lose(1)
    master.run(1, "w2", planned_by="first-fit")
    master.end(1, 3)
    shown = cli("show", "last")
    assert shown.code == 0
    assert shown.out == SHOW


def test_json_of_show(master: ScriptedMaster, cli: Cli) -> None:
    a_mixed_lot(master)
    shown = cli("show", "2,6", "-o", "json").out
    both = json.loads(shown)
    assert list(both) == ["version", "tasks"]
    assert json.dumps(both["tasks"][0]) == json.dumps(
        TASK_2 | {"attempts": [ATTEMPT_2_1], "events": EVENTS_2, "result": None, "outputs": NO_OUTPUTS}
    )
    assert both["tasks"][1]["attempts"] == []


def test_show_tells_limits_and_crashes(master: ScriptedMaster, cli: Cli) -> None:
    options = {"time": "1h30m", "queue_timeout": 600, "grace": 0, "lost_after": 90, "on_worker_lost": "fail"}
    master.submit(task_spec(["true"], **options))  # type: ignore[arg-type]
    master.tasks[1] = replace(master.tasks[1], crashes=2)
    said = "runs at most 1h30m, waits at most 10m00s, grace 0.0s, lost after 1m30s, on a lost worker: fail"
    shown = cli("show", "1").out
    assert f"limits {said} crashes" in " ".join(shown.split())
    assert "crashes    2: so often it was lost with its worker\n" in shown
    (document,) = json.loads(cli("show", "1", "-o", "json").out)["tasks"]
    names = ("time_s", "queue_timeout_s", "grace_s", "lost_after_s", "on_worker_lost", "crashes")
    assert [document[name] for name in names] == [5400.0, 600.0, 0.0, 90.0, "FAIL", 2]


def test_show_tells_labels(master: ScriptedMaster, cli: Cli) -> None:
    master.submit(task_spec(["true"], labels={"project": "vision", "exp": "7"}))
    shown = cli("show", "1").out
    assert "label      exp=7\nlabel      project=vision\n" in shown
    (document,) = json.loads(cli("show", "1", "-o", "json").out)["tasks"]
    assert document["labels"] == {"exp": "7", "project": "vision"}


def test_show_tells_what_was_published_and_what_was_left_out(master: ScriptedMaster, cli: Cli) -> None:
    files = (OutputFile("a\nb", 5, "0" * 64), OutputFile("sub/model.pt", 2**31 - 5, "1" * 64))
    master.submit(task_spec(["true"], publish="always"))
    master.run(1)
    notes = ("left out: pipe: no regular file", "no result: result.json is " + "\x1b" * 100)
    master.publish(1, Outputs(files, '{"loss":0.5}', notes))
    master.end(1, 3)
    shown = cli("show", "1").out
    assert "publishes  always\n" in shown
    assert 'result     {"loss":0.5}\n' in shown
    assert "outputs    2 files, 2GiB: ganger cp 1: DEST\n" in shown
    assert "           left out: pipe: no regular file\n" in shown
    assert "\x1b" not in shown
    assert max(map(len, shown.splitlines())) <= 100
    (document,) = json.loads(cli("show", "1", "-o", "json").out)["tasks"]
    assert document["result"] == {"loss": 0.5}
    assert document["outputs"]["files"][1] == {"path": "sub/model.pt", "size": 2**31 - 5, "sha256": "1" * 64}


def test_show_of_what_does_not_exist(cli: Cli) -> None:
    assert cli("show", "7").err == "ganger: there is no task 7\n"
    assert cli("show", "7").code == 1
    assert cli("show", "last").err == "ganger: there is no task yet: ganger run -- echo hello\n"


def test_worker_ls(master: ScriptedMaster, cli: Cli) -> None:
    master.workers = [
        a_worker_view(a_worker("w1", cpus=2)),
        a_worker_view(a_worker("w2", memory=0), state=WorkerState.LOST),
        a_worker_view(a_worker("w3", memory=0), state=WorkerState.DRAINING),
    ]
    assert cli("worker", "ls").out == (
        "NAME  STATE     CPU FREE   MEM FREE  SLOTS  TASKS  LOAD      SEEN  HOST\n"
        "w1    UP             2/2  8GiB/8GiB  16/16      0   12%  0.5s ago  host\n"
        "w2    LOST           2/2          –  16/16      0   12%  0.5s ago  host\n"
        "w3    DRAINING       2/2          –  16/16      0   12%  0.5s ago  host\n"
    )
    assert cli("worker", "ls", "-q").out.split() == ["id-w1", "id-w2", "id-w3"]
    document = json.loads(cli("worker", "ls", "-o", "json").out)
    assert json.dumps(document["workers"][0]) == json.dumps(WORKER_1)
    master.workers = []
    assert "no worker has registered yet" in cli("worker", "ls").err


WORKER_1 = {
    "id": "id-w1",
    "name": "w1",
    "state": "UP",
    "host": "host",
    "ganger": "0.1.0",
    "capacity": {"cpu_milli": 2000, "memory_bytes": 8 * 2**30, "slots": 16},
    "free": {"cpu_milli": 2000, "memory_bytes": 8 * 2**30, "slots": 16},
    "usage": {"cpu_percent": 12.5, "memory_used_bytes": 2**30, "memory_total_bytes": 8 * 2**30},
    "heartbeat_age_s": 0.5,
    "attempts": [],
    "cordon": None,
}


def test_version(cli: Cli) -> None:
    assert cli("version").out.startswith("ganger 0.")
    assert list(json.loads(cli("version", "-o", "json").out)) == ["version", "ganger", "python"]
