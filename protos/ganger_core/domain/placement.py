"""This module places waiting tasks on workers in the simplest honest way, and says why the rest must wait.

It is what the master falls back to without a planner, and where planners take reasons, digests and the upper
bound from, so that everybody's plans are explained and judged alike.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from ganger_core.domain.plan import (
    Assignment,
    Fleet,
    GroupRefusal,
    Plan,
    PlanOptions,
    Refusal,
    RefusalCode,
    ShapeDemand,
    Snapshot,
)
from ganger_core.domain.resources import Resources

FIRST_FIT = "first-fit"
DEFAULT_OPTIONS = PlanOptions()
MAX_GROUPS = 16  # of workers in one refusal: hosts bought as equal differ by some bytes of memory

Amounts = tuple[int, int, int]


def first_fit(snapshot: Snapshot, options: PlanOptions = DEFAULT_OPTIONS) -> Plan:
    """Shape by shape in rank order, each task on the first worker in fleet order where it fits."""
    index = _FirstFits([worker.amounts() for worker in snapshot.free])
    placements: list[list[int]] = []
    for shape in snapshot.shapes:
        need, wanted = shape.request.amounts(), len(shape.task_ids)
        chosen: list[int] = []
        for worker in index.workers(need) if wanted else ():
            copies = _copies(need, index.free_of(worker), wanted - len(chosen))
            index.take(worker, need, copies)
            chosen += [worker] * copies
            if len(chosen) == wanted:
                break
        placements.append(chosen)
    return build_plan(snapshot, placements, stage=FIRST_FIT, work_units=index.looked_at, seed=options.seed)


def build_plan(
    snapshot: Snapshot, placements: Sequence[Sequence[int]], *, stage: str, work_units: int, seed: int
) -> Plan:
    """The plan in which the first tasks of shape s go to the workers `placements[s]`, one each.

    Adds what every plan must say: the reasons for the rest, the value, the upper bound, the digest. The
    caller warrants that the placements fit.
    """
    free = [worker.amounts() for worker in snapshot.free]
    assignments: list[Assignment] = []
    for shape, workers in zip(snapshot.shapes, placements, strict=True):
        assignments += map(Assignment, shape.task_ids, workers)
        need = shape.request.amounts()
        for worker, copies in Counter(workers).items():
            free[worker] = _taken(free[worker], need, copies)
    reasons = _Reasons(snapshot.fleet, [Resources(*amounts) for amounts in free])
    refusals = [
        Refusal(index, len(shape.task_ids) - len(workers), reasons.of(shape.request))
        for index, (shape, workers) in enumerate(zip(snapshot.shapes, placements, strict=True))
        if len(workers) < len(shape.task_ids)
    ]
    return Plan(
        assignments=tuple(assignments),
        refusals=tuple(refusals),
        value=sum(
            [_worth(shape) * len(chosen) for shape, chosen in zip(snapshot.shapes, placements, strict=True)]
        ),
        upper_bound=upper_bound(snapshot),
        stage=stage,
        work_units=work_units,
        seed=seed,
        snapshot_digest=snapshot_digest(snapshot),
    )


def nothing_fits(snapshot: Snapshot) -> bool:
    """Whether none of the tasks fits what any worker has left, so that every plan places nothing."""
    free = not_worse(snapshot.free)
    return not any(request.fits(left) for request in {s.request for s in snapshot.shapes} for left in free)


def explain_refusal(request: Resources, fleet: Fleet, free: Sequence[Resources]) -> tuple[GroupRefusal, ...]:
    """Why no worker can take one more task of this request when `free[i]` is what worker i has left.

    One entry per capacity, from the smallest to the largest; in a fleet of more than MAX_GROUPS capacities
    neighbouring ones share an entry that bears the largest of them, and BUSY means that one at least could take
    the task were it idle. The nearest worker is the one whose shortages, each as a share of the request, add up
    to the least.
    """
    return _Reasons(fleet, free).of(request)


def upper_bound(snapshot: Snapshot) -> int:
    """A value that no placement of this snapshot can exceed.

    Of each request no more tasks can run than its copies fit into the workers one by one; and for each kind of
    resource, the total over all workers is filled with the tasks worth most per amount, the last one in part.
    The least over the kinds bounds every placement.
    """
    free = Counter(worker.amounts() for worker in snapshot.free)
    least = _least_of_each(shape.request for shape in snapshot.shapes)
    useful = sorted((item for item in free.items() if _copies(least, item[0], 1)), reverse=True)
    by_request: dict[Amounts, list[ShapeDemand]] = {}
    for shape in snapshot.shapes:
        by_request.setdefault(shape.request.amounts(), []).append(shape)
    items: list[tuple[Amounts, int, int]] = []  # request, worth of one task, most tasks of it
    for need, shapes in by_request.items():
        room = _room(need, useful, sum([len(shape.task_ids) for shape in shapes]))
        for shape in sorted(shapes, key=_worth, reverse=True):  # equal requests: the best take the room
            tasks = min(room, len(shape.task_ids))
            room -= tasks
            items.append((need, _worth(shape), tasks))
    totals = [sum([amounts[kind] * workers for amounts, workers in useful]) for kind in range(3)]
    return min(_fill(items, kind, total) for kind, total in enumerate(totals))


def snapshot_digest(snapshot: Snapshot) -> str:
    """SHA-256 (hex) over everything in the snapshot: equal exactly for equal snapshots."""
    digest = hashlib.sha256(b"ganger snapshot 1\n")
    digest.update(fleet_digest(snapshot.fleet).encode())
    digest.update(_packed_amounts(snapshot.free))
    for shape in snapshot.shapes:
        ids = shape.task_ids
        digest.update(struct.pack("<4qQ", *shape.request.amounts(), shape.priority, len(ids)))
        digest.update(struct.pack(f"<{len(ids)}q", *ids))
    return digest.hexdigest()


@lru_cache(4)  # a fleet stays the same for many plans
def fleet_digest(fleet: Fleet) -> str:
    """SHA-256 (hex) over ids and capacities of the workers, in their order."""
    digest = hashlib.sha256(b"ganger fleet 1\n")
    digest.update(_packed_amounts(fleet.capacities))
    names = [name.encode() for name in fleet.worker_ids]
    digest.update(struct.pack(f"<Q{len(names)}Q", len(names), *map(len, names)))
    digest.update(b"".join(names))
    return digest.hexdigest()


class _FirstFits:
    """Finds the workers where a request fits, in fleet order, without looking at all of them.

    A binary tree over the workers: each inner node has, kind by kind, the most that any worker below it has.
    `looked_at` counts the nodes visited.
    """

    def __init__(self, free: Sequence[Amounts]) -> None:
        self.looked_at = 0
        self._width = 1
        while self._width < len(free):
            self._width *= 2
        nobody = (-1, -1, -1)
        self._nodes = [nobody] * self._width + list(free) + [nobody] * (self._width - len(free))
        for node in range(self._width - 1, 0, -1):
            self._nodes[node] = self._most_below(node)

    def workers(self, need: Amounts) -> Iterator[int]:
        """The workers where `need` fits; what is taken meanwhile from the one just given is allowed for."""
        cpu, memory, slots = need
        waiting = [1]
        while waiting:
            node = waiting.pop()
            most = self._nodes[node]
            self.looked_at += 1
            if cpu > most[0] or memory > most[1] or slots > most[2]:
                continue
            if node >= self._width:
                yield node - self._width
            else:
                waiting += (2 * node + 1, 2 * node)

    def free_of(self, worker: int) -> Amounts:
        """What this worker has left."""
        return self._nodes[self._width + worker]

    def take(self, worker: int, need: Amounts, copies: int) -> None:
        """Give `copies` tasks of this need to the worker."""
        node = self._width + worker
        self._nodes[node] = _taken(self._nodes[node], need, copies)
        while node := node // 2:
            self._nodes[node] = self._most_below(node)

    def _most_below(self, node: int) -> Amounts:
        (a, b, c), (x, y, z) = self._nodes[2 * node], self._nodes[2 * node + 1]
        return (a if a > x else x, b if b > y else y, c if c > z else z)


class _Reasons:
    """Explains refusals on one state of the fleet; equal requests are explained once."""

    def __init__(self, fleet: Fleet, free: Sequence[Resources]) -> None:
        members: dict[Resources, list[Resources]] = {}
        for capacity, left in zip(fleet.capacities, free, strict=True):
            members.setdefault(capacity, []).append(left)
        capacities = sorted(members)
        size = -(-len(capacities) // MAX_GROUPS) or 1  # capacities per group, rounded up
        self._groups = []
        for start in range(0, len(capacities), size):
            chunk = capacities[start : start + size]
            lefts = [left for capacity in chunk for left in members[capacity]]
            self._groups.append((chunk[-1], len(lefts), not_worse(chunk), not_worse(lefts)))
        self._known: dict[Resources, tuple[GroupRefusal, ...]] = {}

    def of(self, request: Resources) -> tuple[GroupRefusal, ...]:
        """The reasons, one per group."""
        if request not in self._known:
            self._known[request] = tuple([_why(request, *group) for group in self._groups])
        return self._known[request]


def _why(
    request: Resources, capacity: Resources, workers: int, whole: Sequence[Amounts], left: Sequence[Amounts]
) -> GroupRefusal:
    """The reason of a group of which no worker has more than one of `whole` in all, or of `left` now."""
    need = request.amounts()
    if any(_copies(need, amounts, 1) for amounts in whole):
        return GroupRefusal(capacity, workers, RefusalCode.BUSY, _least_shortage(need, left))
    return GroupRefusal(capacity, workers, RefusalCode.TOO_LARGE, _least_shortage(need, whole))


def not_worse(values: Iterable[Resources]) -> list[Resources]:
    """The values of which no other has at least as much of each kind: what fits any fits one of them."""
    best: list[Resources] = []
    for value in sorted(set(values), reverse=True):
        if not any(
            other[1] >= value[1] and other[2] >= value[2] for other in best
        ):  # other[0] >= by the order
            best.append(value)
    return best


def _least_shortage(need: Amounts, having: Iterable[Amounts]) -> Resources:
    cpu, memory, slots = need
    cpu_share, memory_share, slot_share = [1 / max(1, amount) for amount in need]
    nearest, least = (0, 0, 0), math.inf
    for a, b, c in having:  # written out: a full cycle comes here a hundred thousand times
        missing = (cpu - a if cpu > a else 0, memory - b if memory > b else 0, slots - c if slots > c else 0)
        distance = missing[0] * cpu_share + missing[1] * memory_share + missing[2] * slot_share
        if distance < least:
            nearest, least = missing, distance
    return Resources(*nearest)


def _copies(need: Amounts, free: Amounts, most: int) -> int:
    """How many tasks of this need fit into `free`, up to `most`."""
    for amount, left in zip(need, free, strict=True):
        if left < amount:
            return 0
        if amount:
            most = min(most, left // amount)
    return most


def _taken(free: Amounts, need: Amounts, copies: int) -> Amounts:
    return (free[0] - need[0] * copies, free[1] - need[1] * copies, free[2] - need[2] * copies)


def _least_of_each(requests: Iterable[Resources]) -> Amounts:
    """The least asked of each kind: a worker with less than this of any kind can take nothing."""
    cpu, memory, slots = zip((0, 0, 0), *[request.amounts() for request in requests], strict=True)
    return (min(cpu[1:], default=0), min(memory[1:], default=0), min(slots[1:], default=0))


def _worth(shape: ShapeDemand) -> int:
    return shape.priority + 1


def _room(need: Amounts, free: Iterable[tuple[Amounts, int]], most: int) -> int:
    """How many tasks of one request fit into all workers, up to `most`."""
    room = 0
    for amounts, workers in free:
        room += _copies(need, amounts, most) * workers
        if room >= most:
            return most
    return room


def _fill(items: Iterable[tuple[Amounts, int, int]], kind: int, total: int) -> int:
    """The most worth that `total` of one kind can carry when tasks may be cut, rounded down.

    The best worth per amount comes first until the total is used up; the last price paid, worth per amount, then
    bounds everything: no choice is worth more than all of the total at that price, plus for each task what it is
    worth beyond its price. That holds for any price, so the rounding of the sort key can do no harm.
    """
    value = sum([worth * tasks for need, worth, tasks in items if not need[kind]])
    costly = [(worth / need[kind], worth, need[kind], tasks) for need, worth, tasks in items if need[kind]]
    left = total
    for _, price, per, tasks in sorted(costly, reverse=True):
        left -= per * tasks
        if left < 0:
            beyond = sum([max(0, worth * per - price * amount) * tasks for _, worth, amount, tasks in costly])
            return value + (price * total + beyond) // per
    return value + sum([worth * tasks for _, worth, _, tasks in costly])


def _packed_amounts(values: Sequence[Resources]) -> bytes:
    flat = [amount for value in values for amount in value.amounts()]
    return struct.pack(f"<Q{len(flat)}q", len(values), *flat)
