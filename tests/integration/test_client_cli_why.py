"""This module asks a whole master, in this process, why tasks stand as they do: by command line and SDK."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from ganger import Client, Explanation, NotFound, TaskState
from ganger_core.settings import MasterSettings
from ganger_master.app import Master
from testkit.client_cli import Cli
from testkit.waiting import wait_until


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="gg") as folder:
        yield Path(folder)


def test_a_master_explains_also_after_a_restart(
    folder: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    cli = Cli(SimpleNamespace(folder=folder), capsysbinary)
    master = Master(MasterSettings(state_dir=folder))
    master.start()
    try:
        with Client(state_dir=folder) as client:
            waits = client.submit(["true"], name="waits", cpus=2)
            cancelled = client.submit(["true"])
            client.cancel(cancelled, "not needed")
            wait_until(lambda: _planned(client.why(waits)), what="a plan")
            with pytest.raises(NotFound, match="there is no task 99"):
                client.why(99)
        shown = cli("why", "1,2")
        assert shown.code == 0
        first, second = shown.out.split("\n\n")
        assert first.splitlines()[1:4] == [
            "Needs 2 CPUs.",
            "  - no worker is connected",
            "Nothing comes before it: it is the first, and nothing else waits.",
        ]
        assert second.splitlines()[0].startswith("task 2 was cancelled by ")
        assert second.splitlines()[-1] == "Next: ganger retry 2 --cancelled queues it again."
        assert cli("explain", "2").out.splitlines()[1:] == second.splitlines()[1:]
        (document,) = json.loads(cli("why", "1", "-o", "json").out)["explanations"]
        assert list(document) == ["id", "label", "task", "now_ms", "waiting", "living"]
        assert [cause["code"] for cause in document["waiting"]["causes"]] == ["NO_WORKER"]
        assert document["waiting"]["remedies"][0]["changes"][0]["amounts"]["cpu_milli"] == 2000
        assert cli("why", "99").code == 1
        assert cli("why", "1", "-o", "template={id} {waiting.causes}").out.startswith("1 ")
        assert cli("why", "1,2", "-o", "name").out == "1\n2\n"
    finally:
        master.stop()
    again = Master(MasterSettings(state_dir=folder))
    again.start()
    try:
        with Client(state_dir=folder) as client:
            assert client.why(cancelled).task.state is TaskState.CANCELLED
            found = client.why(waits)
        assert found.waiting is not None
        assert [cause.code.value for cause in found.waiting.causes] == ["NO_WORKER"]
    finally:
        again.stop()


def _planned(explanation: Explanation) -> bool:
    return explanation.waiting is not None and explanation.waiting.plan is not None
