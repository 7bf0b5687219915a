"""This module is the SDK's front: one `Client` with a method for each thing that people ask of a master."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Unpack

from ganger.asking import ExplainingClient
from ganger.build import TaskOptions, label_pairs, seconds, signal_number, task_spec
from ganger.calls import LogPart, MasterCalls, TaskRow, task_rows
from ganger.errors import TaskFailed
from ganger.outputs import OutputClient
from ganger.planned import PlanningClient
from ganger.watch import check_has_output, follow_events, follow_logs, read_attempt, wait_for
from ganger.workers import WorkerClient
from ganger_core.domain.errors import Invalid
from ganger_core.domain.selection import Selection, check_selection
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import (
    AttemptRef,
    Event,
    LogChunk,
    LogStream,
    Task,
    TaskSpec,
)
from ganger_core.domain.validate import check_int, check_order, check_spec
from ganger_core.settings import master_target

PATIENCE_S = 60.0
MOST_LINES = 2**40


class Client(OutputClient, ExplainingClient, WorkerClient, PlanningClient):
    """A connection to a master. Safe to use from several threads; close it, or use it as a context manager.

    `address` is `unix:/path` or `HOST:PORT`; by default it comes from GANGER_ADDR, and without that the
    master of the state folder (`state_dir`, GANGER_STATE_DIR or the user's own) is meant. Calls survive a
    master that is away for up to `patience_s` seconds and are carried out once. Every method raises errors
    of `ganger.GangerError`: `Unavailable` when no master answers, `Unauthenticated`, `PermissionDenied`,
    `Invalid` with the field at fault, `NotFound`.
    """

    def __init__(
        self,
        address: str = "",
        token_file: str = "",
        state_dir: str | Path | None = None,
        *,
        patience_s: float = PATIENCE_S,
    ) -> None:
        folder = None if state_dir is None else Path(state_dir)
        # A folder named here is nearer than an address named in the environment.
        env = {name: value for name, value in os.environ.items() if folder is None or name != "GANGER_ADDR"}
        target = master_target(env, master=address, token_file=token_file, state_dir=folder)
        self._calls = MasterCalls(target, patience_s)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def address(self) -> str:
        """Where the master is, as `unix:/path` or `HOST:PORT`."""
        return self._calls.address

    def close(self) -> None:
        """Close the connection; what is being watched ends."""
        self._calls.close()

    def submit(
        self, command: Sequence[str], *, request_id: str | None = None, **options: Unpack[TaskOptions]
    ) -> int:
        """Hand in one task and return its id; when this returns, the task is on the master's disk.

        The arguments are those of `ganger.task_spec`. Calling again with the same `request_id` and task
        returns the same id and submits nothing; the default is a new one per call.
        """
        return self._calls.submit(request_id or _new_request_id(), task_spec(command, **options))

    def submit_many(self, specs: Iterable[TaskSpec], *, request_id: str | None = None) -> range:
        """Hand in many tasks, all or none, and return their consecutive ids.

        One call takes up to 10,000 tasks and 4 MiB. Tasks may be `after` others of the same call: -1 is the first of
        these, -2 the second. `request_id` is as for `submit`.
        """
        listed = list(specs)
        for number, spec in enumerate(listed):
            field = f"specs[{number}]"
            if not isinstance(spec, TaskSpec):
                raise Invalid(
                    f"{field} is no TaskSpec, which `ganger.task_spec` makes: {spec!r:.100}", field=field
                )
            check_spec(spec, field)
        check_order(listed)
        return self._calls.submit_many(request_id or _new_request_id(), listed)

    def tasks(
        self,
        states: Iterable[TaskState] | None = None,
        task_ids: Iterable[int] | None = None,
        *,
        array: int | None = None,
        labels: Mapping[str, str] | None = None,
        name: str = "",
        name_prefix: str = "",
        own: bool = False,
        limit: int | None = None,
    ) -> Iterator[TaskRow]:
        """Tasks from the newest to the oldest: those in `states` and among `task_ids`; at most `limit`.

        With `labels` only those that have all of them, with `name` or `name_prefix` those whose name is or begins so.
        `own` leaves out what somebody else submitted, which only an admin sees.

        None stands for all; an empty list for none, because that is what a filter that found nothing means. Elements of
        arrays are left out unless `task_ids` names them, or `array` their array: then its elements are listed.
        """
        if array is not None and task_ids is not None:
            raise Invalid("array: its elements, or task_ids; not both", field="array")
        chosen = Selection(label_pairs(labels), name, name_prefix)
        check_selection(chosen)
        wanted, ids = list(states or ()), list(task_ids or ())
        if (states is not None and not wanted) or (task_ids is not None and not ids):
            return
        yield from task_rows(
            self._calls, wanted, ids, array_id=array or 0, limit=limit, chosen=chosen, own=own
        )

    def wait(
        self,
        task_ids: Sequence[int],
        timeout_s: float | None = None,
        *,
        check: bool = False,
        until_any: bool = False,
    ) -> list[Task]:
        """Wait until the tasks are over and return them in the order asked.

        An array is over when all its elements are. With `until_any` those are returned that are over once one is.
        Raises `WaitTimeout` after `timeout_s` seconds, and with `check` the `TaskFailed` of the first one that did not
        succeed.
        """
        tasks = wait_for(self._calls, task_ids, timeout_s, until_any=until_any)
        failed = [task for task in tasks if task.state is not TaskState.SUCCEEDED]
        if check and failed:
            raise TaskFailed(failed[0])
        return tasks

    def cancel(
        self,
        task_id: int,
        reason: str = "",
        *,
        signal: int | str = "TERM",
        grace: float | str | None = None,
    ) -> TaskState:
        """Cancel the task and return its state right after: CANCELLED, STOPPING, or how it had ended before.

        Of an array, all elements that are not over are cancelled. Everything that it started gets `signal`, and SIGKILL
        after `grace`: seconds, or text such as "1h30m"; None stands for the task's own, or the cluster's. Cancelling
        again makes a grace shorter, never longer.
        """
        number = signal_number(signal)
        grace_s = None if grace is None else seconds(grace, "grace")
        return self._calls.cancel(_new_request_id(), task_id, reason, number, grace_s)

    def logs(
        self,
        task_id: int,
        follow: bool = False,
        *,
        attempt: int = 0,
        lines: int | None = None,
        since: float | str = 0,
        streams: Sequence[LogStream] = tuple(LogStream),
    ) -> Iterator[LogChunk]:
        """The raw bytes of stdout and stderr, by default of the newest attempt.

        With `follow` they come as they are written, through later attempts, until the task is over. They begin with the
        last `lines` of each stream, and with what reached the master in the time `since`, seconds or text such as "2h":
        never later than what was written then. Raises `Invalid` for an array: its elements have output, each its own.
        """
        if lines is not None:
            check_int(lines, "lines", 0, MOST_LINES)
        part = LogPart(lines, seconds(since, "since"), tuple(LogStream(stream) for stream in streams))
        if attempt:
            return read_attempt(self._calls, AttemptRef(task_id, attempt), follow, part)
        if follow:
            return follow_logs(self._calls, task_id, part)
        task = self.status(task_id).task
        check_has_output(task)
        return (
            read_attempt(self._calls, AttemptRef(task_id, task.token), follow=False, part=part)
            if task.token
            else iter(())
        )

    def events(
        self, after_seq: int = 0, task_ids: Sequence[int] | None = None, *, timeout_s: float | None = None
    ) -> Iterator[Event]:
        """Every event after `after_seq` (of `task_ids`, unless None), each once and in order, as they happen.

        Elements of arrays that never began have none. Never ends by itself; raises `WaitTimeout` after `timeout_s`
        seconds. Go on later, or in another process, with the `seq` of the last event handled.
        """
        if task_ids is not None and not task_ids:
            raise Invalid("task_ids is empty: no event would ever come; None asks for all", field="task_ids")
        self._calls.meet()
        return follow_events(self._calls, after_seq, task_ids or (), timeout_s)


def _new_request_id() -> str:
    return uuid.uuid4().hex
