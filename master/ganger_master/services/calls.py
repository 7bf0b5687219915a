"""This module holds what all calls of clients need: the rooms to ask, the caller, and the task that is meant."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from typing import Any, TypeVar

from ganger_core.domain import validate
from ganger_core.domain.clock import Clock
from ganger_core.domain.errors import NotFound
from ganger_core.domain.principal import Principal
from ganger_core.domain.published import Published
from ganger_core.domain.task import Attempt, Task, TaskSpec
from ganger_core.rpc.guard import current_call
from ganger_master.changes import Request
from ganger_master.disk import DiskGuard
from ganger_master.engine import Engine
from ganger_master.feed import Feed
from ganger_master.fetching import OutputDesk
from ganger_master.gate import DurableGate
from ganger_master.logstore import LogStore
from ganger_master.queue import TaskQueue
from ganger_master.services.uploads import Uploads
from ganger_master.settling import why_unknown
from ganger_master.state import State
from ganger_master.store.reader import StoreReader

LEASE_HEARTBEATS = 3  # a lease is at least so long, so that a late heartbeat does not end its task

T = TypeVar("T")


class ClientCalls:
    """The rooms that answer clients."""

    def __init__(
        self,
        engine: Engine,
        queue: TaskQueue,
        gate: DurableGate,
        feed: Feed,
        logs: LogStore,
        reader: StoreReader,
        readers: Executor,
        clock: Clock,
        disk: DiskGuard,
        outputs: OutputDesk,
        *,
        heartbeat_every_s: float,
    ) -> None:
        self._least_lease_s = max(validate.LEAST_LEASE_S, LEASE_HEARTBEATS * heartbeat_every_s)
        self._engine = engine
        self._queue = queue
        self._gate = gate
        self._feed = feed
        self._logs = logs
        self._reader = reader
        self._readers = readers
        self._clock = clock
        self._disk = disk
        self._outputs = outputs
        self._uploads = Uploads()

    async def _find(self, task_id: int) -> tuple[Task, Attempt | None, int]:
        """The task, its newest attempt if in memory, and the last event contained; durable, and the caller's own."""
        validate.check_id(task_id, "task_id")
        seen = self._engine.see(task_id)
        if seen is not None:
            await self._gate.passed(seen.ticket)
            found: tuple[Task | None, Attempt | None, int] = (seen.task, seen.attempt, seen.as_of_seq)
        else:
            as_of_seq = self._feed.last_seq
            found = (await self._read(self._reader.task, task_id), None, as_of_seq)
        task, attempt, as_of_seq = found
        if task is None or not caller().owns(task.owner):
            raise NotFound(f"there is no task {task_id}", field="task_id")
        return task, attempt, as_of_seq

    async def _upstreams(self, key: Request, specs: Sequence[TaskSpec]) -> dict[int, Task]:
        """What these are to run after, as it is now; raises `NotFound` for what is unknown or not the caller's own."""
        if (
            self._engine.stored_answer(key) is not None
        ):  # that is what a repeated request gets, whatever became of them
            return {}
        ids = list(dict.fromkeys(each.task_id for spec in specs for each in spec.after if each.task_id > 0))
        if not ids:
            return {}
        known, ticket = await self._read(self._look_up, ids)  # they may be too many for the loop
        await self._gate.passed(ticket)
        for task_id in ids:
            if task_id not in known or not caller().owns(known[task_id].owner):
                raise NotFound(why_unknown(self._engine.look(_next_task_id), task_id), field="after")
        return known

    async def _attempts(self, task: Task, newest: Attempt | None) -> list[Attempt]:
        """All attempts of the task, from the first to the newest; that one is given where it is in memory."""
        attempts = [newest] if newest else []
        if task.token > len(attempts):
            stored = await self._read(self._reader.attempts, task.id)
            attempts = [a for a in stored if newest is None or a.ref.token < newest.ref.token] + attempts
        return attempts

    async def _published(self, task: Task) -> Published | None:
        """What the task's newest attempt published; what an older one did does not count any more."""
        found = await self._read(self._reader.published, task.id) if task.token else None
        return found if found and found.ref.token == task.token else None

    def _look_up(self, task_ids: Iterable[int]) -> tuple[dict[int, Task], int]:
        """Those of these tasks that there are, and the ticket that this depends on."""
        known, ticket = {}, 0
        for task_id in task_ids:
            seen = self._engine.see(task_id)
            task = seen.task if seen is not None else self._reader.task(task_id)
            if task is not None:
                known[task_id] = task
            ticket = max(ticket, seen.ticket if seen is not None else 0)
        return known, ticket

    async def _read(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, function, *arguments)


def _next_task_id(state: State) -> int:
    return state.next_task_id


def request_of(request_id: str, payload: str) -> Request:
    """The caller's request with the digest of what it asks for."""
    validate.check_request_id(request_id)
    return Request(caller().name, request_id, hashlib.sha256(payload.encode()).hexdigest())


def caller() -> Principal:
    """Who makes the call being answered."""
    return current_call.get().principal
