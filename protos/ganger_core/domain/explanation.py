"""This module says what the explanation of a task is: why it waits, or why it is where it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ganger_core.domain.resources import Resources
from ganger_core.domain.states import WorkerState
from ganger_core.domain.task import Attempt, Task

NOTHING = Resources()


class Verdict(StrEnum):
    """What one worker means for a task that waits."""

    ROOM = "ROOM"  # it has room for it now
    BUSY = "BUSY"  # it would fit were the worker idle
    RESTING = "RESTING"  # it refused what it was given last, and is asked again later
    LATE = "LATE"  # its heartbeat is overdue: it gets no new work
    CORDONED = "CORDONED"  # an operator wants it to get no new work
    DRAINING = "DRAINING"  # the same, and it is to be empty: an operator or its own daemon wants that
    LOST = "LOST"  # silent for too long
    TOO_LARGE = "TOO_LARGE"  # the task asks for more than the worker has in all


class CauseCode(StrEnum):
    """What keeps a task waiting."""

    HELD = "HELD"  # somebody holds it
    NOT_BEFORE = "NOT_BEFORE"  # it is to start later
    DEPENDENCY = "DEPENDENCY"  # what it is to run after has not come yet
    BACKOFF = "BACKOFF"  # it failed, and pauses before it is tried again
    ARRAY_LIMIT = "ARRAY_LIMIT"  # its array runs as many elements as it may
    RESTORED = "RESTORED"  # after a restore nothing is assigned yet
    NO_WORKER = "NO_WORKER"  # there is none at all
    INFEASIBLE = "INFEASIBLE"  # it asks for more than any worker has
    WORKERS_AWAY = "WORKERS_AWAY"  # those that could run it take no work now
    NO_ROOM = "NO_ROOM"  # those that could run it have no room
    RANK = "RANK"  # there is room, which goes to others first
    NEXT_PLAN = "NEXT_PLAN"  # there is room: the next plan places it


class AheadWhy(StrEnum):
    """Why others come first."""

    HIGHER = "HIGHER"  # their priority is higher
    OLDER = "OLDER"  # the same priority, submitted before
    AGED = "AGED"  # a lower priority, to which long waiting has added


class ChangeKind(StrEnum):
    """What could be changed so that a task starts."""

    REQUEST = "REQUEST"  # submitted again, it asks for `amounts`
    PRIORITY = "PRIORITY"  # its priority is `number`
    MAX_PARALLEL = "MAX_PARALLEL"  # its array may run `number` at the same time
    NEW_WORKER = "NEW_WORKER"  # a worker with `amounts` joins
    RELEASE = "RELEASE"  # the task or array `number` is released
    RESUME_WORKER = "RESUME_WORKER"  # an operator puts the worker `name` back into service
    WORKER_BACK = "WORKER_BACK"  # the worker `name` takes work again


class IfLost(StrEnum):
    """What becomes of a live task when its worker is lost."""

    REQUEUE = "REQUEUE"  # it waits again, once its lease is over
    WAIT = "WAIT"  # it stays with the worker until that returns or is fenced
    FAIL = "FAIL"  # it fails, as it was asked
    CRASHED_TOO_OFTEN = "CRASHED_TOO_OFTEN"  # it fails, because it was lost too often while it ran
    CANCELLED = "CANCELLED"  # it is being stopped, and is cancelled then


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that keeps a task waiting. `text` says it to people; `until_ms` is when it ends, 0 for unknown."""

    code: CauseCode
    text: str
    until_ms: int = 0


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds what a task lacks: one task, or several elements of one array, on one worker.

    `since_ms` is when the first of them was started, or assigned. `until_ms` is when the last must be over because of
    its run limit, 0 where one has none.
    """

    label: str
    name: str
    tasks: int
    held: Resources
    worker: str
    since_ms: int
    until_ms: int = 0


@dataclass(frozen=True, slots=True)
class WorkerGroup:
    """Workers that mean the same for a task, for the same reasons.

    `names` are the first few of the `workers`. `capacity`, `free` and what is short are those of the `nearest`: of its
    capacity if that is too small, else of what is free. `holders` hold what is short on the nearest, largest first, and
    `more_holders` further ones do. `silent_s` is how long the longest silent of them gave no sign, `rests_s` for how
    long the first of them gets nothing new. `words` are those in which it refused what it was given, or which say who
    took it out of service; that was at `since_ms`.
    """

    verdicts: tuple[Verdict, ...]
    workers: int
    names: tuple[str, ...]
    nearest: str
    capacity: Resources
    free: Resources
    shortage: Resources
    holders: tuple[Holder, ...] = ()
    more_holders: int = 0
    silent_s: float = 0.0
    rests_s: float = 0.0
    words: str = ""
    since_ms: int = 0


@dataclass(frozen=True, slots=True)
class AheadGroup:
    """Tasks that come first and are alike in what they ask for and their priority; `label` is the first of them."""

    tasks: int
    label: str
    name: str
    array_id: int
    priority: int
    request: Resources
    why: AheadWhy


@dataclass(frozen=True, slots=True)
class NextUp:
    """A task that has a place already: it starts on `worker` as soon as `behind` is over."""

    label: str
    worker: str
    behind: str


@dataclass(frozen=True, slots=True)
class Line:
    """Where a task stands among the `waiting` that may be planned: so many come first, the first few groups of them.

    `next_up` are some of those that wait on workers behind others of their kind, `behind` is how many there are.
    """

    waiting: int
    ahead: int
    groups: tuple[AheadGroup, ...] = ()
    next_up: tuple[NextUp, ...] = ()
    behind: int = 0


@dataclass(frozen=True, slots=True)
class PlanWord:
    """What the last plan was that looked at a task's like, and what it said.

    Plans are numbered from the start of the master. `by` is who made it, empty when nothing could be decided;
    `why_not_planner` why not the planner. Of the `asked` tasks like this one it `placed` so many; `said` is its reason
    for the rest.
    """

    number: int
    at_ms: int
    by: str
    why_not_planner: str
    stage: str
    took_ms: float
    asked: int
    placed: int
    said: str


@dataclass(frozen=True, slots=True)
class Start:
    """When a waiting task starts at the latest, so far as that is certain; 0 for unknown, with the reason why."""

    by_ms: int
    why: str


@dataclass(frozen=True, slots=True)
class Change:
    """One thing to change; see `ChangeKind` for what its fields mean."""

    kind: ChangeKind
    number: int = 0
    name: str = ""
    amounts: Resources = NOTHING


@dataclass(frozen=True, slots=True)
class Remedy:
    """Changes that together let a task start now: first-fit, asked on the present state with them, places it."""

    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a task waits. `label` names it: of an array this is the element that is next."""

    label: str
    request: Resources
    causes: tuple[Cause, ...]
    groups: tuple[WorkerGroup, ...]
    line: Line
    start: Start
    remedies: tuple[Remedy, ...] = ()
    plan: PlanWord | None = None


@dataclass(frozen=True, slots=True)
class Living:
    """Why a live task is where it is, as far as that is known.

    `worker` is how its worker stands, None for one that is not known any more. `lease_s` is what is left of its lease
    without a further heartbeat, None without a lease. `behind` is who it waits behind now, `went_behind` whom it took
    the place of. `waited_for` is what the last plan before it was placed said.
    """

    worker: WorkerState | None
    silent_s: float
    lease_s: float | None
    if_lost: IfLost
    behind: str = ""
    went_behind: str = ""
    waited_for: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that is known of why a task stands as it does, at `now_ms` (Unix) by the master's clock.

    `attempts` go from the first to the newest. `waiting` is there for a task that waits, and for an array of which some
    elements do; `living` for one that is neither waiting nor over.
    """

    task: Task
    attempts: tuple[Attempt, ...]
    now_ms: int
    waiting: Waiting | None = None
    living: Living | None = None
