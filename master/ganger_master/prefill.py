"""This module decides which waiting tasks go behind running attempts, so that workers need not ask between them. Pure.

What is behind an attempt starts with its capacity when it is over (see `lanes`), without a round trip to the master.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ganger_core.domain.plan import Plan
from ganger_core.domain.resources import Resources
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import Attempt, AttemptRef, LaneKey, Task
from ganger_master.ageing import Rank
from ganger_master.arrays import find
from ganger_master.handing import is_over_its_limit, may_revoke
from ganger_master.lanes import Lane
from ganger_master.queue import BucketKey, Heads
from ganger_master.state import State

RECENT_MS = 2_000  # nothing goes behind an attempt that is older: it is not one of the short ones
OVERDUE_MS = 5_000  # what has been behind for so long is asked for again


@dataclass(frozen=True, slots=True)
class Left:
    """Waiting tasks of one bucket, in rank order, that the plan could not place; `rank` is that of the first.

    Those that are `limited` could not have capacity if there were any: their array runs as many as it may.
    """

    key: BucketKey
    rank: Rank
    task_ids: tuple[int, ...]
    limited: bool = False


def left_over(heads: Heads, plan: Plan) -> list[Left]:
    """What the plan could not place, in rank order."""
    placed = {assignment.task_id for assignment in plan.assignments}
    found = []
    for key, ranks in zip(heads.keys, heads.ranks, strict=True):
        waiting = [rank for rank in ranks if rank.task_id not in placed]
        if waiting:
            found.append(Left(key, waiting[0], tuple([rank.task_id for rank in waiting])))
    for key, ranks in heads.limited:
        found.append(Left(key, ranks[0], tuple([rank.task_id for rank in ranks]), limited=True))
    return sorted(found, key=lambda left: left.rank)


def is_low(behind: int, most: int) -> bool:
    """Whether more should go behind: what is there would be over within a round trip, so it is at most half of all.

    So orders leave in batches: that for a place that comes free before waits for others.
    """
    return 2 * behind <= most


def wants_more(state: State, over: Attempt) -> bool:
    """Whether more should go behind those that ask for the same as this attempt, now that it is over."""
    task = state.tasks[over.ref.task_id]
    lane = state.lanes.of(task.lane).get(over.worker_id)
    return lane is None or is_low(
        len(lane.behind), state.run_times.depth(BucketKey.of(task)) * len(lane.full)
    )


def fill(
    state: State,
    left: Sequence[Left],
    usable: Mapping[str, Resources],
    now_ms: int,
    left_before: Sequence[Left] = (),
) -> Iterator[tuple[int, Attempt]]:
    """Which of these tasks go behind which running attempt's lane, in rank order.

    A lane is filled when it `is_low`. `usable` are the workers that may get work, with their capacities. On a worker
    where a task of a higher-ranked bucket could run that the plan had no room for, nothing goes behind: what comes
    free there is that task's. `left_before` waits beside these.
    """
    above: list[Resources] = []
    added: Counter[tuple[LaneKey, str]] = Counter()
    for bucket in left:
        waiting = list(reversed(bucket.task_ids))
        depth = 0 if is_over_its_limit(state, bucket.key.array_id) else state.run_times.depth(bucket.key)
        lanes = state.lanes.of(bucket.key.lane) if depth else {}
        before = [each.key.request for each in left_before if each.rank < bucket.rank] if lanes else []
        higher = [*above, *before]
        for worker_id, lane in lanes.items():
            capacity = usable.get(worker_id)
            if capacity is None or any(other.fits(capacity) for other in higher):
                continue
            recent = list(_recent(state, lane, now_ms))
            place = bucket.key.lane, worker_id
            there, most = len(lane.behind) + added[place], depth * len(recent)
            room = most - there if is_low(there, most) else 0
            while waiting and room > 0:
                task_id = waiting.pop()
                task = find(state, task_id)
                if task and task.state is TaskState.PENDING:  # it may have been cancelled since
                    room -= 1
                    added[place] += 1
                    yield task_id, recent[0]
        if waiting and not bucket.limited:
            above.append(bucket.key.request)


def to_revoke(
    state: State, left: Sequence[Left], usable: Mapping[str, Resources], rank_of: Callable[[Task], Rank]
) -> Iterator[AttemptRef]:
    """Attempts that are behind others where a waiting task of a higher rank could run."""
    above = [(bucket.rank, bucket.key.request) for bucket in left if not bucket.limited]
    for ref in state.lanes.behind():
        attempt, task = state.attempts[ref.task_id], state.tasks[ref.task_id]
        capacity = usable.get(attempt.worker_id)
        if capacity is None or not may_revoke(attempt):
            continue
        mine = rank_of(task)
        for rank, request in above:
            if rank >= mine:
                break
            if request.fits(capacity):
                yield ref
                break


def overdue(state: State, now_ms: int) -> Iterator[AttemptRef]:
    """Attempts that have been behind others for too long."""
    for ref in state.lanes.behind():
        attempt = state.attempts[ref.task_id]
        if may_revoke(attempt) and now_ms - attempt.assigned_ms > OVERDUE_MS:
            yield ref


def _recent(state: State, lane: Lane, now_ms: int) -> Iterator[Attempt]:
    for ref in lane.full:
        attempt = state.attempts[ref.task_id]
        if now_ms - max(attempt.assigned_ms, attempt.started_ms) <= RECENT_MS:
            yield attempt
