"""This module checks how snapshot files are read and refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ganger_core.domain.errors import Invalid
from ganger_core.domain.plan import ShapeDemand
from ganger_planner.snapshot_file import read_snapshot
from testkit.fleets import cpus_and_gib

WORKER: dict[str, Any] = {"name": "w", "cpus": 4, "memory": "8GiB"}


def read(workers: list[Any], tasks: list[Any]) -> Any:
    return read_snapshot(json.dumps({"workers": workers, "tasks": tasks}))


def refusal(text: str) -> str:
    with pytest.raises(Invalid) as refused:
        read_snapshot(text)
    return refused.value.message


def test_workers_are_counted_out_and_named() -> None:
    snapshot = read([{**WORKER, "count": 2}, {**WORKER, "name": "x", "cpus": 0.5, "slots": 3}], [])
    assert snapshot.fleet.worker_ids == ("w-1", "w-2", "x")
    assert snapshot.fleet.capacities == (*[cpus_and_gib(4, 8, 32)] * 2, cpus_and_gib(0.5, 8, 3))
    assert snapshot.free == snapshot.fleet.capacities


def test_what_a_worker_has_left_is_all_unless_it_is_said() -> None:
    snapshot = read(
        [{**WORKER, "free": {"cpus": "1.5"}}, {**WORKER, "name": "x", "free": {"memory": 0, "slots": 0}}], []
    )
    assert snapshot.free == (cpus_and_gib(1.5, 8, 32), cpus_and_gib(4, 0, 0))


def test_tasks_rank_by_priority_then_as_listed_and_take_the_ids_left_over() -> None:
    tasks = [{}, {"count": 2, "priority": 60}, {"ids": [2, 9], "cpus": 2, "memory": "1GiB", "priority": 60}]
    assert read([], tasks).shapes == (
        ShapeDemand(cpus_and_gib(1), 60, (3, 4)),
        ShapeDemand(cpus_and_gib(2, 1), 60, (2, 9)),
        ShapeDemand(cpus_and_gib(1), 50, (1,)),
    )


@pytest.mark.parametrize(
    ("workers", "tasks", "message"),
    [
        ([{**WORKER, "cpu": 1}], [], "workers[0].cpu: unknown key; did you mean 'cpus'?"),
        ([{"name": "w", "cpus": 4}], [], "workers[0].memory: is missing"),
        ([WORKER, WORKER], [], "workers[1].name: a worker 'w' is already there, from workers[0].name"),
        ([{**WORKER, "name": "a b"}], [], "workers[0].name must be"),
        ([{**WORKER, "name": 7}], [], "workers[0].name: must be a text, not a number"),
        ([{**WORKER, "memory": "8XB"}], [], "workers[0].memory: '8XB' is no amount of memory"),
        (
            [{**WORKER, "memory": None}],
            [],
            "workers[0].memory: must be a number or a text with a unit, not null",
        ),
        ([{**WORKER, "cpus": -1}], [], "workers[0].cpus: '-1' is no number of CPUs"),
        ([{**WORKER, "count": 0}], [], "workers[0].count must be from 1"),
        ([{**WORKER, "free": {"cpus": 5}}], [], "workers[0].free: is more than the worker has in all"),
        (
            [{**WORKER, "free": {"disk": 5}}],
            [],
            "workers[0].free.disk: unknown key; known are cpus, memory, slots",
        ),
        ([{**WORKER, "a\x1b[2J": 5}], [], 'workers[0]."a\\u001b[2J": unknown key'),
        ([7], [], "workers[0]: must be an object, not a number"),
        (
            [{**WORKER, "count": 60_000}, {**WORKER, "name": "x", "count": 60_000}],
            [],
            "workers[1]: brings the workers",
        ),
        ([], [{"count": True}], "tasks[0].count: must be a whole number, not true or false"),
        ([], [{"count": 1, "ids": [1]}], "tasks[0]: has both ids and count"),
        (
            [],
            [{"ids": [1]}, {"ids": [2, 1]}],
            "tasks[1].ids[1]: task 1 is already there, from tasks[0].ids[0]",
        ),
        ([], [{"ids": 1}], "tasks[0].ids: must be a list, not a number"),
        ([], [{"ids": [0]}], "tasks[0].ids[0] must be from 1"),
        ([], [{"priority": 101}], "tasks[0].priority must be from 0 to 100"),
        ([], [{"count": 900_000}, {"count": 900_000}], "tasks[1]: brings the tasks to more than 1000000"),
    ],
)
def test_a_wrong_file_is_refused_with_the_path(workers: list[Any], tasks: list[Any], message: str) -> None:
    assert refusal(json.dumps({"workers": workers, "tasks": tasks})).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "must be an object, not a list"),
        ("{}", "workers: is missing"),
        ('{"workers": [],\n "tasks": [}', "line 2, column 12: not JSON"),
        ('{"workers": [], "workers": [], "tasks": []}', '"workers" stands twice in one object'),
        ('{"workers": NaN}', "NaN is not a number"),
        ("[" * 100_000, "not usable as JSON"),
        ("7" * 10_000, "not usable as JSON"),
    ],
)
def test_what_is_no_such_document_is_refused(text: str, message: str) -> None:
    assert refusal(text).startswith(message)
