"""This module is the keeper: the small process that is the parent of all attempts of one worker.

It runs as a script, `python -I -X utf8 keeper.py --folder FOLDER --worker-id ID`, in a session of its own, with the
standard library only and one thread, so that the worker may crash, hang or be upgraded while attempts and
their leases go on. The worker speaks to it in lines of JSON over a Unix socket (0600) in its folder:

    start    {base_env, attempts: [{task, token, command, env, cwd, deadline, limit, grace}]}
    stop     {attempts: [{task, token, grace, cause, signal}]}
    extend   {attempts: [{task, token, deadline}]}
    ack      {attempts: [{task, token}]}
    list     {}
    shutdown {}

and hears: list {live, exits}, news {started, exits, refused}. Deadlines are seconds on CLOCK_BOOTTIME, null for
none; `limit` is how many seconds it may run, null for as long as it likes, and the `grace` beside it what it
gets between TERM and KILL then. A new connection replaces the one before. Signals that ask the keeper to end are
ignored, because service managers send them to whole groups: it ends when told `shutdown`, or by itself when it
has had no worker and no attempt for a while.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import select
import signal
import socket
import sys
import time

if not __package__:  # run as a script: the folder above the package holds what it imports
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from ganger_worker.keeper_attempts import KILL_PATIENCE_S, Attempts, Item
from ganger_worker.keeper_journal import Journal
from ganger_worker.keeper_process import adopt_orphans

TICK_S = 1.0  # how late the end of a lease may be noticed, also after the host was suspended
ALREADY_RUNNING = 3  # exit code
RECEIVE_BYTES = 64 * 1024  # at a time; to make room for a MiB takes longer than to receive a message

_encode = json.JSONEncoder(separators=(",", ":")).encode


def boottime() -> float:
    """Seconds on the clock that leases count on."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Connection:
    """The worker's end of the line: whole messages in, whole messages out, never blocking."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self._in = b""
        self._out = b""

    def receive(self) -> list[Item] | None:
        """The messages that have come in whole; None when the other side is gone or talks nonsense."""
        try:
            data = self.sock.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not data:
            return None
        *lines, self._in = (self._in + data).split(b"\n")
        try:
            return [json.loads(line.decode()) for line in lines]
        except ValueError:
            return None

    def send(self, message: Item) -> None:
        """Send what the socket takes now, keep the rest."""
        self._out += _encode(message).encode() + b"\n"
        self.flush()

    def flush(self) -> None:
        """Send what is left over."""
        try:
            sent = self.sock.send(self._out)
        except BlockingIOError:
            sent = 0
        except OSError:  # `receive` will notice
            sent = len(self._out)
        self._out = self._out[sent:]

    @property
    def wants_to_write(self) -> bool:
        """Whether something is left over."""
        return bool(self._out)


class Keeper:
    """The loop: one message, one child, one deadline after the other."""

    def __init__(self, listener: socket.socket, attempts: Attempts, idle_s: float) -> None:
        self._listener = listener
        self._attempts = attempts
        self._idle_s = idle_s
        self._idle_since = boottime()
        self._checked = 0.0  # when leases were last looked at
        self._worker: Connection | None = None
        self._ended = False
        self._woken, self._waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)  # where signals are heard
        self._poll = select.epoll()
        self._writing = False  # whether the line to the worker is full
        listener.setblocking(False)
        self._poll.register(listener, select.EPOLLIN)
        self._poll.register(self._woken, select.EPOLLIN)

    def run(self) -> None:
        """Go on until told to end, or nobody needs it any more."""
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        for signum in (signal.SIGCHLD, signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            signal.signal(signum, lambda *_: None)  # it only wakes the loop; unlike SIG_IGN it ends at exec
        while not self._ended:
            self.run_once(boottime())
        signal.set_wakeup_fd(-1)
        self._attempts.close()

    def run_once(self, now: float) -> None:
        """Wait for the next thing to do, and do it."""
        if now >= min(self._checked + TICK_S, self._attempts.next_tick):
            self._checked = now
            self._attempts.tick()
            self._tell()
        elif now >= self._attempts.next_news:
            self._tell()
        wait_s = min(self._checked + TICK_S, self._attempts.next_tick, self._attempts.next_news) - now
        for fd, events in self._poll.poll(max(0.0, wait_s)):
            if fd == self._woken:
                os.read(self._woken, 4096)
                self._attempts.reap()
                self._tell()
            elif fd == self._listener.fileno():
                self._accept()
            elif self._worker is not None and fd == self._worker.sock.fileno():
                self._serve(self._worker, events)
        if self._worker is not None or self._attempts.lives:
            self._idle_since = now
        elif now - self._idle_since > self._idle_s:
            self._ended = True

    def _accept(self) -> None:
        sock, _ = self._listener.accept()
        self._hang_up()
        self._worker = Connection(sock)
        self._writing = False
        self._poll.register(sock, select.EPOLLIN)

    def _hang_up(self) -> None:
        if self._worker is not None:
            self._poll.unregister(self._worker.sock)
            self._worker.sock.close()
            self._worker = None

    def _serve(self, worker: Connection, events: int) -> None:
        if events & select.EPOLLOUT:
            worker.flush()
        messages = worker.receive() if events & ~select.EPOLLOUT else []  # also when it hung up
        if messages is None:
            self._hang_up()
            return
        for message in messages:
            self._obey(worker, message)
        self._tell()

    def _obey(self, worker: Connection, message: Item) -> None:
        attempts = self._attempts
        match message["verb"]:
            case "start":
                for news in attempts.start(message["attempts"], message["base_env"]):
                    worker.send(news)
            case "stop":
                attempts.stop(message["attempts"])
            case "extend":
                attempts.extend(message["attempts"])
            case "limit":
                attempts.limit(message["attempts"])
            case "ack":
                attempts.acknowledge(message["attempts"])
            case "list":
                worker.send(attempts.listing())
            case "shutdown":
                self._ended = True

    def _tell(self) -> None:
        """Push the news; without a worker they wait in the list."""
        for message in self._attempts.news():
            if self._worker is not None:
                self._worker.send(message)
        if self._worker is not None and self._worker.wants_to_write != self._writing:
            self._writing = self._worker.wants_to_write
            self._poll.modify(self._worker.sock, select.EPOLLIN | (select.EPOLLOUT if self._writing else 0))


def main() -> int:
    """Lock the folder, listen, keep."""
    parser = argparse.ArgumentParser(
        prog="ganger-keeper", description="Keeps the attempts of one Ganger worker."
    )
    parser.add_argument("--folder", required=True, help="the worker's folder")
    parser.add_argument("--worker-id", required=True, help="marks the processes of its attempts")
    parser.add_argument(
        "--idle-s", type=float, default=60.0, help="end after so long without worker and attempts"
    )
    parser.add_argument(
        "--kill-patience-s",
        type=float,
        default=KILL_PATIENCE_S,
        help="tell as unkillable what lives so long after SIGKILL",
    )
    options = parser.parse_args()
    os.umask(0o077)
    os.chdir(options.folder)
    lock = os.open("keeper.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return ALREADY_RUNNING
    adopt_orphans()
    journal = Journal(os.path.join(options.folder, "keeper.journal"))
    attempts = Attempts(journal, options.worker_id, options.folder, boottime, options.kill_patience_s)
    listener = socket.socket(socket.AF_UNIX)
    if os.path.exists("keeper.sock"):
        os.unlink("keeper.sock")  # of one that died: the lock is ours
    listener.bind("keeper.sock")  # by its short name: a path to a socket holds 107 bytes
    os.chmod("keeper.sock", 0o600)
    listener.listen(4)
    os.chdir("/")
    Keeper(listener, attempts, options.idle_s).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
