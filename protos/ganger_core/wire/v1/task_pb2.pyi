from ganger_core.wire.v1 import options_pb2 as _options_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DependencyKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEPENDENCY_KIND_UNSPECIFIED: _ClassVar[DependencyKind]
    DEPENDENCY_KIND_OK: _ClassVar[DependencyKind]
    DEPENDENCY_KIND_ANY: _ClassVar[DependencyKind]
    DEPENDENCY_KIND_FAIL: _ClassVar[DependencyKind]
    DEPENDENCY_KIND_START: _ClassVar[DependencyKind]
    DEPENDENCY_KIND_EACH: _ClassVar[DependencyKind]

class OnDependencyFailure(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ON_DEPENDENCY_FAILURE_UNSPECIFIED: _ClassVar[OnDependencyFailure]
    ON_DEPENDENCY_FAILURE_SKIP: _ClassVar[OnDependencyFailure]
    ON_DEPENDENCY_FAILURE_HOLD: _ClassVar[OnDependencyFailure]
    ON_DEPENDENCY_FAILURE_RUN: _ClassVar[OnDependencyFailure]
    ON_DEPENDENCY_FAILURE_FAIL: _ClassVar[OnDependencyFailure]

class Publish(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PUBLISH_UNSPECIFIED: _ClassVar[Publish]
    PUBLISH_ON_SUCCESS: _ClassVar[Publish]
    PUBLISH_ALWAYS: _ClassVar[Publish]
    PUBLISH_NEVER: _ClassVar[Publish]

class OnWorkerLost(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ON_WORKER_LOST_UNSPECIFIED: _ClassVar[OnWorkerLost]
    ON_WORKER_LOST_BY_AGE: _ClassVar[OnWorkerLost]
    ON_WORKER_LOST_REQUEUE: _ClassVar[OnWorkerLost]
    ON_WORKER_LOST_WAIT: _ClassVar[OnWorkerLost]
    ON_WORKER_LOST_FAIL: _ClassVar[OnWorkerLost]

class TaskState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TASK_STATE_UNSPECIFIED: _ClassVar[TaskState]
    TASK_STATE_PENDING: _ClassVar[TaskState]
    TASK_STATE_SCHEDULED: _ClassVar[TaskState]
    TASK_STATE_STARTING: _ClassVar[TaskState]
    TASK_STATE_RUNNING: _ClassVar[TaskState]
    TASK_STATE_STOPPING: _ClassVar[TaskState]
    TASK_STATE_SUCCEEDED: _ClassVar[TaskState]
    TASK_STATE_FAILED: _ClassVar[TaskState]
    TASK_STATE_CANCELLED: _ClassVar[TaskState]
    TASK_STATE_TIMED_OUT: _ClassVar[TaskState]
    TASK_STATE_EXPIRED: _ClassVar[TaskState]
    TASK_STATE_SKIPPED: _ClassVar[TaskState]

class AttemptState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ATTEMPT_STATE_UNSPECIFIED: _ClassVar[AttemptState]
    ATTEMPT_STATE_ASSIGNED: _ClassVar[AttemptState]
    ATTEMPT_STATE_STARTING: _ClassVar[AttemptState]
    ATTEMPT_STATE_RUNNING: _ClassVar[AttemptState]
    ATTEMPT_STATE_STOPPING: _ClassVar[AttemptState]
    ATTEMPT_STATE_ENDED: _ClassVar[AttemptState]
    ATTEMPT_STATE_REJECTED: _ClassVar[AttemptState]
    ATTEMPT_STATE_REVOKED: _ClassVar[AttemptState]
    ATTEMPT_STATE_LOST: _ClassVar[AttemptState]

class OutcomeKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_KIND_UNSPECIFIED: _ClassVar[OutcomeKind]
    OUTCOME_KIND_OK: _ClassVar[OutcomeKind]
    OUTCOME_KIND_EXIT_NONZERO: _ClassVar[OutcomeKind]
    OUTCOME_KIND_SIGNALLED: _ClassVar[OutcomeKind]
    OUTCOME_KIND_LAUNCH_FAILED: _ClassVar[OutcomeKind]
    OUTCOME_KIND_CANCELLED: _ClassVar[OutcomeKind]
    OUTCOME_KIND_LOST: _ClassVar[OutcomeKind]
    OUTCOME_KIND_TIMED_OUT: _ClassVar[OutcomeKind]
    OUTCOME_KIND_EXPIRED: _ClassVar[OutcomeKind]
    OUTCOME_KIND_UNKILLABLE: _ClassVar[OutcomeKind]
    OUTCOME_KIND_DRAINED: _ClassVar[OutcomeKind]
    OUTCOME_KIND_SKIPPED: _ClassVar[OutcomeKind]

class LogStream(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LOG_STREAM_UNSPECIFIED: _ClassVar[LogStream]
    LOG_STREAM_STDOUT: _ClassVar[LogStream]
    LOG_STREAM_STDERR: _ClassVar[LogStream]
DEPENDENCY_KIND_UNSPECIFIED: DependencyKind
DEPENDENCY_KIND_OK: DependencyKind
DEPENDENCY_KIND_ANY: DependencyKind
DEPENDENCY_KIND_FAIL: DependencyKind
DEPENDENCY_KIND_START: DependencyKind
DEPENDENCY_KIND_EACH: DependencyKind
ON_DEPENDENCY_FAILURE_UNSPECIFIED: OnDependencyFailure
ON_DEPENDENCY_FAILURE_SKIP: OnDependencyFailure
ON_DEPENDENCY_FAILURE_HOLD: OnDependencyFailure
ON_DEPENDENCY_FAILURE_RUN: OnDependencyFailure
ON_DEPENDENCY_FAILURE_FAIL: OnDependencyFailure
PUBLISH_UNSPECIFIED: Publish
PUBLISH_ON_SUCCESS: Publish
PUBLISH_ALWAYS: Publish
PUBLISH_NEVER: Publish
ON_WORKER_LOST_UNSPECIFIED: OnWorkerLost
ON_WORKER_LOST_BY_AGE: OnWorkerLost
ON_WORKER_LOST_REQUEUE: OnWorkerLost
ON_WORKER_LOST_WAIT: OnWorkerLost
ON_WORKER_LOST_FAIL: OnWorkerLost
TASK_STATE_UNSPECIFIED: TaskState
TASK_STATE_PENDING: TaskState
TASK_STATE_SCHEDULED: TaskState
TASK_STATE_STARTING: TaskState
TASK_STATE_RUNNING: TaskState
TASK_STATE_STOPPING: TaskState
TASK_STATE_SUCCEEDED: TaskState
TASK_STATE_FAILED: TaskState
TASK_STATE_CANCELLED: TaskState
TASK_STATE_TIMED_OUT: TaskState
TASK_STATE_EXPIRED: TaskState
TASK_STATE_SKIPPED: TaskState
ATTEMPT_STATE_UNSPECIFIED: AttemptState
ATTEMPT_STATE_ASSIGNED: AttemptState
ATTEMPT_STATE_STARTING: AttemptState
ATTEMPT_STATE_RUNNING: AttemptState
ATTEMPT_STATE_STOPPING: AttemptState
ATTEMPT_STATE_ENDED: AttemptState
ATTEMPT_STATE_REJECTED: AttemptState
ATTEMPT_STATE_REVOKED: AttemptState
ATTEMPT_STATE_LOST: AttemptState
OUTCOME_KIND_UNSPECIFIED: OutcomeKind
OUTCOME_KIND_OK: OutcomeKind
OUTCOME_KIND_EXIT_NONZERO: OutcomeKind
OUTCOME_KIND_SIGNALLED: OutcomeKind
OUTCOME_KIND_LAUNCH_FAILED: OutcomeKind
OUTCOME_KIND_CANCELLED: OutcomeKind
OUTCOME_KIND_LOST: OutcomeKind
OUTCOME_KIND_TIMED_OUT: OutcomeKind
OUTCOME_KIND_EXPIRED: OutcomeKind
OUTCOME_KIND_UNKILLABLE: OutcomeKind
OUTCOME_KIND_DRAINED: OutcomeKind
OUTCOME_KIND_SKIPPED: OutcomeKind
LOG_STREAM_UNSPECIFIED: LogStream
LOG_STREAM_STDOUT: LogStream
LOG_STREAM_STDERR: LogStream

class Resources(_message.Message):
    __slots__ = ("cpu_milli", "memory_bytes", "slots")
    CPU_MILLI_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    cpu_milli: int
    memory_bytes: int
    slots: int
    def __init__(self, cpu_milli: _Optional[int] = ..., memory_bytes: _Optional[int] = ..., slots: _Optional[int] = ...) -> None: ...

class EnvVar(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: str
    def __init__(self, name: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class Label(_message.Message):
    __slots__ = ("key", "value")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    key: str
    value: str
    def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class TaskSpec(_message.Message):
    __slots__ = ("command", "name", "env", "workdir", "resources", "priority", "limits", "on_worker_lost", "labels", "not_before_ms", "hold", "retry", "after", "on_dependency_failure", "deadline_ms", "publish")
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ENV_FIELD_NUMBER: _ClassVar[int]
    WORKDIR_FIELD_NUMBER: _ClassVar[int]
    RESOURCES_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    ON_WORKER_LOST_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    NOT_BEFORE_MS_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    ON_DEPENDENCY_FAILURE_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    PUBLISH_FIELD_NUMBER: _ClassVar[int]
    command: _containers.RepeatedScalarFieldContainer[str]
    name: str
    env: _containers.RepeatedCompositeFieldContainer[EnvVar]
    workdir: str
    resources: Resources
    priority: int
    limits: Limits
    on_worker_lost: OnWorkerLost
    labels: _containers.RepeatedCompositeFieldContainer[Label]
    not_before_ms: int
    hold: bool
    retry: Retry
    after: _containers.RepeatedCompositeFieldContainer[Dependency]
    on_dependency_failure: OnDependencyFailure
    deadline_ms: int
    publish: Publish
    def __init__(self, command: _Optional[_Iterable[str]] = ..., name: _Optional[str] = ..., env: _Optional[_Iterable[_Union[EnvVar, _Mapping]]] = ..., workdir: _Optional[str] = ..., resources: _Optional[_Union[Resources, _Mapping]] = ..., priority: _Optional[int] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ..., on_worker_lost: _Optional[_Union[OnWorkerLost, str]] = ..., labels: _Optional[_Iterable[_Union[Label, _Mapping]]] = ..., not_before_ms: _Optional[int] = ..., hold: _Optional[bool] = ..., retry: _Optional[_Union[Retry, _Mapping]] = ..., after: _Optional[_Iterable[_Union[Dependency, _Mapping]]] = ..., on_dependency_failure: _Optional[_Union[OnDependencyFailure, str]] = ..., deadline_ms: _Optional[int] = ..., publish: _Optional[_Union[Publish, str]] = ...) -> None: ...

class Retry(_message.Message):
    __slots__ = ("limit", "on", "never_on", "on_timeout", "backoff_s")
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    ON_FIELD_NUMBER: _ClassVar[int]
    NEVER_ON_FIELD_NUMBER: _ClassVar[int]
    ON_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    BACKOFF_S_FIELD_NUMBER: _ClassVar[int]
    limit: int
    on: _containers.RepeatedScalarFieldContainer[int]
    never_on: _containers.RepeatedScalarFieldContainer[int]
    on_timeout: bool
    backoff_s: float
    def __init__(self, limit: _Optional[int] = ..., on: _Optional[_Iterable[int]] = ..., never_on: _Optional[_Iterable[int]] = ..., on_timeout: _Optional[bool] = ..., backoff_s: _Optional[float] = ...) -> None: ...

class Dependency(_message.Message):
    __slots__ = ("task_id", "kind")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    task_id: int
    kind: DependencyKind
    def __init__(self, task_id: _Optional[int] = ..., kind: _Optional[_Union[DependencyKind, str]] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("run_s", "queue_s", "grace_s", "lost_after_s", "warn_s", "warn_signal")
    RUN_S_FIELD_NUMBER: _ClassVar[int]
    QUEUE_S_FIELD_NUMBER: _ClassVar[int]
    GRACE_S_FIELD_NUMBER: _ClassVar[int]
    LOST_AFTER_S_FIELD_NUMBER: _ClassVar[int]
    WARN_S_FIELD_NUMBER: _ClassVar[int]
    WARN_SIGNAL_FIELD_NUMBER: _ClassVar[int]
    run_s: float
    queue_s: float
    grace_s: float
    lost_after_s: float
    warn_s: float
    warn_signal: int
    def __init__(self, run_s: _Optional[float] = ..., queue_s: _Optional[float] = ..., grace_s: _Optional[float] = ..., lost_after_s: _Optional[float] = ..., warn_s: _Optional[float] = ..., warn_signal: _Optional[int] = ...) -> None: ...

class Outcome(_message.Message):
    __slots__ = ("kind", "exit_code", "signal", "message", "log_incomplete")
    KIND_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    LOG_INCOMPLETE_FIELD_NUMBER: _ClassVar[int]
    kind: OutcomeKind
    exit_code: int
    signal: int
    message: str
    log_incomplete: bool
    def __init__(self, kind: _Optional[_Union[OutcomeKind, str]] = ..., exit_code: _Optional[int] = ..., signal: _Optional[int] = ..., message: _Optional[str] = ..., log_incomplete: _Optional[bool] = ...) -> None: ...

class AttemptRef(_message.Message):
    __slots__ = ("task_id", "token")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    task_id: int
    token: int
    def __init__(self, task_id: _Optional[int] = ..., token: _Optional[int] = ...) -> None: ...

class OutputFile(_message.Message):
    __slots__ = ("path", "size", "sha256")
    PATH_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    path: str
    size: int
    sha256: str
    def __init__(self, path: _Optional[str] = ..., size: _Optional[int] = ..., sha256: _Optional[str] = ...) -> None: ...

class Outputs(_message.Message):
    __slots__ = ("files", "result", "notes")
    FILES_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    files: _containers.RepeatedCompositeFieldContainer[OutputFile]
    result: str
    notes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, files: _Optional[_Iterable[_Union[OutputFile, _Mapping]]] = ..., result: _Optional[str] = ..., notes: _Optional[_Iterable[str]] = ...) -> None: ...

class Attempt(_message.Message):
    __slots__ = ("ref", "worker_id", "worker_name", "state", "planned_by", "phase", "assigned_ms", "started_ms", "ended_ms", "outcome", "stdout_bytes", "stderr_bytes", "lease_s", "stop_signal", "stop_grace_s", "behind", "drained")
    REF_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    WORKER_NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PLANNED_BY_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    ASSIGNED_MS_FIELD_NUMBER: _ClassVar[int]
    STARTED_MS_FIELD_NUMBER: _ClassVar[int]
    ENDED_MS_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    STDOUT_BYTES_FIELD_NUMBER: _ClassVar[int]
    STDERR_BYTES_FIELD_NUMBER: _ClassVar[int]
    LEASE_S_FIELD_NUMBER: _ClassVar[int]
    STOP_SIGNAL_FIELD_NUMBER: _ClassVar[int]
    STOP_GRACE_S_FIELD_NUMBER: _ClassVar[int]
    BEHIND_FIELD_NUMBER: _ClassVar[int]
    DRAINED_FIELD_NUMBER: _ClassVar[int]
    ref: AttemptRef
    worker_id: str
    worker_name: str
    state: AttemptState
    planned_by: str
    phase: str
    assigned_ms: int
    started_ms: int
    ended_ms: int
    outcome: Outcome
    stdout_bytes: int
    stderr_bytes: int
    lease_s: float
    stop_signal: int
    stop_grace_s: float
    behind: bool
    drained: bool
    def __init__(self, ref: _Optional[_Union[AttemptRef, _Mapping]] = ..., worker_id: _Optional[str] = ..., worker_name: _Optional[str] = ..., state: _Optional[_Union[AttemptState, str]] = ..., planned_by: _Optional[str] = ..., phase: _Optional[str] = ..., assigned_ms: _Optional[int] = ..., started_ms: _Optional[int] = ..., ended_ms: _Optional[int] = ..., outcome: _Optional[_Union[Outcome, _Mapping]] = ..., stdout_bytes: _Optional[int] = ..., stderr_bytes: _Optional[int] = ..., lease_s: _Optional[float] = ..., stop_signal: _Optional[int] = ..., stop_grace_s: _Optional[float] = ..., behind: _Optional[bool] = ..., drained: _Optional[bool] = ...) -> None: ...

class Task(_message.Message):
    __slots__ = ("id", "owner", "spec", "state", "reason", "version", "token", "submitted_ms", "started_ms", "finished_ms", "outcome", "crashes", "array", "array_id", "index", "waits", "failures", "faults", "result")
    ID_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_MS_FIELD_NUMBER: _ClassVar[int]
    STARTED_MS_FIELD_NUMBER: _ClassVar[int]
    FINISHED_MS_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    CRASHES_FIELD_NUMBER: _ClassVar[int]
    ARRAY_FIELD_NUMBER: _ClassVar[int]
    ARRAY_ID_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    WAITS_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    FAULTS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    id: int
    owner: str
    spec: TaskSpec
    state: TaskState
    reason: str
    version: int
    token: int
    submitted_ms: int
    started_ms: int
    finished_ms: int
    outcome: Outcome
    crashes: int
    array: Array
    array_id: int
    index: int
    waits: Waits
    failures: int
    faults: int
    result: str
    def __init__(self, id: _Optional[int] = ..., owner: _Optional[str] = ..., spec: _Optional[_Union[TaskSpec, _Mapping]] = ..., state: _Optional[_Union[TaskState, str]] = ..., reason: _Optional[str] = ..., version: _Optional[int] = ..., token: _Optional[int] = ..., submitted_ms: _Optional[int] = ..., started_ms: _Optional[int] = ..., finished_ms: _Optional[int] = ..., outcome: _Optional[_Union[Outcome, _Mapping]] = ..., crashes: _Optional[int] = ..., array: _Optional[_Union[Array, _Mapping]] = ..., array_id: _Optional[int] = ..., index: _Optional[int] = ..., waits: _Optional[_Union[Waits, _Mapping]] = ..., failures: _Optional[int] = ..., faults: _Optional[int] = ..., result: _Optional[str] = ...) -> None: ...

class Waits(_message.Message):
    __slots__ = ("held_by", "until_ms", "pause_s", "after")
    HELD_BY_FIELD_NUMBER: _ClassVar[int]
    UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
    PAUSE_S_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    held_by: str
    until_ms: int
    pause_s: float
    after: _containers.RepeatedCompositeFieldContainer[Dependency]
    def __init__(self, held_by: _Optional[str] = ..., until_ms: _Optional[int] = ..., pause_s: _Optional[float] = ..., after: _Optional[_Iterable[_Union[Dependency, _Mapping]]] = ...) -> None: ...

class Array(_message.Message):
    __slots__ = ("indices", "max_parallel", "max_fails", "items", "retry_of", "counts", "closed")
    class Count(_message.Message):
        __slots__ = ("state", "elements")
        STATE_FIELD_NUMBER: _ClassVar[int]
        ELEMENTS_FIELD_NUMBER: _ClassVar[int]
        state: TaskState
        elements: int
        def __init__(self, state: _Optional[_Union[TaskState, str]] = ..., elements: _Optional[int] = ...) -> None: ...
    INDICES_FIELD_NUMBER: _ClassVar[int]
    MAX_PARALLEL_FIELD_NUMBER: _ClassVar[int]
    MAX_FAILS_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    RETRY_OF_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    CLOSED_FIELD_NUMBER: _ClassVar[int]
    indices: str
    max_parallel: int
    max_fails: int
    items: str
    retry_of: int
    counts: _containers.RepeatedCompositeFieldContainer[Array.Count]
    closed: TaskState
    def __init__(self, indices: _Optional[str] = ..., max_parallel: _Optional[int] = ..., max_fails: _Optional[int] = ..., items: _Optional[str] = ..., retry_of: _Optional[int] = ..., counts: _Optional[_Iterable[_Union[Array.Count, _Mapping]]] = ..., closed: _Optional[_Union[TaskState, str]] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("seq", "at_ms", "task_id", "owner", "state", "token", "worker_name", "reason", "outcome")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    WORKER_NAME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    seq: int
    at_ms: int
    task_id: int
    owner: str
    state: TaskState
    token: int
    worker_name: str
    reason: str
    outcome: Outcome
    def __init__(self, seq: _Optional[int] = ..., at_ms: _Optional[int] = ..., task_id: _Optional[int] = ..., owner: _Optional[str] = ..., state: _Optional[_Union[TaskState, str]] = ..., token: _Optional[int] = ..., worker_name: _Optional[str] = ..., reason: _Optional[str] = ..., outcome: _Optional[_Union[Outcome, _Mapping]] = ...) -> None: ...

class SubmitTaskRequest(_message.Message):
    __slots__ = ("request_id", "spec")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    spec: TaskSpec
    def __init__(self, request_id: _Optional[str] = ..., spec: _Optional[_Union[TaskSpec, _Mapping]] = ...) -> None: ...

class SubmitTaskResponse(_message.Message):
    __slots__ = ("task_id",)
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    task_id: int
    def __init__(self, task_id: _Optional[int] = ...) -> None: ...

class SubmitTasksRequest(_message.Message):
    __slots__ = ("request_id", "specs")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SPECS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    specs: _containers.RepeatedCompositeFieldContainer[TaskSpec]
    def __init__(self, request_id: _Optional[str] = ..., specs: _Optional[_Iterable[_Union[TaskSpec, _Mapping]]] = ...) -> None: ...

class SubmitTasksResponse(_message.Message):
    __slots__ = ("first_task_id", "count")
    FIRST_TASK_ID_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    first_task_id: int
    count: int
    def __init__(self, first_task_id: _Optional[int] = ..., count: _Optional[int] = ...) -> None: ...

class SubmitArrayRequest(_message.Message):
    __slots__ = ("request_id", "spec", "array")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    ARRAY_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    spec: TaskSpec
    array: Array
    def __init__(self, request_id: _Optional[str] = ..., spec: _Optional[_Union[TaskSpec, _Mapping]] = ..., array: _Optional[_Union[Array, _Mapping]] = ...) -> None: ...

class SubmitArrayResponse(_message.Message):
    __slots__ = ("task_id", "count")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    task_id: int
    count: int
    def __init__(self, task_id: _Optional[int] = ..., count: _Optional[int] = ...) -> None: ...

class PutItemsRequest(_message.Message):
    __slots__ = ("digest", "size", "offset", "data")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    digest: str
    size: int
    offset: int
    data: bytes
    def __init__(self, digest: _Optional[str] = ..., size: _Optional[int] = ..., offset: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class PutItemsResponse(_message.Message):
    __slots__ = ("next_offset",)
    NEXT_OFFSET_FIELD_NUMBER: _ClassVar[int]
    next_offset: int
    def __init__(self, next_offset: _Optional[int] = ...) -> None: ...

class UpdateTaskRequest(_message.Message):
    __slots__ = ("request_id", "task_id", "max_parallel", "held", "priority", "run_s", "queue_s", "deadline_ms")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    MAX_PARALLEL_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    RUN_S_FIELD_NUMBER: _ClassVar[int]
    QUEUE_S_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    task_id: int
    max_parallel: int
    held: bool
    priority: int
    run_s: float
    queue_s: float
    deadline_ms: int
    def __init__(self, request_id: _Optional[str] = ..., task_id: _Optional[int] = ..., max_parallel: _Optional[int] = ..., held: _Optional[bool] = ..., priority: _Optional[int] = ..., run_s: _Optional[float] = ..., queue_s: _Optional[float] = ..., deadline_ms: _Optional[int] = ...) -> None: ...

class UpdateTaskResponse(_message.Message):
    __slots__ = ("in_force",)
    IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    in_force: bool
    def __init__(self, in_force: _Optional[bool] = ...) -> None: ...

class GetTaskStatusRequest(_message.Message):
    __slots__ = ("task_id", "wait_s", "history", "outputs")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    WAIT_S_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    task_id: int
    wait_s: float
    history: bool
    outputs: bool
    def __init__(self, task_id: _Optional[int] = ..., wait_s: _Optional[float] = ..., history: _Optional[bool] = ..., outputs: _Optional[bool] = ...) -> None: ...

class GetTaskStatusResponse(_message.Message):
    __slots__ = ("task", "attempts", "as_of_seq", "history", "outputs")
    TASK_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    AS_OF_SEQ_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    task: Task
    attempts: _containers.RepeatedCompositeFieldContainer[Attempt]
    as_of_seq: int
    history: _containers.RepeatedCompositeFieldContainer[Event]
    outputs: Outputs
    def __init__(self, task: _Optional[_Union[Task, _Mapping]] = ..., attempts: _Optional[_Iterable[_Union[Attempt, _Mapping]]] = ..., as_of_seq: _Optional[int] = ..., history: _Optional[_Iterable[_Union[Event, _Mapping]]] = ..., outputs: _Optional[_Union[Outputs, _Mapping]] = ...) -> None: ...

class ListTasksRequest(_message.Message):
    __slots__ = ("states", "task_ids", "page_size", "page_token", "array_id", "labels", "name_prefix", "name", "own")
    STATES_FIELD_NUMBER: _ClassVar[int]
    TASK_IDS_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ARRAY_ID_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    NAME_PREFIX_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OWN_FIELD_NUMBER: _ClassVar[int]
    states: _containers.RepeatedScalarFieldContainer[TaskState]
    task_ids: _containers.RepeatedScalarFieldContainer[int]
    page_size: int
    page_token: str
    array_id: int
    labels: _containers.RepeatedCompositeFieldContainer[Label]
    name_prefix: str
    name: str
    own: bool
    def __init__(self, states: _Optional[_Iterable[_Union[TaskState, str]]] = ..., task_ids: _Optional[_Iterable[int]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., array_id: _Optional[int] = ..., labels: _Optional[_Iterable[_Union[Label, _Mapping]]] = ..., name_prefix: _Optional[str] = ..., name: _Optional[str] = ..., own: _Optional[bool] = ...) -> None: ...

class ListTasksResponse(_message.Message):
    __slots__ = ("rows", "next_page_token", "as_of_seq")
    class Row(_message.Message):
        __slots__ = ("task", "worker_name")
        TASK_FIELD_NUMBER: _ClassVar[int]
        WORKER_NAME_FIELD_NUMBER: _ClassVar[int]
        task: Task
        worker_name: str
        def __init__(self, task: _Optional[_Union[Task, _Mapping]] = ..., worker_name: _Optional[str] = ...) -> None: ...
    ROWS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    AS_OF_SEQ_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedCompositeFieldContainer[ListTasksResponse.Row]
    next_page_token: str
    as_of_seq: int
    def __init__(self, rows: _Optional[_Iterable[_Union[ListTasksResponse.Row, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., as_of_seq: _Optional[int] = ...) -> None: ...

class CancelTaskRequest(_message.Message):
    __slots__ = ("request_id", "task_id", "reason", "signal", "grace_s")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    GRACE_S_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    task_id: int
    reason: str
    signal: int
    grace_s: float
    def __init__(self, request_id: _Optional[str] = ..., task_id: _Optional[int] = ..., reason: _Optional[str] = ..., signal: _Optional[int] = ..., grace_s: _Optional[float] = ...) -> None: ...

class CancelTaskResponse(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: TaskState
    def __init__(self, state: _Optional[_Union[TaskState, str]] = ...) -> None: ...

class WatchEventsRequest(_message.Message):
    __slots__ = ("after_seq", "task_ids")
    AFTER_SEQ_FIELD_NUMBER: _ClassVar[int]
    TASK_IDS_FIELD_NUMBER: _ClassVar[int]
    after_seq: int
    task_ids: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, after_seq: _Optional[int] = ..., task_ids: _Optional[_Iterable[int]] = ...) -> None: ...

class WatchEventsResponse(_message.Message):
    __slots__ = ("events", "as_of_seq")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    AS_OF_SEQ_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[Event]
    as_of_seq: int
    def __init__(self, events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ..., as_of_seq: _Optional[int] = ...) -> None: ...

class ReadLogsRequest(_message.Message):
    __slots__ = ("task_id", "token", "stdout_offset", "stderr_offset", "follow", "last_lines", "since_s", "streams")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    STDOUT_OFFSET_FIELD_NUMBER: _ClassVar[int]
    STDERR_OFFSET_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    LAST_LINES_FIELD_NUMBER: _ClassVar[int]
    SINCE_S_FIELD_NUMBER: _ClassVar[int]
    STREAMS_FIELD_NUMBER: _ClassVar[int]
    task_id: int
    token: int
    stdout_offset: int
    stderr_offset: int
    follow: bool
    last_lines: int
    since_s: float
    streams: _containers.RepeatedScalarFieldContainer[LogStream]
    def __init__(self, task_id: _Optional[int] = ..., token: _Optional[int] = ..., stdout_offset: _Optional[int] = ..., stderr_offset: _Optional[int] = ..., follow: _Optional[bool] = ..., last_lines: _Optional[int] = ..., since_s: _Optional[float] = ..., streams: _Optional[_Iterable[_Union[LogStream, str]]] = ...) -> None: ...

class ReadLogsResponse(_message.Message):
    __slots__ = ("stream", "offset", "data")
    STREAM_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    stream: LogStream
    offset: int
    data: bytes
    def __init__(self, stream: _Optional[_Union[LogStream, str]] = ..., offset: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class ReadOutputRequest(_message.Message):
    __slots__ = ("task_id", "token", "path", "offset")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    task_id: int
    token: int
    path: str
    offset: int
    def __init__(self, task_id: _Optional[int] = ..., token: _Optional[int] = ..., path: _Optional[str] = ..., offset: _Optional[int] = ...) -> None: ...

class ReadOutputResponse(_message.Message):
    __slots__ = ("data",)
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    def __init__(self, data: _Optional[bytes] = ...) -> None: ...
