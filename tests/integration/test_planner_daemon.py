"""This module starts planners as people do, as processes, and ends them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganger_core.convert import plan as convert
from ganger_core.rpc.channels import Target, open_channel
from ganger_core.wire.v1 import plan_pb2, plan_pb2_grpc
from testkit.fleets import a_mixed_snapshot
from testkit.waiting import wait_until

REQUEST = plan_pb2.PlanRequest(
    snapshot=convert.snapshot_to_proto(
        a_mixed_snapshot(1, workers=3, shapes=4, tasks_per_shape=5, busy=0), with_fleet=True
    )
)


class Planners:
    """Starts planners on one state folder, and ends those that a test leaves behind."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GANGER_")}
        process = subprocess.Popen(
            [sys.executable, "-m", "ganger_planner", *arguments],
            env={
                **environment,
                "GANGER_STATE_DIR": str(self.folder),
                "PYTHONPATH": os.pathsep.join(sys.path),
            },
            stderr=subprocess.PIPE,
            text=True,
        )
        self._running.append(process)
        return process

    def end(self) -> None:
        for process in self._running:
            process.kill()
            process.communicate()


def address_of(process: subprocess.Popen[str]) -> str:
    """Where it says that it listens: its first line."""
    assert process.stderr is not None
    line = json.loads(process.stderr.readline())
    assert line["event"] == "planner listens"
    return str(line["address"])


def plan_through(target: Target) -> str:
    with open_channel(target) as channel:
        answer = plan_pb2_grpc.PlannerServiceStub(channel).Plan(REQUEST, timeout=20, wait_for_ready=True)
    return answer.plan.stage


@pytest.fixture
def planners() -> Iterator[Planners]:
    with tempfile.TemporaryDirectory(prefix="planner-") as folder:
        started = Planners(Path(folder))
        yield started
        started.end()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("words", [[], ["start"]], ids=["no word", "start"])
def test_it_serves_until_it_is_told_to_stop(
    planners: Planners, number: signal.Signals, words: list[str]
) -> None:
    process = planners.start(*words, "--threads", "2")
    address = address_of(process)
    assert address == f"unix:{planners.folder}/planner.socket"
    assert plan_through(Target(address)) == "best-fit"
    process.send_signal(number)
    _, rest = process.communicate(timeout=20)
    assert process.returncode == 0
    assert [json.loads(line)["event"] for line in rest.splitlines()] == ["planner stopped"]


def test_a_second_one_on_the_same_folder_is_refused(planners: Planners) -> None:
    first = planners.start()
    address_of(first)
    second = planners.start()
    _, text = second.communicate(timeout=20)
    assert second.returncode == 1
    assert text.startswith(
        f"ganger planner start: another ganger planner (pid {first.pid}) uses {planners.folder}"
    )
    assert text.count("\n") == 1
    assert plan_through(Target(f"unix:{planners.folder}/planner.socket")) == "best-fit"


def test_after_a_crash_it_starts_again_and_asks_for_the_fleet(planners: Planners) -> None:
    first = planners.start()
    address_of(first)
    first.kill()
    first.wait()
    assert (planners.folder / "planner.socket").exists()
    assert plan_through(Target(address_of(planners.start()))) == "best-fit"


def test_over_tcp_it_takes_the_token_of_the_folder(planners: Planners) -> None:
    address = address_of(planners.start("--listen", "127.0.0.1:0"))
    token_file = planners.folder / "token"
    wait_until(token_file.exists, what="the token")
    assert plan_through(Target(address, token_file.read_text().strip())) == "best-fit"


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (
            ["--listen", "0.0.0.0:7001"],
            1,
            "ganger planner start: --listen: listening on 0.0.0.0:7001 needs TLS",
        ),
        (["--threads", "0"], 1, "ganger planner start: --threads: '0' is no whole number"),
        (
            ["--listen", "127.0.0.1:0", "--token-file", "/nowhere/token"],
            1,
            "ganger planner start: the token file",
        ),
        (["--thread-count", "3"], 2, "usage: ganger planner start"),
        (["serve"], 2, "usage: ganger planner start"),
    ],
)
def test_what_must_not_start_says_why(planners: Planners, arguments: list[str], code: int, text: str) -> None:
    process = planners.start(*arguments)
    _, said = process.communicate(timeout=20)
    assert (process.returncode, said[: len(text)]) == (code, text)
    assert "Traceback" not in said


def test_it_loads_neither_the_generator_nor_a_solver() -> None:
    script = (
        "import sys, ganger_planner.app\n"
        "print([name for name in ('grpc_tools.protoc', 'ortools', 'pandas', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "[]\n"
