"""This module gets a plan: from the planner service, or from first-fit while that does not answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ganger_core.convert import plan as convert
from ganger_core.domain.clock import Clock
from ganger_core.domain.errors import FleetUnknown, GangerError
from ganger_core.domain.placement import first_fit, fleet_digest, nothing_fits, snapshot_digest
from ganger_core.domain.plan import Plan, PlanOptions, Snapshot
from ganger_core.rpc.channels import Target, open_channel
from ganger_core.rpc.status import domain_errors
from ganger_core.wire.v1 import plan_pb2, plan_pb2_grpc
from ganger_master import locks

MISSES_BEFORE_SKIP = 2
SKIP_S = 5.0
BY_PLANNER, BY_FIRST_FIT = "planner", "first-fit"
BY_NOBODY = ""  # nothing was to be decided
NOTHING = Plan((), (), 0, 0, "", 0, 0, "")


class Planner(Protocol):
    """Something that makes a plan; raises a `GangerError` when it cannot."""

    def plan(self, snapshot: Snapshot, options: PlanOptions) -> Plan:
        """The plan for this snapshot."""
        ...


class RemotePlanner:
    """The planner service, called over gRPC by one thread. The fleet is sent only when the service lacks it."""

    def __init__(self, target: Target, deadline_s: float) -> None:
        self._channel = open_channel(target)
        self._stub = plan_pb2_grpc.PlannerServiceStub(self._channel)
        self._deadline_s = deadline_s
        self._known_fleet = ""  # digest of the fleet that the service was sent last

    def plan(self, snapshot: Snapshot, options: PlanOptions) -> Plan:
        """Ask the service, at most for the deadline."""
        locks.assert_none_held("Plan")
        digest = fleet_digest(snapshot.fleet)
        try:
            plan = self._call(snapshot, options, with_fleet=digest != self._known_fleet)
        except FleetUnknown:  # the service was started again
            plan = self._call(snapshot, options, with_fleet=True)
        self._known_fleet = digest
        return plan

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()

    def _call(self, snapshot: Snapshot, options: PlanOptions, *, with_fleet: bool) -> Plan:
        request = plan_pb2.PlanRequest(
            snapshot=convert.snapshot_to_proto(snapshot, with_fleet=with_fleet),
            options=convert.options_to_proto(options),
        )
        with domain_errors():
            return convert.plan_from_proto(self._stub.Plan(request, timeout=self._deadline_s).plan)


@dataclass(frozen=True, slots=True)
class Breaker:
    """Keeps a planner that fails from costing every cycle its deadline: after two misses in a row it is skipped."""

    misses: int = 0
    skip_until_s: float = 0.0

    def closed(self, now_s: float) -> bool:
        """Whether the planner may be asked."""
        return now_s >= self.skip_until_s

    def missed(self, now_s: float) -> Breaker:
        """After an answer that did not come or was wrong."""
        misses = self.misses + 1
        return Breaker(misses, now_s + SKIP_S if misses >= MISSES_BEFORE_SKIP else 0.0)


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, who made it (`planner`, `first-fit` or nobody), and why it was not the planner."""

    plan: Plan
    by: str
    why_not_planner: str = ""


class Planning:
    """Asks the planner, and plans by first-fit whenever it is dead, late or wrong. For one thread: the scheduler."""

    def __init__(self, planner: Planner, clock: Clock) -> None:
        self._planner = planner
        self._clock = clock
        self._breaker = Breaker()

    def plan(self, snapshot: Snapshot, options: PlanOptions = PlanOptions()) -> Planned:  # noqa: B008  # frozen
        """A plan for the snapshot, always. Nobody is asked when none of the tasks fits anywhere."""
        if nothing_fits(snapshot):
            return Planned(NOTHING, BY_NOBODY)
        if not self._breaker.closed(self._clock.now().steady_s):
            return Planned(
                first_fit(snapshot, options), BY_FIRST_FIT, "it failed twice in a row and is skipped for 5 s"
            )
        try:
            plan = self._planner.plan(snapshot, options)
            problem = wrong(plan, snapshot)
        except GangerError as error:
            problem = error.message
        if problem:
            self._breaker = self._breaker.missed(self._clock.now().steady_s)
            return Planned(first_fit(snapshot, options), BY_FIRST_FIT, problem)
        self._breaker = Breaker()
        return Planned(plan, BY_PLANNER)


def wrong(plan: Plan, snapshot: Snapshot) -> str:
    """What is plainly wrong with a plan for this snapshot; empty when nothing is. Capacity is admission's to check."""
    if plan.snapshot_digest != snapshot_digest(snapshot):
        return "its plan is for another snapshot"
    asked = {task_id for shape in snapshot.shapes for task_id in shape.task_ids}
    workers = len(snapshot.fleet.worker_ids)
    placed = [assignment.task_id for assignment in plan.assignments]
    if len(set(placed)) != len(placed):
        return "its plan places a task twice"
    if not asked.issuperset(placed):
        return "its plan places tasks that were not asked about"
    if any(not 0 <= assignment.worker < workers for assignment in plan.assignments):
        return "its plan names a worker that does not exist"
    if any(not 0 <= refusal.shape < len(snapshot.shapes) for refusal in plan.refusals):
        return "its plan refuses a shape that does not exist"
    return ""
