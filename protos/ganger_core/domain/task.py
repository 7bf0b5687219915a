"""This module says what a task, an attempt and an outcome are."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from ganger_core.domain.array import Array
from ganger_core.domain.cordon import Cordon
from ganger_core.domain.dependency import Dependency, OnDependencyFailure
from ganger_core.domain.outputs import Outputs, Publish
from ganger_core.domain.resources import Resources
from ganger_core.domain.retry import NO_RETRY, Retry
from ganger_core.domain.states import ATTEMPT_FINAL, TASK_FINAL, AttemptState, TaskState, WorkerState
from ganger_core.domain.waits import NO_WAITS, Waits

DEFAULT_PRIORITY = 50
DEFAULT_RESOURCES = Resources(cpu_milli=1000, memory_bytes=0, slots=1)
LOG_TAIL_BYTES = 16 * 1024  # the last bytes of each stream that ride inside the final report


class OnWorkerLost(StrEnum):
    """What becomes of a task whose worker is lost, from when it may not run there any more."""

    BY_AGE = "BY_AGE"  # REQUEUE until it has run for an hour, WAIT from then on
    REQUEUE = "REQUEUE"  # wait for another attempt, as soon as the lease of the lost one is over
    WAIT = "WAIT"  # no lease: stay with the worker until it returns or is fenced
    FAIL = "FAIL"  # fail, as soon as the lease is over


@dataclass(frozen=True, slots=True)
class Limits:
    """Times that a user set for a task, in seconds. 0 stands for no limit, None for the cluster's own setting.

    With `warn_s`, it gets the signal `warn_signal` so long before its run limit is over.
    """

    run_s: float = 0.0  # from the start of the process until it is stopped and the task TIMED_OUT
    queue_s: float = 0.0  # from the submission until a first start; then the task is EXPIRED
    grace_s: float | None = None  # between the signal that stops it and SIGKILL
    lost_after_s: float | None = None  # the lease: how long it may go on without an answered heartbeat
    warn_s: float = 0.0
    warn_signal: int = 0


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """What a user asked for. `env` is ordered pairs; an empty `workdir` is the attempt's own folder.

    It does not start before `not_before_ms` (Unix milliseconds), nor, with `hold`, before somebody releases it, nor
    before all that it is to run `after` has come; `on_dependency_failure` says what becomes of it when that cannot. It
    is not started when it could not be over by `deadline_ms` (0: none), as far as its run limit tells. `labels` are
    pairs of a key and a value in the order of the keys, each of which is there once.
    """

    command: tuple[str, ...]
    name: str = ""
    env: tuple[tuple[str, str], ...] = ()
    workdir: str = ""
    resources: Resources = DEFAULT_RESOURCES
    priority: int = DEFAULT_PRIORITY
    limits: Limits = NO_LIMITS
    on_worker_lost: OnWorkerLost = OnWorkerLost.BY_AGE
    not_before_ms: int = 0
    hold: bool = False
    retry: Retry = NO_RETRY
    deadline_ms: int = 0
    labels: tuple[tuple[str, str], ...] = ()
    after: tuple[Dependency, ...] = ()
    on_dependency_failure: OnDependencyFailure = OnDependencyFailure.SKIP
    publish: Publish = Publish.ON_SUCCESS


class OutcomeKind(StrEnum):
    """How an attempt ended."""

    OK = "OK"
    EXIT_NONZERO = "EXIT_NONZERO"
    SIGNALLED = "SIGNALLED"
    LAUNCH_FAILED = "LAUNCH_FAILED"  # no process came to be: not found, not executable, bad folder
    CANCELLED = "CANCELLED"
    LOST = "LOST"
    TIMED_OUT = "TIMED_OUT"  # its run limit was over
    EXPIRED = "EXPIRED"  # its queue limit was over before it started
    UNKILLABLE = "UNKILLABLE"  # something of it still lives long after SIGKILL
    DRAINED = "DRAINED"  # stopped to empty its worker; only of attempts, for their tasks wait again
    SKIPPED = "SKIPPED"  # it never started: what it was to run after did not end as it had to


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended, in full. `exit_code` follows the shells' habit: 126, 127, 128 + signal."""

    kind: OutcomeKind
    exit_code: int | None = None
    signal: int | None = None
    message: str = ""
    log_incomplete: bool = False


