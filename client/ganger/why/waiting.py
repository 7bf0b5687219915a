"""This module says why a task waits: what keeps it, who holds what it lacks, who comes first, what would help. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ganger.layout import cell_width, clean, cpus, cut, duration, size
from ganger.why.amounts import Moments, amounts, called, listed, plural, request_amounts
from ganger_core.domain.explanation import (
    AheadGroup,
    AheadWhy,
    CauseCode,
    Change,
    ChangeKind,
    Holder,
    Line,
    PlanWord,
    Remedy,
    Verdict,
    Waiting,
    WorkerGroup,
)
from ganger_core.domain.task import Task

_WIDEST_NAMES = 28
_WIDEST_NEAREST = 12


def waiting_lines(task: Task, waiting: Waiting, moments: Moments, *, began: bool = False) -> Iterator[str]:
    """All that there is to say, line by line; `began` is whether it has run before."""
    whole = " on one worker" if waiting.groups else ""
    if task.array is None:
        yield f"Needs {request_amounts(waiting.request)}{whole}."
    else:
        yield f"Each element needs {request_amounts(waiting.request)}{whole}; {waiting.label} is the next."
    for cause in waiting.causes:
        ends = f" (until {moments.clock(cause.until_ms)})" if cause.until_ms else ""
        yield f"  - {clean(cause.text)}{ends}"
    yield from _group_lines(waiting.groups, moments)
    yield _line(waiting.line)
    for next_ in waiting.line.next_up:
        yield f"  {next_.label} is next on {clean(next_.worker)}, behind {next_.behind}"
    limited = any(cause.code is CauseCode.ARRAY_LIMIT for cause in waiting.causes)
    if waiting.plan is not None and (waiting.plan.said or not limited):
        yield plan_line(waiting.plan, moments)
    yield start_line(waiting, moments)
    yield from _given_up(task, moments, began)
    if waiting.remedies:
        said = [remedy_words(remedy, task) for remedy in waiting.remedies]
        yield f"Would start now with: {'  |  '.join(said)}"


def _group_lines(groups: Sequence[WorkerGroup], moments: Moments) -> Iterator[str]:
    rows = [(_names(group), _has(group), group) for group in groups]
    wide = [max((cell_width(row[column]) for row in rows), default=0) for column in (0, 1)]  # type: ignore[arg-type]
    for names, has, group in rows:
        yield f"  {_padded(names, wide[0])}  {_padded(has, wide[1])}  {verdict_words(group, moments)}"
        for holder in group.holders:
            yield f"      {holder_words(holder, moments, named=group.workers > 1)}"
        if group.more_holders:
            yield f"      and {group.more_holders} more"


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_width(text))


def _names(group: WorkerGroup) -> str:
    shown = ", ".join(map(clean, group.names))
    if group.workers == len(group.names):
        if cell_width(shown) <= _WIDEST_NAMES:
            return shown
    elif cell_width(shown) > _WIDEST_NAMES - 9:
        shown = clean(group.nearest)
    left = group.workers - (len(group.names) if ", " in shown else 1)
    if cell_width(shown) > _WIDEST_NAMES - 9:
        shown, left = cut(clean(group.nearest), _WIDEST_NAMES - 9), group.workers - 1
    return f"{shown} +{left}" if left else shown


def _has(group: WorkerGroup) -> str:
    """What the nearest of them has in all, and how much of that is free; its name, where there are others."""
    has, free = group.capacity, group.free
    memory = f" {size(has.memory_bytes)}" if has.memory_bytes else ""
    left = f"{cpus(max(0, free.cpu_milli))} CPU"
    if has.memory_bytes:
        left += f" {size(max(0, free.memory_bytes)) if free.memory_bytes > 0 else '0B'}"
    where = f" on {cut(clean(group.nearest), _WIDEST_NEAREST)}" if group.workers > 1 else ""
    return f"{cpus(has.cpu_milli)} CPU{memory}, free {left}{where}"


def verdict_words(group: WorkerGroup, moments: Moments) -> str:
    """All that these workers mean for the task."""
    several = group.workers > 1
    least = "at least " if several else ""
    words = []
    for verdict in group.verdicts:
        match verdict:
            case Verdict.ROOM:
                words.append("has room for it" if not several else "have room for it")
            case Verdict.BUSY:
                words.append(f"{least}{amounts(group.shortage)} short")
            case Verdict.TOO_LARGE:
                words.append(f"too small: {least}{amounts(group.shortage)} short even when idle")
            case Verdict.RESTING:
                why = f": {clean(group.words)}" if group.words else ""
                words.append(
                    f"rests for {duration(group.rests_s)}, because it refused what it was given{why}"
                )
            case Verdict.LATE:
                words.append(f"late: silent for {duration(group.silent_s)}, gets no new work")
            case Verdict.DRAINING if not group.since_ms:
                words.append("draining: its daemon was told to end, and finishes what it has")
            case Verdict.CORDONED | Verdict.DRAINING:
                words.append(f"excluded: {clean(group.words)}, since {moments.clock(group.since_ms)}")
            case Verdict.LOST:
                words.append(f"lost: silent for {duration(group.silent_s)}")
    return "; ".join(words)


def holder_words(holder: Holder, moments: Moments, *, named: bool) -> str:
    """Who holds how much, since when, and by when it must be over; `named` says on which worker."""
    who = called(holder.label, holder.name)
    if holder.tasks > 1:
        who = f"{holder.tasks} elements of array {who}"
    where = f" on {clean(holder.worker)}" if named else ""
    ends = f", over by {moments.clock(holder.until_ms)}: run limit" if holder.until_ms else ""
    held = request_amounts(holder.held)
    held = plural(holder.held.slots, "slot") if held == "nothing" else held
    return f"{who} hold{'s' if holder.tasks == 1 else ''} {held}{where} since {moments.clock(holder.since_ms)}{ends}"


def _line(line: Line) -> str:
    if not line.ahead:
        others = line.waiting - 1
        rest = f" of {line.waiting} that wait" if others > 0 else ", and nothing else waits"
        return f"Nothing comes before it: it is the first{rest}."
    said = [ahead_words(group) for group in line.groups]
    left = line.ahead - sum(group.tasks for group in line.groups)
    if left > 0:
        said.append(plural(left, "other"))
    return f"Before it: {listed(said)}; it is number {line.ahead + 1} of {line.waiting} that wait."


def ahead_words(group: AheadGroup) -> str:
    """Who comes first and why: 33 elements of array 42 (older)."""
    who = called(group.label, group.name)
    if group.array_id:
        array = called(str(group.array_id), group.name)
        who = f"{plural(group.tasks, 'element')} of array {array}"
    elif group.tasks > 1:
        who += f" and {group.tasks - 1} like it"
    why = {
        AheadWhy.HIGHER: f"priority {group.priority}",
        AheadWhy.OLDER: "same priority, older",
        AheadWhy.AGED: f"priority {group.priority}, raised by waiting",
    }
    return f"{who} ({why[group.why]})"


def plan_line(plan: PlanWord, moments: Moments) -> str:
    """What the last plan was, and what it said."""
    head = f"Plan {plan.number}, {moments.since(plan.at_ms)} ago"
    if not plan.by:
        return f"{head}, without asking the planner: {clean(plan.said) or 'nothing fitted anywhere'}."
    head += " by the planner" if plan.by == "planner" else f" by {clean(plan.by)}"
    if plan.stage and plan.stage != plan.by:
        head += f" ({clean(plan.stage)})"
    head += f" in {plan.took_ms:.3g} ms"
    if plan.why_not_planner:
        head += f", because the planner could not: {clean(plan.why_not_planner)}"
    if not plan.said:
        return f"{head}, has not come to this task yet."
    placed = f" placed {plan.placed} of {plan.asked} like it and" if plan.placed else ""
    return f"{head},{placed} left it out: {clean(plan.said)}."


def start_line(waiting: Waiting, moments: Moments) -> str:
    """When it starts at the latest, where that is known."""
    start = waiting.start
    if not start.by_ms:
        return f"Start: unknown ({clean(start.why)})."
    when = f"{moments.clock(start.by_ms)}, in {moments.until(start.by_ms)}"
    return f"Start: by {when}, unless something of a higher rank comes ({clean(start.why)})."


def _given_up(task: Task, moments: Moments, began: bool) -> Iterator[str]:
    """When it is given up, because it has waited too long or its deadline is too near."""
    limits, at_ms = task.spec.limits, []
    if limits.queue_s and not began:
        at_ms.append((task.submitted_ms + round(1000 * limits.queue_s), "its queue limit"))
    if task.spec.deadline_ms:
        at_ms.append((task.spec.deadline_ms - round(1000 * limits.run_s), "its deadline"))
    if at_ms:
        until_ms, why = min(at_ms)
        yield f"It is given up unless it starts by {moments.clock(until_ms)}: {why}."


def remedy_words(remedy: Remedy, task: Task) -> str:
    """What to do, as commands where there are some."""
    return " and ".join([change_words(change, task) for change in remedy.changes])


def change_words(change: Change, task: Task) -> str:
    """One change, as one would carry it out."""
    target = task.array_id or task.id
    match change.kind:
        case ChangeKind.REQUEST:
            flags = ["submitted again with"]
            if change.amounts.cpu_milli != task.spec.resources.cpu_milli:
                flags.append(f"--cpus {cpus(change.amounts.cpu_milli)}")
            if change.amounts.memory_bytes != task.spec.resources.memory_bytes:
                flags.append(f"--mem {_memory_flag(change.amounts.memory_bytes)}")
            return " ".join(flags)
        case ChangeKind.PRIORITY:
            return f"priority > {change.number - 1} (ganger update {target} --priority {change.number})"
        case ChangeKind.MAX_PARALLEL:
            return f"ganger update {target} --max-parallel {change.number}"
        case ChangeKind.NEW_WORKER:
            slots = change.amounts.slots if change.amounts.slots > 1 else 0
            return f"ganger worker start (with {amounts(change.amounts._replace(slots=slots))} or more)"
        case ChangeKind.WORKER_BACK:
            return f"{clean(change.name)} taking work again"
        case ChangeKind.RESUME_WORKER:
            return f"ganger worker resume {clean(change.name)}"
        case ChangeKind.RELEASE:
            return f"ganger release {change.number if change.number == task.array_id else task.label}"


def _memory_flag(amount: int) -> str:
    """As `--mem` takes it, and exactly."""
    for unit, power in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if amount and amount % 2**power == 0:
            return f"{amount >> power}{unit}"
    return str(amount)
