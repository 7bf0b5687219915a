"""This module knows which workers there are, how they are, and what capacity is held on each.

Nothing here is durable: liveness comes from heartbeats, reservations are rebuilt from the live attempts
after a restart. The durable truth about attempts is the engine's; it reserves and releases here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ganger_core.domain.plan import Fleet
from ganger_core.domain.resources import Resources
from ganger_core.domain.states import WORKER_MOVES, WorkerEvent, WorkerState, advance
from ganger_core.domain.task import AttemptRef, WorkerProfile, WorkerUsage, WorkerView
from ganger_master.locks import REGISTRY_RANK
from ganger_master.rwlock import ReadWriteLock


@dataclass(frozen=True, slots=True)
class Reservation:
    """Capacity held for one live attempt.

    `told` says that the order may have reached the worker: from then on only an answer or the end of the
    lease frees it. Until then it expires at `expires_s`. `lease_from_s` is when the lease last began anew.
    All times are steady seconds of the master's host.
    """

    worker_id: str
    request: Resources
    expires_s: float
    lease_from_s: float
    told: bool = False


@dataclass(slots=True)
class _Entry:
    profile: WorkerProfile
    state: WorkerState
    seen_s: float  # steady time of the last sign of life
    registered: bool  # with this master process; else only remembered
    usage: WorkerUsage = field(default_factory=WorkerUsage)
    held: dict[AttemptRef, Reservation] = field(default_factory=dict)
    free: Resources = field(default_factory=Resources)  # the capacity less what is held


class WorkerRegistry:
    """The workers, behind a readers-writer lock: heartbeats write, snapshots and listings read."""

    def __init__(self, *, suspect_after_s: float, lost_after_s: float) -> None:
        self._suspect_after_s = suspect_after_s
        self._lost_after_s = lost_after_s
        self._lock = ReadWriteLock(REGISTRY_RANK)
        self._workers: dict[str, _Entry] = {}  # by id, never forgotten while the master runs

    def register(self, profile: WorkerProfile, now_s: float, *, remembered: bool = False) -> None:
        """Take in a worker, or a new start of one; what is held on it stays held.

        One that is only `remembered`, from before a restart of the master, is LOST and must register again.
        """
        with self._lock.write():
            entry = self._workers.get(profile.id)
            if entry is None:
                state = WorkerState.LOST if remembered else WorkerState.UP
                entry = _Entry(profile, state, now_s, not remembered, free=profile.capacity)
                self._workers[profile.id] = entry
                return
            entry.free = profile.capacity.minus(entry.profile.capacity.minus(entry.free))
            entry.profile, entry.seen_s, entry.registered = profile, now_s, True
            entry.state = advance(WORKER_MOVES, entry.state, WorkerEvent.REGISTERED)

    def incarnation(self, worker_id: str) -> int | None:
        """The start of this worker that last registered, or None for one that has yet to (again)."""
        with self._lock.read():
            entry = self._workers.get(worker_id)
            return entry.profile.incarnation if entry and entry.registered else None

    def heartbeat(
        self, worker_id: str, usage: WorkerUsage, holding: Iterable[AttemptRef], now_s: float
    ) -> tuple[list[AttemptRef], bool]:
        """Note a sign of life; returns the attempts whose lease it renews, and whether the worker was lost.

        An order that is on its way to the worker may start with a lease that counts from this very heartbeat, so
        the master waits that long for what it has told, listed or not.
        """
        with self._lock.write():
            entry = self._workers[worker_id]
            was_lost = entry.state is WorkerState.LOST
            entry.state = advance(WORKER_MOVES, entry.state, WorkerEvent.HEARTBEAT)
            entry.seen_s, entry.usage = now_s, usage
            renewed = [ref for ref in holding if ref in entry.held]
            told = [ref for ref, held in entry.held.items() if held.told]
            for ref in dict.fromkeys((*renewed, *told)):
                entry.held[ref] = replace(entry.held[ref], lease_from_s=now_s, told=True)
            return renewed, was_lost

    def reserve(self, ref: AttemptRef, reservation: Reservation) -> None:
        """Hold capacity for an attempt."""
        with self._lock.write():
            entry = self._workers[reservation.worker_id]
            entry.held[ref] = reservation
            entry.free = entry.free.minus(reservation.request)

    def release(self, ref: AttemptRef, worker_id: str) -> None:
        """Give an attempt's capacity back; an attempt that holds none is an error."""
        with self._lock.write():
            entry = self._workers[worker_id]
            entry.free = entry.free.plus(entry.held.pop(ref).request)

    def mark_told(self, worker_id: str, refs: Iterable[AttemptRef], now_s: float) -> list[AttemptRef]:
        """Note that these orders leave now; returns those that may, because their attempts still hold capacity.

        One that is told again may start only now, so its lease counts anew.
        """
        with self._lock.write():
            entry = self._workers[worker_id]
            leaving = [ref for ref in refs if ref in entry.held]
            for ref in leaving:
                entry.held[ref] = replace(entry.held[ref], told=True, lease_from_s=now_s)
            return leaving

    def held(self, worker_id: str) -> list[tuple[AttemptRef, bool]]:
        """The attempts that hold capacity of this worker, each with whether it was told."""
        with self._lock.read():
            entry = self._workers.get(worker_id)
            return [(ref, held.told) for ref, held in entry.held.items()] if entry else []

    def fleet(self, now_s: float) -> tuple[Fleet, tuple[Resources, ...]]:
        """The workers that may get work, by id, and what each has left. A late one is not among them."""
        with self._lock.read():
            usable = [
                (worker_id, entry)
                for worker_id, entry in sorted(self._workers.items(), key=lambda item: item[0])
                if self._state_locked(entry, now_s) is WorkerState.UP
            ]
            ids = tuple(worker_id for worker_id, _ in usable)
            capacities = tuple(entry.profile.capacity for _, entry in usable)
            return Fleet(ids, capacities), tuple(entry.free for _, entry in usable)

    def name(self, worker_id: str) -> str:
        """The worker's name for people."""
        with self._lock.read():
            return self._workers[worker_id].profile.name

    def views(self, now_s: float) -> list[WorkerView]:
        """All workers, sorted by name and id."""
        with self._lock.read():
            return sorted(
                (
                    WorkerView(
                        profile=entry.profile,
                        state=self._state_locked(entry, now_s),
                        free=entry.free,
                        usage=entry.usage,
                        heartbeat_age_s=now_s - entry.seen_s,
                        attempts=tuple(sorted(entry.held, key=lambda ref: (ref.task_id, ref.token))),
                    )
                    for entry in self._workers.values()
                ),
                key=lambda view: (view.profile.name, view.profile.id),
            )

    def sweep(self, now_s: float) -> list[WorkerProfile]:
        """Mark workers LOST that were silent for too long; returns those newly lost."""
        with self._lock.write():
            silent = [
                entry
                for entry in self._workers.values()
                if entry.state is not WorkerState.LOST and now_s - entry.seen_s > self._lost_after_s
            ]
            for entry in silent:
                entry.state = advance(WORKER_MOVES, entry.state, WorkerEvent.SILENT)
            return [entry.profile for entry in silent]

    def overdue(self, now_s: float, lease_s: float) -> tuple[list[AttemptRef], list[AttemptRef]]:
        """Reservations that expired before their order left, and attempts whose lease is over by `lease_s`."""
        with self._lock.read():
            held = [pair for entry in self._workers.values() for pair in entry.held.items()]
        expired = [ref for ref, r in held if not r.told and now_s > r.expires_s]
        lease_over = [ref for ref, r in held if r.told and now_s > r.lease_from_s + lease_s]
        return expired, lease_over

    def _state_locked(self, entry: _Entry, now_s: float) -> WorkerState:
        if entry.state is WorkerState.UP and now_s - entry.seen_s > self._suspect_after_s:
            return WorkerState.SUSPECT
        return entry.state
