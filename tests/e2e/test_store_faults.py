"""This module checks real masters on storage that fails: locked, damaged, read-only, full; and their backups."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganger import TaskState
from ganger.build import task_spec
from ganger_core.domain.errors import Exhausted
from ganger_master.epochs import SKIP
from testkit.processes import Cluster, a_cluster
from testkit.requires import requires
from testkit.waiting import wait_until

MIB = 2**20


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with a_cluster() as cluster:
        yield cluster


def ganger(folder: Path, *words: str) -> tuple[int, str, str]:
    """Run a command of the CLI."""
    command = [sys.executable, "-m", "ganger", "--state-dir", str(folder), *words]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=40, check=False)
    return ran.returncode, ran.stdout, ran.stderr


def refused_start(folder: Path, *flags: str) -> str:
    """Start a master that refuses; returns what it says."""
    command = [sys.executable, "-m", "ganger_master", "--state-dir", str(folder), *flags]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=40, check=False)
    assert ran.returncode == 1, ran
    assert "Traceback" not in ran.stderr
    return ran.stderr


def test_another_program_that_holds_the_database_ends_the_master_and_nothing_is_lost(
    cluster: Cluster,
) -> None:
    master = cluster.start_master("--busy-timeout-s", "0.3")
    with cluster.client() as client:
        assert client.submit(["true"], name="kept") == 1
    other = sqlite3.connect(cluster.folder / "ganger.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with cluster.channel() as channel:
        call = channel.unary_unary("/ganger.v1.TaskService/SubmitTask")
        future = call.future(b"\x0a\x01r\x12\x0c\x0a\x04true\x2a\x04\x08\x01\x18\x01", timeout=10)
        assert master.process.wait(10) == 70
        assert future.code() is not None
    assert master.said("another program holds it locked")
    assert "another program holds it locked" in refused_start(cluster.folder, "--busy-timeout-s", "0.3")
    other.execute("ROLLBACK")
    other.close()
    cluster.start_master()
    with cluster.client() as client:
        assert [row.task.spec.name for row in client.tasks()] == ["kept"]


def test_a_damaged_database_is_refused_and_its_backup_brings_it_back(cluster: Cluster) -> None:
    folder = cluster.folder
    master = cluster.start_master()
    with cluster.client() as client:
        client.submit_many([task_spec(["echo", "x" * 200])] * 200)
    assert ganger(folder, "backup", str(folder / "copy.db"))[0] == 0
    master.stop()
    path = folder / "ganger.db"
    with path.open("r+b") as file:
        file.seek(2 * 4096)
        file.write(b"\xa5" * (path.stat().st_size - 3 * 4096))
    damaged = path.read_bytes()
    assert "damaged" in refused_start(folder)
    assert path.read_bytes() == damaged
    code, out, err = ganger(folder, "restore", str(folder / "copy.db"), "--force")
    assert (code, err) == (0, "")
    assert "epoch 2" in out
    cluster.start_master()
    with cluster.client() as client:
        assert len(list(client.tasks())) == 200
        assert client.submit(["true"]) == SKIP + 201
        assert client.cancel(1) is TaskState.CANCELLED


def test_a_backup_while_tasks_come_in_holds_everything_acknowledged_before_it(cluster: Cluster) -> None:
    folder = cluster.folder
    cluster.start_master()
    acked: list[int] = []
    stop = threading.Event()

    def submit() -> None:
        with cluster.client() as client:
            while not stop.is_set():
                acked.append(client.submit(["true"]))

    thread = threading.Thread(target=submit, name="submit")
    thread.start()
    try:
        for number in range(2):
            seen = len(acked)
            wait_until(lambda: len(acked) > seen + 20, what="submissions go on")  # noqa: B023
            before = set(acked)
            assert ganger(folder, "backup", str(folder / f"{number}.db"))[0] == 0
            with contextlib.closing(sqlite3.connect(folder / f"{number}.db")) as db:
                stored = {task_id for (task_id,) in db.execute("SELECT id FROM tasks")}
                assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert before <= stored
    finally:
        stop.set()
        thread.join()
    code, _, err = ganger(folder, "backup", str(folder / "0.db"))
    assert code == 1
    assert "--force" in err
    code, _, err = ganger(folder, "restore", str(folder / "0.db"), "--force")
    assert code == 1
    assert "another ganger master" in err


def test_a_restored_master_runs_what_waited(cluster: Cluster) -> None:
    folder = cluster.folder
    master = cluster.start_master()
    with cluster.client() as client:
        client.submit(["sh", "-c", "echo $GANGER_TOKEN"])
    assert ganger(folder, "backup", str(folder / "b.db"))[0] == 0
    master.stop()
    assert ganger(folder, "restore", str(folder / "b.db"), "--force", "--nothing-runs")[0] == 0
    cluster.start_master()
    cluster.start_worker("w1")
    with cluster.client() as client:
        (task,) = client.wait([1], timeout_s=20)
        assert task.state is TaskState.SUCCEEDED
        assert b"".join(chunk.data for chunk in client.logs(1)) == b"%d\n" % (SKIP + 1)


def test_old_tasks_go_from_a_running_master_and_its_disk(cluster: Cluster) -> None:
    cluster.start_master("--keep-ended-s", "1", "--keep-failed-s", "1h", "--prune-every-s", "0.1")
    cluster.start_worker("w1")
    output = cluster.folder / "logs"
    with cluster.client() as client:
        good, bad = (client.submit(["sh", "-c", f"seq 20000; exit {code}"]) for code in (0, 1))
        client.wait([bad], timeout_s=20)
        wait_until(lambda: [row.task.id for row in client.tasks()] == [bad], 20, what="the old task goes")
        wait_until(lambda: not list(output.rglob(f"{good}.*")), 20, what="its log files go")
        assert list(output.rglob(f"{bad}.*"))
        assert client.submit(["true"]) == bad + 1


@contextlib.contextmanager
def a_disk(size: int) -> Iterator[Path]:
    """A file system of its own on a loop device, of so many bytes."""
    requires("mounts")
    place = Path(tempfile.mkdtemp(prefix="gg"))
    image, folder = place / "image", place / "m"
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(size)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], check=True, timeout=30)
    subprocess.run(["mount", "-o", "loop", str(image), str(folder)], check=True, timeout=30)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True, timeout=30)
        shutil.rmtree(place)


def test_on_a_disk_that_is_nearly_full_only_what_adds_to_it_waits() -> None:
    with a_disk(2048 * MIB) as disk:
        folder = disk / "s"
        folder.mkdir(mode=0o700)
        cluster = Cluster(folder)
        filler = disk / "filler"
        try:
            cluster.start_master()
            cluster.start_worker("w1", "--cpus", "1")
            with cluster.client() as client:
                go = folder / "go"
                runs = client.submit(["sh", "-c", f"seq 20000; until [ -e {go} ]; do sleep 0.05; done"])
                waits = client.submit(["true"], cpus=64, request_id="r")
                wait_until(lambda: client.status(runs).task.state is TaskState.RUNNING, what="it runs")
                with filler.open("wb") as file:
                    os.posix_fallocate(file.fileno(), 0, 1500 * MIB)

                def is_refused() -> bool:
                    try:
                        client.submit(["true"])
                    except Exhausted as error:
                        return error.reason == "DISK_FULL" and "--least-free" in error.message
                    return False

                wait_until(is_refused, what="submissions are refused")
                with pytest.raises(Exhausted):
                    client.submit_many([task_spec(["true"])] * 2)
                assert client.submit(["true"], cpus=64, request_id="r") == waits  # a repeat is answered
                assert client.cancel(waits) is TaskState.CANCELLED
                go.touch()
                wait_until(lambda: client.status(runs).attempts[-1].state == "ENDED", what="the report came")
                filler.unlink()
                wait_until(lambda: not is_refused(), what="submissions are taken again")
                (task,) = client.wait([runs], timeout_s=40)
                assert task.state is TaskState.SUCCEEDED
                text = b"".join(chunk.data for chunk in client.logs(runs))
                assert text.splitlines()[-1] == b"20000"
        finally:
            cluster.stop()


def test_a_read_only_state_folder_is_refused() -> None:
    with a_disk(16 * MIB) as disk:
        folder = disk / "s"
        cluster = Cluster(folder)
        folder.mkdir(mode=0o700)
        try:
            cluster.start_master("--least-free", "0", "--least-free-percent", "0").stop()
        finally:
            cluster.stop()
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True, timeout=30)
        assert "cannot be written: Read-only file system" in refused_start(folder)
        code, _, err = ganger(folder, "backup", str(folder / "copy.db"))
        assert code == 1
        assert "Read-only file system" in err or "cannot be" in err
