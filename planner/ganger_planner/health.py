"""This module tells whoever asks over gRPC's health protocol that the planner serves."""

from __future__ import annotations

from collections.abc import Container

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc


class HealthService(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # it has no type hints
    """Answers `Check` for the whole server (the empty name) and for the services named.

    `Watch` is answered UNIMPLEMENTED, as the protocol allows. The servicer that comes with gRPC has it, but sends
    while it holds a lock that the server's own thread takes when another watcher goes: both wait for ever.
    """

    def __init__(self, services: Container[str]) -> None:
        self._services = services

    def add_to(self, server: grpc.Server) -> None:
        """Let `server` pass its calls here."""
        health_pb2_grpc.add_HealthServicer_to_server(self, server)

    def Check(
        self, request: health_pb2.HealthCheckRequest, context: grpc.ServicerContext
    ) -> health_pb2.HealthCheckResponse:
        """SERVING, or the status NOT_FOUND for a service that is not here."""
        if request.service and request.service not in self._services:
            context.abort(grpc.StatusCode.NOT_FOUND, "there is no such service here")
        return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)
