"""This module builds values for tests that read like sentences."""

from __future__ import annotations

from ganger_core.domain.outputs import OutputFile, Outputs
from ganger_core.domain.resources import Resources
from ganger_core.domain.task import (
    AttemptRef,
    Outcome,
    OutcomeKind,
    Report,
    ReportKind,
    TaskSpec,
    WorkerProfile,
)

GIB = 2**30


def a_spec(*command: str, cpus: float = 1, memory: int = 0, priority: int = 50, name: str = "") -> TaskSpec:
    """A task of one CPU that runs `true`, unless told otherwise."""
    return TaskSpec(
        command=command or ("true",),
        name=name,
        resources=Resources(round(cpus * 1000), memory, 1),
        priority=priority,
    )


def a_worker(
    name: str = "w1", *, cpus: float = 2, memory: int = 8 * GIB, slots: int = 16, incarnation: int = 1
) -> WorkerProfile:
    """A worker of two CPUs; its id is its name with `id-` before it."""
    return WorkerProfile(
        id=f"id-{name}",
        name=name,
        incarnation=incarnation,
        host="host",
        boot_id="boot",
        capacity=Resources(round(cpus * 1000), memory, slots),
        version="0.1.0",
    )


def started(ref: AttemptRef) -> Report:
    """The attempt's process runs."""
    return Report(ref, ReportKind.STARTED)


def ended(ref: AttemptRef, code: int = 0, *, stdout: bytes = b"", outputs: Outputs | None = None) -> Report:
    """The attempt's process ended with this code; its whole output rides in the report."""
    kind = OutcomeKind.EXIT_NONZERO if code else OutcomeKind.OK
    return Report(
        ref,
        ReportKind.ENDED,
        started_age_s=0.5,
        outcome=Outcome(kind, code),
        stdout_bytes=len(stdout),
        stdout_tail=stdout,
        outputs=outputs,
    )


def outputs_of(ref: AttemptRef) -> Outputs:
    """What this attempt publishes, and no other."""
    return Outputs((OutputFile(f"of {ref}", ref.token, "0" * 64),), f'"{ref}"')


def lost(ref: AttemptRef, why: str = "gone") -> Report:
    """The worker holds no trace of the attempt."""
    return Report(ref, ReportKind.LOST, message=why)
