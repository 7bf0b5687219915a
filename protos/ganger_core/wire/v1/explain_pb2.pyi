from ganger_core.wire.v1 import options_pb2 as _options_pb2
from ganger_core.wire.v1 import task_pb2 as _task_pb2
from ganger_core.wire.v1 import worker_pb2 as _worker_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Verdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERDICT_UNSPECIFIED: _ClassVar[Verdict]
    VERDICT_ROOM: _ClassVar[Verdict]
    VERDICT_BUSY: _ClassVar[Verdict]
    VERDICT_RESTING: _ClassVar[Verdict]
    VERDICT_LATE: _ClassVar[Verdict]
    VERDICT_DRAINING: _ClassVar[Verdict]
    VERDICT_LOST: _ClassVar[Verdict]
    VERDICT_TOO_LARGE: _ClassVar[Verdict]
    VERDICT_CORDONED: _ClassVar[Verdict]

class CauseCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CAUSE_CODE_UNSPECIFIED: _ClassVar[CauseCode]
    CAUSE_CODE_ARRAY_LIMIT: _ClassVar[CauseCode]
    CAUSE_CODE_RESTORED: _ClassVar[CauseCode]
    CAUSE_CODE_NO_WORKER: _ClassVar[CauseCode]
    CAUSE_CODE_INFEASIBLE: _ClassVar[CauseCode]
    CAUSE_CODE_WORKERS_AWAY: _ClassVar[CauseCode]
    CAUSE_CODE_NO_ROOM: _ClassVar[CauseCode]
    CAUSE_CODE_RANK: _ClassVar[CauseCode]
    CAUSE_CODE_NEXT_PLAN: _ClassVar[CauseCode]
    CAUSE_CODE_HELD: _ClassVar[CauseCode]
    CAUSE_CODE_NOT_BEFORE: _ClassVar[CauseCode]
    CAUSE_CODE_BACKOFF: _ClassVar[CauseCode]
    CAUSE_CODE_DEPENDENCY: _ClassVar[CauseCode]

class AheadWhy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AHEAD_WHY_UNSPECIFIED: _ClassVar[AheadWhy]
    AHEAD_WHY_HIGHER: _ClassVar[AheadWhy]
    AHEAD_WHY_OLDER: _ClassVar[AheadWhy]
    AHEAD_WHY_AGED: _ClassVar[AheadWhy]

class ChangeKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHANGE_KIND_UNSPECIFIED: _ClassVar[ChangeKind]
    CHANGE_KIND_REQUEST: _ClassVar[ChangeKind]
    CHANGE_KIND_PRIORITY: _ClassVar[ChangeKind]
    CHANGE_KIND_MAX_PARALLEL: _ClassVar[ChangeKind]
    CHANGE_KIND_NEW_WORKER: _ClassVar[ChangeKind]
    CHANGE_KIND_RESUME_WORKER: _ClassVar[ChangeKind]
    CHANGE_KIND_RELEASE: _ClassVar[ChangeKind]
    CHANGE_KIND_WORKER_BACK: _ClassVar[ChangeKind]

