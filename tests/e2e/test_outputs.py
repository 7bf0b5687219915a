"""This module follows outputs through a real cluster: what a task wrote is published, shown, copied and forgotten."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganger import NotFound, TaskState
from testkit.client_cli import Cli
from testkit.processes import Cluster, a_cluster
from testkit.waiting import wait_until

SCRIPT = """
cd "$GANGER_OUTPUT_DIR"; mkdir sub; head -c 3000000 /dev/zero >sub/model.bin; printf x >'a
b'; mkfifo pipe; echo '{"b": [1, 2.50], "a": "é"}' >result.json
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with a_cluster() as cluster:
        cluster.start_master()
        cluster.start_worker("w1", "--cpus", "2")
        yield cluster


@pytest.fixture(scope="module")
def published(cluster: Cluster) -> int:
    """A task that published, by its id."""
    with cluster.client() as client:
        task_id = client.submit(["sh", "-c", SCRIPT])
        (task,) = client.wait([task_id], timeout_s=30)
        assert task.state is TaskState.SUCCEEDED
    return task_id


def test_what_a_task_wrote_is_published_and_shown(
    cluster: Cluster, published: int, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    with cluster.client() as client:
        status = client.status(published)
        assert status.task.result == '{"a":"é","b":[1,2.5]}'
        assert client.result(published) == {"a": "é", "b": [1, 2.5]}
    assert [(file.path, file.size) for file in status.outputs.files] == [
        ("a\nb", 1),
        ("result.json", 28),
        ("sub/model.bin", 3_000_000),
    ]
    assert status.outputs.files[2].sha256 == hashlib.sha256(bytes(3_000_000)).hexdigest()
    assert status.outputs.notes == ("left out: pipe: no regular file",)
    place = cluster.folder / "workers" / "w1" / "published" / f"{published}-1"
    assert (place / "sub" / "model.bin").stat().st_size == 3_000_000

    cli = Cli(cluster, capfdbinary)
    shown = cli("show", str(published)).out
    assert 'result     {"a":"é","b":[1,2.5]}' in shown
    assert "outputs    3 files, 2.9MiB" in shown
    (document,) = json.loads(cli("show", str(published), "-o", "json").out)["tasks"]
    assert document["result"] == {"a": "é", "b": [1, 2.5]}
    assert [file["path"] for file in document["outputs"]["files"]] == ["a\nb", "result.json", "sub/model.bin"]


def test_a_bad_result_leaves_the_end_as_it_is_and_says_why(cluster: Cluster) -> None:
    with cluster.client() as client:
        bad = client.submit(["sh", "-c", 'echo "{" >"$GANGER_OUTPUT_DIR/result.json"'])
        failed = client.submit(["sh", "-c", 'echo 7 >"$GANGER_OUTPUT_DIR/result.json"; exit 3'])
        always = client.submit(
            ["sh", "-c", 'echo 7 >"$GANGER_OUTPUT_DIR/result.json"; exit 3'], publish="always"
        )
        none = client.submit(["true"])
        many = client.submit(["sh", "-c", 'cd "$GANGER_OUTPUT_DIR" && seq 1200 | xargs touch'])
        states = [task.state.value for task in client.wait([bad, failed, always, none], timeout_s=30)]
        assert states == ["SUCCEEDED", "FAILED", "FAILED", "SUCCEEDED"]
        assert client.result(always) == 7
        client.wait([many], timeout_s=30)
        assert len(client.status(many).outputs.files) == 1_200
        for task_id, why in (
            (bad, "result.json is no valid JSON"),
            (failed, "failed with exit code 3, and publishes only when it succeeds"),
            (none, "it left no result.json"),
        ):
            with pytest.raises(NotFound, match=why):
                client.result(task_id)
        assert client.status(bad).outputs.files[0].path == "result.json"
        assert client.status(failed).outputs.files == ()


def test_files_are_copied_to_here(
    cluster: Cluster, published: int, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    cli = Cli(cluster, capfdbinary)
    assert cli("cp", f"{published}:", str(tmp_path / "all")) == cli("cp", f"{published}:sub", str(tmp_path))
    assert (tmp_path / "all" / "a\nb").read_bytes() == b"x"
    for folder in (tmp_path / "all" / "sub", tmp_path / "sub"):
        assert (folder / "model.bin").read_bytes() == bytes(3_000_000)
    assert cli("cp", f"{published}:a\nb", "-").out == "x"

    place = cluster.folder / "workers" / "w1" / "published" / f"{published}-1"
    os.truncate(place / "sub" / "model.bin", 2_000_000)
    cut = cli("cp", f"{published}:sub/model.bin", str(tmp_path / "cut"))
    assert cut.code == 1
    assert "cannot be read: it is shorter than it was" in cut.err
    (place / "a\nb").write_bytes(b"y")
    changed = cli("cp", f"{published}:a\nb", str(tmp_path / "changed"))
    assert (changed.code, "is not what was published" in changed.err) == (1, True)
    (place / "a\nb").unlink()
    gone = cli("cp", f"{published}:a\nb", str(tmp_path / "gone"))
    assert (gone.code, "cannot be read: No such file" in gone.err) == (1, True)
    assert sorted(os.listdir(tmp_path)) == ["all", "sub"]


def test_outputs_go_with_their_task_and_survive_their_worker(cluster: Cluster) -> None:
    """The master comes back to keep a failed task for a second; what a killed worker published it still has."""
    folder = cluster.folder / "workers" / "w1" / "published"
    with cluster.client() as client:
        failed = client.submit(["sh", "-c", 'echo 7 >"$GANGER_OUTPUT_DIR/f"; exit 3'], publish="always")
        kept = client.submit(["sh", "-c", 'echo 8 >"$GANGER_OUTPUT_DIR/f"'])
        client.wait([failed, kept], timeout_s=30)
        cluster.daemons["w1"].kill()
        cluster.daemons["master"].stop()
        cluster.start_master("--prune-every-s", "0.5", "--keep-failed-s", "1")
        cluster.start_worker("w1", "--cpus", "2")
        assert b"".join(client.read_output(kept, "f")) == b"8\n"
        wait_until(
            lambda: not (folder / f"{failed}-1").exists(), 30, "the failed task's outputs are forgotten"
        )
        assert (folder / f"{kept}-1").exists()
