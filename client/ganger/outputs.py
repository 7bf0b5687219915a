"""This module gets what tasks published: results, and files, each of them checked by its hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc

from ganger.arrays import ArrayClient
from ganger.calls import TaskStatus
from ganger.copying import find_file, plan_copies, save
from ganger.wording import describe_missing_outputs, describe_missing_result, name_of
from ganger_core.domain.errors import Conflict, NotFound
from ganger_core.domain.outputs import OutputFile
from ganger_core.domain.task import AttemptRef, Task


class OutputClient(ArrayClient):
    """What a `Client` can do with outputs."""

    def status(self, task_id: int, *, history: bool = False) -> TaskStatus:
        """The task with all its attempts and what the newest of them published; with `history` also with its events.

        An array has no attempts itself.
        """
        return self._calls.status(task_id, history=history, outputs=True)

    def result(self, task_id: int) -> Any:
        """The value of the task's result.json; raises `NotFound`, with the cause, where there is none."""
        status = self.status(task_id)
        if status.task.result:
            return json.loads(status.task.result)
        raise NotFound(describe_missing_result(status.task, status.outputs), field="task_id")

    def read_output(self, task_id: int, path: str) -> Iterator[bytes]:
        """The bytes of a published file, carried on over broken connections.

        Raises `NotFound` where there is no such file, and `Conflict` when its worker does not send it or, at the end,
        when it is not what was published.
        """
        task, files = self._published(task_id)
        yield from self._read(task, find_file(files, path, name_of(task)))

    def copy(self, task_id: int, path: str, destination: str | Path) -> list[Path]:
        """Copy a published file, a folder of them, or with an empty `path` all, and return where they are now.

        The destination is as for `cp -r`: a folder that is there, or the name of what comes. Each file is there as a
        whole or not at all. Raises as `read_output` does, and `Invalid` for a destination that cannot be.
        """
        task, files = self._published(task_id)
        copies = plan_copies(files, path, str(destination), name_of(task))
        for each in copies:
            save(self._read(task, each.file), each.target)
        return [each.target for each in copies]

    def _published(self, task_id: int) -> tuple[Task, tuple[OutputFile, ...]]:
        status = self.status(task_id)
        if not status.outputs.files:
            raise NotFound(describe_missing_outputs(status.task, status.outputs), field="task_id")
        return status.task, status.outputs.files

    def _read(self, task: Task, file: OutputFile) -> Iterator[bytes]:
        digest, offset = hashlib.sha256(), 0
        effort = self._calls.effort()
        ref = AttemptRef(task.id, task.token)
        while offset < file.size:
            try:
                for data in self._calls.read_output(ref, file.path, offset):
                    effort.succeeded()
                    offset += len(data)
                    digest.update(data)
                    yield data
            except grpc.RpcError as error:
                effort.failed(error)
        if digest.hexdigest() != file.sha256:
            raise Conflict(f"{file.path!r} of {name_of(task)} is not what was published: its SHA-256 differs")
