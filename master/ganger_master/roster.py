"""This module holds what is known of each worker and answers what can be read off it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ganger_core.domain.cordon import Cordon
from ganger_core.domain.plan import Fleet
from ganger_core.domain.resources import Resources
from ganger_core.domain.states import Liveness, WorkerState, worker_state
from ganger_core.domain.task import AttemptRef, WorkerProfile, WorkerUsage, WorkerView
from ganger_master.explaining.facts import WorkerLook
from ganger_master.locks import REGISTRY_RANK
from ganger_master.reasons import Excluded
from ganger_master.rwlock import ReadWriteLock


@dataclass(slots=True)
class Reservation:
    """Capacity held for one live attempt. Only the registry changes it.

    `told` says that the order may have reached the worker: from then on only an answer or the end of the
    lease frees it. Until then it expires at `expires_s`. `lease_from_s` is when the lease of `lease_s` last began
    anew; one of 0 never ends. `since_s` is when it was made, unless it was made without capacity, behind another, or
    by an earlier master. All times are steady seconds of the master's host.
    """

    worker_id: str
    request: Resources
    expires_s: float
    lease_from_s: float
    lease_s: float
    told: bool = False
    since_s: float | None = None

    def tell(self, now_s: float) -> None:
        """The worker is told, or heard of: its lease begins anew."""
        self.told = True
        self.lease_from_s = now_s


@dataclass(slots=True)
class Entry:
    """What is known of one worker."""

    profile: WorkerProfile
    liveness: Liveness
    seen_s: float  # steady time of the last sign of life
    registered: bool  # with this master process; else only remembered
    usage: WorkerUsage = field(default_factory=WorkerUsage)
    held: dict[AttemptRef, Reservation] = field(default_factory=dict)
    free: Resources = field(default_factory=Resources)  # the capacity less what is held
    rests: int = 0  # how many times in a row it refused an attempt soon after a rest
    rests_until_s: float = 0.0  # it gets nothing new before, because it refused an attempt
    refused_why: str = ""  # the last refusal
    cordon: Cordon | None = None


class Roster:
    """What may be read of the workers; `WorkerRegistry` is what writes it."""

    def __init__(self, *, suspect_after_s: float, lost_after_s: float) -> None:
        self._suspect_after_s = suspect_after_s
        self._lost_after_s = lost_after_s
        self._lock = ReadWriteLock(REGISTRY_RANK)
        self._workers: dict[str, Entry] = {}  # by id, never forgotten while the master runs

    def incarnation(self, worker_id: str) -> int | None:
        """The start of this worker that last registered, or None for one that has yet to (again)."""
        with self._lock.read():
            entry = self._workers.get(worker_id)
            return entry.profile.incarnation if entry and entry.registered else None

    def held(self, worker_id: str) -> list[tuple[AttemptRef, bool]]:
        """The attempts that hold capacity of this worker, each with whether it was told."""
        with self._lock.read():
            entry = self._workers.get(worker_id)
            return [(ref, held.told) for ref, held in entry.held.items()] if entry else []

    def leased(self) -> list[AttemptRef]:
        """The attempts that have a lease and were told."""
        with self._lock.read():
            entries = self._workers.values()
            return [
                ref for entry in entries for ref, held in entry.held.items() if held.told and held.lease_s
            ]

    def fleet(self, now_s: float) -> tuple[Fleet, tuple[Resources, ...]]:
        """The workers that may get work, by id, and what each has left: none late, resting or cordoned."""
        with self._lock.read():
            usable = [
                (worker_id, entry)
                for worker_id, entry in sorted(self._workers.items(), key=lambda item: item[0])
                if entry.liveness
                is Liveness.UP  # as `worker_state`; written out, for every cycle asks it of all
                and entry.cordon is None
                and now_s - entry.seen_s <= self._suspect_after_s
                and now_s >= entry.rests_until_s
            ]
            ids = tuple(worker_id for worker_id, _ in usable)
            capacities = tuple(entry.profile.capacity for _, entry in usable)
            return Fleet(ids, capacities), tuple(entry.free for _, entry in usable)

    def resting(self, now_s: float) -> list[tuple[str, str]]:
        """The names of the workers that get nothing new because of what they refused, each with its words."""
        with self._lock.read():
            return sorted(
                (entry.profile.name, entry.refused_why)
                for entry in self._workers.values()
                if self._state_locked(entry, now_s) is WorkerState.UP and now_s < entry.rests_until_s
            )

    def excluded(self) -> list[Excluded]:
        """The workers that are not lost and get no new work because somebody wants that, by name."""
        with self._lock.read():
            found = [
                Excluded(entry.profile.name, entry.profile.capacity, _why_excluded(entry))
                for entry in self._workers.values()
                if entry.liveness is Liveness.DRAINING or (entry.cordon and entry.liveness is Liveness.UP)
            ]
        return sorted(found, key=lambda each: each.name)

    def name(self, worker_id: str) -> str:
        """The worker's name for people."""
        with self._lock.read():
            return self._workers[worker_id].profile.name

    def is_lost(self, worker_id: str) -> bool:
        """Whether the worker has been silent for too long, or has yet to register since the master started."""
        with self._lock.read():
            return self._workers[worker_id].liveness is Liveness.LOST

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
                        cordon=entry.cordon,
                    )
                    for entry in self._workers.values()
                ),
                key=lambda view: (view.profile.name, view.profile.id),
            )

    def looks(self, now_s: float) -> list[WorkerLook]:
        """All workers, by id: what each means for tasks that wait."""
        with self._lock.read():
            return [
                WorkerLook(
                    id=worker_id,
                    name=entry.profile.name,
                    state=self._state_locked(entry, now_s),
                    capacity=entry.profile.capacity,
                    free=entry.free,
                    silent_s=now_s - entry.seen_s,
                    rests_s=max(0.0, entry.rests_until_s - now_s),
                    words=entry.refused_why,
                    cordon=entry.cordon,
                )
                for worker_id, entry in sorted(self._workers.items(), key=lambda item: item[0])
            ]

    def holdings(self, worker_ids: Iterable[str]) -> dict[str, list[tuple[AttemptRef, Reservation]]]:
        """What is held on these workers, and for whom; the reservations are copies."""
        with self._lock.read():
            known = [(worker_id, self._workers.get(worker_id)) for worker_id in worker_ids]
            return {
                worker_id: [(ref, replace(held)) for ref, held in entry.held.items()]
                for worker_id, entry in known
                if entry is not None
            }

    def _state_locked(self, entry: Entry, now_s: float) -> WorkerState:
        late = now_s - entry.seen_s > self._suspect_after_s
        return worker_state(
            entry.liveness,
            late=late,
            cordoned=entry.cordon is not None,
            drains=entry.cordon is not None and entry.cordon.drains,
            empty=not entry.held,
        )


def _why_excluded(entry: Entry) -> str:
    return str(entry.cordon) if entry.cordon else "draining, for its daemon was told to end"
