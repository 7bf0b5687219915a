"""This module runs `ganger plan` on a real master with a real planner, both in this process, and an idle worker."""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from architecture.sources import ROOT
from ganger import Client, Conflict, Demand, Invalid, NotFound, Prospect, task_spec
from ganger_core.convert import worker as convert_worker
from ganger_core.domain.errors import Exhausted
from ganger_core.rpc.channels import Target, open_channel, unix_address
from ganger_core.settings import MasterSettings, PlannerSettings
from ganger_core.wire.v1 import forecast_pb2, worker_pb2, worker_pb2_grpc
from ganger_master.app import Master
from ganger_master.services.forecasting import MOST_WAITING, ForecastService
from ganger_planner.app import PlannerServer
from testkit.builders import a_worker
from testkit.client_cli import Cli, Result

NIGHTLY = str(ROOT / "docs/examples/nightly.yaml")
MILLISECONDS = re.compile(r"in \d+ ms")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """The state folder of a master that knows one worker of 2 CPUs, which asks for no orders."""
    with tempfile.TemporaryDirectory(prefix="gg") as path:
        folder = Path(path)
        planner = PlannerServer(PlannerSettings(state_dir=folder))
        planner.start()
        master = Master(
            MasterSettings(state_dir=folder, plan_deadline_s=10, suspect_after_s=600, lost_after_s=900)
        )
        master.start()
        try:
            with open_channel(Target(unix_address(folder / "socket"))) as channel:
                profile = convert_worker.profile_to_proto(a_worker("w1", cpus=2))
                stub = worker_pb2_grpc.WorkerServiceStub(channel)
                stub.RegisterWorker(worker_pb2.RegisterWorkerRequest(profile=profile), timeout=10)
                yield folder
        finally:
            master.stop()
            planner.stop()


