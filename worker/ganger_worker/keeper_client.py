"""This module is the worker's end of the line to its keeper: starts it, speaks to it, replaces it when it dies."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ganger_core.domain.errors import Unavailable
from ganger_core.logs import get_logger
from ganger_worker import keeper
from ganger_worker.threads import Loop

START_TIMEOUT_S = 20.0
END_TIMEOUT_S = 10.0
_RETRY_S = 0.01
_PEER = struct.Struct("3i")  # pid, uid, gid

_log = get_logger()
_encode = json.JSONEncoder(separators=(",", ":")).encode

Message = dict[str, Any]


class KeeperClient:
    """One connection to the keeper of `folder`, made anew, with a new keeper if need be, whenever it breaks.

    `on_message` gets every message, on the thread `keeper-link`; the first after each connecting is the list.
    """

    def __init__(self, folder: Path, worker_id: str, on_message: Callable[[Message], None]) -> None:
        self._folder = folder
        self._worker_id = worker_id
        self._on_message = on_message
        self._stopping = threading.Event()
        self._sending = threading.Lock()  # keeps messages whole on the socket; guards `_sock`
        self._sock: socket.socket | None = None
        self._rest = b""
        self._process: subprocess.Popen[bytes] | None = None
        self.pid = 0  # the keeper's
        self._loop = Loop("keeper-link", self.run_once, self._stopping, self._hang_up)

    def start(self) -> None:
        """Connect, with a new keeper if none runs, and begin to listen; raises Unavailable."""
        self._connect()
        self._loop.start()

    def send(self, verb: str, **content: object) -> None:
        """Send one message. It is lost when the keeper is gone, which the next list makes up for."""
        line = _encode({"verb": verb, **content}).encode() + b"\n"
        with self._sending:
            if self._sock is not None:
                with contextlib.suppress(OSError):  # `run_once` will notice
                    self._sock.sendall(line)

    def stop(self, *, end_keeper: bool) -> None:
        """End the connection, and the keeper with everything in it if so told."""
        self._stopping.set()
        if end_keeper:
            self.send("shutdown")
        self._loop.stop()  # first, because it may be starting another keeper right now
        if self._process is not None and not end_keeper:
            self._process.returncode = 0  # it outlives this worker on purpose; Popen would warn of that
        elif self._process is not None:
            try:
                self._process.wait(END_TIMEOUT_S)
            except subprocess.TimeoutExpired:  # what it leaves is ended by the next one
                self._process.kill()
                self._process.wait()
        with self._sending:
            if self._sock is not None:
                self._sock.close()
                self._sock = None

    def run_once(self) -> None:
        """Take in what the keeper says, or find that it is gone and replace it."""
        sock = self._sock
        try:
            data = sock.recv(keeper.RECEIVE_BYTES) if sock is not None else b""
        except OSError:
            data = b""
        if not data:
            if not self._stopping.is_set():
                _log.warning("the connection to the keeper broke", action="keeper_gone")
                self._connect()
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._on_message(json.loads(line.decode()))

    def _hang_up(self) -> None:
        with self._sending:
            if self._sock is not None:
                with contextlib.suppress(OSError):
                    self._sock.shutdown(socket.SHUT_RDWR)

    def _connect(self) -> None:
        """Reach the keeper, start one if there is none, and ask for its list before anything else is sent."""
        with self._sending:
            if self._sock is not None:
                self._sock.close()
                self._sock = None
        self._rest = b""
        deadline = keeper.boottime() + START_TIMEOUT_S
        while (sock := self._dial()) is None:
            if self._process is None or self._process.poll() is not None:
                self._spawn()
            if keeper.boottime() > deadline:
                raise Unavailable(
                    f"the keeper does not answer; its log is {self._folder / 'keeper.log'}", reason="KEEPER"
                )
            if self._stopping.wait(_RETRY_S):
                return
        self.pid, _, _ = _PEER.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
        sock.sendall(b'{"verb":"list"}\n')
        with self._sending:
            self._sock = sock

    def _dial(self) -> socket.socket | None:
        sock = socket.socket(socket.AF_UNIX)
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            # By way of the descriptor, because the path of a socket may have no more than 107 bytes.
            sock.connect(f"/proc/self/fd/{folder}/keeper.sock")
        except OSError:
            sock.close()
            return None
        finally:
            os.close(folder)
        return sock

    def _spawn(self) -> None:
        command = [sys.executable, "-I", "-X", "utf8", keeper.__file__]
        command += ["--folder", str(self._folder), "--worker-id", self._worker_id]
        with (self._folder / "keeper.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
            )
        _log.info("keeper started", action="keeper_start", pid=self._process.pid)