class AttemptRef(NamedTuple):
    """Names one attempt: the task's id and the attempt's number, which is its fencing token."""

    task_id: int
    token: int

    def __str__(self) -> str:
        return f"{self.task_id}.{self.token}"


class Attempt(NamedTuple):
    """One try of a task on one worker. `planned_by` names who placed it: `planner` or `first-fit`.

    A tuple, as an event is: several are made of every task, and a tuple is made in a third of the time.

    Times are Unix milliseconds of the master's wall clock, 0 while not reached. `stdout_bytes` and
    `stderr_bytes` are the whole lengths told by the final report; the tails are the last bytes of each.
    `lease_s` is how long it may go on without an answered heartbeat, 0 for as long as it takes; `stop_signal`
    and `stop_grace_s` are how it was told to stop, once it is STOPPING. One that is `behind` has no capacity of its
    own: it gets that of an attempt that asked for the same, when that is over. One that is `drained` was told to stop
    only to empty its worker: its task waits again, unless somebody wants that ended.
    """

    ref: AttemptRef
    worker_id: str
    worker_name: str
    state: AttemptState
    planned_by: str
    assigned_ms: int
    phase: str = ""
    started_ms: int = 0
    ended_ms: int = 0
    outcome: Outcome | None = None
    stdout_bytes: int = 0
    stderr_bytes: int = 0
    stdout_tail: bytes = b""
    stderr_tail: bytes = b""
    lease_s: float = 0.0
    stop_signal: int = signal.SIGTERM
    stop_grace_s: float = 0.0
    behind: bool = False
    drained: bool = False

    @property
    def is_live(self) -> bool:
        """Whether it may hold capacity of its worker."""
        return self.state not in ATTEMPT_FINAL


@dataclass(frozen=True, slots=True)
class Task:
    """What is known of one task. `reason` is a sentence for people: why it waits, or why it is where it is.

    `crashes` counts the attempts that were lost after they had started, with the worker or its keeper; `failures`
    those that failed and were followed by another try, `faults` those that their worker could not start. One with an
    `array` is an array, which is never assigned: its elements are. An element has the `index` by which it differs from
    the others of the array `array_id` (0: it is none). The `result` is its result.json in canonical JSON, empty where
    there is none; it is filled in only for who asks for its outputs.
    """

    id: int
    owner: str
    spec: TaskSpec
    state: TaskState
    submitted_ms: int
    version: int = 1
    reason: str = ""
    token: int = 0  # of the newest attempt; 0 before the first
    started_ms: int = 0
    finished_ms: int = 0
    outcome: Outcome | None = None
    crashes: int = 0
    array: Array | None = None
    array_id: int = 0
    index: int = 0
    waits: Waits = NO_WAITS
    failures: int = 0
    faults: int = 0
    result: str = ""

    @property
    def is_final(self) -> bool:
        """Whether it can never change again."""
        return self.state in TASK_FINAL

    @property
    def label(self) -> str:
        """Its id for people: 42, and 42.7 for the element with index 7 of the array 42."""
        return f"{self.array_id}.{self.index}" if self.array_id else str(self.id)

    @property
    def lane(self) -> LaneKey:
        """Which tasks may take its place on a worker."""
        return LaneKey(self.spec.resources, self.array_id)


class LaneKey(NamedTuple):
    """What attempts have in common that may take each other's place on a worker: the request, and the array if any.

    Elements stay among themselves, so that a hand-over never changes how many elements of an array run.
    """

    request: Resources
    array_id: int = 0


class Event(NamedTuple):
    """One transition of one task, as the feed tells it. `seq` grows by one with every event of the cluster."""

    seq: int
    at_ms: int
    task_id: int
    owner: str
    state: TaskState
    token: int = 0
    worker_name: str = ""
    reason: str = ""
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class WorkerProfile:
    """What a worker says of itself when it registers. `incarnation` grows with every start of the daemon."""

    id: str
    name: str
    incarnation: int
    host: str
    boot_id: str
    capacity: Resources
    version: str


