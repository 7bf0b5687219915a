"""This module knows which workers there are, how they are, and what capacity is held on each.

Nothing here is durable: liveness comes from heartbeats, reservations are rebuilt from the live attempts
after a restart. The durable truth about attempts is the engine's; it reserves and releases here.
"""

from __future__ import annotations

from collections.abc import Iterable

from ganger_core.domain.resources import Resources
from ganger_core.domain.states import WORKER_MOVES, Liveness, WorkerEvent, advance
from ganger_core.domain.task import Attempt, AttemptRef, WorkerProfile, WorkerUsage
from ganger_master.changes import Cordoned, Effect, HandOver, Release, Relet, Reserve, Rest
from ganger_master.roster import Entry, Reservation, Roster

__all__ = ["Reservation", "WorkerRegistry"]

NOTHING = Resources()
FIRST_REST_S, LONGEST_REST_S = 1.0, 60.0
"""How long a worker that refused an attempt gets nothing new: each time twice as long, and from the start again once
it has refused nothing for the longest rest."""


class WorkerRegistry(Roster):
    """The workers, behind one lock."""

    def register(self, profile: WorkerProfile, now_s: float, *, remembered: bool = False) -> None:
        """Take in a worker, or a new start of one; what is held on it stays held.

        One that is only `remembered`, from before a restart of the master, is LOST and must register again.
        """
        with self._lock.write():
            entry = self._workers.get(profile.id)
            if entry is None:
                liveness = Liveness.LOST if remembered else Liveness.UP
                entry = Entry(profile, liveness, now_s, not remembered, free=profile.capacity)
                self._workers[profile.id] = entry
                return
            entry.free = profile.capacity.minus(entry.profile.capacity.minus(entry.free))
            entry.profile, entry.seen_s, entry.registered = profile, now_s, True
            entry.rests, entry.rests_until_s = 0, 0.0
            entry.liveness = advance(WORKER_MOVES, entry.liveness, WorkerEvent.REGISTERED)

    def heartbeat(
        self,
        worker_id: str,
        usage: WorkerUsage,
        holding: Iterable[AttemptRef],
        now_s: float,
        *,
        draining: bool = False,
    ) -> tuple[list[AttemptRef], bool]:
        """Note a sign of life; returns the attempts whose lease it renews, and whether the worker takes work again.

        An order that is on its way to the worker may start with a lease that counts from this very heartbeat, so
        the master waits that long for what it has told, listed or not.
        """
        with self._lock.write():
            entry = self._workers[worker_id]
            before = entry.liveness
            event = WorkerEvent.DRAINED if draining else WorkerEvent.HEARTBEAT
            entry.liveness = advance(WORKER_MOVES, before, event)
            entry.seen_s, entry.usage = now_s, usage
            renewed = [ref for ref in holding if ref in entry.held]
            told = [ref for ref, held in entry.held.items() if held.told]
            for ref in dict.fromkeys((*renewed, *told)):
                entry.held[ref].tell(now_s)
            return renewed, not draining and before in (Liveness.LOST, Liveness.DRAINING)

    def reserve(self, ref: AttemptRef, reservation: Reservation) -> None:
        """Hold capacity for an attempt."""
        with self._lock.write():
            self._reserve_locked(ref, reservation)

    def carry_out(
        self, effects: Iterable[Effect], now_s: float, reservation_s: float
    ) -> list[tuple[Attempt, Reservation]]:
        """Do what these effects say of workers, all at once; returns the attempts that are over with what each held.

        A reservation whose order does not leave within `reservation_s` expires. To release or hand over what an
        attempt does not have is an error.
        """
        over: list[tuple[Attempt, Reservation]] = []
        with self._lock.write():
            for effect in effects:
                match effect:
                    case Reserve(attempt, task):
                        request = NOTHING if attempt.behind else task.spec.resources
                        since_s = None if attempt.behind else now_s
                        expires_s = now_s + reservation_s
                        held = Reservation(
                            attempt.worker_id, request, expires_s, now_s, attempt.lease_s, since_s=since_s
                        )
                        self._reserve_locked(attempt.ref, held)
                    case HandOver(attempt, to):
                        over.append((attempt, self._hand_over_locked(attempt, to)))
                    case Release(attempt):
                        over.append((attempt, self._release_locked(attempt)))
                    case Relet(attempt):
                        self._relet_locked(attempt)
                    case Rest(worker_id, reason):
                        self._rest_locked(worker_id, reason, now_s)
                    case Cordoned(worker_id, cordon):
                        self._workers[worker_id].cordon = cordon
                    case _:
                        pass  # nothing of capacity
        return over

    def mark_told(self, worker_id: str, refs: Iterable[AttemptRef], now_s: float) -> list[AttemptRef]:
        """Note that these orders leave now; returns those that may, because their attempts still hold capacity.

        One that is told again may start only now, so its lease counts anew.
        """
        with self._lock.write():
            entry = self._workers[worker_id]
            leaving = [ref for ref in refs if ref in entry.held]
            for ref in leaving:
                entry.held[ref].tell(now_s)
            return leaving

    def sweep(self, now_s: float) -> list[WorkerProfile]:
        """Mark workers LOST that were silent for too long; returns those newly lost."""
        with self._lock.write():
            silent = [
                entry
                for entry in self._workers.values()
                if entry.liveness is not Liveness.LOST and now_s - entry.seen_s > self._lost_after_s
            ]
            for entry in silent:
                entry.liveness = advance(WORKER_MOVES, entry.liveness, WorkerEvent.SILENT)
            return [entry.profile for entry in silent]

    def fence(self, worker_id: str) -> bool:
        """Believe nothing more from a worker until it registers anew; false, and nothing done, while it is not LOST."""
        with self._lock.write():
            entry = self._workers[worker_id]
            if entry.liveness is not Liveness.LOST:
                return False
            entry.registered = False
            return True

    def overdue(self, now_s: float, margin_s: float) -> tuple[list[AttemptRef], list[AttemptRef]]:
        """Reservations that expired before their order left, and attempts whose lease is over by `margin_s`."""
        with self._lock.read():
            held = [pair for entry in self._workers.values() for pair in entry.held.items()]
        expired = [ref for ref, r in held if not r.told and now_s > r.expires_s]
        lease_over = [
            ref for ref, r in held if r.told and r.lease_s and now_s > r.lease_from_s + r.lease_s + margin_s
        ]
        return expired, lease_over

    def _reserve_locked(self, ref: AttemptRef, reservation: Reservation) -> None:
        entry = self._workers[reservation.worker_id]
        entry.held[ref] = reservation
        entry.free = entry.free.minus(reservation.request)

    def _release_locked(self, attempt: Attempt) -> Reservation:
        entry = self._workers[attempt.worker_id]
        held = entry.held.pop(attempt.ref)
        entry.free = entry.free.plus(held.request)
        return held

    def _hand_over_locked(self, attempt: Attempt, to: Attempt) -> Reservation:
        entry = self._workers[attempt.worker_id]
        next_, held = entry.held[to.ref], entry.held.pop(attempt.ref)
        next_.request = held.request
        return held

    def _relet_locked(self, attempt: Attempt) -> None:
        """The lease has another length; it counts from when the old one last began anew."""
        self._workers[attempt.worker_id].held[attempt.ref].lease_s = attempt.lease_s

    def _rest_locked(self, worker_id: str, why: str, now_s: float) -> None:
        """A worker refused an attempt, and rests: one whose disk is full would refuse hundreds every second.

        What it refuses while it rests was given to it before, and counts as the same refusal.
        """
        entry = self._workers[worker_id]
        entry.refused_why = why
        if now_s < entry.rests_until_s:
            return
        if now_s >= entry.rests_until_s + LONGEST_REST_S:
            entry.rests = 0
        entry.rests_until_s = now_s + min(LONGEST_REST_S, FIRST_REST_S * 2**entry.rests)
        entry.rests = min(entry.rests + 1, 10)
