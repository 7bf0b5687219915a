"""This module pairs every enum of the domain with its enum on the wire, by name."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Generic, TypeVar

from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

from ganger_core.domain.dependency import DependencyKind, OnDependencyFailure
from ganger_core.domain.errors import Invalid
from ganger_core.domain.explanation import AheadWhy, CauseCode, ChangeKind, IfLost, Verdict
from ganger_core.domain.forecast import Prospect
from ganger_core.domain.outputs import Publish
from ganger_core.domain.plan import RefusalCode
from ganger_core.domain.states import AttemptState, TaskState, WorkerState
from ganger_core.domain.task import LogStream, OnWorkerLost, OutcomeKind, ReportKind
from ganger_core.wire.v1 import explain_pb2, forecast_pb2, plan_pb2, task_pb2, worker_pb2

E = TypeVar("E", bound=StrEnum)


class EnumPair(Generic[E]):
    """One enum in both worlds: `TaskState.PENDING` is `TASK_STATE_PENDING` on the wire."""

    def __init__(self, domain: type[E], wire: EnumTypeWrapper, prefix: str) -> None:
        self.to_proto: dict[E, Any] = {member: wire.Value(f"{prefix}_{member.name}") for member in domain}
        self._from_proto: dict[int, E] = {number: member for member, number in self.to_proto.items()}
        self._what = prefix.lower().replace("_", " ")

    def from_proto(self, number: int, field: str) -> E:
        """The member with this number; raises `Invalid` for one that is unset or unknown."""
        try:
            return self._from_proto[number]
        except KeyError:
            why = f"unknown {self._what} {number}" if number else f"{self._what} is not set"
            raise Invalid(f"{field}: {why}", field=field) from None


def _pair(domain: type[E], wire: object, prefix: str) -> EnumPair[E]:
    if not isinstance(wire, EnumTypeWrapper):  # the stubs call it a class, the generated code makes this
        raise TypeError(f"{prefix} is no wire enum")
    return EnumPair(domain, wire, prefix)


TASK_STATE = _pair(TaskState, task_pb2.TaskState, "TASK_STATE")
ATTEMPT_STATE = _pair(AttemptState, task_pb2.AttemptState, "ATTEMPT_STATE")
OUTCOME_KIND = _pair(OutcomeKind, task_pb2.OutcomeKind, "OUTCOME_KIND")
ON_WORKER_LOST = _pair(OnWorkerLost, task_pb2.OnWorkerLost, "ON_WORKER_LOST")
DEPENDENCY_KIND = _pair(DependencyKind, task_pb2.DependencyKind, "DEPENDENCY_KIND")
ON_DEPENDENCY_FAILURE = _pair(OnDependencyFailure, task_pb2.OnDependencyFailure, "ON_DEPENDENCY_FAILURE")
PUBLISH = _pair(Publish, task_pb2.Publish, "PUBLISH")
LOG_STREAM = _pair(LogStream, task_pb2.LogStream, "LOG_STREAM")
WORKER_STATE = _pair(WorkerState, worker_pb2.WorkerState, "WORKER_STATE")
REPORT_KIND = _pair(ReportKind, worker_pb2.ReportKind, "REPORT_KIND")
REFUSAL_CODE = _pair(RefusalCode, plan_pb2.RefusalCode, "REFUSAL_CODE")
PROSPECT = _pair(Prospect, forecast_pb2.Prospect, "PROSPECT")
VERDICT = _pair(Verdict, explain_pb2.Verdict, "VERDICT")
CAUSE_CODE = _pair(CauseCode, explain_pb2.CauseCode, "CAUSE_CODE")
AHEAD_WHY = _pair(AheadWhy, explain_pb2.AheadWhy, "AHEAD_WHY")
CHANGE_KIND = _pair(ChangeKind, explain_pb2.ChangeKind, "CHANGE_KIND")
IF_LOST = _pair(IfLost, explain_pb2.IfLost, "IF_LOST")
