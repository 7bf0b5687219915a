"""This module is one light worker: it speaks to the master as a real one does, and its attempts are timers.

What it does on orders is decided by the real worker's `decisions`. It keeps no leases: a fleet's silences must be
shorter than the lease.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import grpc
import grpc.aio

from bench.fleet.behaviour import Away, Flap, Habits, flaps, run_s
from bench.fleet.verdict import Absence
from ganger_core.convert.task import attempt_ref_to_proto
from ganger_core.convert.worker import (
    order_batch_from_proto,
    profile_to_proto,
    report_to_proto,
    usage_to_proto,
)
from ganger_core.domain.resources import Resources
from ganger_core.domain.task import AttemptRef, OrderBatch, ReportKind, StartOrder, WorkerProfile, WorkerUsage
from ganger_core.wire.v1 import worker_pb2, worker_pb2_grpc
from ganger_worker.attempts import Held, Stage, Told
from ganger_worker.decisions import Action, Halt, Tell, TellAgain, Wait, conclude, settle
from ganger_worker.executors.base import Exit, Launch
from ganger_worker.keeper import boottime

CALL_S = 30.0
LONGEST_STAY_S = 86_400.0
AGAIN_S = 0.5  # before dialling again after a failure
BATCH_REPORTS = 1_000
LATE = 2.0  # heartbeats this many times their distance apart are late
FINAL = frozenset(ReportKind) - {ReportKind.ACCEPTED, ReportKind.STARTED}

# Each worker has a connection of its own, as on a host of its own, and repeats calls itself.
_OPTIONS = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0))


@dataclass(slots=True)
class Tally:
    """What all workers of a fleet noted together."""

    absences: list[Absence] = field(default_factory=list)
    flaps: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)  # calls that failed by themselves, by code
    registrations: int = 0
    heartbeats: int = 0
    reports: int = 0
    refused: int = 0


class StubWorker:
    """One worker of a fleet. `live` runs until it is cancelled."""

    def __init__(
        self,
        number: int,
        address: str,
        habits: Habits,
        rng: random.Random,
        tally: Tally,
        stopping: asyncio.Event,
    ) -> None:
        self.name = f"w{number}"
        self._address = address
        self._habits = habits
        self._rng = rng
        self._tally = tally
        self._stopping = stopping
        self._incarnation = 1
        self._held: dict[AttemptRef, Held] = {}
        self._ends: dict[AttemptRef, asyncio.TimerHandle] = {}
        self._over: dict[int, int] = {}  # task to its highest token that is over here
        self._outbox: dict[AttemptRef, Told] = {}  # the newest unacknowledged report of each attempt
        self._news = asyncio.Event()
        self._applied_seq = 0
        self._sign_ms = 0.0  # when the last sign of life left
        self._away: Away | None = None  # how it went away, until it is back
        self._heartbeat_every_s = 0.0

    async def live(self) -> None:
        """Be there and go away, as the habits say."""
        try:
            for flap in flaps(self._habits, self._rng):
                await self._stay(flap.after_s)
                if self._stopping.is_set():
                    return
                self._leave(flap)
                await self._wait(flap.away_s)
        finally:
            if self._away:
                self._back()
            for end in self._ends.values():
                end.cancel()

    async def _stay(self, seconds: float) -> None:
        """Be connected for so long; dial again when a call fails."""
        until = time.monotonic() + min(seconds, LONGEST_STAY_S)
        while not self._stopping.is_set() and (left_s := until - time.monotonic()) > 0:
            async with grpc.aio.insecure_channel(self._address, options=_OPTIONS) as channel:
                failed = await self._converse(worker_pb2_grpc.WorkerServiceStub(channel), left_s)
            if failed is not None:
                self._tally.errors[failed] += 1
                await self._wait(AGAIN_S)

    async def _converse(self, stub: worker_pb2_grpc.WorkerServiceAsyncStub, seconds: float) -> str | None:
        """Register, and talk until the time or the run is over; or the code of what failed."""
        try:
            await self._register(stub)
        except grpc.aio.AioRpcError as error:
            return error.code().name
        talk = (self._beat(stub), self._take_orders(stub), self._report(stub), self._stopping.wait())
        tasks = [asyncio.ensure_future(part) for part in talk]
        try:
            done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        failed = next(filter(None, map(_failure, done)), None)
        return None if self._stopping.is_set() else failed

    async def _register(self, stub: worker_pb2_grpc.WorkerServiceAsyncStub) -> None:
        profile = WorkerProfile(
            id=f"id-{self.name}",
            name=self.name,
            incarnation=self._incarnation,
            host=self.name,
            boot_id=f"{self.name}-{self._incarnation}",
            capacity=Resources(1000 * self._habits.slots, 1 << 40, self._habits.slots),
            version="0",
        )
        request = worker_pb2.RegisterWorkerRequest(profile=profile_to_proto(profile))
        answer = await stub.RegisterWorker(request, timeout=CALL_S)
        self._heartbeat_every_s = answer.heartbeat_every_s
        self._applied_seq = 0
        self._tally.registrations += 1
        self._back()

    async def _beat(self, stub: worker_pb2_grpc.WorkerServiceAsyncStub) -> None:
        every_s = self._heartbeat_every_s
        await self._wait(self._rng.uniform(0, every_s))  # else a whole fleet beats at the same moment
        while not self._stopping.is_set():
            sent_s = time.monotonic()
            request = worker_pb2.HeartbeatRequest(
                worker_id=f"id-{self.name}",
                incarnation=self._incarnation,
                usage=usage_to_proto(WorkerUsage()),
                holding=[
                    attempt_ref_to_proto(mine.ref)
                    for mine in self._held.values()
                    if mine.stage is not Stage.OVER
                ],
                applied_order_seq=self._applied_seq,
            )
            self._sign()
            answer = await stub.Heartbeat(request, timeout=CALL_S)
            self._tally.heartbeats += 1
            if answer.HasField("orders"):
                self._carry_out(order_batch_from_proto(answer.orders))
            await self._wait(max(0.0, sent_s + every_s - time.monotonic()))

    async def _take_orders(self, stub: worker_pb2_grpc.WorkerServiceAsyncStub) -> None:
        request = worker_pb2.ReceiveOrdersRequest(worker_id=f"id-{self.name}", incarnation=self._incarnation)
        async for answer in stub.ReceiveOrders(request):
            self._carry_out(order_batch_from_proto(answer.batch))

    async def _report(self, stub: worker_pb2_grpc.WorkerServiceAsyncStub) -> None:
        """What gathered while the last call was under way, again and again until acknowledged."""
        while True:
            if not self._outbox:
                self._news.clear()
                await self._news.wait()
            batch = list(self._outbox.values())[:BATCH_REPORTS]
            now_s = boottime()
            request = worker_pb2.ReportTaskCompletionRequest(
                worker_id=f"id-{self.name}",
                incarnation=self._incarnation,
                reports=[report_to_proto(told.report(now_s)) for told in batch],
            )
            answer = await stub.ReportTaskCompletion(request, timeout=CALL_S)
            self._tally.reports += len(batch)
            self._tally.refused += len(answer.refused)
            for told in batch:
                self._acknowledged(told)

    def _acknowledged(self, told: Told) -> None:
        if self._outbox.get(told.ref) is told:
            del self._outbox[told.ref]
        if told.kind in FINAL:
            self._held.pop(told.ref, None)
            self._over[told.ref.task_id] = max(told.ref.token, self._over.get(told.ref.task_id, 0))

    def _carry_out(self, batch: OrderBatch) -> None:
        if batch.order_seq <= self._applied_seq:
            return
        self._applied_seq = batch.order_seq
        for action in settle(batch, self._held, boottime(), self._over):
            self._act(action)

    def _act(self, action: Action) -> None:
        match action:
            case Launch(order=order):
                self._start(order)
            case Wait(order=order):
                self._held[order.ref] = Held(order.ref, Stage.WAITING, order)
            case Tell(ref=ref, kind=kind, message=message):
                told = Told(ref, kind, boottime(), message=message)
                if ref in self._held:
                    self._held[ref].stage, self._held[ref].final = Stage.OVER, told
                self._tell(told)
            case TellAgain(ref=ref):
                mine = self._held[ref]
                self._tell(mine.final or Told(ref, ReportKind.STARTED, mine.started_s or boottime()))
            case Halt(stop=stop, why=why):
                self._held[stop.ref].why = why
                self._end(Exit(stop.ref, self._held[stop.ref].started_s, boottime(), stop.cause, signal=15))

    def _start(self, order: StartOrder) -> None:
        now_s = boottime()
        self._held[order.ref] = Held(order.ref, Stage.RUNNING, order, now_s)
        self._tell(Told(order.ref, ReportKind.STARTED, now_s))
        exit_ = Exit(order.ref, now_s, now_s, code=0)
        self._ends[order.ref] = asyncio.get_running_loop().call_later(
            run_s(self._habits, self._rng), lambda: self._end(replace(exit_, ended_s=boottime()))
        )

    def _end(self, exit_: Exit) -> None:
        end = self._ends.pop(exit_.ref, None)
        if end is None:
            return  # it is over already
        end.cancel()
        mine = self._held[exit_.ref]
        ended = conclude(exit_, mine.why, self.name)
        mine.stage = Stage.OVER
        next_ = self._next_behind(mine)
        mine.final = Told(
            exit_.ref,
            ended.kind,
            exit_.ended_s,
            exit_.started_s,
            ended.message,
            ended.outcome,
            handed_to=next_.ref if next_ else None,
        )
        self._tell(mine.final)
        if next_ is not None:
            self._start(next_)

    def _next_behind(self, ended: Held) -> StartOrder | None:
        """The first order that waits for what this attempt had."""
        assert ended.order is not None
        waiting = (mine.order for mine in self._held.values() if mine.stage is Stage.WAITING and mine.order)
        request = ended.order.spec.resources
        return next((order for order in waiting if order.spec.resources == request), None)

    def _tell(self, told: Told) -> None:
        self._outbox[told.ref] = told
        self._news.set()

    def _leave(self, flap: Flap) -> None:
        self._away = flap.kind
        self._tally.flaps[flap.kind.value] += 1
        if flap.kind is Away.RESTART:
            for end in self._ends.values():
                end.cancel()
            self._ends.clear()
            self._held.clear()
            self._outbox.clear()
            self._incarnation += 1

    def _back(self) -> None:
        kind, self._away = self._away, None
        if kind is not None:
            self._tally.absences.append(Absence(self.name, kind, self._sign_ms, _now_ms()))
        self._sign_ms = _now_ms()

    def _sign(self) -> None:
        """A sign of life leaves now."""
        now_ms = _now_ms()
        if self._sign_ms and now_ms - self._sign_ms > 1e3 * LATE * self._heartbeat_every_s:
            self._tally.flaps[Away.LATE.value] += 1
            self._tally.absences.append(Absence(self.name, Away.LATE, self._sign_ms, now_ms))
        self._sign_ms = now_ms

    async def _wait(self, seconds: float) -> None:
        """For so long, or until the run is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()


def _failure(done: asyncio.Task[Any]) -> str | None:
    """Why a part of a conversation ended; raises what is a mistake of this program."""
    error = done.exception()
    if isinstance(error, grpc.aio.AioRpcError):
        return error.code().name
    if error is not None:
        raise error
    return "STREAM_ENDED"


def _now_ms() -> float:
    return 1e3 * time.time()