class IfLost(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    IF_LOST_UNSPECIFIED: _ClassVar[IfLost]
    IF_LOST_REQUEUE: _ClassVar[IfLost]
    IF_LOST_WAIT: _ClassVar[IfLost]
    IF_LOST_FAIL: _ClassVar[IfLost]
    IF_LOST_CRASHED_TOO_OFTEN: _ClassVar[IfLost]
    IF_LOST_CANCELLED: _ClassVar[IfLost]
VERDICT_UNSPECIFIED: Verdict
VERDICT_ROOM: Verdict
VERDICT_BUSY: Verdict
VERDICT_RESTING: Verdict
VERDICT_LATE: Verdict
VERDICT_DRAINING: Verdict
VERDICT_LOST: Verdict
VERDICT_TOO_LARGE: Verdict
VERDICT_CORDONED: Verdict
CAUSE_CODE_UNSPECIFIED: CauseCode
CAUSE_CODE_ARRAY_LIMIT: CauseCode
CAUSE_CODE_RESTORED: CauseCode
CAUSE_CODE_NO_WORKER: CauseCode
CAUSE_CODE_INFEASIBLE: CauseCode
CAUSE_CODE_WORKERS_AWAY: CauseCode
CAUSE_CODE_NO_ROOM: CauseCode
CAUSE_CODE_RANK: CauseCode
CAUSE_CODE_NEXT_PLAN: CauseCode
CAUSE_CODE_HELD: CauseCode
CAUSE_CODE_NOT_BEFORE: CauseCode
CAUSE_CODE_BACKOFF: CauseCode
CAUSE_CODE_DEPENDENCY: CauseCode
AHEAD_WHY_UNSPECIFIED: AheadWhy
AHEAD_WHY_HIGHER: AheadWhy
AHEAD_WHY_OLDER: AheadWhy
AHEAD_WHY_AGED: AheadWhy
CHANGE_KIND_UNSPECIFIED: ChangeKind
CHANGE_KIND_REQUEST: ChangeKind
CHANGE_KIND_PRIORITY: ChangeKind
CHANGE_KIND_MAX_PARALLEL: ChangeKind
CHANGE_KIND_NEW_WORKER: ChangeKind
CHANGE_KIND_RESUME_WORKER: ChangeKind
CHANGE_KIND_RELEASE: ChangeKind
CHANGE_KIND_WORKER_BACK: ChangeKind
IF_LOST_UNSPECIFIED: IfLost
IF_LOST_REQUEUE: IfLost
IF_LOST_WAIT: IfLost
IF_LOST_FAIL: IfLost
IF_LOST_CRASHED_TOO_OFTEN: IfLost
IF_LOST_CANCELLED: IfLost

class ExplainTaskRequest(_message.Message):
    __slots__ = ("task_id",)
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    task_id: int
    def __init__(self, task_id: _Optional[int] = ...) -> None: ...

class ExplainTaskResponse(_message.Message):
    __slots__ = ("task", "attempts", "now_ms", "waiting", "living")
    TASK_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    NOW_MS_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    LIVING_FIELD_NUMBER: _ClassVar[int]
    task: _task_pb2.Task
    attempts: _containers.RepeatedCompositeFieldContainer[_task_pb2.Attempt]
    now_ms: int
    waiting: Waiting
    living: Living
    def __init__(self, task: _Optional[_Union[_task_pb2.Task, _Mapping]] = ..., attempts: _Optional[_Iterable[_Union[_task_pb2.Attempt, _Mapping]]] = ..., now_ms: _Optional[int] = ..., waiting: _Optional[_Union[Waiting, _Mapping]] = ..., living: _Optional[_Union[Living, _Mapping]] = ...) -> None: ...

class Waiting(_message.Message):
    __slots__ = ("label", "request", "causes", "groups", "line", "start", "remedies", "plan")
    class Cause(_message.Message):
        __slots__ = ("code", "text", "until_ms")
        CODE_FIELD_NUMBER: _ClassVar[int]
        TEXT_FIELD_NUMBER: _ClassVar[int]
        UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
        code: CauseCode
        text: str
        until_ms: int
        def __init__(self, code: _Optional[_Union[CauseCode, str]] = ..., text: _Optional[str] = ..., until_ms: _Optional[int] = ...) -> None: ...
    class Holder(_message.Message):
        __slots__ = ("label", "name", "tasks", "held", "worker", "since_ms", "until_ms")
        LABEL_FIELD_NUMBER: _ClassVar[int]
        NAME_FIELD_NUMBER: _ClassVar[int]
        TASKS_FIELD_NUMBER: _ClassVar[int]
        HELD_FIELD_NUMBER: _ClassVar[int]
        WORKER_FIELD_NUMBER: _ClassVar[int]
        SINCE_MS_FIELD_NUMBER: _ClassVar[int]
        UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
        label: str
        name: str
        tasks: int
        held: _task_pb2.Resources
        worker: str
        since_ms: int
        until_ms: int
        def __init__(self, label: _Optional[str] = ..., name: _Optional[str] = ..., tasks: _Optional[int] = ..., held: _Optional[_Union[_task_pb2.Resources, _Mapping]] = ..., worker: _Optional[str] = ..., since_ms: _Optional[int] = ..., until_ms: _Optional[int] = ...) -> None: ...
    class WorkerGroup(_message.Message):
        __slots__ = ("verdicts", "workers", "names", "nearest", "capacity", "free", "shortage", "holders", "more_holders", "silent_s", "rests_s", "words", "since_ms")
        VERDICTS_FIELD_NUMBER: _ClassVar[int]
        WORKERS_FIELD_NUMBER: _ClassVar[int]
        NAMES_FIELD_NUMBER: _ClassVar[int]
        NEAREST_FIELD_NUMBER: _ClassVar[int]
        CAPACITY_FIELD_NUMBER: _ClassVar[int]
        FREE_FIELD_NUMBER: _ClassVar[int]
        SHORTAGE_FIELD_NUMBER: _ClassVar[int]
        HOLDERS_FIELD_NUMBER: _ClassVar[int]
        MORE_HOLDERS_FIELD_NUMBER: _ClassVar[int]
        SILENT_S_FIELD_NUMBER: _ClassVar[int]
        RESTS_S_FIELD_NUMBER: _ClassVar[int]
        WORDS_FIELD_NUMBER: _ClassVar[int]
        SINCE_MS_FIELD_NUMBER: _ClassVar[int]
        verdicts: _containers.RepeatedScalarFieldContainer[Verdict]
        workers: int
        names: _containers.RepeatedScalarFieldContainer[str]
        nearest: str
        capacity: _task_pb2.Resources
        free: _task_pb2.Resources
        shortage: _task_pb2.Resources
        holders: _containers.RepeatedCompositeFieldContainer[Waiting.Holder]
        more_holders: int
        silent_s: float
        rests_s: float
        words: str
        since_ms: int
        def __init__(self, verdicts: _Optional[_Iterable[_Union[Verdict, str]]] = ..., workers: _Optional[int] = ..., names: _Optional[_Iterable[str]] = ..., nearest: _Optional[str] = ..., capacity: _Optional[_Union[_task_pb2.Resources, _Mapping]] = ..., free: _Optional[_Union[_task_pb2.Resources, _Mapping]] = ..., shortage: _Optional[_Union[_task_pb2.Resources, _Mapping]] = ..., holders: _Optional[_Iterable[_Union[Waiting.Holder, _Mapping]]] = ..., more_holders: _Optional[int] = ..., silent_s: _Optional[float] = ..., rests_s: _Optional[float] = ..., words: _Optional[str] = ..., since_ms: _Optional[int] = ...) -> None: ...
    class AheadGroup(_message.Message):
        __slots__ = ("tasks", "label", "name", "array_id", "priority", "request", "why")
        TASKS_FIELD_NUMBER: _ClassVar[int]
        LABEL_FIELD_NUMBER: _ClassVar[int]
        NAME_FIELD_NUMBER: _ClassVar[int]
        ARRAY_ID_FIELD_NUMBER: _ClassVar[int]
        PRIORITY_FIELD_NUMBER: _ClassVar[int]
        REQUEST_FIELD_NUMBER: _ClassVar[int]
        WHY_FIELD_NUMBER: _ClassVar[int]
        tasks: int
        label: str
        name: str
        array_id: int
        priority: int
        request: _task_pb2.Resources
        why: AheadWhy
        def __init__(self, tasks: _Optional[int] = ..., label: _Optional[str] = ..., name: _Optional[str] = ..., array_id: _Optional[int] = ..., priority: _Optional[int] = ..., request: _Optional[_Union[_task_pb2.Resources, _Mapping]] = ..., why: _Optional[_Union[AheadWhy, str]] = ...) -> None: ...
    class NextUp(_message.Message):
        __slots__ = ("label", "worker", "behind")
        LABEL_FIELD_NUMBER: _ClassVar[int]
        WORKER_FIELD_NUMBER: _ClassVar[int]
        BEHIND_FIELD_NUMBER: _ClassVar[int]
        label: str
        worker: str
        behind: str
        def __init__(self, label: _Optional[str] = ..., worker: _Optional[str] = ..., behind: _Optional[str] = ...) -> None: ...
    class Line(_message.Message):
        __slots__ = ("waiting", "ahead", "groups", "next_up", "behind")
        WAITING_FIELD_NUMBER: _ClassVar[int]
        AHEAD_FIELD_NUMBER: _ClassVar[int]
        GROUPS_FIELD_NUMBER: _ClassVar[int]
        NEXT_UP_FIELD_NUMBER: _ClassVar[int]
        BEHIND_FIELD_NUMBER: _ClassVar[int]
        waiting: int
        ahead: int
        groups: _containers.RepeatedCompositeFieldContainer[Waiting.AheadGroup]
        next_up: _containers.RepeatedCompositeFieldContainer[Waiting.NextUp]
        behind: int
        def __init__(self, waiting: _Optional[int] = ..., ahead: _Optional[int] = ..., groups: _Optional[_Iterable[_Union[Waiting.AheadGroup, _Mapping]]] = ..., next_up: _Optional[_Iterable[_Union[Waiting.NextUp, _Mapping]]] = ..., behind: _Optional[int] = ...) -> None: ...
    class PlanWord(_message.Message):
        __slots__ = ("number", "at_ms", "by", "why_not_planner", "stage", "took_ms", "asked", "placed", "said")
        NUMBER_FIELD_NUMBER: _ClassVar[int]
        AT_MS_FIELD_NUMBER: _ClassVar[int]
        BY_FIELD_NUMBER: _ClassVar[int]
        WHY_NOT_PLANNER_FIELD_NUMBER: _ClassVar[int]
        STAGE_FIELD_NUMBER: _ClassVar[int]
        TOOK_MS_FIELD_NUMBER: _ClassVar[int]
        ASKED_FIELD_NUMBER: _ClassVar[int]
        PLACED_FIELD_NUMBER: _ClassVar[int]
        SAID_FIELD_NUMBER: _ClassVar[int]
        number: int
        at_ms: int
        by: str
        why_not_planner: str
        stage: str
        took_ms: float
        asked: int
        placed: int
        said: str
        def __init__(self, number: _Optional[int] = ..., at_ms: _Optional[int] = ..., by: _Optional[str] = ..., why_not_planner: _Optional[str] = ..., stage: _Optional[str] = ..., took_ms: _Optional[float] = ..., asked: _Optional[int] = ..., placed: _Optional[int] = ..., said: _Optional[str] = ...) -> None: ...
    class Start(_message.Message):
        __slots__ = ("by_ms", "why")
        BY_MS_FIELD_NUMBER: _ClassVar[int]
        WHY_FIELD_NUMBER: _ClassVar[int]
        by_ms: int
        why: str
        def __init__(self, by_ms: _Optional[int] = ..., why: _Optional[str] = ...) -> None: ...
    class Change(_message.Message):
        __slots__ = ("kind", "number", "name", "amounts")
        KIND_FIELD_NUMBER: _ClassVar[int]
        NUMBER_FIELD_NUMBER: _ClassVar[int]
        NAME_FIELD_NUMBER: _ClassVar[int]
        AMOUNTS_FIELD_NUMBER: _ClassVar[int]
        kind: ChangeKind
        number: int
        name: str
        amounts: _task_pb2.Resources
        def __init__(self, kind: _Optional[_Union[ChangeKind, str]] = ..., number: _Optional[int] = ..., name: _Optional[str] = ..., amounts: _Optional[_Union[_task_pb2.Resources, _Mapping]] = ...) -> None: ...
    class Remedy(_message.Message):
        __slots__ = ("changes",)
        CHANGES_FIELD_NUMBER: _ClassVar[int]
        changes: _containers.RepeatedCompositeFieldContainer[Waiting.Change]
        def __init__(self, changes: _Optional[_Iterable[_Union[Waiting.Change, _Mapping]]] = ...) -> None: ...
    LABEL_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    CAUSES_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    REMEDIES_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    label: str
    request: _task_pb2.Resources
    causes: _containers.RepeatedCompositeFieldContainer[Waiting.Cause]
    groups: _containers.RepeatedCompositeFieldContainer[Waiting.WorkerGroup]
    line: Waiting.Line
    start: Waiting.Start
    remedies: _containers.RepeatedCompositeFieldContainer[Waiting.Remedy]
    plan: Waiting.PlanWord
    def __init__(self, label: _Optional[str] = ..., request: _Optional[_Union[_task_pb2.Resources, _Mapping]] = ..., causes: _Optional[_Iterable[_Union[Waiting.Cause, _Mapping]]] = ..., groups: _Optional[_Iterable[_Union[Waiting.WorkerGroup, _Mapping]]] = ..., line: _Optional[_Union[Waiting.Line, _Mapping]] = ..., start: _Optional[_Union[Waiting.Start, _Mapping]] = ..., remedies: _Optional[_Iterable[_Union[Waiting.Remedy, _Mapping]]] = ..., plan: _Optional[_Union[Waiting.PlanWord, _Mapping]] = ...) -> None: ...

class Living(_message.Message):
    __slots__ = ("worker", "silent_s", "lease_s", "if_lost", "behind", "went_behind", "waited_for")
    WORKER_FIELD_NUMBER: _ClassVar[int]
    SILENT_S_FIELD_NUMBER: _ClassVar[int]
    LEASE_S_FIELD_NUMBER: _ClassVar[int]
    IF_LOST_FIELD_NUMBER: _ClassVar[int]
    BEHIND_FIELD_NUMBER: _ClassVar[int]
    WENT_BEHIND_FIELD_NUMBER: _ClassVar[int]
    WAITED_FOR_FIELD_NUMBER: _ClassVar[int]
    worker: _worker_pb2.WorkerState
    silent_s: float
    lease_s: float
    if_lost: IfLost
    behind: str
    went_behind: str
    waited_for: str
    def __init__(self, worker: _Optional[_Union[_worker_pb2.WorkerState, str]] = ..., silent_s: _Optional[float] = ..., lease_s: _Optional[float] = ..., if_lost: _Optional[_Union[IfLost, str]] = ..., behind: _Optional[str] = ..., went_behind: _Optional[str] = ..., waited_for: _Optional[str] = ...) -> None: ...
