"""This module tests first fit, its reasons, the upper bound and the digests on cases worked out by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from ganger_core.domain.placement import (
    build_plan,
    explain_refusal,
    first_fit,
    fleet_digest,
    snapshot_digest,
    upper_bound,
)
from ganger_core.domain.plan import (
    Assignment,
    Fleet,
    GroupRefusal,
    Refusal,
    RefusalCode,
    ShapeDemand,
    Snapshot,
)
from ganger_core.domain.resources import Resources

SMALL, LARGE = Resources(2000, 8, 4), Resources(8000, 64, 4)
FLEET = Fleet(("w1", "w2", "w3"), (LARGE, SMALL, SMALL))
SNAPSHOT = Snapshot(
    FLEET,
    (LARGE, Resources(1000, 8, 3), SMALL),
    (
        ShapeDemand(Resources(4000, 0, 1), 90, (5, 9)),
        ShapeDemand(Resources(1000, 8, 1), 50, (1, 2, 3)),
        ShapeDemand(Resources(16000, 0, 1), 10, (4,)),
    ),
)
SNAPSHOT_DIGEST = "7ac7cc074b2e9fadac065ec6809e5c101a88c6e1412f8e75000e29279b6967f4"
FLEET_DIGEST = "487b8f92672887bd033831599b87e6b5bcde5208d38176445a1e318ab05f8cfc"


def test_first_fit_by_hand() -> None:
    plan = first_fit(SNAPSHOT)
    assert plan.assignments == (Assignment(5, 0), Assignment(9, 0), Assignment(1, 1), Assignment(2, 2))
    too_large = RefusalCode.TOO_LARGE
    assert plan.refusals == (
        Refusal(
            1,
            1,
            (
                GroupRefusal(SMALL, 2, RefusalCode.BUSY, Resources(0, 8, 0)),
                GroupRefusal(LARGE, 1, RefusalCode.BUSY, Resources(1000, 0, 0)),
            ),
        ),
        Refusal(
            2,
            1,
            (
                GroupRefusal(SMALL, 2, too_large, Resources(14000, 0, 0)),
                GroupRefusal(LARGE, 1, too_large, Resources(8000, 0, 0)),
            ),
        ),
    )
    assert plan.value == 91 + 91 + 51 + 51
    assert plan.upper_bound == 91 + 91 + 3 * 51
    assert plan.work_units == 3 + 7 + 1  # nodes of the tree: down to w1; the whole tree; the root alone


def test_nothing_to_place_and_nobody_to_take_it() -> None:
    empty = first_fit(Snapshot(FLEET, SNAPSHOT.free, ()))
    assert (empty.assignments, empty.refusals, empty.value, empty.upper_bound, empty.gap) == (
        (),
        (),
        0,
        0,
        0.0,
    )
    alone = first_fit(Snapshot(Fleet((), ()), (), SNAPSHOT.shapes))
    assert [(r.shape, r.count, r.groups) for r in alone.refusals] == [(0, 2, ()), (1, 3, ()), (2, 1, ())]
    assert alone.upper_bound == 0


def test_an_over_committed_worker_takes_nothing_not_even_a_task_that_asks_for_nothing() -> None:
    fleet = Fleet(("w",), (SMALL,))
    snapshot = Snapshot(fleet, (Resources(-1000, 8, 4),), (ShapeDemand(Resources(0, 0, 1), 1, (1,)),))
    plan = first_fit(snapshot)
    assert plan.assignments == ()
    assert plan.refusals[0].groups == (GroupRefusal(SMALL, 1, RefusalCode.BUSY, Resources(1000, 0, 0)),)


def test_a_request_of_nothing_fits_any_number_of_times() -> None:
    snapshot = Snapshot(
        Fleet(("w",), (SMALL,)), (SMALL,), (ShapeDemand(Resources(), 1, tuple(range(1, 100))),)
    )
    plan = first_fit(snapshot)
    assert len(plan.assignments) == 99
    assert plan.value == plan.upper_bound == 198


def test_the_nearest_worker_is_the_one_short_of_the_least_share() -> None:
    fleet = Fleet(("a", "b", "c"), (LARGE,) * 3)
    free = (Resources(0, 64, 4), Resources(3000, 10, 4), Resources(8000, 64, 0))
    (group,) = explain_refusal(Resources(4000, 16, 1), fleet, free)
    assert group == GroupRefusal(LARGE, 3, RefusalCode.BUSY, Resources(1000, 6, 0))


def test_many_capacities_share_entries_named_by_the_largest() -> None:
    capacities = tuple(Resources(1000 * (i + 1), 64, 4) for i in range(40))
    fleet = Fleet(tuple(map(str, range(40))), capacities)
    groups = explain_refusal(
        Resources(20_500, 0, 1), fleet, (Resources(0, 64, 4),) * 20 + (Resources(500, 64, 0),) * 20
    )
    assert [group.workers for group in groups] == [3] * 13 + [1]
    assert [group.capacity.cpu_milli for group in groups] == [*range(3000, 42_000, 3000), 40_000]
    assert [group.code for group in groups] == [RefusalCode.TOO_LARGE] * 6 + [RefusalCode.BUSY] * 8
    assert groups[5].shortage == Resources(2500, 0, 0)  # of the largest of the group, were it idle
    assert groups[6].shortage == Resources(
        20_500, 0, 0
    )  # 19,000, 20,000 and 21,000: a shortage of CPUs alone is nearer


@pytest.mark.parametrize(
    ("free", "shapes", "bound"),
    [
        # Two workers of 3 CPUs hold one task of 2 CPUs each, though the sum of 6 would hold three.
        ([(3000, 0, 9)] * 2, [((2000, 0, 1), 0, 4)], 2),
        # Slots bind: two slots, the two best tasks.
        ([(9000, 0, 2)], [((1000, 0, 1), 9, 1), ((1000, 0, 1), 0, 5)], 11),
        # CPUs bind: 10 worth in 2 CPUs, then half of a task worth 3 in the last CPU, rounded down.
        ([(3000, 0, 9)], [((2000, 0, 1), 9, 1), ((2001, 0, 1), 2, 1)], 11),
        # Either kind holds one task of one shape and a part of the other's.
        ([(1000, 100, 9)], [((1000, 1, 1), 0, 3), ((1, 100, 1), 0, 3)], 1),
        # What is free where nothing fits does not count.
        ([(1000, 0, 9), (9000, 0, 0)], [((1000, 0, 1), 0, 5), ((500, 0, 1), 0, 5)], 2),
    ],
)
def test_the_bound_by_hand(
    free: list[tuple[int, int, int]], shapes: list[tuple[tuple[int, int, int], int, int]], bound: int
) -> None:
    capacities = tuple(Resources(*amounts) for amounts in free)
    fleet = Fleet(tuple(map(str, range(len(free)))), capacities)
    demands = []
    first = 1
    for request, priority, count in shapes:
        demands.append(ShapeDemand(Resources(*request), priority, tuple(range(first, first + count))))
        first += count
    assert upper_bound(Snapshot(fleet, capacities, tuple(demands))) == bound


def test_a_plan_built_from_placements_says_the_rest() -> None:
    plan = build_plan(SNAPSHOT, [[0], [2], []], stage="mine", work_units=7, seed=5)
    assert plan.assignments == (Assignment(5, 0), Assignment(1, 2))
    assert [(refusal.shape, refusal.count) for refusal in plan.refusals] == [(0, 1), (1, 2), (2, 1)]
    assert (plan.stage, plan.work_units, plan.seed, plan.value) == ("mine", 7, 5, 142)
    assert plan.snapshot_digest == snapshot_digest(SNAPSHOT)


def test_digests_are_those_of_the_first_release() -> None:
    assert fleet_digest(FLEET) == FLEET_DIGEST
    assert snapshot_digest(SNAPSHOT) == SNAPSHOT_DIGEST


def test_digests_tell_apart_what_differs() -> None:
    shape = SNAPSHOT.shapes[0]
    variants = [
        SNAPSHOT,
        replace(SNAPSHOT, free=SNAPSHOT.free[::-1]),
        replace(SNAPSHOT, fleet=replace(FLEET, worker_ids=("w1", "w2", "w4"))),
        replace(SNAPSHOT, fleet=replace(FLEET, capacities=(LARGE, LARGE, SMALL))),
        replace(SNAPSHOT, shapes=SNAPSHOT.shapes[::-1]),
        replace(SNAPSHOT, shapes=(replace(shape, priority=1), *SNAPSHOT.shapes[1:])),
        replace(SNAPSHOT, shapes=(replace(shape, task_ids=(9, 5)), *SNAPSHOT.shapes[1:])),
    ]
    assert len({snapshot_digest(variant) for variant in variants}) == len(variants)
    parted = Fleet(("ab", "c"), (SMALL, SMALL)), Fleet(("a", "bc"), (SMALL, SMALL))
    assert fleet_digest(parted[0]) != fleet_digest(parted[1])


def test_plans_do_not_depend_on_the_hash_seed() -> None:
    program = (
        "from ganger_core.domain.placement import first_fit, snapshot_digest\n"
        "from ganger_core.domain.plan import *\n"
        "from ganger_core.domain.resources import Resources\n"
        "classes = [Resources(1000 * i, 8 * i, i) for i in range(1, 6)]\n"
        "fleet = Fleet(tuple(f'w{i}' for i in range(50)), tuple(classes[i % 5] for i in range(50)))\n"
        "shapes = tuple(ShapeDemand(Resources(700 * (i % 4), i % 3, 1), i % 7, (2 * i + 1, 2 * i + 2))"
        " for i in range(90))\n"
        "print(first_fit(Snapshot(fleet, fleet.capacities, shapes)))\n"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(answers) == 1
    assert "refusals=(Refusal(" in answers.pop()
