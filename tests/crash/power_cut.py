"""This module cuts the power of the master's disk: an ext4 in a file loses everything that was not synced.

A process goes on after such a cut, which none does after a real one, and an `fdatasync` that is under way at that
moment may return 0 although its data is lost (`shutdown_race.py` shows it without Ganger). So an acknowledgement
counts when it came before the cut began.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import shutil
import sqlite3
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from crash.checkers import Ack, Finding
from crash.history import check_all, snapshot
from crash.load import Load, first_answer_s, pause, waiting_spec
from crash.row import Row
from testkit.processes import Cluster
from testkit.waiting import wait_until

FS_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2  # not even the journal's open transaction is written
IMAGE_BYTES = 512 * 1024 * 1024

FLAGS = "--log-level", "error", "--least-free", "0", "--least-free-percent", "0"  # the disk is a small one


def cut(mount: Path) -> None:
    """Take the file system down at once; nothing that it has in memory reaches the image."""
    folder = os.open(mount, os.O_RDONLY)
    try:
        fcntl.ioctl(folder, FS_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
    finally:
        os.close(folder)


def mount_again(image: Path, mount: Path) -> None:
    """Let go of a disk that was cut, and mount what is on it, as after the power came back."""
    wait_until(lambda: _succeeds("umount", str(mount)), what="nobody uses the disk")
    _run("mount", "-o", "loop", str(image), str(mount))


@contextlib.contextmanager
def a_disk(size: int = IMAGE_BYTES) -> Iterator[tuple[Path, Path]]:
    """An image with an ext4 of `size` bytes and where it is mounted; unmounted and removed afterwards."""
    place = Path(tempfile.mkdtemp(prefix="gd"))
    image, mount = place / "image", place / "m"
    mount.mkdir()
    with image.open("wb") as file:
        file.truncate(size)
    try:
        _run("mkfs.ext4", "-q", str(image))
        _run("mount", "-o", "loop", str(image), str(mount))
        mount.chmod(0o700)
        yield image, mount
    finally:
        if os.path.ismount(mount):
            _run("umount", "--lazy", str(mount))
        shutil.rmtree(place)


def missing() -> str:
    """What this machine lacks for a power cut; nothing when one works."""
    if os.geteuid() != 0:
        return "only root can mount a disk in a file"
    try:
        with a_disk() as (_, mount):
            cut(mount)
    except (OSError, subprocess.CalledProcessError) as error:
        return f"a disk in a file cannot be mounted and cut off: {error}"
    return ""


def power_cut(trials: int, seed: int) -> Row:
    """Power cuts of the master's disk under concurrent submissions."""
    rng = random.Random(f"power_cut.{seed}")  # noqa: S311
    serving_s, in_flight, probes, cuts = [], 0, list[Ack](), list[tuple[float, float]]()
    with a_disk() as (image, mount):
        cluster = Cluster(mount)
        try:
            cluster.start_master(*FLAGS)
            load = Load(mount, lambda name, _: waiting_spec(name), rng.randrange(1 << 30))
            load.start()
            for number in range(trials):
                pause(rng.uniform(0.5, 1.2))
                if number % 2:
                    wait_until(lambda: load.waiting, what="a submission is under way")
                begin = time.monotonic()
                cut(mount)
                in_flight += bool(load.waiting)
                cluster.daemons["master"].kill()
                mount_again(image, mount)
                # Until here every answer is one from amid the cut, however late its client was to look at it.
                cuts.append((begin, time.monotonic()))
                begin = time.monotonic()
                cluster.spawn("master", "ganger_master", *FLAGS)
                answer_s, probe = first_answer_s(mount, begin, f"probe-{number}")
                serving_s.append(answer_s)
                probes.append(probe)
            load.stop()
            acks = [*load.acks_outside(cuts), *probes]
            names = frozenset(load.sent) | {ack.request_id for ack in probes}
            with cluster.client() as client:
                finding = check_all(client, acks, names, [], [snapshot(mount)], over=False)
        finally:
            cluster.stop()
        finding += _intact(mount / "ganger.db")
    more = {
        "acknowledged": len(acks),
        "cuts_in_flight": in_flight,
        "answered_amid_cuts": len(load.acks) + len(probes) - len(acks),
    }
    return Row("power-cut", seed, trials, len(cuts), finding, serving_s, more)


def _intact(path: Path) -> Finding:
    with contextlib.closing(sqlite3.connect(path)) as db:
        answer = db.execute("PRAGMA integrity_check").fetchone()[0]
    return Finding(1, () if answer == "ok" else (f"the database is damaged: {answer}",))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0
