from ganger_core.wire.v1 import options_pb2 as _options_pb2
from ganger_core.wire.v1 import task_pb2 as _task_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReportKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REPORT_KIND_UNSPECIFIED: _ClassVar[ReportKind]
    REPORT_KIND_ACCEPTED: _ClassVar[ReportKind]
    REPORT_KIND_STARTED: _ClassVar[ReportKind]
    REPORT_KIND_ENDED: _ClassVar[ReportKind]
    REPORT_KIND_REJECTED: _ClassVar[ReportKind]
    REPORT_KIND_REVOKED: _ClassVar[ReportKind]
    REPORT_KIND_LOST: _ClassVar[ReportKind]

class WorkerState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WORKER_STATE_UNSPECIFIED: _ClassVar[WorkerState]
    WORKER_STATE_UP: _ClassVar[WorkerState]
    WORKER_STATE_SUSPECT: _ClassVar[WorkerState]
    WORKER_STATE_LOST: _ClassVar[WorkerState]
    WORKER_STATE_DRAINING: _ClassVar[WorkerState]
    WORKER_STATE_CORDONED: _ClassVar[WorkerState]
    WORKER_STATE_DRAINED: _ClassVar[WorkerState]
REPORT_KIND_UNSPECIFIED: ReportKind
REPORT_KIND_ACCEPTED: ReportKind
REPORT_KIND_STARTED: ReportKind
REPORT_KIND_ENDED: ReportKind
REPORT_KIND_REJECTED: ReportKind
REPORT_KIND_REVOKED: ReportKind
REPORT_KIND_LOST: ReportKind
WORKER_STATE_UNSPECIFIED: WorkerState
WORKER_STATE_UP: WorkerState
WORKER_STATE_SUSPECT: WorkerState
WORKER_STATE_LOST: WorkerState
WORKER_STATE_DRAINING: WorkerState
WORKER_STATE_CORDONED: WorkerState
WORKER_STATE_DRAINED: WorkerState

class WorkerProfile(_message.Message):
    __slots__ = ("id", "name", "incarnation", "host", "boot_id", "capacity", "version")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    incarnation: int
    host: str
    boot_id: str
    capacity: _task_pb2.Resources
    version: str
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., incarnation: _Optional[int] = ..., host: _Optional[str] = ..., boot_id: _Optional[str] = ..., capacity: _Optional[_Union[_task_pb2.Resources, _Mapping]] = ..., version: _Optional[str] = ...) -> None: ...

class WorkerUsage(_message.Message):
    __slots__ = ("cpu_percent", "memory_used_bytes", "memory_total_bytes")
    CPU_PERCENT_FIELD_NUMBER: _ClassVar[int]
    MEMORY_USED_BYTES_FIELD_NUMBER: _ClassVar[int]
    MEMORY_TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    cpu_percent: float
    memory_used_bytes: int
    memory_total_bytes: int
    def __init__(self, cpu_percent: _Optional[float] = ..., memory_used_bytes: _Optional[int] = ..., memory_total_bytes: _Optional[int] = ...) -> None: ...

class RegisterWorkerRequest(_message.Message):
    __slots__ = ("profile",)
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    profile: WorkerProfile
    def __init__(self, profile: _Optional[_Union[WorkerProfile, _Mapping]] = ...) -> None: ...

class RegisterWorkerResponse(_message.Message):
    __slots__ = ("heartbeat_every_s", "lease_s")
    HEARTBEAT_EVERY_S_FIELD_NUMBER: _ClassVar[int]
    LEASE_S_FIELD_NUMBER: _ClassVar[int]
    heartbeat_every_s: float
    lease_s: float
    def __init__(self, heartbeat_every_s: _Optional[float] = ..., lease_s: _Optional[float] = ...) -> None: ...

