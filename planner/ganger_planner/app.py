"""This module puts a planner together and serves until SIGTERM or SIGINT."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

from ganger_core import logs, state_dir
from ganger_core.domain.errors import Conflict
from ganger_core.domain.principal import Principal, Role
from ganger_core.rpc.channels import MAX_ANSWER, server_options, unix_address
from ganger_core.rpc.guard import Guard, Tokens
from ganger_core.rpc.interceptors import PlannerInterceptor
from ganger_core.rpc.metrics import RpcMetrics
from ganger_core.settings import PLANNER_SOCKET_NAME, TOKEN_NAME, PlannerSettings
from ganger_planner.fleets import Fleets
from ganger_planner.health import HealthService
from ganger_planner.service import SERVICE_NAME, PlannerService

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
STOP_GRACE_S = 5.0  # for the plans under way
LOCK_NAME = "planner.lock"

_log = logs.get_logger()


class PlannerServer:
    """A planner that listens. Raises `GangerError` when it must not start; `address` says where it can be dialled."""

    def __init__(self, settings: PlannerSettings) -> None:
        folder = state_dir.prepare(settings.state_dir)
        self._lock = state_dir.lock(folder / LOCK_NAME, "planner")
        try:
            self._pool = ThreadPoolExecutor(settings.threads, thread_name_prefix="grpc")
            self._server = _server(self._pool, _guard(settings, folder))
            self.address = _bind(self._server, settings.listen, folder)
        except BaseException:
            self._lock.release()
            raise

    def start(self) -> None:
        """Begin to answer."""
        self._server.start()

    def stop(self) -> None:
        """Refuse new calls, let those under way end, and give the state folder free."""
        self._server.stop(STOP_GRACE_S).wait()
        self._pool.shutdown()
        self._lock.release()


def serve(settings: PlannerSettings) -> None:
    """Serve until SIGTERM or SIGINT; raises `GangerError` when it must not start."""
    logs.configure(settings.log_level, "planner")
    # Blocked before there are threads, and then waited for: a handler may come when the main thread has just
    # looked for signals and goes to sleep, and then it sleeps on.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    server = PlannerServer(settings)
    server.start()
    _log.info("planner listens", address=server.address, threads=settings.threads)
    signal.sigwait(STOP_SIGNALS)
    server.stop()
    _log.info("planner stopped")


def _server(pool: ThreadPoolExecutor, guard: Guard) -> grpc.Server:
    interceptor = PlannerInterceptor(guard, RpcMetrics())
    server = grpc.server(pool, interceptors=[interceptor], options=server_options(MAX_ANSWER))
    PlannerService(Fleets()).add_to(server)
    HealthService({SERVICE_NAME}).add_to(server)
    return server


def _guard(settings: PlannerSettings, folder: Path) -> Guard:
    """Over the Unix socket the folder's owner may call; over TCP whoever holds the token."""
    if not settings.listen:
        return Guard(Tokens({}), local=Principal("local", Role.USER))
    if settings.token_file:
        token = state_dir.read_token(Path(settings.token_file).expanduser())
    else:
        token = state_dir.read_or_make_token(folder / TOKEN_NAME)
    return Guard(Tokens.single(token, Principal("token", Role.USER)), local=None)


def _bind(server: grpc.Server, listen: str, folder: Path) -> str:
    """Take the address, and return it as callers dial it."""
    address = listen or unix_address(folder / PLANNER_SOCKET_NAME)
    before = os.umask(0o177)  # the socket is for this user only
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise Conflict(
            f"cannot listen on {address}: it is in use, or cannot be had", field="listen"
        ) from error
    finally:
        os.umask(before)
    return f"{listen.rpartition(':')[0]}:{port}" if listen else address
