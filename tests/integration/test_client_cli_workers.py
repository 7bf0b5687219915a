"""This module checks the verbs of `ganger worker` that say which workers get work, against a scripted master."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace

import pytest

from ganger import task_spec
from ganger_core.domain.states import WorkerState
from ganger_core.domain.task import AttemptRef
from testkit.builders import a_worker
from testkit.client_cli import Cli
from testkit.client_master import START_MS, ScriptedMaster, a_worker_view
from testkit.waiting import wait_until


@pytest.fixture
def master(cli: Cli) -> ScriptedMaster:
    cli.master.workers = [a_worker_view(a_worker(name, memory=0)) for name in ("w1", "w2", "w3")]
    return cli.master  # type: ignore[no-any-return]


LS = """\
NAME  STATE     CPU FREE  MEM FREE  SLOTS  TASKS  LOAD      SEEN  HOST
w1    CORDONED       2/2         –  16/16      2   12%  0.5s ago  host
w2    UP             2/2         –  16/16      0   12%  0.5s ago  host
w3    CORDONED       2/2         –  16/16      0   12%  0.5s ago  host

w1 is cordoned by tester: new driver (1m40s ago)
w3 is cordoned by tester: new driver (1m40s ago)
"""


def test_cordon_takes_several_by_name_or_id_and_resume_takes_it_back(
    master: ScriptedMaster, cli: Cli
) -> None:
    attempts = (AttemptRef(1, 1), AttemptRef(2, 1))
    master.workers[0] = a_worker_view(a_worker("w1", memory=0), attempts=attempts)
    done = cli("worker", "cordon", "w1", "id-w3", "--reason", "new driver")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "worker w1 is cordoned by tester; 2 attempts go on there\nworker w3 is cordoned by tester\n"
    )
    assert cli("worker", "ls").out == LS
    resumed = cli("worker", "resume", "w1", "w3", "-o", "json")
    assert [worker["cordon"] for worker in json.loads(resumed.out)["workers"]] == [None, None]
    assert cli("worker", "resume", "w1").out == "worker w1 gets new work\n"


def test_cordon_as_json_names_who_why_and_since_when(master: ScriptedMaster, cli: Cli) -> None:
    done = json.loads(cli("worker", "cordon", "w2", "--reason", "dust", "-o", "json").out)
    (worker,) = done["workers"]
    assert (worker["id"], worker["state"]) == ("id-w2", "CORDONED")
    assert worker["cordon"] == {
        "by": "tester",
        "reason": "dust",
        "since_ms": START_MS,
        "drains": False,
        "deadline_ms": None,
    }


def test_drain_says_what_is_left_and_waits_until_that_is_over(master: ScriptedMaster, cli: Cli) -> None:
    master.workers[0] = a_worker_view(a_worker("w1"), attempts=(AttemptRef(1, 1),))
    going = cli("worker", "drain", "w1", "w2", "--reason", "dust")
    assert going.out == (
        "worker w1 is being drained by tester; 1 attempt goes on there\nworker w2 is drained by tester\n"
    )
    assert "w1 is being drained by tester: dust (" in cli("worker", "ls").out
    assert "w2    DRAINED" in cli("worker", "ls").out
    late = cli("worker", "drain", "w1", "--wait", "--timeout", "300ms")
    assert late.code == 124
    assert "there are attempts left on w1; the drain goes on" in late.err
    looks = len(master.requests["ListWorkers"])

    def it_finishes() -> None:
        wait_until(lambda: len(master.requests["ListWorkers"]) > looks + 1, what="that it waits")
        master.workers[0] = replace(master.workers[0], attempts=())

    finishing = threading.Thread(target=it_finishes)
    finishing.start()
    done = cli("worker", "drain", "w1", "--wait")
    finishing.join()
    assert (done.code, done.out) == (0, "worker w1 is drained by tester\n")
    assert done.err.startswith("waiting: worker w1 is being drained by tester; 1 attempt goes on")
    assert "say both" in cli("worker", "drain", "w1", "--timeout", "1s").err


def test_drain_with_a_deadline_says_until_when(master: ScriptedMaster, cli: Cli) -> None:
    master.workers[0] = a_worker_view(a_worker("w1"), attempts=(AttemptRef(1, 1),))
    words = cli("worker", "drain", "w1", "w2", "--deadline", "2h").out.splitlines()
    until = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(START_MS / 1000 + 7200))
    assert words == [
        f"worker w1 is being drained by tester until {until}; 1 attempt goes on there",
        "worker w2 is drained by tester",
    ]
    listed = json.loads(cli("worker", "ls", "-o", "json").out)
    assert listed["workers"][0]["cordon"]["deadline_ms"] == START_MS + 7_200_000
    assert "w1 is being drained by tester (1m40s ago, deadline in 1h58m)" in cli("worker", "ls").out
    assert "deadline: 'soon' is no length" in cli("worker", "drain", "w1", "--deadline", "soon").err


def test_a_worker_that_is_not_there_stops_all_of_it(master: ScriptedMaster, cli: Cli) -> None:
    wrong = cli("worker", "cordon", "w1", "w9")
    assert (wrong.code, wrong.out) == (1, "")
    assert "there is no worker w9" in wrong.err
    assert master.workers[0].cordon is None
    assert "1 to 128 of A-Z" in cli("worker", "cordon", "../w1").err
    assert "printable" in cli("worker", "cordon", "w1", "--reason", "a\nb").err
    assert cli("worker", "cordon").code == 2


def test_a_long_reason_is_cut_to_the_width(master: ScriptedMaster, cli: Cli) -> None:
    cli("worker", "cordon", "w1", "--reason", "x" * 300)
    last = cli("worker", "ls").out.splitlines()[-1]
    assert len(last) <= 100
    assert last.endswith("… (1m40s ago)")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (WorkerState.LOST, "worker w2 is lost: it gets work when it is back\n"),
        (
            WorkerState.DRAINING,
            "worker w2 gets no new work: its daemon was told to end, start it again\n",
        ),
    ],
)
def test_resume_says_what_else_keeps_a_worker_from_work(
    master: ScriptedMaster, cli: Cli, state: WorkerState, words: str
) -> None:
    master.workers[1] = a_worker_view(a_worker("w2"), state=state)
    assert cli("worker", "resume", "w2").out == words


SHOWN = """\
worker    w2
state     DRAINING
work      is being drained by tester until 2023-11-15 00:13:20; 2 attempts go on there
reason    dust
since     2023-11-14 22:13:20, 1m40s ago
deadline  2023-11-15 00:13:20
id        id-w2
host      host
boot      boot
ganger    0.1.0, start 1 of this worker
heard     0.5s ago
cpus      2 of 2 free
memory    8GiB of 8GiB free
slots     16 of 16 free
load      12% of its CPUs
in use    1GiB of 8GiB of the host's memory