class HeartbeatRequest(_message.Message):
    __slots__ = ("worker_id", "incarnation", "usage", "holding", "applied_order_seq", "draining")
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    HOLDING_FIELD_NUMBER: _ClassVar[int]
    APPLIED_ORDER_SEQ_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    incarnation: int
    usage: WorkerUsage
    holding: _containers.RepeatedCompositeFieldContainer[_task_pb2.AttemptRef]
    applied_order_seq: int
    draining: bool
    def __init__(self, worker_id: _Optional[str] = ..., incarnation: _Optional[int] = ..., usage: _Optional[_Union[WorkerUsage, _Mapping]] = ..., holding: _Optional[_Iterable[_Union[_task_pb2.AttemptRef, _Mapping]]] = ..., applied_order_seq: _Optional[int] = ..., draining: _Optional[bool] = ...) -> None: ...

class HeartbeatResponse(_message.Message):
    __slots__ = ("renewed", "orders")
    RENEWED_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    renewed: _containers.RepeatedCompositeFieldContainer[_task_pb2.AttemptRef]
    orders: OrderBatch
    def __init__(self, renewed: _Optional[_Iterable[_Union[_task_pb2.AttemptRef, _Mapping]]] = ..., orders: _Optional[_Union[OrderBatch, _Mapping]] = ...) -> None: ...

class StartOrder(_message.Message):
    __slots__ = ("ref", "spec", "lease_s", "state", "behind", "array_id")
    REF_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    LEASE_S_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    BEHIND_FIELD_NUMBER: _ClassVar[int]
    ARRAY_ID_FIELD_NUMBER: _ClassVar[int]
    ref: _task_pb2.AttemptRef
    spec: _task_pb2.TaskSpec
    lease_s: float
    state: _task_pb2.AttemptState
    behind: bool
    array_id: int
    def __init__(self, ref: _Optional[_Union[_task_pb2.AttemptRef, _Mapping]] = ..., spec: _Optional[_Union[_task_pb2.TaskSpec, _Mapping]] = ..., lease_s: _Optional[float] = ..., state: _Optional[_Union[_task_pb2.AttemptState, str]] = ..., behind: _Optional[bool] = ..., array_id: _Optional[int] = ...) -> None: ...

class StopOrder(_message.Message):
    __slots__ = ("ref", "grace_s", "reason", "signal")
    REF_FIELD_NUMBER: _ClassVar[int]
    GRACE_S_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    ref: _task_pb2.AttemptRef
    grace_s: float
    reason: str
    signal: int
    def __init__(self, ref: _Optional[_Union[_task_pb2.AttemptRef, _Mapping]] = ..., grace_s: _Optional[float] = ..., reason: _Optional[str] = ..., signal: _Optional[int] = ...) -> None: ...

class RevokeOrder(_message.Message):
    __slots__ = ("ref",)
    REF_FIELD_NUMBER: _ClassVar[int]
    ref: _task_pb2.AttemptRef
    def __init__(self, ref: _Optional[_Union[_task_pb2.AttemptRef, _Mapping]] = ...) -> None: ...

class Order(_message.Message):
    __slots__ = ("start", "stop", "revoke")
    START_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    REVOKE_FIELD_NUMBER: _ClassVar[int]
    start: StartOrder
    stop: StopOrder
    revoke: RevokeOrder
    def __init__(self, start: _Optional[_Union[StartOrder, _Mapping]] = ..., stop: _Optional[_Union[StopOrder, _Mapping]] = ..., revoke: _Optional[_Union[RevokeOrder, _Mapping]] = ...) -> None: ...

class OrderBatch(_message.Message):
    __slots__ = ("order_seq", "sync", "orders")
    ORDER_SEQ_FIELD_NUMBER: _ClassVar[int]
    SYNC_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    order_seq: int
    sync: bool
    orders: _containers.RepeatedCompositeFieldContainer[Order]
    def __init__(self, order_seq: _Optional[int] = ..., sync: _Optional[bool] = ..., orders: _Optional[_Iterable[_Union[Order, _Mapping]]] = ...) -> None: ...

class ReceiveOrdersRequest(_message.Message):
    __slots__ = ("worker_id", "incarnation")
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    incarnation: int
    def __init__(self, worker_id: _Optional[str] = ..., incarnation: _Optional[int] = ...) -> None: ...

