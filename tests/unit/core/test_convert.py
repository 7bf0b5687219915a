"""This module tests that every message of the schema is converted, whole, and that wrong ones are refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from ganger_core.convert import enums
from ganger_core.convert import plan as plans
from ganger_core.convert import task as tasks
from ganger_core.convert import worker as workers
from ganger_core.domain.errors import Invalid
from ganger_core.domain.plan import Fleet, Snapshot
from ganger_core.domain.resources import Resources
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import LogStream
from ganger_core.wire.v1 import explain_pb2, options_pb2, plan_pb2, task_pb2, worker_pb2
from testkit.core_values import PAIRS

FILES = [file.DESCRIPTOR for file in (options_pb2, task_pb2, worker_pb2, plan_pb2, explain_pb2)]


def with_nested(messages: Iterable[Descriptor]) -> Iterator[Descriptor]:
    for message in messages:
        yield message
        yield from with_nested(message.nested_types)


def every_message() -> dict[str, Descriptor]:
    return {
        m.full_name.removeprefix("ganger.v1."): m
        for file in FILES
        for m in with_nested(file.message_types_by_name.values())
    }


def envelopes() -> set[str]:
    """Requests and answers of the calls, and what is nested in them: the services fill these by hand."""
    sides = [
        side
        for file in FILES
        for service in file.services_by_name.values()
        for method in service.methods
        for side in (method.input_type, method.output_type)
    ]
    return {message.full_name.removeprefix("ganger.v1.") for message in with_nested(sides)}


def set_fields(message: Message) -> Iterator[tuple[str, str]]:
    """(message, field) of everything set in this message and inside it."""
    for field, value in message.ListFields():
        yield message.DESCRIPTOR.full_name, field.name
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            for inner in [value] if isinstance(value, Message) else value:
                yield from set_fields(inner)


def test_every_message_is_converted_or_an_envelope_of_a_call() -> None:
    parts = {
        name.removeprefix("ganger.v1.")
        for pair in PAIRS.values()
        for name, _ in set_fields(pair.to_proto(pair.full))
    }
    assert set(every_message()) - envelopes() == parts
    assert set(PAIRS) <= set(every_message()) - envelopes()


@pytest.mark.parametrize("name", PAIRS)
def test_a_full_value_sets_every_field_of_its_message_and_comes_back(name: str) -> None:
    pair, message = PAIRS[name], PAIRS[name].to_proto(PAIRS[name].full)
    assert message.DESCRIPTOR is every_message()[name]
    seen = set(set_fields(message))
    for inner in {inner for inner, _ in seen}:
        fields = {field.name for field in every_message()[inner.removeprefix("ganger.v1.")].fields}
        assert {field for of, field in seen if of == inner} == fields, inner
    back = type(message).FromString(message.SerializeToString())
    assert pair.from_proto(back) == pair.full


PAIRED_ENUMS = {
    "TaskState": enums.TASK_STATE,
    "AttemptState": enums.ATTEMPT_STATE,
    "OutcomeKind": enums.OUTCOME_KIND,
    "OnWorkerLost": enums.ON_WORKER_LOST,
    "DependencyKind": enums.DEPENDENCY_KIND,
    "OnDependencyFailure": enums.ON_DEPENDENCY_FAILURE,
    "Publish": enums.PUBLISH,
    "LogStream": enums.LOG_STREAM,
    "WorkerState": enums.WORKER_STATE,
    "ReportKind": enums.REPORT_KIND,
    "RefusalCode": enums.REFUSAL_CODE,
    "Verdict": enums.VERDICT,
    "CauseCode": enums.CAUSE_CODE,
    "AheadWhy": enums.AHEAD_WHY,
    "ChangeKind": enums.CHANGE_KIND,
    "IfLost": enums.IF_LOST,
}


def test_every_enum_of_the_wire_is_that_of_the_domain() -> None:
    on_wire = {
        name: enum for file in FILES for name, enum in file.enum_types_by_name.items() if name != "Role"
    }
    assert set(on_wire) == set(PAIRED_ENUMS)
    for name, pair in PAIRED_ENUMS.items():
        assert {v.number for v in on_wire[name].values if v.number} == set(pair.to_proto.values()), name


def enum_paths(message: Message, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for field, value in message.ListFields():
        here = (*path, field.name)
        if field.type == FieldDescriptor.TYPE_ENUM:
            yield here
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            yield from enum_paths(value if isinstance(value, Message) else value[0], here)


def follow(message: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        value = getattr(message, name)
        message = value if isinstance(value, Message) else value[0]
    return message


MAY_BE_LEFT_OUT = {
    "on_worker_lost": "by age",
    "on_dependency_failure": "skip",
    "publish": "on success",
    "closed": "the rest may still be run",
    "worker": "the worker is not known any more",
}
"""Enums, by field, and what it means that they are left out."""


@pytest.mark.parametrize(
    ("name", "path"),
    [(name, path) for name, pair in PAIRS.items() for path in enum_paths(pair.to_proto(pair.full))],
)
@pytest.mark.parametrize("number", [0, 99])
def test_an_unknown_enum_is_refused_naming_the_field(name: str, path: tuple[str, ...], number: int) -> None:
    if not number and path[-1] in MAY_BE_LEFT_OUT:
        return
    message = PAIRS[name].to_proto(PAIRS[name].full)
    inner = follow(message, path[:-1])
    if inner.DESCRIPTOR.fields_by_name[path[-1]].is_repeated:
        getattr(inner, path[-1])[0] = number
    else:
        setattr(inner, path[-1], number)
    with pytest.raises(Invalid, match="unknown .* 99" if number else "is not set") as caught:
        PAIRS[name].from_proto(message)
    assert caught.value.field.endswith(path[-1])


OPTIONAL = {
    ("TaskSpec", "limits"),
    ("Attempt", "outcome"),
    ("Task", "outcome"),
    ("Task", "array"),
    ("Task", "waits"),
    ("TaskSpec", "retry"),
    ("Event", "outcome"),
    ("Worker", "cordon"),
    ("Report", "outcome"),
    ("Report", "handed_to"),
    ("Waiting", "plan"),
    ("Report", "outputs"),
}
# Left out, these mean zero workers.
EMPTY_IS_FINE = {("Snapshot", "fleet"), ("Snapshot", "free")}


@pytest.mark.parametrize(
    ("name", "field"),
    [
        (name, field.name)
        for name in PAIRS
        for field in every_message()[name].fields
        if field.type == FieldDescriptor.TYPE_MESSAGE and not field.is_repeated
        if (name, field.name) not in OPTIONAL | EMPTY_IS_FINE
    ],
)
def test_a_missing_message_is_refused_naming_the_field(name: str, field: str) -> None:
    message = PAIRS[name].to_proto(PAIRS[name].full)
    message.ClearField(field)
    with pytest.raises(Invalid, match=f"{field} is missing") as caught:
        PAIRS[name].from_proto(message)
    assert caught.value.field.endswith(f".{field}")


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (worker_pb2.OrderBatch(orders=[worker_pb2.Order()]), "batch.orders"),
        (worker_pb2.OrderBatch(orders=[worker_pb2.Order(start=worker_pb2.StartOrder())]), "batch.orders.ref"),
        (
            worker_pb2.OrderBatch(
                orders=[worker_pb2.Order(start=worker_pb2.StartOrder(ref=task_pb2.AttemptRef(task_id=1)))]
            ),
            "batch.orders.spec",
        ),
        (worker_pb2.OrderBatch(orders=[worker_pb2.Order(stop=worker_pb2.StopOrder())]), "batch.orders.ref"),
    ],
)
def test_an_order_of_no_known_kind_or_without_its_parts_is_refused(
    message: worker_pb2.OrderBatch, field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        workers.order_batch_from_proto(message)
    assert caught.value.field == field


def test_columns_of_different_lengths_are_refused() -> None:
    one = task_pb2.Resources(cpu_milli=1)
    fleets = [
        plan_pb2.Fleet(worker_ids=["a"], classes=[one]),
        plan_pb2.Fleet(worker_ids=["a"], class_of=[1], classes=[one]),
        plan_pb2.Fleet(worker_ids=["a"], class_of=[-1], classes=[one]),
    ]
    for fleet in fleets:
        with pytest.raises(Invalid, match="fleet"):
            plans.fleet_from_proto(fleet)
    for amounts in (plan_pb2.Amounts(cpu_milli=[1], memory_bytes=[1]), plan_pb2.Amounts()):
        with pytest.raises(Invalid, match=r"snapshot\.free"):
            plans.snapshot_from_proto(plan_pb2.Snapshot(free=amounts), Fleet(("a",), (Resources(),)))
    with pytest.raises(Invalid, match="2 tasks but 1 workers"):
        plans.plan_from_proto(plan_pb2.Plan(task_ids=[1, 2], workers=[1]))
    for part in ("capacity", "shortage"):
        group = plan_pb2.GroupRefusal(capacity=one, shortage=one, code=plan_pb2.REFUSAL_CODE_BUSY)
        group.ClearField(part)
        with pytest.raises(Invalid, match=f"plan.refusals.{part} is missing"):
            plans.plan_from_proto(plan_pb2.Plan(refusals=[plan_pb2.Refusal(groups=[group])]))
    with pytest.raises(Invalid, match=r"snapshot\.shapes\.request is missing"):
        plans.snapshot_from_proto(plan_pb2.Snapshot(shapes=[plan_pb2.ShapeDemand()]), Fleet((), ()))


def test_a_snapshot_may_name_its_fleet_only() -> None:
    snapshot: Snapshot = PAIRS["Snapshot"].full
    message = plans.snapshot_to_proto(snapshot, with_fleet=False)
    assert not message.HasField("fleet")
    assert plans.snapshot_from_proto(message, snapshot.fleet) == snapshot


def test_equal_capacities_cross_once() -> None:
    fleet = Fleet(tuple(f"w{i}" for i in range(1000)), (Resources(1, 2, 3),) * 1000)
    assert len(plans.fleet_to_proto(fleet).classes) == 1


def test_single_enums() -> None:
    for state in TaskState:
        assert tasks.task_state_from_proto(tasks.task_state_to_proto(state)) is state
    for stream in LogStream:
        assert tasks.log_stream_from_proto(tasks.log_stream_to_proto(stream)) is stream
    with pytest.raises(Invalid, match="states: unknown task state 99"):
        tasks.task_state_from_proto(99, "states")


def test_the_tails_of_an_attempt_stay_with_the_master() -> None:
    pair = PAIRS["Attempt"]
    assert pair.from_proto(pair.to_proto(pair.full)).stdout_tail == b""
