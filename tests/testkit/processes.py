"""This module runs real Ganger processes in a state folder of their own, and ends exactly those."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ganger import Client
from ganger_core.rpc.channels import Target, open_channel
from testkit.waiting import wait_until

READY_S = 20.0
Env = Mapping[str, str] | None
"""What a process has in its environment beside that of this one."""
STOP_S = 15.0


def listens(path: Path) -> bool:
    """Whether somebody listens on a Unix socket; it costs nothing, while a gRPC call that fails takes its time."""
    with socket.socket(socket.AF_UNIX) as sock:
        return not sock.connect_ex(str(path))


class Daemon:
    """One child process; what it logs goes to a file. `prefix` is what its command line begins with."""

    def __init__(
        self,
        module: str,
        *flags: str,
        log: Path,
        env: Env = None,
        prefix: Sequence[str] = (),
    ) -> None:
        self.log = log
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [*prefix, sys.executable, "-m", module, *flags],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )
        # A worker would drain at SIGTERM, and so wait for what runs.
        self._stop_signal = signal.SIGINT if "ganger_worker" in (module, *flags) else signal.SIGTERM

    def send(self, number: signal.Signals) -> None:
        """Send a signal to this process alone."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        self.process.kill()
        self.process.wait(STOP_S)

    def stop(self) -> int:
        """Tell it to stop, and wait for the end; returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(self._stop_signal)
        return self.process.wait(STOP_S)

    def said(self, text: str) -> bool:
        """Whether its log contains the text."""
        return self.count(text) > 0

    def count(self, text: str) -> int:
        """How often its log contains the text."""
        return self.log.read_text(errors="replace").count(text)


class Cluster:
    """Master, planner and workers as processes in one state folder.

    `launcher` is a module, with its flags, that runs the daemons' modules; none by default.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.launcher: tuple[str, ...] = ()
        self.daemons: dict[str, Daemon] = {}

    @property
    def address(self) -> str:
        """Where the master's socket is."""
        return f"unix:{self.folder / 'socket'}"

    def start_master(self, *flags: str, prefix: Sequence[str] = (), env: Env = None) -> Daemon:
        """Start a master and wait until it serves."""
        daemon = self.spawn("master", "ganger_master", *flags, prefix=prefix, env=env)
        self._await_serving("socket", f"the master serves; its log: {daemon.log}")
        return daemon

    def start_planner(self, *flags: str) -> Daemon:
        """Start a planner and wait until it serves."""
        daemon = self.spawn("planner", "ganger_planner", *flags)
        self._await_serving("planner.socket", f"the planner serves; its log: {daemon.log}")
        return daemon

    def start_worker(self, name: str, *flags: str, prefix: Sequence[str] = (), env: Env = None) -> Daemon:
        """Start a worker and wait until the master lists it as UP."""
        daemon = self.spawn(name, "ganger_worker", "--name", name, *flags, prefix=prefix, env=env)
        with self.client() as client:
            wait_until(
                lambda: any(w.profile.name == name and w.state == "UP" for w in client.workers()),
                READY_S,
                what=f"worker {name} is up; its log: {daemon.log}",
            )
        return daemon

    def client(self) -> Client:
        """A client of this cluster."""
        return Client(state_dir=self.folder)

    def channel(self) -> grpc.Channel:
        """A bare channel to the master."""
        return open_channel(Target(self.address))

    def stop(self) -> None:
        """End every process that was started here, workers first."""
        names = sorted(self.daemons, key=lambda name: (name == "master", name == "planner"))
        for name in names:
            try:
                self.daemons[name].stop()
            except subprocess.TimeoutExpired:
                self.daemons[name].kill()

    def spawn(
        self, name: str, module: str, *flags: str, prefix: Sequence[str] = (), env: Env = None
    ) -> Daemon:
        """Start a daemon under a name and wait for nothing."""
        log = self.folder / f"{name}.test.log"
        own = () if "--state-dir" in flags else ("--state-dir", str(self.folder))
        first, *rest = (*self.launcher, module, *own, *flags)
        if self.launcher:
            paths = (str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", ""))
            env = {"PYTHONPATH": os.pathsep.join(filter(None, paths)), **(env or {})}
        self.daemons[name] = Daemon(first, *rest, log=log, prefix=prefix, env=env)
        return self.daemons[name]

    def _await_serving(self, socket_name: str, what: str) -> None:
        path = self.folder / socket_name
        wait_until(lambda: listens(path) and self._serves(path), READY_S, what)

    def _serves(self, path: Path) -> bool:
        with open_channel(Target(f"unix:{path}")) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            try:
                answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=1)
            except grpc.RpcError:
                return False
            return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


@contextlib.contextmanager
def a_cluster() -> Iterator[Cluster]:
    """A cluster in a short folder (a Unix socket's path must be short), ended and removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="gg"))
    cluster = Cluster(folder)
    try:
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)
