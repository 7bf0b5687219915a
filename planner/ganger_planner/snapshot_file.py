"""This module reads snapshots that people write: JSON with workers and tasks (docs/planner.md).

Every refusal is an `Invalid` whose `field` is the path of the wrong key, for example `workers[2].memory`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import count, islice

from ganger_core.domain.errors import Invalid
from ganger_core.domain.parse import parse_cpus, parse_memory
from ganger_core.domain.plan import Fleet, ShapeDemand, Snapshot
from ganger_core.domain.resources import Resources
from ganger_core.domain.task import DEFAULT_PRIORITY, DEFAULT_RESOURCES
from ganger_core.domain.validate import MAX_INT, MAX_PRIORITY, MAX_SLOTS, check_int, check_worker_name

SLOTS_PER_CPU = 8
MAX_WORKERS = 100_000
MAX_TASKS = 1_000_000


def read_snapshot(text: str) -> Snapshot:
    """The snapshot that `text` describes; tasks rank by priority, then as listed. Raises `Invalid`."""
    root = _Node(_parse(text), "").members(required=("workers", "tasks"))
    fleet, free = _fleet(root["workers"])
    return Snapshot(fleet, free, _shapes(root["tasks"]))


@dataclass(frozen=True, slots=True)
class _Node:
    """A value of the file and the path that leads to it."""

    value: object
    path: str

    def wrong(self, message: str) -> Invalid:
        return Invalid(f"{self.path}: {message}" if self.path else message, field=self.path)

    def members(self, *, required: tuple[str, ...] = (), optional: tuple[str, ...] = ()) -> dict[str, _Node]:
        if not isinstance(self.value, dict):
            raise self.wrong(f"must be an object, not {_kind(self.value)}")
        for key in self.value:
            if key not in required + optional:
                raise self._member(key).wrong(_unknown(key, required + optional))
        for key in required:
            if key not in self.value:
                raise self._member(key).wrong("is missing")
        return {key: self._member(key, value) for key, value in self.value.items()}

    def _member(self, key: str, value: object = None) -> _Node:
        shown = key if key.isidentifier() else json.dumps(key)  # quoted: it may hold anything
        return _Node(value, f"{self.path}.{shown}" if self.path else shown)

    def items(self) -> list[_Node]:
        if not isinstance(self.value, list):
            raise self.wrong(f"must be a list, not {_kind(self.value)}")
        return [_Node(value, f"{self.path}[{index}]") for index, value in enumerate(self.value)]

    def integer(self, least: int, most: int) -> int:
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            raise self.wrong(f"must be a whole number, not {_kind(self.value)}")
        check_int(self.value, self.path, least, most)
        return self.value

    def quantity(self, parse: Callable[[str, str], int]) -> int:
        if not isinstance(self.value, int | float | str) or isinstance(self.value, bool):
            raise self.wrong(f"must be a number or a text with a unit, not {_kind(self.value)}")
        return parse(str(self.value), self.path)


def _parse(text: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_without_repeats, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise Invalid(f"line {error.lineno}, column {error.colno}: not JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, thousands of brackets
        raise Invalid(f"not usable as JSON: {error}") from error


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise Invalid(f"{json.dumps(twice)} stands twice in one object")
    return found


def _no_constant(name: str) -> object:
    raise Invalid(f"{name} is not a number")


def _fleet(node: _Node) -> tuple[Fleet, tuple[Resources, ...]]:
    names: dict[str, str] = {}  # each worker's name, and the path that gave it
    capacities: list[Resources] = []
    free: list[Resources] = []
    for item in node.items():
        keys = item.members(required=("name", "cpus", "memory"), optional=("slots", "count", "free"))
        capacity = _capacity(keys)
        left = _left(keys["free"], capacity) if "free" in keys else capacity
        for name in _names(keys):
            if name in names:
                raise keys["name"].wrong(f"a worker {name!r} is already there, from {names[name]}")
            names[name] = keys["name"].path
            capacities.append(capacity)
            free.append(left)
        if len(names) > MAX_WORKERS:
            raise item.wrong(f"brings the workers to more than {MAX_WORKERS}")
    return Fleet(tuple(names), tuple(capacities)), tuple(free)


def _names(keys: dict[str, _Node]) -> list[str]:
    node = keys["name"]
    if not isinstance(node.value, str):
        raise node.wrong(f"must be a text, not {_kind(node.value)}")
    check_worker_name(node.value, node.path)
    if "count" not in keys:
        return [node.value]
    return [f"{node.value}-{number}" for number in range(1, _integer(keys, "count", 1, MAX_WORKERS, 1) + 1)]


def _capacity(keys: dict[str, _Node]) -> Resources:
    cpu_milli = keys["cpus"].quantity(parse_cpus)
    slots = _integer(keys, "slots", 0, MAX_SLOTS, max(1, SLOTS_PER_CPU * cpu_milli // 1000))
    return Resources(cpu_milli, keys["memory"].quantity(parse_memory), slots)


def _left(node: _Node, capacity: Resources) -> Resources:
    keys = node.members(optional=("cpus", "memory", "slots"))
    left = Resources(
        _quantity(keys, "cpus", parse_cpus, capacity.cpu_milli),
        _quantity(keys, "memory", parse_memory, capacity.memory_bytes),
        _integer(keys, "slots", 0, MAX_SLOTS, capacity.slots),
    )
    if not left.fits(capacity):
        raise node.wrong("is more than the worker has in all")
    return left


def _shapes(node: _Node) -> tuple[ShapeDemand, ...]:
    entries = [
        (item, item.members(optional=("cpus", "memory", "priority", "count", "ids"))) for item in node.items()
    ]
    taken = _given_ids(entries)
    unused = (number for number in count(1) if number not in taken)
    shapes = []
    tasks = 0
    for item, keys in entries:
        shapes.append(_shape(item, keys, unused))
        tasks += len(shapes[-1].task_ids)
        if tasks > MAX_TASKS:
            raise item.wrong(f"brings the tasks to more than {MAX_TASKS}")
    return tuple(sorted(shapes, key=lambda shape: -shape.priority))


def _given_ids(entries: list[tuple[_Node, dict[str, _Node]]]) -> set[int]:
    taken: dict[int, str] = {}
    for _, keys in entries:
        for node in keys["ids"].items() if "ids" in keys else []:
            number = node.integer(1, MAX_INT)
            if number in taken:
                raise node.wrong(f"task {number} is already there, from {taken[number]}")
            taken[number] = node.path
    return set(taken)


def _shape(item: _Node, keys: dict[str, _Node], unused: Iterator[int]) -> ShapeDemand:
    if "ids" in keys and "count" in keys:
        raise item.wrong("has both ids and count; give one of them")
    if "ids" in keys:
        ids = tuple(node.integer(1, MAX_INT) for node in keys["ids"].items())
    else:
        ids = tuple(islice(unused, _integer(keys, "count", 1, MAX_TASKS, 1)))
    request = Resources(
        _quantity(keys, "cpus", parse_cpus, DEFAULT_RESOURCES.cpu_milli),
        _quantity(keys, "memory", parse_memory, DEFAULT_RESOURCES.memory_bytes),
        slots=1,
    )
    return ShapeDemand(request, _integer(keys, "priority", 0, MAX_PRIORITY, DEFAULT_PRIORITY), ids)


def _integer(keys: dict[str, _Node], key: str, least: int, most: int, default: int) -> int:
    return keys[key].integer(least, most) if key in keys else default


def _quantity(keys: dict[str, _Node], key: str, parse: Callable[[str, str], int], default: int) -> int:
    return keys[key].quantity(parse) if key in keys else default


def _unknown(key: str, known: tuple[str, ...]) -> str:
    near = get_close_matches(key, known, n=1)
    return f"unknown key; did you mean {near[0]!r}?" if near else f"unknown key; known are {', '.join(known)}"


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