ID  NAME  STATE    ATTEMPT  CPU   MEM   TIME  OWNER   REASON
 1  prep  RUNNING        1    2  1GiB  1m38s  tester
 9  –     –              4    –     –      –  –       –
"""


def test_worker_show(master: ScriptedMaster, cli: Cli) -> None:
    attempts = (AttemptRef(1, 1), AttemptRef(9, 4))
    master.workers[1] = a_worker_view(a_worker("w2"), attempts=attempts)
    master.submit(task_spec(["true"], name="prep", cpus=2, memory="1GiB"))
    master.run(1, "w2")
    cli("worker", "drain", "w2", "--reason", "dust", "--deadline", "2h")
    assert cli("worker", "show", "w2").out == SHOWN
    both = cli("worker", "show", "id-w1", "w1", "w3").out
    assert "w1\nstate   UP\nwork    gets new work\n" in both
    assert both.count("\n\n") == 1
    (document,) = json.loads(cli("worker", "show", "w2", "-o", "json").out)["workers"]
    assert (document["incarnation"], document["boot_id"]) == (1, "boot")
    assert [task["name"] for task in document["tasks"]] == ["prep"]
    assert document["cordon"]["reason"] == "dust"
    missing = cli("worker", "show", "w1", "w9")
    assert (missing.code, missing.out) == (1, "")
    assert "there is no worker w9, see `ganger worker ls`" in missing.err
