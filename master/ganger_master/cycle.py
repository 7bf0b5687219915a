"""This module is the scheduling cycle: heads, snapshot, plan, admission, assignment, reasons for the rest."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from ganger_core.domain.clock import Clock, Instant
from ganger_core.domain.placement import not_worse
from ganger_core.domain.plan import Fleet, Snapshot
from ganger_core.domain.task import AttemptRef, LaneKey
from ganger_core.logs import get_logger
from ganger_master import restored
from ganger_master.admission import Admitted, admit
from ganger_master.arrays import in_line, room
from ganger_master.changes import Assign, Command, Revoke
from ganger_master.engine import Engine
from ganger_master.expiring import expire
from ganger_master.plan_notes import Placed, PlanNote, PlanNotes
from ganger_master.planning import BY_FIRST_FIT, BY_NOBODY, Planned, Planning
from ganger_master.prefill import Left, fill, left_over, to_revoke
from ganger_master.queue import BucketKey, Heads, TaskQueue
from ganger_master.reasons import Nobody, NoRoom, Refused, why_none
from ganger_master.registry import WorkerRegistry
from ganger_master.restored import RestoreHold
from ganger_master.settling import is_due
from ganger_master.state import State

MIN_HEADS, MAX_HEADS = 64, 1_024
MIN_RUNS = 16  # of tasks that ask for the same: where little is free, a plan for many others costs more than it gives
MOST_PARTS = 40  # of those that wait for what is over, that are told so before what is in line is planned
NONE = Admitted((), ())

_log = get_logger()


@dataclass(frozen=True, slots=True)
class CycleResult:
    """What one cycle did: it looked at so many waiting tasks, and gave so many capacity, or a place behind others."""

    heads: int
    assigned: int
    behind: int
    unadmitted: int
    planned_by: str


class Cycle:
    """One scheduling cycle after another."""

    def __init__(
        self,
        engine: Engine,
        queue: TaskQueue,
        registry: WorkerRegistry,
        planning: Planning,
        clock: Clock,
        hold: RestoreHold | None = None,
        notes: PlanNotes | None = None,
    ) -> None:
        self._engine = engine
        self._queue = queue
        self._registry = registry
        self._planning = planning
        self._clock = clock
        self._hold = hold
        self.notes = PlanNotes() if notes is None else notes
        self._said_fallback = False
        self._left_before: list[Left] = []  # what cycles left out since capacity last came free
        self._generation = 0
        self._counted_on: frozenset[str] = frozenset()  # the workers that the last cycle could give work

    def run_once(self) -> CycleResult:
        """Plan the heads of the queue once and carry the plan out."""
        now = self._clock.now()
        expire(self._engine, self._queue, now)  # nothing begins after its deadline
        for _ in range(MOST_PARTS):
            if not self._engine.look(is_due):
                break
            self._engine.apply(
                (), now
            )  # which wakes the queue if there is more: others get the lock in between
        self._queue.bring_in_line(now)
        # 1. The workers that may get work, and as many waiting tasks as could concern them.
        fleet, free = self._registry.fleet(now.steady_s)
        self._welcome(fleet)
        room = 2 * sum(max(0, left.slots) for left in free)
        most = max(MIN_HEADS, min(MAX_HEADS, room))
        heads = self._queue.heads(most, now.wall_ms, max(MIN_RUNS, room))
        if not heads.shapes and not heads.limited:
            return CycleResult(0, 0, 0, 0, "")
        why = self._why_nothing(fleet, now)
        if why is not None:
            waiting = [*heads.keys, *(key for key, _ in heads.limited)]
            self._queue.park([(key, why) for key in waiting], heads.generation)
            return CycleResult(len(heads.shapes), 0, 0, 0, "")
        # 2. The plan.
        snapshot = Snapshot(fleet, free, heads.shapes)
        began_s = self._clock.now().steady_s
        planned = self._planning.plan(snapshot)
        self._say_fallback(planned)
        note = self._note(planned, now, self._clock.now().steady_s - began_s)
        # 3. Admission and assignment on the present state, in one step.
        admitted = (
            self._assign(heads, snapshot, planned, self._clock.now()) if planned.plan.assignments else NONE
        )
        # 4. What has to wait goes behind short tasks that run; reasons for all that was left out. What admission
        # refused is planned again at once.
        left = left_over(heads, planned.plan)
        if heads.generation != self._generation:
            self._generation, self._left_before = heads.generation, []
        behind, in_lanes = self._prefill(left, self._clock.now()) if left else (0, frozenset())
        result = CycleResult(
            sum(len(shape.task_ids) for shape in heads.shapes),
            len(admitted.accepted),
            behind,
            len(admitted.refused),
            planned.by,
        )
        if result.assigned + result.behind < result.heads:  # else there may be more than this cycle looked at
            self._park(heads, planned, note, in_lanes, self._clock.now())
            self._left_before += [each for each in left if not each.limited]
        if admitted.refused:
            self._queue.wake()
        _log.info(
            "cycle",
            action="cycle",
            heads=result.heads,
            assigned=result.assigned,
            behind=result.behind,
            by=result.planned_by,
            took_ms=round(1000 * (self._clock.now().steady_s - now.steady_s), 3),
        )
        return result

    def _why_nothing(self, fleet: Fleet, now: Instant) -> Nobody | None:
        """Why nothing can be planned now; None when something can."""
        if self._hold is not None and self._hold.holds(now):
            held_until_ms = self._hold.until_ms(now)
            note = PlanNote(self.notes.next_number, now.wall_ms, BY_NOBODY, held_until_ms=held_until_ms)
            return Nobody(restored.REASON, self.notes.planned(note))
        if not fleet.worker_ids:
            note = PlanNote(self.notes.next_number, now.wall_ms, BY_NOBODY)
            why = why_none(self._registry.resting(now.steady_s), self._registry.excluded())
            return Nobody(why, self.notes.planned(note))
        return None

    def _note(self, planned: Planned, now: Instant, took_s: float) -> PlanNote:
        return self.notes.planned(
            PlanNote(
                number=self.notes.next_number,
                at_ms=now.wall_ms,
                by=planned.by,
                why_not_planner=planned.why_not_planner,
                stage=planned.plan.stage,
                took_ms=round(1000 * took_s, 3),
            )
        )

    def _assign(self, heads: Heads, snapshot: Snapshot, planned: Planned, now: Instant) -> Admitted:
        found: list[Admitted] = []

        def decide(state: State) -> Sequence[Command]:
            fleet, free = self._registry.fleet(now.steady_s)
            admitted = admit(
                planned.plan,
                snapshot.fleet,
                partial(in_line, state, now=now),
                partial(room, state),
                fleet,
                free,
            )
            found.append(admitted)
            return [
                Assign(task_id, worker_id, self._registry.name(worker_id), planned.by)
                for task_id, worker_id in admitted.accepted
            ]

        self._engine.apply_with(decide, now)
        said = {
            rank.task_id: said
            for said, ranks in zip(heads.said, heads.ranks, strict=True)
            if said
            for rank in ranks
        }
        self.notes.placed((task_id, Placed(said.get(task_id, ""))) for task_id, _ in found[0].accepted)
        return found[0]

    def _prefill(self, left: Sequence[Left], now: Instant) -> tuple[int, frozenset[LaneKey]]:
        """Put what the plan left over behind running attempts, and ask back what is in the way of a higher rank.

        Each counts for who planned the one that it is behind. Returns how many went behind others, and the lanes
        in which others might.
        """
        in_lanes: frozenset[LaneKey] = frozenset()
        went_behind: list[tuple[int, Placed]] = []

        def decide(state: State) -> Sequence[Command]:
            nonlocal in_lanes
            in_lanes = state.lanes.keys()
            fleet, _ = self._registry.fleet(now.steady_s)
            usable = dict(zip(fleet.worker_ids, fleet.capacities, strict=True))
            behind = []
            for task_id, before in fill(state, left, usable, now.wall_ms, self._left_before):
                behind.append(
                    Assign(task_id, before.worker_id, before.worker_name, before.planned_by, behind=True)
                )
                went_behind.append((task_id, Placed("", state.tasks[before.ref.task_id].label)))
            rank_of = partial(self._queue.ageing.rank_of, now_ms=now.wall_ms)
            in_the_way = to_revoke(state, left, usable, rank_of)
            return [*behind, *(Revoke(ref, "asked back for a task of a higher rank") for ref in in_the_way)]

        applied = self._engine.apply_with(decide, now)
        self.notes.placed(went_behind)
        return sum(isinstance(answer, AttemptRef) for answer in applied.answers), in_lanes

    def _welcome(self, fleet: Fleet) -> None:
        """One that was late, or rested, takes work again: what was parked for want of it may be planned."""
        counted_on = frozenset(fleet.worker_ids)
        if not counted_on <= self._counted_on:
            self._queue.unpark_all()
        self._counted_on = counted_on

    def _park(
        self, heads: Heads, planned: Planned, note: PlanNote, in_lanes: frozenset[LaneKey], now: Instant
    ) -> None:
        """Leave out what was left over, and of the rest what fits nowhere and can go behind nobody (`in_lanes`)."""
        fleet, free = self._registry.fleet(now.steady_s)
        best, excluded = not_worse(free), self._registry.excluded()

        def no_room(key: BucketKey) -> object:
            may_go = key.lane in in_lanes or any(key.request.fits(left) for left in best)
            return "" if may_go else NoRoom(key.request, fleet, free, note, excluded)

        asked: Counter[BucketKey] = Counter()
        for key, ranks in zip(heads.keys, heads.ranks, strict=True):
            asked[key] += len(ranks)
        left: Counter[BucketKey] = Counter()
        for refusal in planned.plan.refusals:
            left[heads.keys[refusal.shape]] += refusal.count
        refused = [(heads.keys[refusal.shape], refusal.groups) for refusal in planned.plan.refusals]
        reasons: list[tuple[BucketKey, object]] = [
            (key, Refused(key.request, groups, note, asked[key], left[key], excluded))
            for key, groups in refused
        ]
        if planned.by == BY_NOBODY:
            reasons = [(key, NoRoom(key.request, fleet, free, note, excluded)) for key in heads.keys]
        self._queue.park(reasons, heads.generation, no_room)

    def _say_fallback(self, planned: Planned) -> None:
        fell_back = planned.by == BY_FIRST_FIT
        if planned.by == BY_NOBODY:
            return
        if fell_back and not self._said_fallback:
            _log.warning("the planner does not answer, planning by first-fit", cause=planned.why_not_planner)
        elif self._said_fallback and not fell_back:
            _log.warning("the planner answers again")
        self._said_fallback = fell_back


class Scheduler:
    """The scheduler thread: a cycle whenever something was pushed or freed, and at least every `every_s` seconds."""

    def __init__(
        self,
        cycle: Cycle,
        queue: TaskQueue,
        clock: Clock,
        every_s: float,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._cycle = cycle
        self._clock = clock
        self._queue = queue
        self._every_s = every_s
        self._on_failure = on_failure
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scheduler")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the cycle under way."""
        self._stopping.set()
        self._queue.wake()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._queue.wait_for_work(self._every_s, self._clock.now())
                if self._stopping.is_set():
                    return
                result = self._cycle.run_once()
                if result.assigned + result.behind == result.heads and result.heads:
                    self._queue.wake()  # there may be more than this cycle looked at
        except BaseException as error:
            self._on_failure(error)
            raise
