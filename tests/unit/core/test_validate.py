"""This module tests the rules of requests: what is refused, with which field, and what people may write."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ganger_core.domain import parse
from ganger_core.domain import validate as v
from ganger_core.domain.errors import Invalid
from ganger_core.domain.labels import MAX_LABEL_VALUE, MAX_LABELS
from ganger_core.domain.plan import Fleet, ShapeDemand, Snapshot
from ganger_core.domain.resources import MAX_AMOUNT, Resources
from ganger_core.domain.task import (
    LOG_TAIL_BYTES,
    AttemptRef,
    LogChunk,
    LogStream,
    Outcome,
    OutcomeKind,
    Report,
    ReportKind,
    TaskSpec,
    WorkerUsage,
)
from testkit.builders import a_worker

SPEC = TaskSpec(
    command=("python", "", "häßlich\n\t*"),
    name="ünï ☃",
    env=(("A", ""), ("_b9", "x=y\n")),
    workdir="/w",
    resources=Resources(0, 0, 1),
    priority=100,
    labels=(("a", "1"), ("b/c.d_e-f", "vi sion ☃")),
)
REF = AttemptRef(1, 1)
REPORT = Report(REF, ReportKind.ENDED, 0.1, 3.5, "m", Outcome(OutcomeKind.SIGNALLED, 137, 9), 3, 0, b"abc")
SURROGATE = "\udcff"  # what os.fsdecode makes of a byte that is not UTF-8


def refused(field: str, check: Callable[..., object], *args: Any) -> Invalid:
    with pytest.raises(Invalid) as caught:
        check(*args)
    assert caught.value.field == field
    assert field.rpartition(".")[2] in caught.value.message
    return caught.value


def test_a_good_spec_passes() -> None:
    v.check_spec(SPEC)
    v.check_spec(TaskSpec(command=("x" * v.MAX_COMMAND_BYTES,)))
    v.check_spec(TaskSpec(command=("x",) * v.MAX_ARGS, name="n" * v.MAX_NAME))
    labels = tuple((f"k{n:062}", "v" * MAX_LABEL_VALUE) for n in range(MAX_LABELS))
    v.check_spec(replace(SPEC, labels=labels))
    v.check_spec(replace(SPEC, resources=Resources(v.MAX_CPU_MILLI, v.MAX_MEMORY_BYTES, 1), priority=0))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"command": ()}, "command"),
        ({"command": ("",)}, "command"),
        ({"command": ("a\0b",)}, "command"),
        ({"command": ("a", SURROGATE)}, "command"),
        ({"command": ("x",) * (v.MAX_ARGS + 1)}, "command"),
        ({"command": ("x" * (v.MAX_COMMAND_BYTES - 1), "é")}, "command"),
        ({"name": "n" * (v.MAX_NAME + 1)}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "a\x1b[31m"}, "name"),
        ({"name": SURROGATE}, "name"),
        ({"env": (("", "x"),)}, "env"),
        ({"env": (("A=B", "x"),)}, "env"),
        ({"env": (("9A", "x"),)}, "env"),
        ({"env": (("Ä", "x"),)}, "env"),
        ({"env": (("A\n", "x"),)}, "env"),
        ({"env": (("A", "1"), ("A", "2"))}, "env"),
        ({"env": (("GANGER_TASK_ID", "1"),)}, "env"),
        ({"env": (("A", "\0"),)}, "env"),
        ({"env": (("A", SURROGATE),)}, "env"),
        ({"env": (("A", "x" * v.MAX_ENV_BYTES),)}, "env"),
        ({"env": tuple((f"A{i}", "") for i in range(v.MAX_ENV + 1))}, "env"),
        ({"workdir": "relative"}, "workdir"),
        ({"workdir": "/a\0"}, "workdir"),
        ({"workdir": "/" + "x" * v.MAX_PATH}, "workdir"),
        ({"resources": Resources(-1, 0, 1)}, "resources.cpu_milli"),
        ({"resources": Resources(v.MAX_CPU_MILLI + 1, 0, 1)}, "resources.cpu_milli"),
        ({"resources": Resources(2**63, 0, 1)}, "resources.cpu_milli"),
        ({"resources": Resources(math.nan, 0, 1)}, "resources.cpu_milli"),
        ({"resources": Resources(1.5, 0, 1)}, "resources.cpu_milli"),
        ({"resources": Resources(True, 0, 1)}, "resources.cpu_milli"),
        ({"resources": Resources(0, -1, 1)}, "resources.memory_bytes"),
        ({"resources": Resources(0, v.MAX_MEMORY_BYTES + 1, 1)}, "resources.memory_bytes"),
        ({"resources": Resources(0, 0, 0)}, "resources.slots"),
        ({"resources": Resources(0, 0, 2)}, "resources.slots"),
        ({"labels": (("", "x"),)}, "labels"),
        ({"labels": (("-a", "x"),)}, "labels"),
        ({"labels": (("a b", "x"),)}, "labels"),
        ({"labels": (("ä", "x"),)}, "labels"),
        ({"labels": (("k" * 64, "x"),)}, "labels"),
        ({"labels": (("a", ""),)}, "labels"),
        ({"labels": (("a", "x\ny"),)}, "labels"),
        ({"labels": (("a", "\0"),)}, "labels"),
        ({"labels": (("a", SURROGATE),)}, "labels"),
        ({"labels": (("a", "x" * (MAX_LABEL_VALUE + 1)),)}, "labels"),
        ({"labels": (("a", "1"), ("a", "2"))}, "labels"),
        ({"labels": (("b", "1"), ("a", "2"))}, "labels"),
        ({"labels": tuple((f"k{n:02}", "x") for n in range(MAX_LABELS + 1))}, "labels"),
        ({"priority": -1}, "priority"),
        ({"priority": 101}, "priority"),
        ({"priority": 2**64}, "priority"),
    ],
)
def test_a_wrong_spec_is_refused_naming_the_field(change: dict[str, Any], field: str) -> None:
    refused(f"specs[3].{field}", v.check_spec, replace(SPEC, **change), "specs[3]")


@pytest.mark.parametrize("text", ["", "a b", "é", "x" * 129, "a\n"])
def test_a_wrong_request_id_is_refused(text: str) -> None:
    refused("request_id", v.check_request_id, text)


def test_ids_texts_and_names() -> None:
    v.check_request_id("x" * 128)
    v.check_text("é" * 4, "reason", 4)
    v.check_id(2**63 - 1, "task_id")
    v.check_worker_name("host-1.example_com")
    refused("reason", v.check_text, "x" * 5, "reason", 4)
    refused("task_id", v.check_id, 0, "task_id")
    refused("task_id", v.check_id, 2**63, "task_id")
    for name in ("", ".", "..", "a/b", "-a", "a b", "x" * 129, "ä", "a\n"):
        refused("name", v.check_worker_name, name)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": "../x"}, "id"),
        ({"name": ""}, "name"),
        ({"incarnation": 0}, "incarnation"),
        ({"incarnation": 2**63}, "incarnation"),
        ({"host": "\0"}, "host"),
        ({"boot_id": SURROGATE}, "boot_id"),
        ({"version": "v" * 129}, "version"),
        ({"capacity": Resources(0, 1, 1)}, "capacity.cpu_milli"),
        ({"capacity": Resources(1, -1, 1)}, "capacity.memory_bytes"),
        ({"capacity": Resources(1, 1, 0)}, "capacity.slots"),
        ({"capacity": Resources(1, 1, v.MAX_SLOTS + 1)}, "capacity.slots"),
    ],
)
def test_a_wrong_profile_is_refused(change: dict[str, Any], field: str) -> None:
    v.check_profile(a_worker())
    refused(f"profile.{field}", v.check_profile, replace(a_worker(), **change))


@pytest.mark.parametrize("percent", [math.nan, math.inf, -0.1, 100.5])
def test_wrong_usage_is_refused(percent: float) -> None:
    v.check_usage(WorkerUsage(100.0, 1, 2))
    refused("usage.cpu_percent", v.check_usage, WorkerUsage(percent))
    refused("usage.memory_used_bytes", v.check_usage, WorkerUsage(0.0, -1))
    refused("usage.memory_total_bytes", v.check_usage, WorkerUsage(0.0, 1, 2**63))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"ref": AttemptRef(0, 1)}, "ref.task_id"),
        ({"ref": AttemptRef(1, 0)}, "ref.token"),
        ({"age_s": math.nan}, "age_s"),
        ({"age_s": -1.0}, "age_s"),
        ({"age_s": 1e12}, "age_s"),
        ({"started_age_s": math.inf}, "started_age_s"),
        ({"message": "x" * (v.MAX_TEXT + 1)}, "message"),
        ({"outcome": None}, "outcome"),
        ({"outcome": Outcome(OutcomeKind.OK, exit_code=256)}, "outcome.exit_code"),
        ({"outcome": Outcome(OutcomeKind.OK, signal=0)}, "outcome.signal"),
        ({"outcome": Outcome(OutcomeKind.OK, message="\0")}, "outcome.message"),
        ({"stdout_bytes": -1, "stdout_tail": b""}, "stdout_bytes"),
        ({"stdout_bytes": 2}, "stdout_tail"),
        ({"stderr_bytes": 2**40, "stderr_tail": b"x" * (LOG_TAIL_BYTES + 1)}, "stderr_tail"),
    ],
)
def test_a_wrong_report_is_refused(change: dict[str, Any], field: str) -> None:
    v.check_report(REPORT)
    refused(f"report.{field}", v.check_report, replace(REPORT, **change))


def test_a_report_of_something_else_than_the_end_needs_no_outcome() -> None:
    v.check_report(Report(REF, ReportKind.STARTED))


def test_log_chunks() -> None:
    v.check_log_chunk(LogChunk(REF, LogStream.STDOUT, 0, b"x"))
    refused("chunk.offset", v.check_log_chunk, LogChunk(REF, LogStream.STDOUT, -1, b"x"))
    refused("chunk.offset", v.check_log_chunk, LogChunk(REF, LogStream.STDOUT, 2**63 - 1, b"x"))
    refused("chunk.ref.token", v.check_log_chunk, LogChunk(AttemptRef(1, -1), LogStream.STDOUT, 0, b""))


FLEET = Fleet(("a", "b"), (Resources(1000, 10, 4), Resources(1000, 10, 4)))
SNAPSHOT = Snapshot(FLEET, FLEET.capacities, (ShapeDemand(Resources(1, 0, 1), 50, (7, 8)),))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"free": FLEET.capacities[:1]}, "free"),
        ({"free": (FLEET.capacities[0], Resources(0, -MAX_AMOUNT - 1, 0))}, "free.memory_bytes"),
        ({"fleet": replace(FLEET, capacities=(Resources(-1), Resources()))}, "fleet.capacities.cpu_milli"),
        ({"fleet": replace(FLEET, capacities=FLEET.capacities[:1])}, "free"),
        ({"shapes": (ShapeDemand(Resources(0, 0, -1), 50, (7,)),)}, "shapes.request.slots"),
        ({"shapes": (ShapeDemand(Resources(MAX_AMOUNT + 1), 50, (7,)),)}, "shapes.request.cpu_milli"),
        ({"shapes": (ShapeDemand(Resources(), 101, (7,)),)}, "shapes.priority"),
        ({"shapes": (ShapeDemand(Resources(), 1, (7, 7)),)}, "shapes.task_ids"),
        ({"shapes": (*SNAPSHOT.shapes, ShapeDemand(Resources(), 1, (8,)))}, "shapes.task_ids"),
        ({"shapes": (ShapeDemand(Resources(), 1, (0,)),)}, "shapes.task_ids"),
    ],
)
def test_a_wrong_snapshot_is_refused(change: dict[str, Any], field: str) -> None:
    v.check_snapshot(SNAPSHOT)
    v.check_snapshot(Snapshot(Fleet((), ()), (), ()))
    v.check_snapshot(replace(SNAPSHOT, free=(Resources(-5, 0, 0), Resources())))
    with pytest.raises(Invalid) as caught:
        v.check_snapshot(replace(SNAPSHOT, **change))
    assert caught.value.field == f"snapshot.{field}"


@pytest.mark.parametrize(
    ("text", "milli"),
    [("1", 1000), ("1.5", 1500), ("0.125", 125), ("0", 0), ("1000", 1_000_000), ("007", 7000)],
)
def test_cpus(text: str, milli: int) -> None:
    assert parse.parse_cpus(text) == milli


@pytest.mark.parametrize(
    "text",
    ["", "-1", "nan", "inf", "1e3", "1,5", ".5", "1.", "1.2345", "1001", " 1", "1 ", "\u0661", "1_0", "1\n"],
)
def test_wrong_cpus(text: str) -> None:
    assert "cpus" in refused("cpus", parse.parse_cpus, text).message


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1073741824", 2**30), ("8GiB", 2**33), ("8G", 2**33), ("8 gb", 2**33), ("512M", 2**29), ("1.5k", 1536),
        ("0", 0), ("1P", 2**50), ("10B", 10), ("1024T", 2**50),
    ],
)  # fmt: skip
def test_memory(text: str, size: int) -> None:
    assert parse.parse_memory(text) == size


@pytest.mark.parametrize(
    "text", ["", "G", "-1G", "nan", "8X", "8GG", "8GiBB", "1025T", "1" * 40, "2P", "1e9", "8i", "8  G"]
)
def test_wrong_memory(text: str) -> None:
    refused("memory", parse.parse_memory, text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("2.5s", 2.5), ("1h30m", 5400), ("200ms", 0.2), ("1d", 86_400), ("0", 0), ("1m1.5s", 61.5)],
)  # fmt: skip
def test_durations(text: str, seconds: float) -> None:
    assert parse.parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "-1", "nan", "inf", "s", "1x", "1h 30m", "1h-3m", "9999d", "1" * 30, "1e3", "1hm", "1.s", "5s\n"],
)
def test_wrong_durations(text: str) -> None:
    refused("timeout", parse.parse_duration, text, "timeout")
