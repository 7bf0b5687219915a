"""This module holds the attempts of this worker and carries out what `decisions` decides about them.

    order ──► settle ──► executor ──► started, ended ──► conclude ──► outbox ──► acknowledged ──► forgotten

One lock guards the table; it is never held during a call to the executor, the disk or the master. Orders come
from one thread, news from the executor's, acknowledgements from the reporter's and the shipper's.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ganger_core.domain.task import LOG_TAIL_BYTES, AttemptRef, OrderBatch, ReportKind
from ganger_core.logs import get_logger
from ganger_worker.attempts import Held, Stage, Told
from ganger_worker.decisions import (
    UNWANTED_GRACE_S,
    Action,
    Halt,
    Tell,
    TellAgain,
    Wait,
    clean,
    conclude,
    differs,
    lease_end,
    reconcile,
    settle,
    sterner,
)
from ganger_worker.executors.base import Cause, Executor, Exit, Launch, Refused, Started, Stop
from ganger_worker.keeper import boottime
from ganger_worker.reporter import Outbox
from ganger_worker.spool import Spools
from ganger_worker.waiting import Waiting

KEEP_OVER = 10_000  # tasks whose forgotten attempts no late order can start

_log = get_logger()


@dataclass(slots=True)
class _Todo:
    """What actions leave to do outside the lock."""

    launches: list[Launch] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)
    accepted: list[Told] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    dropped: list[AttemptRef] = field(default_factory=list)  # their output need not be sent
    deadlines: list[tuple[AttemptRef, float]] = field(default_factory=list)
    limits: list[tuple[AttemptRef, float]] = field(default_factory=list)


class Agent:
    """What this worker holds. `name` is the worker's, for messages; `connect` must come first."""

    def __init__(self, name: str, outbox: Outbox, spools: Spools) -> None:
        self._name = name
        self._outbox = outbox
        self._spools = spools
        self._executor: Executor
        self.recovered = threading.Event()  # set once the executor has said what it holds
        self.draining = threading.Event()  # set by whoever wants it to take nothing new
        self._changed = threading.Condition()
        self._held: dict[AttemptRef, Held] = {}  # guarded by _changed
        self._lease_from_s = 0.0  # when the last answered heartbeat was sent
        # Of what was over and forgotten, the highest token of each task, newest last: guarded by _changed. An
        # order that was on its way meanwhile must not start it again.
        self._over: OrderedDict[int, int] = OrderedDict()
        self._waiting = Waiting()  # guarded by _changed

    def connect(self, executor: Executor) -> None:
        """Use this executor, which tells its news to this agent."""
        self._executor = executor

    def carry_out(self, batch: OrderBatch, lease_from_s: float) -> None:
        """Carry out orders; `lease_from_s` is when the last answered heartbeat was sent."""
        now_s = boottime()
        closed = f"worker {self._name} is draining" if self.draining.is_set() else self._executor.closed()
        with self._changed:
            self._lease_from_s = lease_from_s
            actions = settle(batch, self._held, lease_from_s, self._over, closed)
            todo = self._note_locked(actions, now_s)
        self._do(todo)
        _log.debug("orders carried out", seq=batch.order_seq, sync=batch.sync, count=len(batch.orders))

    def on_recovered(self, living: Sequence[Started], exits: Sequence[Exit]) -> None:
        """Take over what the executor holds; hand it again what never reached it."""
        self.on_news(living, exits, ())
        now_s = boottime()
        with self._changed:
            actions = reconcile(living, exits, self._held, self._lease_from_s)
            todo = self._note_locked(actions, now_s)
        self._do(todo)
        self.recovered.set()

    def on_news(self, started: Sequence[Started], exits: Sequence[Exit], refused: Sequence[Refused]) -> None:
        """These live, these are over, these were not started."""
        if started:
            self._note_started(started)
        if exits:
            self._note_ended(exits)
        if refused:
            self._note_refused(refused)

    def on_reported(self, reports: Sequence[Told], refused: Mapping[AttemptRef, str]) -> None:
        """The master has these. What it refused while it lives is stopped; what is done is forgotten."""
        halts = []
        forgotten = []
        with self._changed:
            for told in reports:
                held = self._held.get(told.ref)
                if held is None:
                    continue
                if held.final is told:
                    held.reported = True
                    if held.stored:
                        forgotten.append(self._drop_locked(held.ref))
                elif told.ref in refused and held.stage is not Stage.OVER and held.stop is None:
                    stop = Stop(told.ref, UNWANTED_GRACE_S, Cause.UNWANTED)
                    halts.append(Halt(stop, f"the master refused it: {refused[told.ref]}"))
            todo = self._note_locked(halts, boottime())
        self._do(todo)
        self._forget(forgotten)

    def on_logs_stored(self, refs: Sequence[AttemptRef]) -> None:
        """The output of these is stored; they are forgotten if that was the last thing."""
        forgotten = []
        with self._changed:
            for ref in refs:
                held = self._held.get(ref)
                if held is not None:
                    held.stored = True
                    if held.reported:
                        forgotten.append(self._drop_locked(ref))
        self._forget(forgotten)

    def holding(self) -> list[AttemptRef]:
        """Every attempt that is here and not yet reported as over."""
        with self._changed:
            return [held.ref for held in self._held.values() if not held.reported]

    def renew(self, refs: Iterable[AttemptRef], sent_s: float) -> None:
        """Their leases count anew from `sent_s`.

        One whose order a restarted worker does not know yet keeps the end that it has: only the order says how
        long its lease is, and whether there is one.
        """
        with self._changed:
            self._lease_from_s = sent_s
            deadlines = []
            for ref in refs:
                held = self._held.get(ref)
                if held is None or held.order is None:
                    continue
                if held.stage is Stage.WAITING:
                    held.lease_from_s = sent_s
                elif held.stage is not Stage.OVER and held.order.lease_s:
                    deadlines.append((ref, lease_end(sent_s, held.order)))
        if deadlines:
            self._executor.extend(deadlines)

    def drain(self) -> None:
        """Take nothing new, and give back what waits behind others."""
        self._give_back(f"worker {self._name} is draining")

    def stop(self, grace_s: float) -> None:
        """Take nothing new, and end what runs: KILL comes after `grace_s` seconds."""
        why = "worker shut down"
        self._give_back(why)
        with self._changed:
            halts = [
                Halt(Stop(held.ref, grace_s, Cause.SHUTDOWN), why)
                for held in self._held.values()
                if held.stage in (Stage.STARTING, Stage.RUNNING)
            ]
            todo = self._note_locked(halts, boottime())
        self._do(todo)

    def wait_over(self, timeout_s: float, *, reported: bool) -> bool:
        """Wait until nothing lives any more, or all is also reported; whether that came within `timeout_s`."""

        def is_so() -> bool:
            return all(held.stage is Stage.OVER for held in self._held.values()) and not (
                reported and self._held
            )

        with self._changed:
            return self._changed.wait_for(is_so, timeout_s)

    def _note_started(self, started: Sequence[Started]) -> None:
        """These live. One that was to stop before it started is told so again: that may have overtaken its start."""
        told = []
        stops = []
        with self._changed:
            for news in started:
                held = self._held.setdefault(news.ref, Held(news.ref, Stage.STARTING))
                if held.stage is Stage.STARTING:
                    held.stage, held.started_s = Stage.RUNNING, news.started_s
                    told.append(_started(held))
                    if held.stop is not None:
                        stops.append(held.stop)
        self._spools.watch([news.ref for news in started])
        self._outbox.put(told)
        if stops:
            self._executor.stop(stops)

    def _note_ended(self, exits: Sequence[Exit]) -> None:
        """These are over: report them, with the last of their output."""
        with self._changed:
            before = [self._held.get(exit_.ref) for exit_ in exits]
        endings = []
        for exit_, held in zip(exits, before, strict=True):
            if held is not None and held.stage is Stage.OVER:
                continue  # told a second time
            end = conclude(exit_, held.why if held else "", self._name)
            spool = self._spools.finish(exit_.ref, LOG_TAIL_BYTES if end.kind is ReportKind.ENDED else 0)
            endings.append((exit_, end, spool))
        todo = _Todo()
        with self._changed:
            for exit_, end, spool in endings:
                held = self._held.setdefault(exit_.ref, Held(exit_.ref, Stage.OVER))
                handed_to = self._hand_over_locked(held, todo)
                told = Told(
                    exit_.ref,
                    end.kind,
                    exit_.ended_s,
                    exit_.started_s,
                    end.message,
                    end.outcome,
                    spool.stdout_bytes,
                    spool.stderr_bytes,
                    spool.stdout_tail,
                    spool.stderr_tail,
                    end.orderly,
                    handed_to,
                    can_wait=self._can_wait_locked(held, handed_to),
                    outputs=exit_.outputs if end.kind is ReportKind.ENDED else None,
                )
                held.stage, held.final, held.stored = Stage.OVER, told, spool.stored
                todo.told.append(told)
            self._changed.notify_all()
        todo.told += todo.accepted  # not before the start: it is this very thread that hears of their ends
        todo.accepted = []
        self._do(todo)

    def _note_refused(self, refused: Sequence[Refused]) -> None:
        """These were not started. One that runs was started by an earlier message, and goes on."""
        with self._changed:
            tells = [
                Tell(r.ref, ReportKind.LOST if r.before else ReportKind.REJECTED, r.why)
                for r in refused
                if (held := self._held.get(r.ref)) is not None and held.stage is Stage.STARTING
            ]
            todo = self._note_locked(tells, boottime())
        self._do(todo)

    def _give_back(self, why: str) -> None:
        self.draining.set()
        with self._changed:
            tells = [Tell(ref, ReportKind.REVOKED, why) for ref in self._waiting.everyone()]
            todo = self._note_locked(tells, boottime())
        self._do(todo)

    def _note_locked(self, actions: Iterable[Action], now_s: float) -> _Todo:
        """Enter actions in the table; what is to be done about them is done outside the lock."""
        todo = _Todo()
        for action in actions:
            match action:
                case Launch(order):
                    self._launch_locked(action, todo, now_s)
                case Wait(order, lease_from_s):
                    self._waiting.discard(order)
                    self._held[order.ref] = Held(order.ref, Stage.WAITING, order, lease_from_s=lease_from_s)
                    self._waiting.add(order)
                case Tell(ref, kind, message):
                    self._end_locked(ref, kind, message, now_s, todo)
                    todo.dropped.append(ref)
                case TellAgain(ref, order, deadline_s):
                    held = self._held[ref]
                    if order is not None and deadline_s is not None and differs(order, held.order):
                        todo.limits.append((ref, order.spec.limits.run_s))
                    held.order = order or held.order
                    if deadline_s is not None:
                        todo.deadlines.append((ref, deadline_s))
                    todo.told.append(held.final or _present(held, now_s))
                case Halt(stop, why):
                    held = self._held[stop.ref]
                    if held.stop is None:
                        held.why = why
                    held.stop = sterner(held.stop, stop)
                    todo.stops.append(stop)
        return todo

    def _launch_locked(self, launch: Launch, todo: _Todo, now_s: float) -> None:
        order = launch.order
        self._waiting.discard(order)
        self._held[order.ref] = Held(order.ref, Stage.STARTING, order)
        todo.launches.append(launch)
        todo.accepted.append(Told(order.ref, ReportKind.ACCEPTED, now_s))

    def _end_locked(self, ref: AttemptRef, kind: ReportKind, message: str, now_s: float, todo: _Todo) -> None:
        held = self._held.setdefault(ref, Held(ref, Stage.OVER))
        handed_to = self._hand_over_locked(held, todo)
        told = Told(ref, kind, now_s, held.started_s, clean(message), handed_to=handed_to)
        held.stage, held.final, held.reported, held.stored = Stage.OVER, told, False, True
        todo.told.append(told)

    def _hand_over_locked(self, held: Held, todo: _Todo) -> AttemptRef | None:
        """This one is over: the first that waits behind it starts with its capacity, if it had any."""
        if held.order is None or held.stage is Stage.OVER:
            return None  # a restarted worker does not know what it asked for; the master does
        if held.stage is Stage.WAITING:
            self._waiting.discard(held.order)
            return None
        ref = self._waiting.next_after(held.order)
        if ref is None:
            return None
        next_ = self._held[ref]
        assert next_.order is not None, next_
        launch = Launch(next_.order, lease_end(next_.lease_from_s, next_.order))
        self._launch_locked(launch, todo, boottime())
        return ref

    def _can_wait_locked(self, held: Held, handed_to: AttemptRef | None) -> bool:
        """Whether nobody awaits the end of this one: enough like it follow, and none of a lower priority."""
        if held.order is None or handed_to is None:
            return False
        next_ = self._held[handed_to].order
        assert next_ is not None, handed_to
        return held.order.spec.priority <= next_.spec.priority and self._waiting.suffices(held.order)

    def _do(self, todo: _Todo) -> None:
        """Act. ACCEPTED goes before the start, so that it never comes after what comes of that."""
        if todo.accepted:
            self._outbox.put(todo.accepted)
        for ref in todo.dropped:
            self._spools.drop(ref)
        ready = []
        for launch in todo.launches:  # it grows: what cannot start hands over to what waits behind it
            try:
                self._executor.prepare(launch.order)
            except OSError as error:
                message = f"worker {self._name} cannot make its folder: {error}"
                with self._changed:
                    self._end_locked(launch.order.ref, ReportKind.REJECTED, message, boottime(), todo)
            else:
                ready.append(launch)
        if ready:
            self._executor.start(ready)
        if todo.deadlines:
            self._executor.extend(todo.deadlines)
        if todo.limits:
            self._executor.limit(todo.limits)
        if todo.stops:
            self._executor.stop(todo.stops)
        if todo.told:
            self._outbox.put(todo.told)

    def _drop_locked(self, ref: AttemptRef) -> AttemptRef:
        del self._held[ref]
        self._over[ref.task_id] = max(ref.token, self._over.pop(ref.task_id, 0))
        if len(self._over) > KEEP_OVER:
            self._over.popitem(last=False)
        return ref

    def _forget(self, refs: Sequence[AttemptRef]) -> None:
        if refs:
            self._executor.forget(refs)
            with self._changed:
                self._changed.notify_all()


def _started(held: Held) -> Told:
    at_s = boottime() if held.started_s is None else held.started_s
    return Told(held.ref, ReportKind.STARTED, at_s, at_s)


def _present(held: Held, now_s: float) -> Told:
    return _started(held) if held.stage is Stage.RUNNING else Told(held.ref, ReportKind.ACCEPTED, now_s)
