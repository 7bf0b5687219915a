"""This module tests `ganger cp` and what it stands on, against a scripted master: breaks, wrong bytes, wrong use."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import grpc
import pytest

from ganger import Client
from ganger.build import task_spec
from ganger_core.domain.errors import Conflict, NotFound
from ganger_core.domain.outputs import OutputFile, Outputs
from testkit.client_cli import Cli
from testkit.client_master import ScriptedMaster

DATA = bytes(range(128)) * 40
CONTENTS = {"model.pt": DATA, "sub/empty": b""}


def file_of(path: str, data: bytes) -> OutputFile:
    return OutputFile(path, len(data), hashlib.sha256(data).hexdigest())


def publish(master: ScriptedMaster, **contents: bytes) -> None:
    """Task 1 has published these files."""
    master.submit(task_spec(["true"]))
    master.run(1)
    files = tuple(file_of(path, data) for path, data in CONTENTS.items())
    master.publish(1, Outputs(files), **CONTENTS | contents)
    master.end(1)


def test_everything_comes_with_its_folders(master: ScriptedMaster, cli: Cli, tmp_path: Path) -> None:
    publish(cli.master)
    assert cli("cp", "1:", str(tmp_path)).code == 0
    assert (tmp_path / "model.pt").read_bytes() == DATA
    assert (tmp_path / "sub" / "empty").read_bytes() == b""
    assert cli("cp", "last:model.pt", "-").out.encode() == DATA


def test_a_broken_connection_is_carried_on(master: ScriptedMaster, client: Client) -> None:
    publish(master)
    master.failures.cut_stream("ReadOutput", 2)
    master.failures.cut_stream("ReadOutput", 1)
    assert b"".join(client.read_output(1, "model.pt")) == DATA
    assert [request.offset for request in master.requests["ReadOutput"]] == [0, 2_000, 3_000]
    assert {request.token for request in master.requests["ReadOutput"]} == {1}


def test_what_is_not_what_was_published_does_not_stay(
    master: ScriptedMaster, client: Client, tmp_path: Path
) -> None:
    publish(master, **{"model.pt": DATA[:-1] + b"\0"})
    with pytest.raises(Conflict, match="its SHA-256 differs"):
        client.copy(1, "model.pt", tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_worker_that_does_not_answer_ends_the_copy(
    master: ScriptedMaster, client: Client, tmp_path: Path
) -> None:
    publish(master)
    master.failures.refuse("ReadOutput", grpc.StatusCode.FAILED_PRECONDITION)
    with pytest.raises(Conflict):
        client.copy(1, "model.pt", tmp_path)
    assert os.listdir(tmp_path) == []


WRONG = {
    ("model.pt", "."): "names no task: write model.pt: for all that",
    ("1,2:model.pt", "."): "outputs are copied of one task at a time",
    ("1:nothing", "."): "task 1 published no 'nothing'; it published 'model.pt', 'sub/empty'",
    ("1:../x", "."): "is no path below $GANGER_OUTPUT_DIR",
    ("1:", "-"): "task 1 published 2 files: name one file, such as 'model.pt'",
    ("7:x", "."): "there is no task 7",
    ("x:y", "."): "there is no task 'x'",
}


@pytest.mark.parametrize(("source", "destination"), WRONG)
def test_wrong_use_is_refused_with_what_to_do(cli: Cli, source: str, destination: str) -> None:
    publish(cli.master)
    result = cli("cp", source, destination)
    assert (result.code, result.out) == (1, "")
    assert WRONG[source, destination] in result.err


def test_why_there_is_nothing_to_copy(master: ScriptedMaster, client: Client, tmp_path: Path) -> None:
    for publishes in ("on-success", "on-success", "never", "on-success"):
        master.submit(task_spec(["true"], publish=publishes))
    for task_id, code in ((2, 3), (3, 0), (4, 0)):
        master.run(task_id)
        master.end(task_id, code)
    for task_id, why in (
        (1, "it is not over yet"),
        (2, "failed with exit code 3, and publishes only when it succeeds"),
        (3, "it was submitted to publish nothing"),
        (4, "it left nothing in"),
    ):
        with pytest.raises(NotFound, match=why):
            client.copy(task_id, "", tmp_path)
        with pytest.raises(NotFound, match="has no result"):
            client.result(task_id)
