"""This module runs the `ganger` and `python` of the shells that play pages: it has imported them before, and forks.

`python -m documents.commands SOCKET` listens on a Unix socket as long as its parent lives. A caller (`CALLER`, a few
lines that stand on the PATH as `ganger` and `python`) hands over its descriptors, words, folder and environment; a
child that is forked for it runs the command there, and the caller exits with its code. So nothing is imported for each
command again, which costs several times what the command does. What becomes another program is run without that.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import importlib
import io
import os
import runpy
import signal
import socket
import socketserver
import struct
import sys
import threading
import time
import traceback

PRELOADED = (
    "ganger.cli.main",
    "ganger.client",
    "ganger.documents",
    "ganger.slurm.submission",
    "grpc.experimental",
)
OTHERS = ("dev", "backup", "restore")  # verbs that go on as another program, as those of daemons do
CALLER = """#!{python} -SIE
import os, signal, socket, struct, sys
words = sys.argv[1:]
if {program!r} == "ganger" and words and (words[0] in {others!r} or words[1:2] in (["start"], ["solve"])):
    os.execv({python!r}, [{python!r}, "-m", "ganger", *words])
if {program!r} == "python" and (not words or words[0].startswith("-")):
    os.execv({python!r}, [{python!r}, *words])
link = socket.socket(socket.AF_UNIX)
link.connect({socket!r})
said = repr(({program!r}, words, os.getcwd(), dict(os.environ))).encode()
socket.send_fds(link, [struct.pack("!I", len(said))], [0, 1, 2])
link.sendall(said)
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, frame: link.sendall(bytes([number])))
code = link.recv(1)
sys.exit(code[0] if code else 255)
"""


class Handler(socketserver.BaseRequestHandler):
    """One command, in a process that was forked for it."""

    request: socket.socket

    def handle(self) -> None:
        """Take over descriptors, folder and environment of the caller, run what it says, and tell the code."""
        head, descriptors, _, _ = socket.recv_fds(self.request, 4, 3)
        if not descriptors:
            return  # somebody looked whether we listen
        said = b""
        while len(said) < struct.unpack("!I", head)[0]:
            said += self.request.recv(65536)
        program, words, folder, environment = ast.literal_eval(said.decode())
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        time.tzset()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        threading.Thread(target=self._forward, name="signals", daemon=True).start()
        self.request.sendall(bytes([_code(program, words) & 255]))

    def _forward(self) -> None:
        """Signals that the caller gets are for this process; so is its end."""
        number = self.request.recv(1)
        while number:
            os.kill(os.getpid(), number[0])
            number = self.request.recv(1)
        os.kill(os.getpid(), signal.SIGHUP)


def _code(program: str, words: list[str]) -> int:
    """Run one command in this process; its exit code."""
    try:
        if program == "ganger":
            importlib.import_module("ganger.cli.main").main(words)
        else:
            sys.argv, sys.path[0] = words, os.path.dirname(os.path.abspath(words[0]))
            runpy.run_path(words[0], run_name="__main__")
    except Exception:  # noqa: BLE001 - as the interpreter does at its end
        traceback.print_exc()
        return 1
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        with contextlib.suppress(BrokenPipeError):
            sys.stdout.flush()
        sys.stderr.flush()
    return 0


class Server(socketserver.ForkingMixIn, socketserver.UnixStreamServer):
    """Forks for each caller, and ends with its parent."""

    max_children = 1000
    parent = os.getppid()

    def service_actions(self) -> None:
        super().service_actions()
        if os.getppid() != self.parent:
            raise SystemExit


def main() -> None:
    """Serve as long as the parent lives."""
    for name in PRELOADED:
        importlib.import_module(name)
    for words in ("--help", "version"):  # what is put together at the first command is there for all
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
            importlib.import_module("ganger.cli.main").main([words])
    gc.freeze()
    with Server(sys.argv[1], Handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
