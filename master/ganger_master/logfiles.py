"""This module knows where the log files of attempts lie, and removes those whose task is forgotten."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from ganger_core.domain.task import AttemptRef, LogStream

PER_FOLDER = 1_000  # tasks
_SUFFIX = {LogStream.STDOUT: "out", LogStream.STDERR: "err"}

KnownTasks = Callable[[int, int], set[int]]
"""The tasks that there are, with ids from the first to the last."""


def log_path(root: Path, ref: AttemptRef, stream: LogStream) -> Path:
    """The file of one stream of one attempt."""
    return root / f"{ref.task_id // PER_FOLDER}" / f"{ref.task_id}.{ref.token}.{_SUFFIX[stream]}"


def folders(root: Path) -> set[int]:
    """The numbers of the folders that there are."""
    if not root.is_dir():
        return set()
    return {int(entry.name) for entry in root.iterdir() if entry.name.isascii() and entry.name.isdigit()}


def remove_forgotten(root: Path, folder: int, known: KnownTasks, before_ms: int) -> int:
    """Remove the files in a folder that were last written before `before_ms` and have no task; returns how many.

    The files are listed before the tasks are asked for: a file has a task from its beginning on, so one
    without a task then has lost it. The age keeps the logs of tasks that a restored backup does not know.
    """
    path = root / str(folder)
    with contextlib.suppress(FileNotFoundError):
        files = [entry for entry in path.iterdir() if entry.name.partition(".")[0].isdigit()]
        tasks = known(folder * PER_FOLDER, (folder + 1) * PER_FOLDER - 1)
        old = [
            file
            for file in files
            if int(file.name.partition(".")[0]) not in tasks and file.stat().st_mtime * 1000 < before_ms
        ]
        for file in old:
            file.unlink(missing_ok=True)
        return len(old)
    return 0
