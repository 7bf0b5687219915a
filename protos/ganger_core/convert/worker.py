"""This module turns what workers and the master tell each other into wire messages and back."""

from __future__ import annotations

from ganger_core.convert.enums import ATTEMPT_STATE, REPORT_KIND, WORKER_STATE
from ganger_core.convert.outputs import outputs_from_proto, outputs_to_proto
from ganger_core.convert.task import (
    attempt_ref_from_proto,
    attempt_ref_to_proto,
    log_stream_from_proto,
    log_stream_to_proto,
    outcome_from_proto,
    outcome_to_proto,
    require,
    resources_from_proto,
    resources_to_proto,
    spec_from_proto,
    spec_to_proto,
)
from ganger_core.domain.cordon import Cordon
from ganger_core.domain.errors import Invalid
from ganger_core.domain.task import (
    LogChunk,
    Order,
    OrderBatch,
    Report,
    RevokeOrder,
    StartOrder,
    StopOrder,
    WorkerProfile,
    WorkerUsage,
    WorkerView,
)
from ganger_core.wire.v1 import worker_pb2 as pb


def profile_to_proto(x: WorkerProfile) -> pb.WorkerProfile:
    """What a worker says of itself."""
    return pb.WorkerProfile(
        id=x.id,
        name=x.name,
        incarnation=x.incarnation,
        host=x.host,
        boot_id=x.boot_id,
        capacity=resources_to_proto(x.capacity),
        version=x.version,
    )


def profile_from_proto(p: pb.WorkerProfile, field: str = "profile") -> WorkerProfile:
    """What a worker says of itself, not yet checked."""
    require(p, "capacity", f"{field}.capacity")
    return WorkerProfile(
        id=p.id,
        name=p.name,
        incarnation=p.incarnation,
        host=p.host,
        boot_id=p.boot_id,
        capacity=resources_from_proto(p.capacity),
        version=p.version,
    )


def usage_to_proto(x: WorkerUsage) -> pb.WorkerUsage:
    """What a worker measured last."""
    return pb.WorkerUsage(
        cpu_percent=x.cpu_percent,
        memory_used_bytes=x.memory_used_bytes,
        memory_total_bytes=x.memory_total_bytes,
    )


def usage_from_proto(p: pb.WorkerUsage) -> WorkerUsage:
    """What a worker measured last."""
    return WorkerUsage(p.cpu_percent, p.memory_used_bytes, p.memory_total_bytes)


def worker_to_proto(x: WorkerView) -> pb.Worker:
    """One worker as the master knows it."""
    return pb.Worker(
        profile=profile_to_proto(x.profile),
        state=WORKER_STATE.to_proto[x.state],
        free=resources_to_proto(x.free),
        usage=usage_to_proto(x.usage),
        heartbeat_age_s=x.heartbeat_age_s,
        attempts=[attempt_ref_to_proto(ref) for ref in x.attempts],
        cordon=None if x.cordon is None else cordon_to_proto(x.cordon),
    )


def worker_from_proto(p: pb.Worker, field: str = "worker") -> WorkerView:
    """One worker as the master knows it."""
    for name in ("profile", "free", "usage"):
        require(p, name, f"{field}.{name}")
    return WorkerView(
        profile=profile_from_proto(p.profile, f"{field}.profile"),
        state=WORKER_STATE.from_proto(p.state, f"{field}.state"),
        free=resources_from_proto(p.free),
        usage=usage_from_proto(p.usage),
        heartbeat_age_s=p.heartbeat_age_s,
        attempts=tuple([attempt_ref_from_proto(ref) for ref in p.attempts]),
        cordon=cordon_from_proto(p.cordon) if p.HasField("cordon") else None,
    )


def cordon_to_proto(x: Cordon) -> pb.Cordon:
    """Why a worker gets no new work."""
    return pb.Cordon(
        by=x.by, reason=x.reason, since_ms=x.since_ms, drains=x.drains, deadline_ms=x.deadline_ms
    )


def cordon_from_proto(p: pb.Cordon) -> Cordon:
    """Why a worker gets no new work."""
    return Cordon(p.by, p.reason, p.since_ms, p.drains, p.deadline_ms)


