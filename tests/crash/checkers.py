"""This module checks the invariants of a crash campaign: pure functions of acknowledgements, truth and stored rows.

The numbers I1 to I12 are those of the design's list of invariants. Each checker says how many things it looked
at, so that a campaign which checked nothing cannot pass.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from crash.truth import Span

FINAL = frozenset({"SUCCEEDED", "FAILED", "CANCELLED", "TIMED_OUT", "EXPIRED", "SKIPPED"})
LIVE = frozenset({"SCHEDULED", "STARTING", "RUNNING", "STOPPING"})
TICK_S = 0.01
LIVE_ATTEMPT = frozenset({"ASSIGNED", "STARTING", "RUNNING", "STOPPING"})


@dataclass(frozen=True, slots=True)
class Finding:
    """How many things were checked, and what was wrong."""

    checks: int = 0
    violations: tuple[str, ...] = ()

    def __add__(self, other: Finding) -> Finding:
        return Finding(self.checks + other.checks, self.violations + other.violations)


@dataclass(frozen=True, slots=True)
class Ack:
    """A submission that the master acknowledged."""

    request_id: str
    task_id: int
    spec: Hashable


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task as stored."""

    id: int
    spec: Hashable
    state: str
    token: int = 0
    outcome: str = ""
    is_array: bool = False  # it has elements in place of attempts


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """An attempt as stored."""

    task: int
    token: int
    state: str


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event as stored."""

    seq: int
    task: int
    state: str
    token: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the store held at one moment."""

    tasks: Mapping[int, TaskRow]
    attempts: Sequence[AttemptRow]
    events: Sequence[EventRow]


def acknowledged_is_there(acks: Iterable[Ack], tasks: Mapping[int, TaskRow], *, over: bool) -> Finding:
    """I1: every acknowledged submission is stored with the spec that was sent and, once all is `over`, final."""
    checks, wrong = 0, []
    for ack in acks:
        checks += 1
        task = tasks.get(ack.task_id)
        if task is None:
            wrong.append(f"I1: task {ack.task_id} was acknowledged and is not there")
        elif task.spec != ack.spec:
            wrong.append(f"I1: task {ack.task_id} is there with another spec")
        elif over and task.state not in FINAL:
            wrong.append(f"I1: task {ack.task_id} is {task.state} and should be over")
    return Finding(checks, tuple(wrong))


def ids_are_kept(acks: Iterable[Ack]) -> Finding:
    """I3: a request id has one task id however often it is sent, and no task id is given to two requests."""
    checks, wrong = 0, []
    by_request: dict[str, int] = {}
    by_task: dict[int, str] = {}
    for ack in acks:
        checks += 1
        if by_request.setdefault(ack.request_id, ack.task_id) != ack.task_id:
            wrong.append(
                f"I3: request {ack.request_id} is task {by_request[ack.request_id]} and {ack.task_id}"
            )
        if by_task.setdefault(ack.task_id, ack.request_id) != ack.request_id:
            wrong.append(
                f"I3: task id {ack.task_id} went to {by_task[ack.task_id]} and again to {ack.request_id}"
            )
    return Finding(checks, tuple(wrong))


def nothing_unasked(
    names: Iterable[str], sent: frozenset[str], spans: Iterable[Span], ids: frozenset[int]
) -> Finding:
    """I2: each stored name was sent, at most one task has it, and what ran is stored.

    `names` are those of all stored tasks; every submission of a campaign has a name of its own.
    """
    counted = Counter(names)
    ran = {span.task for span in spans}
    wrong = [f"I2: {name} is stored {count} times" for name, count in counted.items() if count > 1]
    wrong += [f"I2: {name} is stored and was never sent" for name in counted.keys() - sent]
    wrong += [f"I2: task {task} ran and is not stored" for task in sorted(ran - ids)]
    return Finding(len(counted) + len(ran), tuple(wrong))


def one_live(spans: Iterable[Span]) -> Finding:
    """I4: at most one attempt of a task lives at any instant; a sweep line over START to the last line."""
    finding, _ = overlaps(spans)
    return finding


def overlaps(spans: Iterable[Span]) -> tuple[Finding, float]:
    """I4 again, with the longest time in seconds that two attempts of one task lived at once."""
    checks, wrong, longest = 0, [], 0.0
    edges: dict[int, list[tuple[float, int, Span]]] = defaultdict(list)
    for span in spans:
        checks += 1
        end_s = max(span.end_s, span.start_s + 1e-6)  # one with a single line has lived, too
        edges[span.task] += [(span.start_s, 1, span), (end_s, -1, span)]
    for task, points in edges.items():
        living: set[Span] = set()
        since = 0.0
        for at, step, span in sorted(points, key=lambda point: (point[0], point[1])):
            if len(living) > 1:
                longest = max(longest, at - since)
            if step < 0:
                living.discard(span)
                continue
            if living:
                others = ", ".join(str(other.token) for other in living)
                wrong.append(f"I4: attempt {span.token} of task {task} began while {others} lived")
                since = at
            living.add(span)
    return Finding(checks, tuple(wrong)), longest