class ReceiveOrdersResponse(_message.Message):
    __slots__ = ("batch",)
    BATCH_FIELD_NUMBER: _ClassVar[int]
    batch: OrderBatch
    def __init__(self, batch: _Optional[_Union[OrderBatch, _Mapping]] = ...) -> None: ...

class Report(_message.Message):
    __slots__ = ("ref", "kind", "age_s", "started_age_s", "message", "outcome", "stdout_bytes", "stderr_bytes", "stdout_tail", "stderr_tail", "orderly", "handed_to", "outputs")
    REF_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    AGE_S_FIELD_NUMBER: _ClassVar[int]
    STARTED_AGE_S_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    STDOUT_BYTES_FIELD_NUMBER: _ClassVar[int]
    STDERR_BYTES_FIELD_NUMBER: _ClassVar[int]
    STDOUT_TAIL_FIELD_NUMBER: _ClassVar[int]
    STDERR_TAIL_FIELD_NUMBER: _ClassVar[int]
    ORDERLY_FIELD_NUMBER: _ClassVar[int]
    HANDED_TO_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    ref: _task_pb2.AttemptRef
    kind: ReportKind
    age_s: float
    started_age_s: float
    message: str
    outcome: _task_pb2.Outcome
    stdout_bytes: int
    stderr_bytes: int
    stdout_tail: bytes
    stderr_tail: bytes
    orderly: bool
    handed_to: _task_pb2.AttemptRef
    outputs: _task_pb2.Outputs
    def __init__(self, ref: _Optional[_Union[_task_pb2.AttemptRef, _Mapping]] = ..., kind: _Optional[_Union[ReportKind, str]] = ..., age_s: _Optional[float] = ..., started_age_s: _Optional[float] = ..., message: _Optional[str] = ..., outcome: _Optional[_Union[_task_pb2.Outcome, _Mapping]] = ..., stdout_bytes: _Optional[int] = ..., stderr_bytes: _Optional[int] = ..., stdout_tail: _Optional[bytes] = ..., stderr_tail: _Optional[bytes] = ..., orderly: _Optional[bool] = ..., handed_to: _Optional[_Union[_task_pb2.AttemptRef, _Mapping]] = ..., outputs: _Optional[_Union[_task_pb2.Outputs, _Mapping]] = ...) -> None: ...

class ReportTaskCompletionRequest(_message.Message):
    __slots__ = ("worker_id", "incarnation", "reports")
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    REPORTS_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    incarnation: int
    reports: _containers.RepeatedCompositeFieldContainer[Report]
    def __init__(self, worker_id: _Optional[str] = ..., incarnation: _Optional[int] = ..., reports: _Optional[_Iterable[_Union[Report, _Mapping]]] = ...) -> None: ...

class ReportTaskCompletionResponse(_message.Message):
    __slots__ = ("refused",)
    class Refused(_message.Message):
        __slots__ = ("ref", "reason")
        REF_FIELD_NUMBER: _ClassVar[int]
        REASON_FIELD_NUMBER: _ClassVar[int]
        ref: _task_pb2.AttemptRef
        reason: str
        def __init__(self, ref: _Optional[_Union[_task_pb2.AttemptRef, _Mapping]] = ..., reason: _Optional[str] = ...) -> None: ...
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    refused: _containers.RepeatedCompositeFieldContainer[ReportTaskCompletionResponse.Refused]
    def __init__(self, refused: _Optional[_Iterable[_Union[ReportTaskCompletionResponse.Refused, _Mapping]]] = ...) -> None: ...

