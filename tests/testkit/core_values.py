"""This module pairs every message that has a converter with a strategy for its values and a value that fills it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from ganger_core.convert import explanation as explanations
from ganger_core.convert import plan as plans
from ganger_core.convert import task as tasks
from ganger_core.convert import worker as workers
from ganger_core.domain.array import Array, Indices
from ganger_core.domain.cordon import Cordon
from ganger_core.domain.placement import fleet_digest
from ganger_core.domain.plan import (
    Assignment,
    Fleet,
    GroupRefusal,
    Plan,
    PlanOptions,
    PlanReport,
    Refusal,
    RefusalCode,
    ShapeDemand,
    Snapshot,
)
from ganger_core.domain.resources import Resources
from ganger_core.domain.states import AttemptState, TaskState, WorkerState
from ganger_core.domain.task import (
    Attempt,
    AttemptRef,
    Event,
    LogChunk,
    LogStream,
    OrderBatch,
    Outcome,
    OutcomeKind,
    Report,
    ReportKind,
    RevokeOrder,
    StartOrder,
    StopOrder,
    Task,
    WorkerProfile,
    WorkerUsage,
    WorkerView,
)
from testkit.explanation_values import A_LIVING, A_WAITING, LIVING, WAITING
from testkit.output_values import OUTPUT_PAIRS, SOME_OUTPUTS, outputs
from testkit.spec_values import (
    AFTER,
    LIMITS,
    RETRY,
    SPEC,
    WAITS,
    dependencies,
    limits,
    resources,
    retries,
    specs,
    waits_values,
)

int64 = st.integers(-(2**63), 2**63 - 1)
int32 = st.integers(-(2**31), 2**31 - 1)
index = st.integers(0, 2**31 - 1)
number = st.floats(allow_nan=False)
text = st.text(max_size=8)
data = st.binary(max_size=8)

outcomes = st.builds(
    Outcome, st.sampled_from(OutcomeKind), st.none() | int32, st.none() | int32, text, st.booleans()
)
refs = st.builds(AttemptRef, int64, int64)
attempts = st.builds(
    Attempt,
    refs,
    text,
    text,
    st.sampled_from(AttemptState),
    text,
    int64,
    text,
    int64,
    int64,
    st.none() | outcomes,
    int64,
    int64,
    st.just(b""),  # the wire does not carry the tails
    st.just(b""),
    lease_s=number,
    stop_signal=int32,
    stop_grace_s=number,
    behind=st.booleans(),
)
runs_of_indices = st.builds(
    lambda first, elements, step: Indices.parse(f"{first}-{first + (elements - 1) * step}:{step}"),
    st.integers(0, 100),
    st.integers(1, 100),
    st.integers(1, 9),
)
indices = runs_of_indices | st.sets(st.integers(0, 99), min_size=1).map(Indices.of)
array_values = st.builds(
    Array,
    indices,
    int64,
    st.none() | int64,
    text,
    int64,
    st.none() | st.sampled_from(TaskState),
    counts=st.lists(st.tuples(st.sampled_from(TaskState), int64), max_size=3).map(tuple),
)
task_values = st.builds(
    Task,
    int64,
    text,
    specs,
    st.sampled_from(TaskState),
    int64,
    int64,
    text,
    int64,
    int64,
    int64,
    st.none() | outcomes,
    int32,
    st.none() | array_values,
    int64,
    int64,
    waits_values,
    int32,
    int32,
    text,
)
events = st.builds(
    Event, int64, int64, int64, text, st.sampled_from(TaskState), int64, text, text, st.none() | outcomes
)
profiles = st.builds(WorkerProfile, text, text, int64, text, text, resources, text)
cordons = st.builds(Cordon, text, text, int64, st.booleans(), int64)
usages = st.builds(WorkerUsage, number, int64, int64)
views = st.builds(
    WorkerView,
    profiles,
    st.sampled_from(WorkerState),
    resources,
    usages,
    number,
    st.lists(refs, max_size=3).map(tuple),
    st.none() | cordons,
)
orders = (
    st.builds(StartOrder, refs, specs, number, st.sampled_from(AttemptState), st.booleans(), int64)
    | st.builds(StopOrder, refs, number, text, int32)
    | st.builds(RevokeOrder, refs)
)
batches = st.builds(OrderBatch, int64, st.booleans(), st.lists(orders, max_size=3).map(tuple))
reports = st.builds(
    Report,
    refs,
    st.sampled_from(ReportKind),
    number,
    st.none() | number,
    text,
    st.none() | outcomes,
    int64,
    int64,
    data,
    data,
    st.booleans(),
    st.none() | refs,
    st.none() | outputs,
)
chunks = st.builds(LogChunk, refs, st.sampled_from(LogStream), int64, data)
shapes = st.builds(ShapeDemand, resources, int32, st.lists(int64, max_size=4).map(tuple))


@st.composite
def fleets(draw: st.DrawFn) -> Fleet:
    """A few workers, some of the same capacity."""
    capacities = draw(st.lists(resources, min_size=1, max_size=2))
    ids = draw(st.lists(text, max_size=4))
    return Fleet(tuple(ids), tuple(draw(st.sampled_from(capacities)) for _ in ids))


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """Any amounts, also ones that make no sense."""
    fleet = draw(fleets())
    free = tuple(draw(resources) for _ in fleet.worker_ids)
    return Snapshot(fleet, free, tuple(draw(st.lists(shapes, max_size=3))))


refusals = st.builds(
    Refusal,
    index,
    index,
    st.lists(
        st.builds(GroupRefusal, resources, index, st.sampled_from(RefusalCode), resources), max_size=3
    ).map(tuple),
)
plan_values = st.builds(
    Plan,
    st.lists(st.builds(Assignment, int64, index), max_size=3).map(tuple),
    st.lists(refusals, max_size=2).map(tuple),
    int64,
    int64,
    text,
    int64,
    int64,
    text,
)


@dataclass(frozen=True)
class Pair:
    """The converters of one message, a strategy for its values, and one value that sets every field."""

    to_proto: Callable[[Any], Any]
    from_proto: Callable[[Any], Any]
    values: st.SearchStrategy[Any]
    full: Any


def _snapshot_from_proto(message: Any) -> Snapshot:
    fleet = plans.fleet_from_proto(message.fleet)
    assert message.fleet_digest == fleet_digest(fleet)
    return plans.snapshot_from_proto(message, fleet)


_R = Resources(1500, 2**40, 7)
_REF = AttemptRef(7, 3)
_OUTCOME = Outcome(OutcomeKind.SIGNALLED, 137, 9, "killed", True)
_COUNTS = ((TaskState.FAILED, 1), (TaskState.CANCELLED, 4))
_ARRAY = Array(Indices.parse("0-9:3,20"), 4, 0, "d", 6, TaskState.CANCELLED, counts=_COUNTS)
_CORDON = Cordon("ann", "new driver", 7, True, 9)
_PROFILE = WorkerProfile("i", "n", 3, "h", "b", _R, "0.1")
_USAGE = WorkerUsage(12.5, 5, 9)
_FLEET = Fleet(("a", "b", "c"), (_R, Resources(1, 1, 1), _R))
_REFUSAL = Refusal(1, 2, (GroupRefusal(_R, 3, RefusalCode.BUSY, _R),))

PAIRS: dict[str, Pair] = {
    "Resources": Pair(tasks.resources_to_proto, tasks.resources_from_proto, resources, _R),
    "Limits": Pair(tasks.limits_to_proto, tasks.limits_from_proto, limits, LIMITS),
    "Retry": Pair(tasks.retry_to_proto, tasks.retry_from_proto, retries, RETRY),
    "TaskSpec": Pair(tasks.spec_to_proto, tasks.spec_from_proto, specs, SPEC),
    "Outcome": Pair(tasks.outcome_to_proto, tasks.outcome_from_proto, outcomes, _OUTCOME),
    "AttemptRef": Pair(tasks.attempt_ref_to_proto, tasks.attempt_ref_from_proto, refs, _REF),
    "Attempt": Pair(
        tasks.attempt_to_proto,
        tasks.attempt_from_proto,
        attempts,
        Attempt(
            _REF,
            "i",
            "n",
            AttemptState.ENDED,
            "planner",
            1,
            "p",
            2,
            3,
            _OUTCOME,
            4,
            5,
            lease_s=6.0,
            stop_signal=7,
            stop_grace_s=8.0,
            behind=True,
            drained=True,
        ),
    ),
    "Task": Pair(
        tasks.task_to_proto,
        tasks.task_from_proto,
        task_values,
        Task(
            7,
            "o",
            SPEC,
            TaskState.FAILED,
            1,
            2,
            "r",
            3,
            4,
            5,
            _OUTCOME,
            2,
            _ARRAY,
            8,
            9,
            WAITS,
            13,
            14,
            "1",
        ),
    ),
    "Dependency": Pair(tasks.dependency_to_proto, tasks.dependency_from_proto, dependencies, AFTER),
    "Waits": Pair(tasks.waits_to_proto, tasks.waits_from_proto, waits_values, WAITS),
    "Array": Pair(tasks.array_to_proto, tasks.array_from_proto, array_values, _ARRAY),
    "Event": Pair(
        tasks.event_to_proto,
        tasks.event_from_proto,
        events,
        Event(1, 2, 3, "o", TaskState.FAILED, 4, "w", "r", _OUTCOME),
    ),
    "WorkerProfile": Pair(workers.profile_to_proto, workers.profile_from_proto, profiles, _PROFILE),
    "Cordon": Pair(workers.cordon_to_proto, workers.cordon_from_proto, cordons, _CORDON),
    "WorkerUsage": Pair(workers.usage_to_proto, workers.usage_from_proto, usages, _USAGE),
    "Worker": Pair(
        workers.worker_to_proto,
        workers.worker_from_proto,
        views,
        WorkerView(_PROFILE, WorkerState.SUSPECT, _R, _USAGE, 3.5, (_REF,), _CORDON),
    ),
    "OrderBatch": Pair(
        workers.order_batch_to_proto,
        workers.order_batch_from_proto,
        batches,
        OrderBatch(
            4,
            True,
            (
                StartOrder(_REF, SPEC, 300.0, AttemptState.RUNNING, behind=True, array_id=8),
                StopOrder(_REF, 2.5, "why"),
                RevokeOrder(_REF),
            ),
        ),
    ),
    "Report": Pair(
        workers.report_to_proto,
        workers.report_from_proto,
        reports,
        Report(_REF, ReportKind.ENDED, 0.5, 2.5, "m", _OUTCOME, 1, 1, b"o", b"e", True, _REF, SOME_OUTPUTS),
    ),
    **{name: Pair(*parts) for name, parts in OUTPUT_PAIRS.items()},
    "LogChunk": Pair(
        workers.log_chunk_to_proto,
        workers.log_chunk_from_proto,
        chunks,
        LogChunk(_REF, LogStream.STDERR, 3, b"x"),
    ),
    "Waiting": Pair(
        explanations.waiting_to_proto,
        explanations.waiting_from_proto,
        WAITING,
        A_WAITING,
    ),
    "Living": Pair(
        explanations.living_to_proto,
        explanations.living_from_proto,
        LIVING,
        A_LIVING,
    ),
    "Fleet": Pair(plans.fleet_to_proto, plans.fleet_from_proto, fleets(), _FLEET),
    "Snapshot": Pair(
        lambda x: plans.snapshot_to_proto(x, with_fleet=True),
        _snapshot_from_proto,
        snapshots(),
        Snapshot(_FLEET, _FLEET.capacities, (ShapeDemand(_R, 9, (4, 5)),)),
    ),
    "PlanOptions": Pair(
        plans.options_to_proto, plans.options_from_proto, st.builds(PlanOptions, int64), PlanOptions(5)
    ),
    "Plan": Pair(
        plans.plan_to_proto,
        plans.plan_from_proto,
        plan_values,
        Plan((Assignment(4, 1),), (_REFUSAL,), 10, 20, "s", 3, 5, "d"),
    ),
    "PlanReport": Pair(
        plans.plan_report_to_proto,
        plans.plan_report_from_proto,
        st.builds(PlanReport, number),
        PlanReport(1.5),
    ),
}
"""Every message with a converter of its own, by its name in `ganger.v1`."""
