"""This module compares the batched best fit with one that places task by task, and checks what every plan must keep."""

from __future__ import annotations

from dataclasses import replace

import hypothesis.strategies as st
from hypothesis import given

from ganger_core.domain.placement import upper_bound
from ganger_core.domain.plan import Fleet, PlanOptions, ShapeDemand, Snapshot
from ganger_core.domain.resources import MAX_AMOUNT, Resources
from ganger_planner.plan import plan

small = st.integers(0, 12)
capacities = st.builds(Resources, small, small, small)
large = st.sampled_from([0, MAX_AMOUNT // 3, MAX_AMOUNT - 1, MAX_AMOUNT])
huge = st.builds(Resources, large, large, st.integers(0, 12))
huge_requests = st.builds(Resources, large, large, st.integers(1, 2))
requests = st.builds(Resources, st.integers(0, 5), st.integers(0, 5), st.integers(0, 2))


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """A few workers, idle, busy or over-committed, and a few shapes; amounts small, or as large as they come.

    Now and then a worker has more left than in all: wrong, but nothing may overflow or be over-filled.
    """
    capacity, request = draw(st.sampled_from([(capacities, requests), (huge, huge_requests)]))
    whole = draw(st.lists(capacity, max_size=6))
    used = [draw(capacity) for _ in whole]
    free = tuple(
        taken if draw(st.integers(0, 9)) == 9 else have.minus(taken)
        for have, taken in zip(whole, used, strict=True)
    )
    demands = draw(st.lists(st.tuples(request, st.integers(0, 100), st.integers(0, 9)), max_size=6))
    shapes, first = [], 1
    for asked, priority, count in demands:
        shapes.append(ShapeDemand(asked, priority, tuple(range(first, first + count))))
        first += count
    return Snapshot(Fleet(tuple(f"w{i}" for i in range(len(whole))), tuple(whole)), free, tuple(shapes))


def score(left: Resources, request: Resources, unit: list[int]) -> tuple[int, int]:
    """Waste and leftover, as the module's docstring defines them."""
    full = left
    while request.fits(full) and request != Resources():
        full = full.minus(request)
    return sum(map(int.__mul__, full.amounts(), unit)), sum(map(int.__mul__, left.amounts(), unit))


def one_by_one(snapshot: Snapshot) -> list[tuple[int, int]]:
    """Best fit in plain Python: score every worker for every single task."""
    known = (*snapshot.fleet.capacities, *snapshot.free)
    unit = [2**60 // max([1, *(amounts.amounts()[kind] for amounts in known)]) for kind in range(2)]
    free = list(snapshot.free)
    placed = []
    for shape in snapshot.shapes:
        for task_id in shape.task_ids:
            scores = [
                (score(left, shape.request, unit), worker)
                for worker, left in enumerate(free)
                if shape.request.fits(left)
            ]
            if scores:
                worker = min(scores)[1]
                free[worker] = free[worker].minus(shape.request)
                placed.append((task_id, worker))
    return placed


def left_after(snapshot: Snapshot, placed: list[tuple[int, int]]) -> list[Resources]:
    """What the workers have left when the plan is carried out."""
    request = {task_id: shape.request for shape in snapshot.shapes for task_id in shape.task_ids}
    left = list(snapshot.free)
    for task_id, worker in placed:
        left[worker] = left[worker].minus(request[task_id])
    return left


def placements(snapshot: Snapshot) -> list[tuple[int, int]]:
    """Task and worker of each assignment of the plan."""
    return [
        (assignment.task_id, assignment.worker) for assignment in plan(snapshot, PlanOptions()).assignments
    ]


@given(snapshots())
def test_batches_place_as_one_by_one_does(snapshot: Snapshot) -> None:
    assert placements(snapshot) == one_by_one(snapshot)


@given(snapshots())
def test_a_worker_is_never_given_more_than_it_has_left(snapshot: Snapshot) -> None:
    placed = placements(snapshot)
    left = left_after(snapshot, placed)
    assert all(min(left[worker].amounts()) >= 0 for _, worker in placed)


@given(snapshots())
def test_every_task_is_placed_once_or_refused(snapshot: Snapshot) -> None:
    made = plan(snapshot, PlanOptions())
    placed = {assignment.task_id for assignment in made.assignments}
    assert len(placed) == len(made.assignments)
    refused = {refusal.shape: refusal for refusal in made.refusals}
    assert len(refused) == len(made.refusals)
    for index, shape in enumerate(snapshot.shapes):
        count = refused[index].count if index in refused else 0
        kept = len(shape.task_ids) - count
        assert placed.issuperset(shape.task_ids[:kept])
        assert placed.isdisjoint(shape.task_ids[kept:])
        assert index not in refused or count > 0


@given(snapshots())
def test_the_value_is_what_is_placed_and_within_the_bound(snapshot: Snapshot) -> None:
    made = plan(snapshot, PlanOptions())
    worth = {task_id: shape.priority + 1 for shape in snapshot.shapes for task_id in shape.task_ids}
    assert made.value == sum(worth[assignment.task_id] for assignment in made.assignments)
    assert made.value <= made.upper_bound == upper_bound(snapshot)


@given(snapshots(), st.data())
def test_what_the_workers_are_called_changes_nothing(snapshot: Snapshot, data: st.DataObject) -> None:
    names = data.draw(st.permutations(snapshot.fleet.worker_ids))
    renamed = replace(snapshot, fleet=replace(snapshot.fleet, worker_ids=tuple(names)))
    before, after = plan(snapshot, PlanOptions()), plan(renamed, PlanOptions())
    assert (after.value, after.assignments) == (before.value, before.assignments)
