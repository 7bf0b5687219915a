"""This module fills the disk of the master, or of a worker, under load, and frees it again: nothing is lost.

With its guard the master refuses new work while what it has goes on; without one a commit fails, and it ends.
"""

from __future__ import annotations

import os
import random
import tempfile
from collections import Counter
from pathlib import Path

from crash.checkers import Finding
from crash.history import check_all, snapshot
from crash.load import Load, pause, waiting_spec
from crash.power_cut import a_disk
from crash.row import Row
from crash.scene import BRISK, Scene
from ganger import Exhausted
from ganger_master.app import EXIT_BROKEN
from ganger_worker.keeper import boottime
from testkit.processes import Cluster, a_cluster
from testkit.waiting import wait_until

DISK_BYTES = 96 * 1024 * 1024
GUARD_BYTES = 16 * 1024 * 1024
BLOCK = 4096
LEASE_S = "30"
MOST_ATTEMPTS = 10


def disk_full(trials: int, seed: int) -> Row:
    """The master's disk with its guard, the same without, and a worker's disk, in turn."""
    rng = random.Random(f"disk_full.{seed}")  # noqa: S311
    times_s: list[float] = []
    done: Counter[str] = Counter()
    finding = Finding()
    kinds = {"guarded master": _guarded, "unguarded master": _unguarded, "worker": _worker}
    for number in range(trials):
        kind = list(kinds)[number % len(kinds)]
        found, time_s = kinds[kind](rng)
        done[kind] += 1
        times_s.append(time_s)
        finding += Finding(found.checks, tuple(f"{kind}: {text}" for text in found.violations))
    return Row("disk-full", seed, trials, done.total(), finding, times_s, {"filled": dict(done)})


def fill(folder: Path, left: int = 0) -> Path:
    """Take all space of this disk but `left` bytes; returns the file that has it."""
    path = folder / "filler"
    file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        size, step = 0, 1 << 24
        while step >= BLOCK:
            disk = os.statvfs(folder)
            if disk.f_bfree * disk.f_frsize - step < left:
                step //= 2
                continue
            try:
                os.posix_fallocate(file, size, step)
                size += step
            except OSError:
                step //= 2
    finally:
        os.close(file)
    return path


def _guarded(rng: random.Random) -> tuple[Finding, float]:
    """Submissions are refused while the disk is full; what runs ends, and is known to have."""
    wrong = []
    with a_disk(DISK_BYTES) as (_, mount), tempfile.TemporaryDirectory(prefix="gw") as elsewhere:
        cluster = Cluster(mount)
        try:
            flags = (
                "--least-free",
                str(GUARD_BYTES),
                "--least-free-percent",
                "0",
                "--lease-s",
                LEASE_S,
                *BRISK,
            )
            cluster.start_master(*flags)
            cluster.start_planner("--log-level", "error")
            _start_worker(cluster, Path(elsewhere))
            with cluster.client() as client:
                scene = Scene(cluster, client, rng.randrange(1 << 30))
                ids = [scene.submit(rng.uniform(0.5, 1.5), code=rng.randrange(120)) for _ in range(8)]
                scene.await_starts(ids)
                filler = fill(mount, GUARD_BYTES // 2)
                wait_until(lambda: _refuses(scene), 30, "submissions are refused")
                client.wait(ids, 60)
                if not _refuses(scene):
                    wrong.append("a submission was taken while the disk was full")
                filler.unlink()
                freed_s = boottime()
                wait_until(lambda: not _refuses(scene), 30, "submissions are taken again")
                time_s = boottime() - freed_s
                finding = scene.conclude()
        finally:
            cluster.stop()
    return finding + Finding(2, tuple(wrong)), time_s


def _unguarded(rng: random.Random) -> tuple[Finding, float]:
    """A commit fails for want of space: the master ends, and serves again once there is space."""
    wrong = []
    with a_disk(DISK_BYTES) as (_, mount):
        cluster = Cluster(mount)
        try:
            flags = ("--least-free", "0", "--least-free-percent", "0", "--log-level", "error")
            master = cluster.start_master(*flags)
            load = Load(mount, lambda name, _: waiting_spec(name), rng.randrange(1 << 30))
            load.start()
            pause(rng.uniform(0.3, 0.8))
            filler = fill(mount)
            status = master.process.wait(60)
            if status != EXIT_BROKEN:
                wrong.append(f"the master ended with {status} on a full disk, not with {EXIT_BROKEN}")
            filler.unlink()
            freed_s = boottime()
            cluster.start_master(*flags)
            time_s = boottime() - freed_s
            load.stop()
            with cluster.client() as client:
                finding = check_all(
                    client, load.acks, frozenset(load.sent), [], [snapshot(mount)], over=False
                )
        finally:
            cluster.stop()
    return finding + Finding(1, tuple(wrong)), time_s


def _worker(rng: random.Random) -> tuple[Finding, float]:
    """A worker that cannot write does not lose what it runs, is not asked all the time, and works again with space."""
    with a_disk(DISK_BYTES) as (_, mount), a_cluster() as cluster:
        cluster.start_master("--lease-s", LEASE_S, *BRISK)
        cluster.start_planner("--log-level", "error")
        _start_worker(cluster, mount / "w")
        with cluster.client() as client:
            scene = Scene(cluster, client, rng.randrange(1 << 30))
            before = [scene.submit(rng.uniform(0.5, 1.5), code=rng.randrange(120)) for _ in range(4)]
            scene.await_starts(before)
            filler = fill(mount)
            during = [scene.submit(0.2, code=rng.randrange(120)) for _ in range(4)]
            client.wait(before, 60)
            filler.unlink()
            freed_s = boottime()
            client.wait(during, 60)
            time_s = boottime() - freed_s
            most = max(client.status(task_id).task.token for task_id in during)
            wrong = [f"a task had {most} attempts"] if most > MOST_ATTEMPTS else []
            return scene.conclude() + Finding(1, tuple(wrong)), time_s


def _start_worker(cluster: Cluster, folder: Path) -> None:
    """A worker whose own folder is not the master's."""
    where = ("--master", cluster.address, "--token-file", str(cluster.folder / "token"))
    cluster.start_worker("w1", "--cpus", "16", "--slots", "16", "--state-dir", str(folder), *where)


def _refuses(scene: Scene) -> bool:
    """Hand in one task; whether the master had no space for it."""
    try:
        scene.submit(0.01)
    except Exhausted:
        return True
    return False