@dataclass(frozen=True, slots=True)
class WorkerUsage:
    """What a worker measured last: share of its CPUs busy (0-100), memory in use and in all."""

    cpu_percent: float = 0.0
    memory_used_bytes: int = 0
    memory_total_bytes: int = 0


@dataclass(frozen=True, slots=True)
class WorkerView:
    """One worker as the master knows it; `free` is its capacity less what live attempts hold.

    A `cordon` is why it gets no new work by an operator's word, if that is so; it outlasts every state.
    """

    profile: WorkerProfile
    state: WorkerState
    free: Resources
    usage: WorkerUsage
    heartbeat_age_s: float
    attempts: tuple[AttemptRef, ...]
    cordon: Cordon | None = None


@dataclass(frozen=True, slots=True)
class StartOrder:
    """Tell a worker to start an attempt; it keeps the attempt alive for `lease_s` from each answered heartbeat.

    A `lease_s` of 0 is none: the attempt goes on however long no heartbeat is answered. `state` is what the master
    knows of it: ASSIGNED may start now; anything later must be held by the worker already, which otherwise
    reports it LOST and does not start it a second time. One that is `behind` starts as soon as an attempt of its lane
    is over, with its capacity: one of the same array (0: of none) that asked for the same.
    """

    ref: AttemptRef
    spec: TaskSpec
    lease_s: float
    state: AttemptState = AttemptState.ASSIGNED
    behind: bool = False
    array_id: int = 0

    @property
    def lane(self) -> LaneKey:
        """Which attempts it may be behind, and which behind it."""
        return LaneKey(self.spec.resources, self.array_id)


@dataclass(frozen=True, slots=True)
class StopOrder:
    """Tell a worker to end an attempt: `signal` to everything it started, SIGKILL `grace_s` later."""

    ref: AttemptRef
    grace_s: float
    reason: str
    signal: int = signal.SIGTERM


@dataclass(frozen=True, slots=True)
class RevokeOrder:
    """Tell a worker to give an attempt back if it still waits behind another; one that has started goes on."""

    ref: AttemptRef


Order = StartOrder | StopOrder | RevokeOrder


@dataclass(frozen=True, slots=True)
class OrderBatch:
    """What a worker should do next.

    `sync` says that `orders` is the whole of what this worker should hold (a StartOrder for each attempt
    that should live, a StopOrder for each that should end): what it holds beyond that it must end. The
    others are increments. `order_seq` grows by one per batch of one registration.
    """

    order_seq: int
    sync: bool
    orders: tuple[Order, ...]


class ReportKind(StrEnum):
    """What a worker tells of an attempt."""

    ACCEPTED = "ACCEPTED"
    STARTED = "STARTED"
    ENDED = "ENDED"
    REJECTED = "REJECTED"
    REVOKED = "REVOKED"  # told to stop before it started; it will never start
    LOST = "LOST"  # the worker holds no trace of it, and it does not run


@dataclass(frozen=True, slots=True)
class Report:
    """One report on one attempt, repeated until acknowledged. Times are ages: seconds before sending.

    `started_age_s` is None while it never started. An ENDED report carries the outcome, the streams'
    whole lengths and their last bytes (at most `LOG_TAIL_BYTES` each). An `orderly` LOST is nobody's crash: the
    worker was shut down, or the master had given the attempt up. Of an attempt that is over, `handed_to` is the one
    that was behind and has its capacity now; of one that ENDED, `outputs` are what it published, if anything.
    """

    ref: AttemptRef
    kind: ReportKind
    age_s: float = 0.0
    started_age_s: float | None = None
    message: str = ""
    outcome: Outcome | None = None
    stdout_bytes: int = 0
    stderr_bytes: int = 0
    stdout_tail: bytes = b""
    stderr_tail: bytes = b""
    orderly: bool = False
    handed_to: AttemptRef | None = None
    outputs: Outputs | None = None


class LogStream(StrEnum):
    """The two streams of an attempt."""

    STDOUT = "STDOUT"
    STDERR = "STDERR"


@dataclass(frozen=True, slots=True)
class LogChunk:
    """Raw bytes of one stream of one attempt, starting at `offset`."""

    ref: AttemptRef
    stream: LogStream
    offset: int
    data: bytes