def never_more_at_once(spans: Sequence[Span], most: int) -> Finding:
    """At no moment more than `most` of them live, by their own lines."""
    moments = sorted([(s.start_s, 1) for s in spans] + [(s.end_s, -1) for s in spans])
    living = worst = 0
    for _, change in moments:
        living += change
        worst = max(worst, living)
    return Finding(len(spans), (f"{worst} ran at once, on {most} CPUs",) if worst > most else ())


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` elements of an array (0: any number) from `since_s` on; asked for at `asked_s`, boot clock."""

    since_s: float
    most: int
    asked_s: float = 0.0


def within_limits(spans: Sequence[Span], limits: Sequence[Limit]) -> Finding:
    """I10: none begins while as many live as the limit allows that is in force then, by their own lines.

    From the moment that a limit is asked for until it is in force, it or the one before may count. The kernel tells
    the moment of a start to a hundredth of a second.
    """
    wrong = []
    for span in spans:
        living = sum(other.start_s < span.start_s <= other.end_s for other in spans)
        asked = [limit for limit in limits if limit.asked_s <= span.start_s]
        known = [number for number, limit in enumerate(asked) if limit.since_s <= span.start_s - TICK_S]
        most = [limit.most for limit in asked[known[-1] :]]
        if 0 not in most and living >= max(most):
            wrong.append(
                f"I10: {span.task} began at {span.start_s:.6f} while {living} lived, {max(most)} may"
            )
    return Finding(len(spans), tuple(wrong))


def tokens_grow(events: Sequence[EventRow], spans: Iterable[Span]) -> Finding:
    """I7: tokens of a task never go back, no token starts two processes, and a later start has a higher token."""
    checks, wrong = 0, []
    latest: dict[int, int] = {}
    for event in sorted(events, key=lambda event: event.seq):
        checks += 1
        if event.token < latest.get(event.task, 0):
            wrong.append(f"I7: event {event.seq} of task {event.task} goes back to token {event.token}")
        latest[event.task] = max(event.token, latest.get(event.task, 0))
    ran: dict[int, int] = {}
    for span in sorted(spans, key=lambda span: span.start_s):
        checks += 1
        if span.token <= ran.get(span.task, 0):
            wrong.append(f"I7: task {span.task} started token {span.token} after {ran[span.task]}")
        ran[span.task] = max(span.token, ran.get(span.task, 0))
    return Finding(checks, tuple(wrong))


def finals_stay(events: Sequence[EventRow], snapshots: Sequence[Snapshot]) -> Finding:
    """I6: after a final state a task has no event, and a task once final is the same in every later snapshot."""
    checks, wrong = 0, []
    final: dict[int, str] = {}
    for event in sorted(events, key=lambda event: event.seq):
        checks += 1
        if event.task in final:
            wrong.append(f"I6: task {event.task} was {final[event.task]} and then {event.state}")
        if event.state in FINAL:
            final[event.task] = event.state
    for earlier, later in pairwise(snapshots):
        for task in earlier.tasks.values():
            if task.state in FINAL:
                checks += 1
                if later.tasks.get(task.id) != task:
                    wrong.append(f"I6: task {task.id} was {task.state} and is now {later.tasks.get(task.id)}")
    return Finding(checks, tuple(wrong))


def conserved(snapshot: Snapshot) -> Finding:
    """I12: every task is waiting, live with exactly its newest attempt live, or final with none; events agree."""
    wrong = []
    living: dict[int, list[int]] = defaultdict(list)
    newest: dict[int, int] = {}
    for attempt in snapshot.attempts:
        newest[attempt.task] = max(attempt.token, newest.get(attempt.task, 0))
        if attempt.state in LIVE_ATTEMPT:
            living[attempt.task].append(attempt.token)
    told = {event.task: event.state for event in sorted(snapshot.events, key=lambda event: event.seq)}
    for task in snapshot.tasks.values():
        expected = [task.token] if task.state in LIVE and not task.is_array else []
        if living[task.id] != expected:
            wrong.append(f"I12: task {task.id} is {task.state} and its live attempts are {living[task.id]}")
        if newest.get(task.id, 0) != task.token:
            wrong.append(
                f"I12: task {task.id} has token {task.token}, its attempts go to {newest.get(task.id)}"
            )
        if told.get(task.id) != task.state:
            wrong.append(f"I12: task {task.id} is {task.state}, its last event says {told.get(task.id)}")
    wrong += [
        f"I12: task {task} has attempts and is not there" for task in newest if task not in snapshot.tasks
    ]
    gaps = [b.seq for a, b in pairwise(sorted(snapshot.events, key=lambda e: e.seq)) if b.seq != a.seq + 1]
    wrong += [f"I12: no event comes right before {seq}" for seq in gaps]
    return Finding(len(snapshot.tasks), tuple(wrong))


def codes_kept(expected: Mapping[int, int], found: Mapping[int, int | None]) -> Finding:
    """Every task's exit code is the one that its program ended with."""
    wrong = [
        f"exit code of task {task} is {found.get(task)}, its program ended with {code}"
        for task, code in expected.items()
        if found.get(task) != code
    ]
    return Finding(len(expected), tuple(wrong))
