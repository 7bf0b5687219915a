"""This module checks what concurrent clients saw of each task: is there one order of their calls that explains it?

A call takes effect at one moment between its beginning and its answer. `check` looks for an order of all calls of a
task that keeps to this and in which every answer is right (the search of Wing and Gong, with what was tried before
remembered). Between two calls the task may move by itself, as the transition table allows. A task is an object of its
own, so histories are small.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from math import inf

from ganger_core.domain.states import TASK_MOVES, TaskState

_P, _STOPPING, _CANCELLED = TaskState.PENDING, TaskState.STOPPING, TaskState.CANCELLED


@dataclass(frozen=True, slots=True)
class Read:
    """A read's answer."""

    state: TaskState
    version: int
    label: str


@dataclass(frozen=True, slots=True)
class Op:
    """One call: what was asked, when it began and was answered, and the answer.

    A submission's answer is its label (what the client named the task), a read's a `Read`, a cancel's the state. The
    answer is None for "no such task". A call that was never answered has `returned` inf and any answer.
    """

    kind: str  # submit, read or cancel
    called: float
    returned: float
    answer: str | Read | TaskState | None
    client: int = 0

    @property
    def is_open(self) -> bool:
        """Whether it was never answered: it may or may not have taken effect, at any time since."""
        return self.returned == inf


@dataclass(frozen=True, slots=True)
class Seen:
    """The task as the order so far shows it: it was in `state` at `version`, or at a later one that nobody saw."""

    state: TaskState
    version: int
    label: str


def check(history: Iterable[tuple[int, Op]]) -> list[str]:
    """What is wrong with a history of (task id, call): one sentence for each task that no order explains."""
    tasks: dict[int, list[Op]] = defaultdict(list)
    labels: dict[str, set[int]] = defaultdict(set)
    for task_id, op in history:
        tasks[task_id].append(op)
        if op.kind == "submit" and not op.is_open and isinstance(op.answer, str):
            labels[op.answer].add(task_id)
    wrong = [
        f"{label} was submitted once and became {sorted(ids)}"
        for label, ids in labels.items()
        if len(ids) > 1
    ]
    for task_id, ops in sorted(tasks.items()):
        if not explains(ops):
            wrong.append(f"no order explains task {task_id}: " + "; ".join(map(_told, shortest(ops))))
    return wrong


def explains(ops: Sequence[Op]) -> bool:
    """Whether some order of the calls is right."""
    ordered = sorted(ops, key=lambda op: op.called)
    tried: set[tuple[int, Seen | None]] = set()
    everything = sum(1 << number for number, op in enumerate(ordered) if not op.is_open)
    todo: list[tuple[int, Seen | None]] = [(0, None)]
    while todo:
        done, seen = todo.pop()
        if done & everything == everything:
            return True
        if (done, seen) in tried:
            continue
        tried.add((done, seen))
        left = [(number, op) for number, op in enumerate(ordered) if not done >> number & 1]
        first_answer = min(op.returned for _, op in left)
        for number, op in left:
            if op.called > first_answer:
                break  # another call was over before this one began
            todo += [(done | 1 << number, after) for after in _effects(op, seen)]
    return False


def shortest(ops: Sequence[Op]) -> list[Op]:
    """The fewest calls, from the first answer on, that no order explains: for whoever looks into it."""
    by_answer = sorted(ops, key=lambda op: op.returned)
    for count in range(1, len(by_answer) + 1):
        if not explains(by_answer[:count]):
            kept = by_answer[:count]
            for op in list(kept):
                without = [other for other in kept if other is not op]
                if op.kind != "submit" and not explains(without):
                    kept = without
            return sorted(kept, key=lambda op: op.called)
    return by_answer


def _effects(op: Op, seen: Seen | None) -> Iterator[Seen | None]:
    """What the task may look like after this call, if its answer is right here; nothing if it is not."""
    if op.is_open:
        yield seen
    if op.kind == "submit":
        label = op.answer if isinstance(op.answer, str) else ""
        if seen is None:
            yield Seen(_P, 1, label)
        elif seen.label == label:
            yield seen  # a repeated request
    elif op.kind == "read":
        yield from _read(op.answer, seen)
    elif op.kind == "cancel":
        answers = tuple(TaskState) if op.is_open else (op.answer,)
        for answer in answers:
            yield from _cancel(answer, seen)


def _read(answer: object, seen: Seen | None) -> Iterator[Seen | None]:
    if not isinstance(answer, Read) or seen is None:
        if answer is None and seen is None:
            yield None
        return
    steps = answer.version - seen.version
    if answer.label == seen.label and steps >= 0 and answer.state in reach(seen.state, steps):
        yield Seen(answer.state, answer.version, seen.label)


def _cancel(answer: object, seen: Seen | None) -> Iterator[Seen | None]:
    if not isinstance(answer, TaskState) or seen is None:
        if answer is None and seen is None:
            yield None
        return
    before = reach(seen.state, _FAR)
    if answer in before:  # it was that already: over, or stopping, or its last log bytes were on their way
        if answer is not _P:
            yield Seen(answer, seen.version + (answer is not seen.state), seen.label)
    elif answer is _CANCELLED and _P in before:
        yield Seen(_CANCELLED, seen.version + 1, seen.label)
    elif answer is _STOPPING and any(_STOPPING in TASK_MOVES[state].values() for state in before):
        yield Seen(_STOPPING, seen.version + 1, seen.label)


_FAR = 12


@cache
def reach(state: TaskState, steps: int) -> frozenset[TaskState]:
    """Where a task can get to by itself in up to `steps` versions: only a cancel begins to stop or ends what waits.

    Nobody drains workers meanwhile, so that what is being stopped does not wait again.
    """
    found = {state}
    for _ in range(min(steps, _FAR)):
        found |= {to for at in found for to in TASK_MOVES[at].values() if _may(at, to)}
    return frozenset(found)


def _may(at: TaskState, to: TaskState) -> bool:
    return to is not _P if at is _STOPPING else to not in (_STOPPING, _CANCELLED)


def _told(op: Op) -> str:
    match op.answer:
        case None:
            answer = "no such task"
        case Read(state, version):
            answer = f"{state} (version {version})"
        case other:
            answer = str(other)
    return f"[{op.called:.4f}, {op.returned:.4f}] client {op.client}: {op.kind} gave {answer}"
