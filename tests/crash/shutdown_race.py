"""This module shows what a file system's shutdown does to an `fdatasync` under way, without any of Ganger's code.

    python -m crash.shutdown_race [CUTS]

Three threads write numbered records, each followed by `fdatasync`, while the disk is cut; then the disk is mounted
again and every record whose `fdatasync` returned 0 is looked for. On a disk that loses power no such answer reaches
anybody; here it does, because the process goes on.
"""

from __future__ import annotations

import json
import os
import random
import struct
import sys
import threading
import time
from pathlib import Path

from crash.power_cut import a_disk, cut, mount_again

RECORD = 4096
WRITERS = 3


def _write(path: Path, synced: list[float]) -> None:
    """Append records until the disk is gone; note when each was said to be on it."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        while True:
            os.pwrite(file, _record(len(synced)), len(synced) * RECORD)
            os.fdatasync(file)
            synced.append(time.monotonic())
    except OSError:
        return
    finally:
        os.close(file)


def _record(number: int) -> bytes:
    return struct.pack("<Q", number) * (RECORD // 8)


def _lost(path: Path, synced: list[float]) -> list[float]:
    """When those records were said to be on the disk that are not."""
    data = path.read_bytes() if path.exists() else b""
    return [at for n, at in enumerate(synced) if data[n * RECORD : (n + 1) * RECORD] != _record(n)]


def main(cuts: int) -> int:
    """Cut so many times and print what was lost; 1 when a record was lost that was synced before its cut began."""
    rng = random.Random(cuts)  # noqa: S311
    synced_in_all, amid, before = 0, 0, 0
    with a_disk() as (image, mount):
        for _ in range(cuts):
            files: dict[Path, list[float]] = {mount / f"log{n}": [] for n in range(WRITERS)}
            writers = [threading.Thread(target=_write, args=each) for each in files.items()]
            for writer in writers:
                writer.start()
            threading.Event().wait(rng.uniform(0.02, 0.08))
            began = time.monotonic()
            cut(mount)
            for writer in writers:
                writer.join()
            mount_again(image, mount)
            lost = [at for path, synced in files.items() for at in _lost(path, synced)]
            synced_in_all += sum(map(len, files.values()))
            amid += sum(at >= began for at in lost)
            before += sum(at < began for at in lost)
    shown = {"cuts": cuts, "synced": synced_in_all, "lost_amid_the_cut": amid, "lost_from_before": before}
    print(json.dumps(shown))  # noqa: T201
    return int(before > 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100))
