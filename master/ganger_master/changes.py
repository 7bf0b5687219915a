"""This module holds what can be asked of the engine, and what a step gives back: new values and effects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ganger_core.domain.array import Array, Items
from ganger_core.domain.cordon import Cordon
from ganger_core.domain.published import Published
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import (
    Attempt,
    AttemptRef,
    Event,
    Order,
    Report,
    Task,
    TaskSpec,
    WorkerProfile,
)
from ganger_master.dependents import Due, Scan
from ganger_master.elements import ElementStates


@dataclass(frozen=True, slots=True)
class Request:
    """Makes a repeated call return the first one's answer: the caller, its request id, the digest of what it asked."""

    owner: str
    request_id: str
    digest: str


@dataclass(frozen=True, slots=True)
class Submit:
    """A user submits tasks, all or none. Answer: the first id.

    `known` are those that they are to run after, as far as these were found in the store.
    """

    request: Request
    specs: tuple[TaskSpec, ...]
    known: Mapping[int, Task] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SubmitArray:
    """A user submits an array; `items` are what its elements get, if anything. Answer: its id.

    `known` is as for `Submit`; of arrays among these that it waits for element by element, `states` are those of their
    elements.
    """

    request: Request
    spec: TaskSpec
    array: Array
    items: Items | None = None
    known: Mapping[int, Task] = field(default_factory=dict)
    states: Mapping[int, ElementStates] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Update:
    """A user changes a task: what is None stays. 0 stands for no limit, and for no deadline. Answer: its id.

    `max_parallel` is how many elements of an array may run at the same time.
    """

    request: Request
    task_id: int
    max_parallel: int | None = None
    held: bool | None = None
    priority: int | None = None
    run_s: float | None = None
    queue_s: float | None = None
    deadline_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """A user wants a task ended. Answer: the task's state right after.

    `ended` is the final state of a task that is in the store alone; it stays that, and the request is noted.
    `signal` (0: none named) and `grace_s` (None: none named) are how a live one is to be stopped.
    """

    request: Request
    task_id: int
    reason: str
    ended: TaskState | None = None
    signal: int = 0
    grace_s: float | None = None


@dataclass(frozen=True, slots=True)
class Expire:
    """A waiting task seems to have waited too long."""

    task_id: int


@dataclass(frozen=True, slots=True)
class Assign:
    """Admission accepted it: the task goes to the worker. Answer: the attempt, or None if it no longer waits.

    One that is `behind` has no capacity there yet, see `lanes`.
    """

    task_id: int
    worker_id: str
    worker_name: str
    planned_by: str
    behind: bool = False


@dataclass(frozen=True, slots=True)
class Withdraw:
    """An assignment that has not left the master is taken back."""

    ref: AttemptRef
    reason: str


@dataclass(frozen=True, slots=True)
class Told:
    """A worker's report. `log_complete` says that every byte of its streams is stored or rides in the report."""

    worker_id: str
    report: Report
    log_complete: bool


@dataclass(frozen=True, slots=True)
class SettleLog:
    """The rest of an ended attempt's log has arrived, or is given up (`incomplete`): its task becomes final."""

    ref: AttemptRef
    incomplete: bool


@dataclass(frozen=True, slots=True)
class Age:
    """An attempt seems to have run for so long that a silent worker must not cost it: its lease ends."""

    ref: AttemptRef


@dataclass(frozen=True, slots=True)
class Revoke:
    """An attempt that waits behind another is asked back, for this reason; the worker's answer decides."""

    ref: AttemptRef
    reason: str


@dataclass(frozen=True, slots=True)
class LoseAttempt:
    """An attempt's lease is over: its worker has ended it, or is gone. An `orderly` loss is nobody's crash."""

    ref: AttemptRef
    reason: str
    orderly: bool = False


@dataclass(frozen=True, slots=True)
class Fence:
    """An operator says that a worker's host is dead: `refs` is all that it had. Answer: how many were given up."""

    request: Request
    worker_id: str
    worker_name: str
    refs: tuple[AttemptRef, ...]


@dataclass(frozen=True, slots=True)
class SetCordon:
    """An operator wants these workers to get no new work, or (None) to have it again. Answer: the ids, by blanks."""

    request: Request
    worker_ids: tuple[str, ...]
    cordon: Cordon | None