@pytest.fixture
def cli(folder: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> Cli:
    return Cli(SimpleNamespace(folder=folder), capsysbinary)


def a_file(tmp_path: Path, *tasks: str) -> str:
    path = tmp_path / "job.yaml"
    path.write_text("apiVersion: ganger/v1\nkind: Tasks\ntasks:\n" + "".join(f"- {each}\n" for each in tasks))
    return str(path)


def test_the_day_of_a_queue(cli: Cli, tmp_path: Path) -> None:
    # 1. An idle worker: what has room starts; what waits for it, waits.
    result = cli("plan", "-f", NIGHTLY)
    assert result.code == 1, result.err
    assert MILLISECONDS.sub("in 1 ms", result.out) == (
        "TASK    COUNT  CPU  MEM  NOW\n"
        "prep        1  0.5    –  starts on w1\n"
        "train       3  0.5    –  2 start on w1 (2)\n"
        "report      1  0.5    –  waits\n"
        "train: no more of it may run at the same time\n"
        "report: waits for prep, train\n"
        "planned by planner (best-fit) in 1 ms, for 1 worker\n"
    )
    assert cli("ls", "-q").out == "", "nothing was submitted"

    # 2. Something too large, and something with no room left by the first.
    path = a_file(
        tmp_path,
        "{name: big, command: [x], resources: {cpus: 64, memory: 1T}}",
        "{name: all, command: [x], resources: {cpus: 2}}",
        "{name: late, command: [x], after: [all, 99]}",
        "{name: next, command: [x], resources: {cpus: 1}}",
        "{name: held, command: [x], hold: true}",
    )
    unknown = cli("plan", "-f", path)
    assert (unknown.code, unknown.err) == (255, "ganger: after: there is no task 99\n")
    path = a_file(tmp_path, *Path(path).read_text().replace(", 99", "").split("\n- ")[1:])
    assert "next      1    1     –  waits behind another one\n" in cli("plan", "-f", path).out
    result = cli("plan", "-f", path, "-o", "json")
    assert result.code == 2
    document = json.loads(result.out)
    found = {task["name"]: (task["prospect"], task["starts"], task["ahead"]) for task in document["tasks"]}
    assert found == {
        "big": ("NEVER", 0, 0),
        "all": ("STARTS", 1, 0),
        "late": ("LATER", 0, 0),
        "next": ("BEHIND", 0, 1),
        "held": ("LATER", 0, 0),
    }
    assert document["tasks"][1]["workers"] == {"w1": 1}
    assert (document["planned_by"], document["stage"], document["workers"]) == ("planner", "best-fit", 1)
    assert document["plan_ms"] >= 0

    # 3. A task that waits: one takes all, another waits for it, a third never fits.
    with Client(state_dir=cli.master.folder) as client:
        first = client.submit(["x"], name="all", cpus=2)
        client.submit(["x"], name="next", cpus=1)
        client.submit(["x"], name="big", cpus=64)
        (event,) = [each for each in _first_events(client, first, 2) if each.state == "SCHEDULED"]
        assert event.worker_name == "w1"
        assert cli("plan", "next") == Result(
            0,
            "TASK      COUNT  CPU  MEM  NOW\n"
            f"{first + 1} (next)      1    1    –  waits: no room\n"
            f"{first + 1} (next): waiting for capacity: 1 worker could run it, the nearest is short of 1 CPU\n"
            "nothing was to be decided, for 1 worker\n",
            "",
        )
        assert cli("plan", "big").code == 2
        assert cli("plan", str(first)).code == 255
        with pytest.raises(Conflict, match=f"nothing of task {first} waits: it is SCHEDULED"):
            client.plan(first)
        array_id = client.submit_array(["x"], 10, max_parallel=2)
        (outlook,) = client.plan(array_id).outlooks
        assert (outlook.prospect, outlook.count) == (Prospect.NO_ROOM, 10)
        other = client.submit_array(["x"], 10, after=[("each", array_id)])
        (outlook,) = client.plan(other).outlooks
        assert (outlook.prospect, outlook.count) == (Prospect.LATER, 10)
        assert outlook.reason == f"waits for {array_id}"
        (outlook,) = client.plan([Demand(task_spec(["x"], after=[("each", array_id)]), 10)]).outlooks
        assert outlook.reason == f"waits for {array_id} (PENDING)"
        spec = task_spec(["x"], after=[("start", first)])
        (outlook,) = client.plan([spec]).outlooks
        assert outlook.reason == f"waits for {first} (SCHEDULED)"
        (outlook,) = client.plan([task_spec(["x"], not_before=3600)]).outlooks
        assert outlook.prospect is Prospect.LATER
        assert outlook.reason.startswith("not before ")


def _first_events(client: Client, task_id: int, count: int) -> list[Any]:
    found = []
    for event in client.events(task_ids=[task_id], timeout_s=30):
        found.append(event)
        if len(found) == count:
            break
    return found


def test_what_is_asked_wrongly_is_refused(folder: Path) -> None:
    with Client(state_dir=folder) as client:
        for wrong, why in (
            ([], "name demands or a task_id"),
            ([Demand(task_spec(["x"]), 0)], r"demands\[0\].count must be from 1"),
            ([Demand(task_spec(["x"]), 1, -1)], r"demands\[0\].max_parallel must be from 0"),
            ([task_spec(["x"], after=[-1])], "wait for each other"),
            (0, "task_id must be from 1"),
        ):
            with pytest.raises(Invalid, match=why):
                client.plan(wrong)  # type: ignore[arg-type]
        with pytest.raises(NotFound):
            client.plan(10_000)


@pytest.mark.parametrize("words", [(), ("1", "-f", NIGHTLY), ("-f", "nowhere.yaml"), ("--what",), ("10000",)])
def test_every_failure_of_plan_has_a_code_of_its_own(cli: Cli, words: tuple[str, ...]) -> None:
    result = cli("plan", *words)
    assert result.code == 255
    assert result.err.startswith("ganger: ")


def test_dry_runs_take_turns_and_only_so_many_wait() -> None:
    class Slow:
        """A forecaster that counts who is in it."""

        inside = most = 0

        async def plan(self) -> str:
            self.inside += 1
            self.most = max(self.most, self.inside)
            await asyncio.sleep(0)
            self.inside -= 1
            return "planned"

    slow = Slow()

    async def run() -> list[object]:
        service = ForecastService.__new__(ForecastService)
        service._turn, service._waiting = asyncio.Lock(), 0
        service._answer = lambda request: slow.plan()  # type: ignore[method-assign,assignment,return-value]
        request = forecast_pb2.PlanTasksRequest(task_id=1)
        calls = [service.PlanTasks(request, None) for _ in range(MOST_WAITING + 3)]
        return await asyncio.gather(*calls, return_exceptions=True)

    answers = asyncio.run(run())
    assert answers.count("planned") == MOST_WAITING
    assert sum(isinstance(each, Exhausted) for each in answers) == 3
    assert slow.most == 1
