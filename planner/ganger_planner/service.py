"""This module answers `PlannerService` calls: convert, plan, convert."""

from __future__ import annotations

import time

import grpc

from ganger_core.convert import plan as convert
from ganger_core.domain.plan import PlanReport
from ganger_core.wire.v1 import plan_pb2, plan_pb2_grpc
from ganger_planner.fleets import Fleets
from ganger_planner.plan import plan

SERVICE_NAME = plan_pb2.DESCRIPTOR.services_by_name["PlannerService"].full_name


class PlannerService(plan_pb2_grpc.PlannerServiceServicer):
    """Plans in the thread of the call; the calls share nothing but the fleets."""

    def __init__(self, fleets: Fleets) -> None:
        self._fleets = fleets

    def add_to(self, server: grpc.Server) -> None:
        """Let `server` pass its calls here."""
        plan_pb2_grpc.add_PlannerServiceServicer_to_server(self, server)

    def Plan(self, request: plan_pb2.PlanRequest, context: grpc.ServicerContext) -> plan_pb2.PlanResponse:
        """A plan for the snapshot, and what making it cost, conversions included."""
        started = time.perf_counter()
        asked = request.snapshot
        sent = convert.fleet_from_proto(asked.fleet, "snapshot.fleet") if asked.HasField("fleet") else None
        fleet = self._fleets.resolve(asked.fleet_digest, sent)
        snapshot = convert.snapshot_from_proto(asked, fleet)
        made = convert.plan_to_proto(plan(snapshot, convert.options_from_proto(request.options)))
        report = PlanReport(wall_ms=(time.perf_counter() - started) * 1000)
        return plan_pb2.PlanResponse(plan=made, report=convert.plan_report_to_proto(report))