def _order_to_proto(x: Order) -> pb.Order:
    ref = attempt_ref_to_proto(x.ref)
    if isinstance(x, RevokeOrder):
        return pb.Order(revoke=pb.RevokeOrder(ref=ref))
    if isinstance(x, StopOrder):
        return pb.Order(stop=pb.StopOrder(ref=ref, grace_s=x.grace_s, reason=x.reason, signal=x.signal))
    state = ATTEMPT_STATE.to_proto[x.state]
    spec = spec_to_proto(x.spec)
    start = pb.StartOrder(ref=ref, spec=spec, lease_s=x.lease_s, state=state, behind=x.behind)
    start.array_id = x.array_id
    return pb.Order(start=start)


def _order_from_proto(p: pb.Order, field: str) -> Order:
    kind = p.WhichOneof("kind")
    if kind == "start":
        start = p.start
        require(start, "ref", f"{field}.ref")
        require(start, "spec", f"{field}.spec")
        return StartOrder(
            ref=attempt_ref_from_proto(start.ref),
            spec=spec_from_proto(start.spec, f"{field}.spec"),
            lease_s=start.lease_s,
            state=ATTEMPT_STATE.from_proto(start.state, f"{field}.state"),
            behind=start.behind,
            array_id=start.array_id,
        )
    if kind == "revoke":
        require(p.revoke, "ref", f"{field}.ref")
        return RevokeOrder(attempt_ref_from_proto(p.revoke.ref))
    if kind == "stop":
        require(p.stop, "ref", f"{field}.ref")
        stop = p.stop
        return StopOrder(attempt_ref_from_proto(stop.ref), stop.grace_s, stop.reason, stop.signal)
    raise Invalid(f"{field} is of no kind that this version knows", field=field)


def order_batch_to_proto(x: OrderBatch) -> pb.OrderBatch:
    """What a worker should do next."""
    return pb.OrderBatch(
        order_seq=x.order_seq, sync=x.sync, orders=[_order_to_proto(order) for order in x.orders]
    )


def order_batch_from_proto(p: pb.OrderBatch, field: str = "batch") -> OrderBatch:
    """What a worker should do next."""
    return OrderBatch(
        p.order_seq, p.sync, tuple([_order_from_proto(order, f"{field}.orders") for order in p.orders])
    )


def report_to_proto(x: Report) -> pb.Report:
    """What a worker tells of an attempt."""
    return pb.Report(
        ref=attempt_ref_to_proto(x.ref),
        kind=REPORT_KIND.to_proto[x.kind],
        age_s=x.age_s,
        started_age_s=x.started_age_s,
        message=x.message,
        outcome=None if x.outcome is None else outcome_to_proto(x.outcome),
        stdout_bytes=x.stdout_bytes,
        stderr_bytes=x.stderr_bytes,
        stdout_tail=x.stdout_tail,
        stderr_tail=x.stderr_tail,
        orderly=x.orderly,
        handed_to=None if x.handed_to is None else attempt_ref_to_proto(x.handed_to),
        outputs=None if x.outputs is None else outputs_to_proto(x.outputs),
    )


def report_from_proto(p: pb.Report, field: str = "report") -> Report:
    """What a worker tells of an attempt, not yet checked."""
    require(p, "ref", f"{field}.ref")
    return Report(
        ref=attempt_ref_from_proto(p.ref),
        kind=REPORT_KIND.from_proto(p.kind, f"{field}.kind"),
        age_s=p.age_s,
        started_age_s=p.started_age_s if p.HasField("started_age_s") else None,
        message=p.message,
        outcome=outcome_from_proto(p.outcome, f"{field}.outcome") if p.HasField("outcome") else None,
        stdout_bytes=p.stdout_bytes,
        stderr_bytes=p.stderr_bytes,
        stdout_tail=p.stdout_tail,
        stderr_tail=p.stderr_tail,
        orderly=p.orderly,
        handed_to=attempt_ref_from_proto(p.handed_to) if p.HasField("handed_to") else None,
        outputs=outputs_from_proto(p.outputs) if p.HasField("outputs") else None,
    )


def log_chunk_to_proto(x: LogChunk) -> pb.LogChunk:
    """Raw bytes of one stream."""
    return pb.LogChunk(
        ref=attempt_ref_to_proto(x.ref), stream=log_stream_to_proto(x.stream), offset=x.offset, data=x.data
    )


def log_chunk_from_proto(p: pb.LogChunk, field: str = "chunk") -> LogChunk:
    """Raw bytes of one stream, not yet checked."""
    require(p, "ref", f"{field}.ref")
    return LogChunk(
        attempt_ref_from_proto(p.ref), log_stream_from_proto(p.stream, f"{field}.stream"), p.offset, p.data
    )
