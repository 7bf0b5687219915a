"""This module shows a plan to people, as a table of at most 100 columns, and to programs, as JSON (docs/planner.md)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from textwrap import TextWrapper

from ganger_core.domain.plan import GroupRefusal, Plan, Refusal, RefusalCode, Snapshot
from ganger_core.domain.resources import Resources

WIDTH = 100
JSON_VERSION = 1
_NAME_WIDTH = 32
_UNITS = (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10), ("B", 1))


def as_json(snapshot: Snapshot, plan: Plan) -> str:
    """The plan as one line of JSON; workers by name, memory in bytes."""
    document = {
        "version": JSON_VERSION,
        "assignments": [
            {"worker": snapshot.fleet.worker_ids[worker], "tasks": tasks}
            for worker, tasks in _by_worker(plan).items()
        ],
        "refusals": [_refusal_json(snapshot, refusal) for refusal in plan.refusals],
        "value": plan.value,
        "upper_bound": plan.upper_bound,
        "gap": plan.gap,
        "stage": plan.stage,
        "work_units": plan.work_units,
        "seed": plan.seed,
        "snapshot_digest": plan.snapshot_digest,
    }
    return json.dumps(document) + "\n"


def as_table(snapshot: Snapshot, plan: Plan) -> str:
    """The plan for a terminal: what each worker gets, what got none and why, and how good the plan is."""
    lines = [
        *_assignment_lines(snapshot, plan),
        *_refusal_lines(snapshot, plan),
        "",
        *_wrapped(_summary(plan), ""),
    ]
    return "".join(f"{line}\n" for line in lines)


def _by_worker(plan: Plan) -> dict[int, list[int]]:
    tasks: dict[int, list[int]] = {}
    for assignment in plan.assignments:
        tasks.setdefault(assignment.worker, []).append(assignment.task_id)
    return dict(sorted(tasks.items()))


def _unplaced(snapshot: Snapshot, refusal: Refusal) -> tuple[int, ...]:
    return snapshot.shapes[refusal.shape].task_ids[-refusal.count :]


def _refusal_json(snapshot: Snapshot, refusal: Refusal) -> dict[str, object]:
    shape = snapshot.shapes[refusal.shape]
    return {
        "tasks": list(_unplaced(snapshot, refusal)),
        "priority": shape.priority,
        "request": _amounts_json(shape.request),
        "groups": [
            {
                "workers": group.workers,
                "capacity": _amounts_json(group.capacity),
                "code": group.code.value,
                "shortage": _amounts_json(group.shortage),
            }
            for group in refusal.groups
        ],
    }


def _amounts_json(amounts: Resources) -> dict[str, float]:
    return {"cpus": amounts.cpu_milli / 1000, "memory": amounts.memory_bytes, "slots": amounts.slots}


def _assignment_lines(snapshot: Snapshot, plan: Plan) -> list[str]:
    by_worker = _by_worker(plan)
    if not by_worker:
        return ["No task gets a worker."]
    names = {worker: _short_name(snapshot.fleet.worker_ids[worker]) for worker in by_worker}
    width = max(len("WORKER"), *map(len, names.values()))
    lines = [f"{'WORKER':{width}}  {'GETS':>7}  TASKS"]
    for worker, tasks in by_worker.items():
        head = f"{names[worker]:{width}}  {len(tasks):>7}  "
        lines.append(head + _short(_ranges(tasks), WIDTH - len(head)))
    return lines


def _refusal_lines(snapshot: Snapshot, plan: Plan) -> list[str]:
    lines: list[str] = []
    for refusal in plan.refusals:
        shape = snapshot.shapes[refusal.shape]
        ids = _short(_ranges(_unplaced(snapshot, refusal)), WIDTH // 3)
        tasks = f"{_counted(refusal.count, 'task')} {ids}"
        head = f"not placed: {tasks}, priority {shape.priority}, asking for {_amounts(shape.request, slots=False)}"
        reasons = [_reason(group) for group in refusal.groups] or ["there is no worker"]
        lines += [
            "",
            *_wrapped(head, "  "),
            *(line for reason in reasons for line in _wrapped(reason, "    ", "  - ")),
        ]
    return lines


def _reason(group: GroupRefusal) -> str:
    who = f"{_counted(group.workers, 'worker')} with {_amounts(group.capacity)}"
    short = _amounts(group.shortage)
    if group.code is RefusalCode.TOO_LARGE:
        return f"{who}: too small even when idle, short of {short}"
    if group.workers == 1:
        return f"{who}: busy, short of {short}"
    return f"{who}: busy, the nearest is short of {short}"


def _summary(plan: Plan) -> str:
    best = ": no plan is worth more" if plan.value == plan.upper_bound else ""
    return (
        f"value {plan.value} of at most {plan.upper_bound}, gap {100 * plan.gap:.2f} %{best} "
        f"({plan.stage}, {_counted(plan.work_units, 'work unit')}, seed {plan.seed})"
    )


def _amounts(value: Resources, *, slots: bool = True) -> str:
    words = []
    if value.cpu_milli:
        words.append(f"{value.cpu_milli / 1000:g} CPU{'' if value.cpu_milli == 1000 else 's'}")
    if value.memory_bytes:
        words.append(_bytes(value.memory_bytes))
    if value.slots and slots:
        words.append(_counted(value.slots, "slot"))
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words) or "nothing"


def _bytes(size: int) -> str:
    name, unit = next((name, unit) for name, unit in _UNITS if size >= unit)
    return f"{size / unit:.4g}{name}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _ranges(ids: Iterable[int]) -> str:
    """Ids in order, runs drawn together: `1-3,7`."""
    runs: list[list[int]] = []
    for number in sorted(ids):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(f"{first}" if first == last else f"{first}-{last}" for first, last in runs)


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _short_name(name: str) -> str:
    """Names differ at the end, so the middle goes."""
    half = _NAME_WIDTH // 2
    return name if len(name) <= _NAME_WIDTH else f"{name[: half - 1]}…{name[-half:]}"


def _wrapped(text: str, indent: str, first: str = "") -> Sequence[str]:
    return TextWrapper(WIDTH, initial_indent=first, subsequent_indent=indent).wrap(text)
