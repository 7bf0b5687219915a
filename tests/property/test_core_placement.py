"""This module tests first fit, its reasons and the upper bound against slow, obvious versions of them."""

from __future__ import annotations

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from ganger_core.domain.placement import (
    explain_refusal,
    first_fit,
    nothing_fits,
    snapshot_digest,
    upper_bound,
)
from ganger_core.domain.plan import Fleet, Plan, PlanOptions, RefusalCode, ShapeDemand, Snapshot
from ganger_core.domain.resources import Resources

amounts = st.builds(Resources, st.integers(0, 6), st.integers(0, 6), st.integers(0, 3))
requests = st.builds(Resources, st.integers(0, 4), st.integers(0, 4), st.integers(0, 1))


@st.composite
def snapshots(draw: st.DrawFn, max_workers: int = 4, max_shapes: int = 4, max_tasks: int = 4) -> Snapshot:
    """Small fleets, partly busy, one worker in a while over-committed; shapes in rank order."""
    classes = draw(st.lists(amounts, min_size=1, max_size=2))
    capacities = draw(st.lists(st.sampled_from(classes), max_size=max_workers))
    free = [capacity.minus(draw(amounts)) if draw(st.booleans()) else capacity for capacity in capacities]
    shapes, next_id = [], 1
    for _ in range(draw(st.integers(0, max_shapes))):
        count = draw(st.integers(0, max_tasks))
        ids = tuple(range(next_id, next_id + count))
        shapes.append(ShapeDemand(draw(requests), draw(st.integers(0, 5)), ids))
        next_id += count
    fleet = Fleet(tuple(f"w{i}" for i in range(len(capacities))), tuple(capacities))
    return Snapshot(fleet, tuple(free), tuple(shapes))


def left_after(snapshot: Snapshot, plan: Plan) -> list[Resources]:
    request_of = {task: shape.request for shape in snapshot.shapes for task in shape.task_ids}
    free = list(snapshot.free)
    for assignment in plan.assignments:
        request = request_of[assignment.task_id]
        assert request.fits(free[assignment.worker]), "over capacity"
        free[assignment.worker] = free[assignment.worker].minus(request)
    return free


@given(snapshots())
@settings(deadline=None)
def test_first_fit_is_task_by_task_the_first_worker_that_fits(snapshot: Snapshot) -> None:
    free = list(snapshot.free)
    expected, waiting = [], []
    for shape in snapshot.shapes:
        for task in shape.task_ids:
            worker = next((i for i, left in enumerate(free) if shape.request.fits(left)), None)
            if worker is None:
                waiting.append(task)
            else:
                free[worker] = free[worker].minus(shape.request)
                expected.append((task, worker))
    plan = first_fit(snapshot)
    assert [(a.task_id, a.worker) for a in plan.assignments] == expected
    refused = [task for r in plan.refusals for task in snapshot.shapes[r.shape].task_ids[-r.count :]]
    assert refused == waiting


@given(snapshots())
@settings(deadline=None)
def test_whoever_waits_is_told_why_by_every_group_of_workers(snapshot: Snapshot) -> None:
    plan = first_fit(snapshot, PlanOptions(seed=3))
    free = left_after(snapshot, plan)
    assert (plan.seed, plan.stage) == (3, "first-fit")
    placed = len(plan.assignments)
    assert placed + sum(refusal.count for refusal in plan.refusals) == sum(
        len(s.task_ids) for s in snapshot.shapes
    )
    for refusal in plan.refusals:
        request = snapshot.shapes[refusal.shape].request
        assert refusal.groups == explain_refusal(request, snapshot.fleet, free)
        assert [group.capacity for group in refusal.groups] == sorted(set(snapshot.fleet.capacities))
        assert sum(group.workers for group in refusal.groups) == len(snapshot.free)
        for group in refusal.groups:
            members = [f for c, f in zip(snapshot.fleet.capacities, free, strict=True) if c == group.capacity]
            assert group.workers == len(members)
            assert any(group.shortage.amounts()), "a refusal that lacks nothing"
            if group.code is RefusalCode.TOO_LARGE:
                assert group.shortage == request.missing(group.capacity)
            else:
                assert request.fits(group.capacity)
                gaps = [request.missing(left) for left in members]
                shares = [
                    sum(m / max(1, n) for m, n in zip(gap.amounts(), request.amounts(), strict=True))
                    for gap in gaps
                ]
                assert group.shortage in [
                    g for g, share in zip(gaps, shares, strict=True) if share == min(shares)
                ]


@given(snapshots())
@settings(deadline=None)
def test_nothing_fits_where_first_fit_places_nothing(snapshot: Snapshot) -> None:
    asking = Snapshot(snapshot.fleet, snapshot.free, tuple(s for s in snapshot.shapes if s.task_ids))
    assert nothing_fits(asking) is (not first_fit(snapshot).assignments)


@given(snapshots())
@settings(deadline=None)
def test_the_value_adds_up_and_stays_below_the_bound(snapshot: Snapshot) -> None:
    plan = first_fit(snapshot)
    priority_of = {task: shape.priority for shape in snapshot.shapes for task in shape.task_ids}
    assert plan.value == sum(priority_of[a.task_id] + 1 for a in plan.assignments)
    assert plan.value <= plan.upper_bound == upper_bound(snapshot)
    assert 0.0 <= plan.gap <= 1.0
    if not plan.refusals:
        assert plan.gap == 0.0
    assert first_fit(snapshot) == plan


def best_value(snapshot: Snapshot) -> int:
    """The best of all placements, by trying every one."""
    tasks = [shape for shape in snapshot.shapes for _ in shape.task_ids]
    best = 0
    for choice in product([None, *range(len(snapshot.free))], repeat=len(tasks)):
        free, value = list(snapshot.free), 0
        for shape, worker in zip(tasks, choice, strict=True):
            if worker is None:
                continue
            if not shape.request.fits(free[worker]):
                break
            free[worker] = free[worker].minus(shape.request)
            value += shape.priority + 1
        else:
            best = max(best, value)
    return best


@given(snapshots(max_workers=3, max_shapes=3, max_tasks=2))
@settings(deadline=None, max_examples=150)
def test_no_placement_at_all_is_worth_more_than_the_bound(snapshot: Snapshot) -> None:
    assert best_value(snapshot) <= upper_bound(snapshot)


@given(snapshots(), snapshots())
@settings(deadline=None)
def test_equal_digests_mean_equal_snapshots(one: Snapshot, other: Snapshot) -> None:
    assert (snapshot_digest(one) == snapshot_digest(other)) is (one == other)
