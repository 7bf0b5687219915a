"""This module puts into words why a task waits. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from ganger_core.domain.dependency import DependencyKind
from ganger_core.domain.placement import explain_refusal
from ganger_core.domain.plan import Fleet, GroupRefusal, RefusalCode
from ganger_core.domain.resources import KINDS, Resources
from ganger_core.domain.task import OutcomeKind, Task
from ganger_core.domain.waits import Waits
from ganger_master.plan_notes import PlanNote

NO_WORKER = "no worker is connected"
RESTORED = "the database was restored from a backup: waits until whatever was started since must have ended"
_UNITS = (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10), ("B", 1))


@dataclass(frozen=True, slots=True)
class Excluded:
    """A worker that is there and gets no new work, and why, as words that follow its name."""

    name: str
    capacity: Resources
    why: str


@dataclass(frozen=True)
class Nobody:
    """Why nothing could be planned, in words (`str`)."""

    words: str
    plan: PlanNote

    def __str__(self) -> str:
        return self.words


@dataclass(frozen=True)
class Refused:
    """Why the plan left tasks out, in words (`str`) for whoever asks: most reasons are outdated before anybody does.

    It was `asked` about so many tasks, and placed the others.
    """

    request: Resources
    groups: Sequence[GroupRefusal]
    plan: PlanNote
    asked: int
    left: int
    excluded: Sequence[Excluded] = ()

    def __str__(self) -> str:
        return self._text

    @cached_property
    def _text(self) -> str:
        return why_refused(self.request, self.groups, self.excluded)


@dataclass(frozen=True)
class NoRoom:
    """Why tasks wait that fit nowhere, in words (`str`): `free[i]` is what worker i of the fleet has left."""

    request: Resources
    fleet: Fleet
    free: Sequence[Resources]
    plan: PlanNote
    excluded: Sequence[Excluded] = ()

    def __str__(self) -> str:
        return self._text

    @cached_property
    def _text(self) -> str:
        groups = explain_refusal(self.request, self.fleet, self.free)
        return why_refused(self.request, groups, self.excluded)


Reason = Nobody | Refused | NoRoom
"""What a plan leaves tasks out for."""


def why_refused(request: Resources, groups: Sequence[GroupRefusal], excluded: Sequence[Excluded] = ()) -> str:
    """A sentence from the reasons of every group of workers, and who is `excluded` though it is large enough."""
    shut = why_excluded([each for each in excluded if request.fits(each.capacity)])
    said = _why_refused(request, groups)
    return f"{said}; {shut}" if shut else said


def _why_refused(request: Resources, groups: Sequence[GroupRefusal]) -> str:
    busy = [group for group in groups if group.code is RefusalCode.BUSY]
    small = [group for group in groups if group.code is RefusalCode.TOO_LARGE]
    if not groups:
        return NO_WORKER
    if not busy:
        nearest = min(small, key=lambda group: group.shortage.amounts())
        return (
            f"asks for more than any worker has: needs {amounts(request._replace(slots=0))}; the nearest is short of "
            f"{amounts(nearest.shortage)}"
        )
    nearest = min(busy, key=lambda group: group.shortage.amounts())
    workers = sum(group.workers for group in busy)
    text = f"waiting for capacity: {workers} worker{'s' if workers > 1 else ''} could run it, the nearest is short of "
    text += amounts(nearest.shortage)
    if small:
        others = sum(group.workers for group in small)
        text += f"; {others} other{'s are' if others > 1 else ' is'} too small"
    return text


def why_excluded(excluded: Sequence[Excluded]) -> str:
    """That these get no new work, by the name and the reason of the first; empty for none."""
    if not excluded:
        return ""
    first, others = excluded[0], len(excluded) - 1
    also = f" and {others} other{'s' if others > 1 else ''}" if others else ""
    return f"{first.name}{also} {'are' if others else 'is'} excluded: {first.why}"


def why_none(resting: Sequence[tuple[str, str]], excluded: Sequence[Excluded] = ()) -> str:
    """A sentence for when no worker may get work; `resting` are those that refused attempts, each with its words."""
    shut = why_excluded(excluded)
    if not resting:
        return f"no worker takes new work: {shut}" if shut else NO_WORKER
    (name, words), others = resting[0], len(resting) - 1
    also = f", and {others} other{'s' if others > 1 else ''} too," if others else ""
    return (
        f"worker {name}{also} refused what it was given last and is asked again within a minute: {words}"
        + (f"; {shut}" if shut else "")
    )


def why_aside(own: Waits, arrays: Waits, standing: Callable[[int], str] = lambda _: "") -> str:
    """What a task waits for beside capacity, by itself or with its array; empty for nothing.

    `standing` gives what to say of a task that it waits for, such as `41 (RUNNING)`.
    """
    for waits in (own, arrays):
        if waits.held_by:
            return f"held by {waits.held_by}: `ganger release` lets it go on"
    # What its array waits for element by element, it waits for by itself.
    whole = tuple([each for each in (*own.after, *arrays.after) if each.kind is not DependencyKind.EACH])
    after = whole or own.after
    if after:
        others = len(after) - 1
        also = f" and {others} other{'s' if others > 1 else ''}" if others else ""
        return f"waits for {standing(after[0].task_id) or after[0].task_id}{also}"
    until_ms = max(own.until_ms, arrays.until_ms)
    if own.pause_s:
        return f"failed and is tried again after {own.pause_s:.3g} s"
    if not until_ms:
        return ""
    return f"not before {datetime.fromtimestamp(until_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def how_it_ended(task: Task) -> str:
    """How a task ended, as the end of a sentence that begins with its name."""
    outcome = task.outcome
    if task.array is not None or outcome is None:
        said = task.state.value.lower().replace("_", " ")
        return f"{said}: {outcome.message}" if outcome is not None and outcome.message else said
    match outcome.kind:
        case OutcomeKind.OK:
            return "succeeded"
        case OutcomeKind.EXIT_NONZERO:
            return f"failed with exit code {outcome.exit_code}"
        case OutcomeKind.SIGNALLED:
            return f"was killed by signal {outcome.signal}"
        case OutcomeKind.CANCELLED if outcome.message.startswith("cancelled"):
            return f"was {outcome.message}"
        case OutcomeKind.CANCELLED:
            return "was cancelled"
    said = outcome.kind.value.lower().replace("_", " ")
    return f"{said}: {outcome.message}" if outcome.message else said


def why_it_stays(worker: str, otherwise: str) -> str:
    """A sentence for a live task of a lost worker that no lease ends; `otherwise` is what there was to say before."""
    waits = f"waits for worker {worker}, which is lost, to return or to be fenced (`ganger worker fence {worker}`)"
    return f"{otherwise}; {waits}" if otherwise else waits


def amounts(value: Resources) -> str:
    """The non-zero amounts in words, for example `2 CPUs and 1.5GiB`."""
    words = [_WORDS[kind](amount) for kind, amount in zip(KINDS, value.amounts(), strict=True) if amount > 0]
    return " and ".join(words) or "nothing"


def _cpus(milli: int) -> str:
    return f"{milli / 1000:g} CPU{'' if milli == 1000 else 's'}"


def _memory(size: int) -> str:
    name, unit = next((name, unit) for name, unit in _UNITS if size >= unit)
    return f"{size / unit:.4g}{name}"


def _slots(count: int) -> str:
    return f"{count} slot{'' if count == 1 else 's'}"


_WORDS = {"cpu_milli": _cpus, "memory_bytes": _memory, "slots": _slots}
