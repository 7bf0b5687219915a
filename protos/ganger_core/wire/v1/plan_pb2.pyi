from ganger_core.wire.v1 import options_pb2 as _options_pb2
from ganger_core.wire.v1 import task_pb2 as _task_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RefusalCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REFUSAL_CODE_UNSPECIFIED: _ClassVar[RefusalCode]
    REFUSAL_CODE_TOO_LARGE: _ClassVar[RefusalCode]
    REFUSAL_CODE_BUSY: _ClassVar[RefusalCode]
REFUSAL_CODE_UNSPECIFIED: RefusalCode
REFUSAL_CODE_TOO_LARGE: RefusalCode
REFUSAL_CODE_BUSY: RefusalCode

class Fleet(_message.Message):
    __slots__ = ("classes", "worker_ids", "class_of")
    CLASSES_FIELD_NUMBER: _ClassVar[int]
    WORKER_IDS_FIELD_NUMBER: _ClassVar[int]
    CLASS_OF_FIELD_NUMBER: _ClassVar[int]
    classes: _containers.RepeatedCompositeFieldContainer[_task_pb2.Resources]
    worker_ids: _containers.RepeatedScalarFieldContainer[str]
    class_of: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, classes: _Optional[_Iterable[_Union[_task_pb2.Resources, _Mapping]]] = ..., worker_ids: _Optional[_Iterable[str]] = ..., class_of: _Optional[_Iterable[int]] = ...) -> None: ...

class Amounts(_message.Message):
    __slots__ = ("cpu_milli", "memory_bytes", "slots")
    CPU_MILLI_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    cpu_milli: _containers.RepeatedScalarFieldContainer[int]
    memory_bytes: _containers.RepeatedScalarFieldContainer[int]
    slots: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, cpu_milli: _Optional[_Iterable[int]] = ..., memory_bytes: _Optional[_Iterable[int]] = ..., slots: _Optional[_Iterable[int]] = ...) -> None: ...

class ShapeDemand(_message.Message):
    __slots__ = ("request", "priority", "task_ids")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    TASK_IDS_FIELD_NUMBER: _ClassVar[int]
    request: _task_pb2.Resources
    priority: int
    task_ids: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, request: _Optional[_Union[_task_pb2.Resources, _Mapping]] = ..., priority: _Optional[int] = ..., task_ids: _Optional[_Iterable[int]] = ...) -> None: ...

class Snapshot(_message.Message):
    __slots__ = ("fleet_digest", "fleet", "free", "shapes")
    FLEET_DIGEST_FIELD_NUMBER: _ClassVar[int]
    FLEET_FIELD_NUMBER: _ClassVar[int]
    FREE_FIELD_NUMBER: _ClassVar[int]
    SHAPES_FIELD_NUMBER: _ClassVar[int]
    fleet_digest: str
    fleet: Fleet
    free: Amounts
    shapes: _containers.RepeatedCompositeFieldContainer[ShapeDemand]
    def __init__(self, fleet_digest: _Optional[str] = ..., fleet: _Optional[_Union[Fleet, _Mapping]] = ..., free: _Optional[_Union[Amounts, _Mapping]] = ..., shapes: _Optional[_Iterable[_Union[ShapeDemand, _Mapping]]] = ...) -> None: ...

class PlanOptions(_message.Message):
    __slots__ = ("seed",)
    SEED_FIELD_NUMBER: _ClassVar[int]
    seed: int
    def __init__(self, seed: _Optional[int] = ...) -> None: ...

class PlanRequest(_message.Message):
    __slots__ = ("snapshot", "options")
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    snapshot: Snapshot
    options: PlanOptions
    def __init__(self, snapshot: _Optional[_Union[Snapshot, _Mapping]] = ..., options: _Optional[_Union[PlanOptions, _Mapping]] = ...) -> None: ...

class GroupRefusal(_message.Message):
    __slots__ = ("capacity", "workers", "code", "shortage")
    CAPACITY_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    SHORTAGE_FIELD_NUMBER: _ClassVar[int]
    capacity: _task_pb2.Resources
    workers: int
    code: RefusalCode
    shortage: _task_pb2.Resources
    def __init__(self, capacity: _Optional[_Union[_task_pb2.Resources, _Mapping]] = ..., workers: _Optional[int] = ..., code: _Optional[_Union[RefusalCode, str]] = ..., shortage: _Optional[_Union[_task_pb2.Resources, _Mapping]] = ...) -> None: ...

class Refusal(_message.Message):
    __slots__ = ("shape", "count", "groups")
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    shape: int
    count: int
    groups: _containers.RepeatedCompositeFieldContainer[GroupRefusal]
    def __init__(self, shape: _Optional[int] = ..., count: _Optional[int] = ..., groups: _Optional[_Iterable[_Union[GroupRefusal, _Mapping]]] = ...) -> None: ...

class Plan(_message.Message):
    __slots__ = ("task_ids", "workers", "refusals", "value", "upper_bound", "stage", "work_units", "seed", "snapshot_digest")
    TASK_IDS_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    REFUSALS_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    UPPER_BOUND_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    WORK_UNITS_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    task_ids: _containers.RepeatedScalarFieldContainer[int]
    workers: _containers.RepeatedScalarFieldContainer[int]
    refusals: _containers.RepeatedCompositeFieldContainer[Refusal]
    value: int
    upper_bound: int
    stage: str
    work_units: int
    seed: int
    snapshot_digest: str
    def __init__(self, task_ids: _Optional[_Iterable[int]] = ..., workers: _Optional[_Iterable[int]] = ..., refusals: _Optional[_Iterable[_Union[Refusal, _Mapping]]] = ..., value: _Optional[int] = ..., upper_bound: _Optional[int] = ..., stage: _Optional[str] = ..., work_units: _Optional[int] = ..., seed: _Optional[int] = ..., snapshot_digest: _Optional[str] = ...) -> None: ...

class PlanReport(_message.Message):
    __slots__ = ("wall_ms",)
    WALL_MS_FIELD_NUMBER: _ClassVar[int]
    wall_ms: float
    def __init__(self, wall_ms: _Optional[float] = ...) -> None: ...

class PlanResponse(_message.Message):
    __slots__ = ("plan", "report")
    PLAN_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    plan: Plan
    report: PlanReport
    def __init__(self, plan: _Optional[_Union[Plan, _Mapping]] = ..., report: _Optional[_Union[PlanReport, _Mapping]] = ...) -> None: ...
