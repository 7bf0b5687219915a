"""This module remembers, across the keeper's own death, which attempts ever started and how they ended.

One JSON line per batch: {"start": [[task, token], …]}, {"exit": [exit, …]}, {"over": [[task, token], …]}.
Written, not fsynced: it must survive the keeper, not the host; with the host every process is gone too.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from ganger_worker.keeper_process import Key

KEEP_TOKENS = 10_000  # tasks whose token stays refused after their last exit was acknowledged
COMPACT_BYTES = 4 * 1024 * 1024

_encode = json.JSONEncoder(separators=(",", ":")).encode

Exit = dict[str, Any]
"""How an attempt ended: task, token, started, ended, limit, cause, and one of code, signal, launch (with why), lost.

One that KILL does not end has `unkillable`, the processes that live on, instead or beside.
"""


class Journal:
    """What one worker's keepers ever started.

    `tokens` holds the highest token of each task that was started, `exits` the unacknowledged ends, `open` the
    attempts that were started and whose end no keeper saw.
    """

    def __init__(self, path: str) -> None:
        """Read the file, if there is one, and write it anew; raises OSError when that is not possible."""
        self._path = path
        self.tokens: OrderedDict[int, int] = OrderedDict()
        self.exits: dict[Key, Exit] = {}
        self.open: set[Key] = set()
        if os.path.exists(path):
            with open(path, "rb") as file:
                for line in file:
                    self._replay(line)
        self._fd, self._size = self._rewrite()

    def started(self, keys: Sequence[Key]) -> None:
        """Write that these are about to start; raises OSError when the disk does not take it."""
        self._write({"start": keys})
        for key in keys:
            self._note_start(key)

    def ended(self, exits: Sequence[Exit]) -> None:
        """Write how these ended. When the disk does not take it, the next keeper will call them lost."""
        with contextlib.suppress(OSError):
            self._write({"exit": exits})
        for exit_ in exits:
            self._note_exit(exit_)

    def acknowledged(self, keys: Sequence[Key]) -> None:
        """Forget how these ended; their tokens stay refused. From time to time this shortens the file."""
        known = [key for key in keys if key in self.exits]
        with contextlib.suppress(OSError):  # the next keeper would tell those exits once more
            if known:
                self._write({"over": known})
        for key in known:
            del self.exits[key]
        if self._size > COMPACT_BYTES:
            with contextlib.suppress(OSError):
                old = self._fd
                self._fd, self._size = self._rewrite()
                os.close(old)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def _replay(self, line: bytes) -> None:
        try:
            entry = json.loads(line)
        except ValueError:  # cut short when the host went down
            return
        for task, token in entry.get("start", ()):
            self._note_start((task, token))
        for exit_ in entry.get("exit", ()):
            self._note_exit(exit_)
        for task, token in entry.get("over", ()):
            self._note_token((task, token))
            self.open.discard((task, token))
            self.exits.pop((task, token), None)

    def _note_token(self, key: Key) -> None:
        task, token = key
        self.tokens[task] = max(token, self.tokens.pop(task, 0))  # as the newest

    def _note_start(self, key: Key) -> None:
        self._note_token(key)
        self.open.add(key)

    def _note_exit(self, exit_: Exit) -> None:
        key = (exit_["task"], exit_["token"])
        self._note_token(key)
        self.open.discard(key)
        self.exits[key] = exit_

    def _write(self, entry: dict[str, object]) -> None:
        line = _line(entry)
        try:
            if os.write(self._fd, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            os.ftruncate(self._fd, self._size)  # half a line would spoil the next one
            raise
        self._size += len(line)

    def _rewrite(self) -> tuple[int, int]:
        """Say the same in three lines of a new file, without the oldest tokens; its descriptor and size."""
        live = {task for task, _ in (*self.open, *self.exits)}
        idle = [task for task in self.tokens if task not in live]
        for task in idle[: max(0, len(self.tokens) - KEEP_TOKENS)]:
            del self.tokens[task]
        over = [key for key in self.tokens.items() if key not in self.open and key not in self.exits]
        lines = (
            _line({"over": over})
            + _line({"start": list(self.open)})
            + _line({"exit": list(self.exits.values())})
        )
        fresh = f"{self._path}.new"
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        try:
            if os.write(fd, lines) != len(lines):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.rename(fresh, self._path)
        except OSError:
            os.close(fd)
            raise
        return fd, len(lines)


def _line(entry: dict[str, object]) -> bytes:
    return _encode(entry).encode() + b"\n"