class LogChunk(_message.Message):
    __slots__ = ("ref", "stream", "offset", "data")
    REF_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    ref: _task_pb2.AttemptRef
    stream: _task_pb2.LogStream
    offset: int
    data: bytes
    def __init__(self, ref: _Optional[_Union[_task_pb2.AttemptRef, _Mapping]] = ..., stream: _Optional[_Union[_task_pb2.LogStream, str]] = ..., offset: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class AppendLogsRequest(_message.Message):
    __slots__ = ("worker_id", "incarnation", "chunks")
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    CHUNKS_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    incarnation: int
    chunks: _containers.RepeatedCompositeFieldContainer[LogChunk]
    def __init__(self, worker_id: _Optional[str] = ..., incarnation: _Optional[int] = ..., chunks: _Optional[_Iterable[_Union[LogChunk, _Mapping]]] = ...) -> None: ...

class AppendLogsResponse(_message.Message):
    __slots__ = ("stored",)
    class Stored(_message.Message):
        __slots__ = ("ref", "stream", "next_offset", "refused")
        REF_FIELD_NUMBER: _ClassVar[int]
        STREAM_FIELD_NUMBER: _ClassVar[int]
        NEXT_OFFSET_FIELD_NUMBER: _ClassVar[int]
        REFUSED_FIELD_NUMBER: _ClassVar[int]
        ref: _task_pb2.AttemptRef
        stream: _task_pb2.LogStream
        next_offset: int
        refused: bool
        def __init__(self, ref: _Optional[_Union[_task_pb2.AttemptRef, _Mapping]] = ..., stream: _Optional[_Union[_task_pb2.LogStream, str]] = ..., next_offset: _Optional[int] = ..., refused: _Optional[bool] = ...) -> None: ...
    STORED_FIELD_NUMBER: _ClassVar[int]
    stored: _containers.RepeatedCompositeFieldContainer[AppendLogsResponse.Stored]
    def __init__(self, stored: _Optional[_Iterable[_Union[AppendLogsResponse.Stored, _Mapping]]] = ...) -> None: ...

class OutputRange(_message.Message):
    __slots__ = ("ref", "path", "offset", "most")
    REF_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    MOST_FIELD_NUMBER: _ClassVar[int]
    ref: _task_pb2.AttemptRef
    path: str
    offset: int
    most: int
    def __init__(self, ref: _Optional[_Union[_task_pb2.AttemptRef, _Mapping]] = ..., path: _Optional[str] = ..., offset: _Optional[int] = ..., most: _Optional[int] = ...) -> None: ...

class OutputPart(_message.Message):
    __slots__ = ("range", "data", "error")
    RANGE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    range: OutputRange
    data: bytes
    error: str
    def __init__(self, range: _Optional[_Union[OutputRange, _Mapping]] = ..., data: _Optional[bytes] = ..., error: _Optional[str] = ...) -> None: ...

class ServeOutputsRequest(_message.Message):
    __slots__ = ("worker_id", "incarnation", "parts", "kept", "wait_s")
    class Kept(_message.Message):
        __slots__ = ("ref", "age_s")
        REF_FIELD_NUMBER: _ClassVar[int]
        AGE_S_FIELD_NUMBER: _ClassVar[int]
        ref: _task_pb2.AttemptRef
        age_s: float
        def __init__(self, ref: _Optional[_Union[_task_pb2.AttemptRef, _Mapping]] = ..., age_s: _Optional[float] = ...) -> None: ...
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    KEPT_FIELD_NUMBER: _ClassVar[int]
    WAIT_S_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    incarnation: int
    parts: _containers.RepeatedCompositeFieldContainer[OutputPart]
    kept: _containers.RepeatedCompositeFieldContainer[ServeOutputsRequest.Kept]
    wait_s: float
    def __init__(self, worker_id: _Optional[str] = ..., incarnation: _Optional[int] = ..., parts: _Optional[_Iterable[_Union[OutputPart, _Mapping]]] = ..., kept: _Optional[_Iterable[_Union[ServeOutputsRequest.Kept, _Mapping]]] = ..., wait_s: _Optional[float] = ...) -> None: ...

class ServeOutputsResponse(_message.Message):
    __slots__ = ("wanted", "unwanted", "ask_after_s")
    WANTED_FIELD_NUMBER: _ClassVar[int]
    UNWANTED_FIELD_NUMBER: _ClassVar[int]
    ASK_AFTER_S_FIELD_NUMBER: _ClassVar[int]
    wanted: _containers.RepeatedCompositeFieldContainer[OutputRange]
    unwanted: _containers.RepeatedCompositeFieldContainer[_task_pb2.AttemptRef]
    ask_after_s: float
    def __init__(self, wanted: _Optional[_Iterable[_Union[OutputRange, _Mapping]]] = ..., unwanted: _Optional[_Iterable[_Union[_task_pb2.AttemptRef, _Mapping]]] = ..., ask_after_s: _Optional[float] = ...) -> None: ...

class Cordon(_message.Message):
    __slots__ = ("by", "reason", "since_ms", "drains", "deadline_ms")
    BY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    DRAINS_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    by: str
    reason: str
    since_ms: int
    drains: bool
    deadline_ms: int
    def __init__(self, by: _Optional[str] = ..., reason: _Optional[str] = ..., since_ms: _Optional[int] = ..., drains: _Optional[bool] = ..., deadline_ms: _Optional[int] = ...) -> None: ...

class Worker(_message.Message):
    __slots__ = ("profile", "state", "free", "usage", "heartbeat_age_s", "attempts", "cordon")
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    FREE_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_AGE_S_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    CORDON_FIELD_NUMBER: _ClassVar[int]
    profile: WorkerProfile
    state: WorkerState
    free: _task_pb2.Resources
    usage: WorkerUsage
    heartbeat_age_s: float
    attempts: _containers.RepeatedCompositeFieldContainer[_task_pb2.AttemptRef]
    cordon: Cordon
    def __init__(self, profile: _Optional[_Union[WorkerProfile, _Mapping]] = ..., state: _Optional[_Union[WorkerState, str]] = ..., free: _Optional[_Union[_task_pb2.Resources, _Mapping]] = ..., usage: _Optional[_Union[WorkerUsage, _Mapping]] = ..., heartbeat_age_s: _Optional[float] = ..., attempts: _Optional[_Iterable[_Union[_task_pb2.AttemptRef, _Mapping]]] = ..., cordon: _Optional[_Union[Cordon, _Mapping]] = ...) -> None: ...

class ListWorkersRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListWorkersResponse(_message.Message):
    __slots__ = ("workers", "next_page_token", "as_of_seq", "now_ms", "version")
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    AS_OF_SEQ_FIELD_NUMBER: _ClassVar[int]
    NOW_MS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    workers: _containers.RepeatedCompositeFieldContainer[Worker]
    next_page_token: str
    as_of_seq: int
    now_ms: int
    version: str
    def __init__(self, workers: _Optional[_Iterable[_Union[Worker, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., as_of_seq: _Optional[int] = ..., now_ms: _Optional[int] = ..., version: _Optional[str] = ...) -> None: ...

class FenceWorkerRequest(_message.Message):
    __slots__ = ("request_id", "worker")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    worker: str
    def __init__(self, request_id: _Optional[str] = ..., worker: _Optional[str] = ...) -> None: ...

class FenceWorkerResponse(_message.Message):
    __slots__ = ("attempts",)
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    attempts: int
    def __init__(self, attempts: _Optional[int] = ...) -> None: ...

class CordonWorkerRequest(_message.Message):
    __slots__ = ("request_id", "workers", "reason", "drain", "deadline_s")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DRAIN_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_S_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    workers: _containers.RepeatedScalarFieldContainer[str]
    reason: str
    drain: bool
    deadline_s: float
    def __init__(self, request_id: _Optional[str] = ..., workers: _Optional[_Iterable[str]] = ..., reason: _Optional[str] = ..., drain: _Optional[bool] = ..., deadline_s: _Optional[float] = ...) -> None: ...

class CordonWorkerResponse(_message.Message):
    __slots__ = ("worker_ids",)
    WORKER_IDS_FIELD_NUMBER: _ClassVar[int]
    worker_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, worker_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class ResumeWorkerRequest(_message.Message):
    __slots__ = ("request_id", "workers")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    workers: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, request_id: _Optional[str] = ..., workers: _Optional[_Iterable[str]] = ...) -> None: ...

class ResumeWorkerResponse(_message.Message):
    __slots__ = ("worker_ids",)
    WORKER_IDS_FIELD_NUMBER: _ClassVar[int]
    worker_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, worker_ids: _Optional[_Iterable[str]] = ...) -> None: ...
