"""This module decides what a worker does: pure functions of what it holds and what it is told.

`settle` answers a batch of orders, `reconcile` what the executor says after it began anew, `conclude` an exit.
They change nothing; the agent carries out the actions that they return.
"""

from __future__ import annotations

import math
import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ganger_core.domain.states import AttemptState
from ganger_core.domain.task import (
    AttemptRef,
    OrderBatch,
    Outcome,
    OutcomeKind,
    ReportKind,
    RevokeOrder,
    StartOrder,
    StopOrder,
)
from ganger_worker.attempts import Held, Stage
from ganger_worker.executors.base import Cause, Exit, Launch, Started, Stop

UNWANTED_GRACE_S = 5.0  # between TERM and KILL of what the master does not count on any more
UNWANTED = "the master does not count on it any more"
MAX_MESSAGE = 1_000  # characters
MAX_PIDS = 20  # that a message names
NOTHING: Mapping[int, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Tell:
    """Report that this attempt never ran here, or runs no more, and hold it as over until that is known."""

    ref: AttemptRef
    kind: ReportKind
    message: str


@dataclass(frozen=True, slots=True)
class TellAgain:
    """Report once more what is known of this attempt; `order` is the master's, if that is what asks.

    A living one then has its lease until `deadline_s`, as long as that order says.
    """

    ref: AttemptRef
    order: StartOrder | None = None
    deadline_s: float | None = None


@dataclass(frozen=True, slots=True)
class Halt:
    """Stop a living attempt, for the reason `why`."""

    stop: Stop
    why: str


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What an exit means: a report's kind, message and outcome."""

    kind: ReportKind
    message: str
    outcome: Outcome | None
    orderly: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Hold this attempt until one that asked for the same is over; its lease counts from `lease_from_s`."""

    order: StartOrder
    lease_from_s: float


Action = Launch | Wait | Tell | TellAgain | Halt


def settle(
    batch: OrderBatch,
    held: Mapping[AttemptRef, Held],
    lease_from_s: float,
    over: Mapping[int, int] = NOTHING,
    closed: str = "",
) -> list[Action]:
    """What to do on a batch of orders, given what is held. `closed` says why nothing new is taken, if so.

    `lease_from_s` is when the last answered heartbeat was sent: leases of new attempts count from there, so
    that an order that was long on its way does not start what the master may have given to another worker. For
    the same reason what was over and forgotten stays so: `over` has the highest such token of each task.
    """
    given_back: set[AttemptRef] = set()
    starts = {order.ref for order in batch.orders if isinstance(order, StartOrder)}
    stops = {order.ref for order in batch.orders if isinstance(order, StopOrder)}
    actions: list[Action] = []
    for order in batch.orders:
        mine = held.get(order.ref)
        if isinstance(order, StopOrder):
            actions.append(_on_stop(order, mine, order.ref in starts))
        elif isinstance(order, RevokeOrder):
            if (mine is None and order.ref in starts) or (mine and mine.stage is Stage.WAITING):
                given_back.add(order.ref)
                actions.append(Tell(order.ref, ReportKind.REVOKED, "given back"))
        elif order.ref not in given_back:
            is_over = order.ref.token <= over.get(order.ref.task_id, 0)
            actions += _on_start(order, mine, lease_from_s, is_over, order.ref in stops, closed)
    if batch.sync:
        wanted = starts | stops
        actions += [
            _unwanted(mine)
            for mine in held.values()
            if mine.stage is not Stage.OVER and mine.stop is None and mine.ref not in wanted
        ]
    return actions


def _on_start(
    order: StartOrder, mine: Held | None, lease_from_s: float, is_over: bool, stop_is_here: bool, closed: str
) -> list[Action]:
    deadline_s = lease_end(lease_from_s, order)
    if mine is not None and mine.stage is not Stage.WAITING:
        return [TellAgain(order.ref, order, None if mine.stage is Stage.OVER else deadline_s)]
    if mine is None and is_over:
        return [Tell(order.ref, ReportKind.LOST, "it was over here before this order came")]
    if mine is None and order.state is not AttemptState.ASSIGNED:
        return [Tell(order.ref, ReportKind.LOST, "this worker has no trace of it")]
    if stop_is_here:
        return []
    if mine is None and closed:
        return [Tell(order.ref, ReportKind.REJECTED, closed)]
    if order.behind:
        return [] if mine and mine.order == order else [Wait(order, lease_from_s)]
    return [Launch(order, deadline_s)]


def differs(order: StartOrder, before: StartOrder | None) -> bool:
    """Whether this order has another run limit than the one before; a restarted worker does not know that one."""
    return before is None or order.spec.limits.run_s != before.spec.limits.run_s


def _unwanted(mine: Held) -> Action:
    if mine.stage is Stage.WAITING:
        return Tell(mine.ref, ReportKind.REVOKED, UNWANTED)
    return Halt(Stop(mine.ref, UNWANTED_GRACE_S, Cause.UNWANTED), UNWANTED)


def lease_end(lease_from_s: float, order: StartOrder) -> float:
    """When the lease of this order is over: never, when it gives none."""
    return lease_from_s + order.lease_s if order.lease_s else math.inf


def _on_stop(order: StopOrder, mine: Held | None, start_is_here: bool) -> Action:
    if mine is None and start_is_here:
        return Tell(order.ref, ReportKind.REVOKED, "stopped before it started")
    if mine is None:
        return Tell(order.ref, ReportKind.LOST, "this worker has no trace of it")
    if mine.stage is Stage.OVER:
        return TellAgain(order.ref)
    if mine.stage is Stage.WAITING:
        return Tell(order.ref, ReportKind.REVOKED, "stopped before it started")
    return Halt(Stop(order.ref, order.grace_s, Cause.ORDER, order.signal or signal.SIGTERM), order.reason)


def sterner(first: Stop | None, next_: Stop) -> Stop:
    """Both stops as one: for the first one's cause, with the shorter grace, by the newer signal."""
    if first is None:
        return next_
    return Stop(next_.ref, min(first.grace_s, next_.grace_s), first.cause, next_.signal)


def reconcile(
    living: Iterable[Started],
    exits: Iterable[Exit],
    held: Mapping[AttemptRef, Held],
    lease_from_s: float,
) -> list[Action]:
    """What to do with held attempts after the executor began anew, given what lives in it and what ended.

    What it never started is started now, or taken back if it was to stop; what it lost is told as lost.
    """
    known = {started.ref for started in living}
    known_over = {exit_.ref for exit_ in exits}
    actions: list[Action] = []
    for mine in held.values():
        if mine.stage in (Stage.OVER, Stage.WAITING) or mine.ref in known_over:
            continue
        if mine.ref in known:
            if mine.stop is not None:
                actions.append(Halt(mine.stop, mine.why))
        elif mine.stage is Stage.RUNNING or mine.order is None:
            actions.append(Tell(mine.ref, ReportKind.LOST, "the keeper has no trace of it"))
        elif mine.stop is not None:
            actions.append(Tell(mine.ref, ReportKind.REVOKED, "stopped before it started"))
        else:
            actions.append(Launch(mine.order, lease_end(lease_from_s, mine.order)))
    return actions


def conclude(exit_: Exit, why: str, worker: str) -> Conclusion:
    """What to report for an exit; `why` is the reason of the stop that came before it, if one did."""
    if exit_.code == 0 and exit_.cause is None and not exit_.unkillable:
        return _SUCCESS
    kind, code, message = _how(exit_, worker)
    if exit_.unkillable:
        pids = ", ".join(map(str, exit_.unkillable[:MAX_PIDS])) + (
            ", …" if len(exit_.unkillable) > MAX_PIDS else ""
        )
        kind, message = OutcomeKind.UNKILLABLE, f"still alive on worker {worker} long after SIGKILL: {pids}"
    elif exit_.cause in _LOST:
        orderly = exit_.cause is not Cause.KEEPER
        return Conclusion(ReportKind.LOST, _lost(exit_.cause, why), None, orderly)
    elif exit_.cause is Cause.LIMIT:
        limit = f" of {exit_.limit_s:.15g}s" if exit_.limit_s else ""
        kind, message = OutcomeKind.TIMED_OUT, f"ran longer than its limit{limit}"
    elif exit_.cause is Cause.ORDER:
        kind, message = OutcomeKind.CANCELLED, why
    outcome = Outcome(kind, exit_code=code, signal=exit_.signal, message=clean(message))
    return Conclusion(ReportKind.ENDED, "", outcome)


_SUCCESS = Conclusion(ReportKind.ENDED, "", Outcome(OutcomeKind.OK, exit_code=0))

_LOST = {
    Cause.UNWANTED: UNWANTED,
    Cause.SHUTDOWN: "worker shut down",
    Cause.LEASE: "its lease was over",
    Cause.KEEPER: "its keeper died",
}


def _lost(cause: Cause, why: str) -> str:
    return (why if cause is Cause.UNWANTED else "") or _LOST[cause]


def _how(exit_: Exit, worker: str) -> tuple[OutcomeKind, int | None, str]:
    if exit_.launch is None and exit_.signal is None and exit_.code is None:
        return OutcomeKind.LOST, None, "nobody saw it end"
    if exit_.launch is not None:
        return OutcomeKind.LAUNCH_FAILED, exit_.launch, f"{exit_.why} on worker {worker}"
    if exit_.signal is not None:
        return OutcomeKind.SIGNALLED, 128 + exit_.signal, f"killed by {signal_name(exit_.signal)}"
    if exit_.code:
        return OutcomeKind.EXIT_NONZERO, exit_.code, f"exited with code {exit_.code}"
    return OutcomeKind.OK, 0, ""


def signal_name(number: int) -> str:
    """SIGSEGV, or `signal 40` for one without a name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def clean(text: str) -> str:
    """The text as it may be sent and stored: what file names may hold and UTF-8 may not is replaced."""
    return text.encode("utf-8", "replace").decode().replace("\0", "?")[:MAX_MESSAGE]
