from ganger_core.wire.v1 import options_pb2 as _options_pb2
from ganger_core.wire.v1 import task_pb2 as _task_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Prospect(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROSPECT_UNSPECIFIED: _ClassVar[Prospect]
    PROSPECT_STARTS: _ClassVar[Prospect]
    PROSPECT_LATER: _ClassVar[Prospect]
    PROSPECT_BEHIND: _ClassVar[Prospect]
    PROSPECT_NO_ROOM: _ClassVar[Prospect]
    PROSPECT_NEVER: _ClassVar[Prospect]
PROSPECT_UNSPECIFIED: Prospect
PROSPECT_STARTS: Prospect
PROSPECT_LATER: Prospect
PROSPECT_BEHIND: Prospect
PROSPECT_NO_ROOM: Prospect
PROSPECT_NEVER: Prospect

class Demand(_message.Message):
    __slots__ = ("spec", "count", "max_parallel")
    SPEC_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    MAX_PARALLEL_FIELD_NUMBER: _ClassVar[int]
    spec: _task_pb2.TaskSpec
    count: int
    max_parallel: int
    def __init__(self, spec: _Optional[_Union[_task_pb2.TaskSpec, _Mapping]] = ..., count: _Optional[int] = ..., max_parallel: _Optional[int] = ...) -> None: ...

class PlanTasksRequest(_message.Message):
    __slots__ = ("demands", "task_id")
    DEMANDS_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    demands: _containers.RepeatedCompositeFieldContainer[Demand]
    task_id: int
    def __init__(self, demands: _Optional[_Iterable[_Union[Demand, _Mapping]]] = ..., task_id: _Optional[int] = ...) -> None: ...

class Outlook(_message.Message):
    __slots__ = ("prospect", "count", "shares", "ahead", "reason")
    class Share(_message.Message):
        __slots__ = ("worker_name", "tasks")
        WORKER_NAME_FIELD_NUMBER: _ClassVar[int]
        TASKS_FIELD_NUMBER: _ClassVar[int]
        worker_name: str
        tasks: int
        def __init__(self, worker_name: _Optional[str] = ..., tasks: _Optional[int] = ...) -> None: ...
    PROSPECT_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    SHARES_FIELD_NUMBER: _ClassVar[int]
    AHEAD_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    prospect: Prospect
    count: int
    shares: _containers.RepeatedCompositeFieldContainer[Outlook.Share]
    ahead: int
    reason: str
    def __init__(self, prospect: _Optional[_Union[Prospect, str]] = ..., count: _Optional[int] = ..., shares: _Optional[_Iterable[_Union[Outlook.Share, _Mapping]]] = ..., ahead: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class PlanTasksResponse(_message.Message):
    __slots__ = ("outlooks", "planned_by", "why_not_planner", "stage", "plan_ms", "workers")
    OUTLOOKS_FIELD_NUMBER: _ClassVar[int]
    PLANNED_BY_FIELD_NUMBER: _ClassVar[int]
    WHY_NOT_PLANNER_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    PLAN_MS_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    outlooks: _containers.RepeatedCompositeFieldContainer[Outlook]
    planned_by: str
    why_not_planner: str
    stage: str
    plan_ms: float
    workers: int
    def __init__(self, outlooks: _Optional[_Iterable[_Union[Outlook, _Mapping]]] = ..., planned_by: _Optional[str] = ..., why_not_planner: _Optional[str] = ..., stage: _Optional[str] = ..., plan_ms: _Optional[float] = ..., workers: _Optional[int] = ...) -> None: ...