@dataclass(frozen=True, slots=True)
class Evict:
    """An attempt must leave its worker, which should be empty by now: its task waits again, once it has ended."""

    ref: AttemptRef
    reason: str


@dataclass(frozen=True, slots=True)
class Register:
    """A worker registered."""

    profile: WorkerProfile


@dataclass(frozen=True, slots=True)
class Forget:
    """What is older than it is kept for: ended tasks with their attempts, requests (owner, id), events by number."""

    task_ids: tuple[int, ...] = ()
    requests: tuple[tuple[str, str], ...] = ()
    events_up_to: int = 0


@dataclass(frozen=True, slots=True)
class SettleRestore:
    """What a restored database could not know is over: the master works on as always."""


Command = (
    Submit
    | SubmitArray
    | Update
    | Cancel
    | Expire
    | Assign
    | Age
    | Revoke
    | Withdraw
    | Told
    | SettleLog
    | LoseAttempt
    | Fence
    | SetCordon
    | Evict
    | Register
    | Forget
    | SettleRestore
)
Answer = int | str | AttemptRef | None


@dataclass(frozen=True, slots=True)
class Enqueue:
    """The task waits (again), or for something else than before; of a new array, all elements do."""

    task: Task


@dataclass(frozen=True, slots=True)
class Dequeue:
    """The task waits no more."""

    task_id: int


@dataclass(frozen=True, slots=True)
class CloseArray:
    """What was never begun of the array waits no more."""

    array_id: int


@dataclass(frozen=True, slots=True)
class Limit:
    """How many elements of the array may run has changed."""

    array_id: int


@dataclass(frozen=True, slots=True)
class Reserve:
    """The attempt holds its task's request on its worker."""

    attempt: Attempt
    task: Task


@dataclass(frozen=True, slots=True)
class Release:
    """The attempt's capacity, if it had any, is free again."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class HandOver:
    """The attempt's capacity is that of another now, which was behind it."""

    attempt: Attempt
    to: Attempt


@dataclass(frozen=True, slots=True)
class Rest:
    """The worker gets nothing new for a while, because of what it refused."""

    worker_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Cordoned:
    """The worker gets nothing new by an operator's word, or (None) is free of that."""

    worker_id: str
    cordon: Cordon | None


@dataclass(frozen=True, slots=True)
class Relet:
    """The attempt's lease has another length from now on."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Tell:
    """The worker is to be told."""

    worker_id: str
    order: Order


Effect = (
    Enqueue | Dequeue | CloseArray | Limit | Reserve | Release | HandOver | Rest | Cordoned | Relet | Tell
)


@dataclass(frozen=True, slots=True)
class Answered:
    """A request with its answer, and the tasks that it is kept for."""

    request: Request
    answer: str
    at_ms: int
    first_task_id: int
    last_task_id: int


@dataclass(slots=True)
class Change:
    """What one step did: values to install and to store, and effects to carry out once they are."""

    tasks: list[Task] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    answered: list[Answered] = field(default_factory=list)
    workers: list[WorkerProfile] = field(default_factory=list)
    cordons: list[tuple[str, Cordon | None]] = field(default_factory=list)  # by worker id
    forgotten: list[Forget] = field(default_factory=list)
    restore_settled: list[SettleRestore] = field(default_factory=list)
    items: list[Items] = field(default_factory=list)  # of new arrays
    respecified: list[int] = field(default_factory=list)  # tasks of which the spec has changed
    outputs: list[Published] = field(default_factory=list)  # beside attempts that ended
    due: list[Due | Scan] = field(default_factory=list)  # who is to hear how others stand

    def is_stored(self) -> bool:
        """Whether there is anything to write down."""
        return bool(
            self.tasks
            or self.attempts
            or self.answered
            or self.workers
            or self.cordons
            or self.forgotten
            or self.restore_settled
        )

    def extend(self, later: Change) -> None:
        """Append what a later step did."""
        for mine, more in (
            (self.tasks, later.tasks),
            (self.attempts, later.attempts),
            (self.events, later.events),
            (self.effects, later.effects),
            (self.answered, later.answered),
            (self.workers, later.workers),
            (self.cordons, later.cordons),
            (self.forgotten, later.forgotten),
            (self.restore_settled, later.restore_settled),
            (self.items, later.items),
            (self.respecified, later.respecified),
            (self.due, later.due),
            (self.outputs, later.outputs),
        ):
            mine.extend(more)  # type: ignore[arg-type]  # each pair has one type
