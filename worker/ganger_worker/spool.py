"""This module knows how far each output stream is stored by the master, and reads what comes next.

Offsets count the bytes that the attempt ever wrote. A program may truncate its own stream (`> /dev/stdout`
reopens the file that way): offsets then go on from where they were, with the file's new beginning.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass

from ganger_core.domain.task import AttemptRef, LogChunk, LogStream
from ganger_worker.executors.folders import AttemptFolders

CHUNK_BYTES = 256 * 1024
CALL_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Ending:
    """Both streams of an ended attempt: whole lengths, last bytes, and whether all before those is stored."""

    stdout_bytes: int
    stderr_bytes: int
    stdout_tail: bytes
    stderr_tail: bytes
    stored: bool


@dataclass(slots=True)
class _Stream:
    """One file. `stored` is written by the shipper's thread alone, `end` only by the one that ends the attempt."""

    kind: LogStream
    path: str
    stored: int = 0  # all before this offset is on the master's disk
    base: int = 0  # offset of the file's first byte
    end: int | None = None  # where sending ends; None while the attempt lives

    def length(self) -> int:
        """The offset of the stream's present end."""
        try:
            size = os.stat(self.path).st_size
        except FileNotFoundError:
            size = 0
        if self.base + size < self.stored:  # truncated
            self.base = self.stored
        return self.base + size

    def read(self, offset: int, most: int) -> bytes:
        """Bytes from `offset` on; none when the file is gone."""
        try:
            fd = os.open(self.path, os.O_RDONLY)
        except FileNotFoundError:
            return b""
        try:
            return os.pread(fd, most, offset - self.base)
        finally:
            os.close(fd)

    def finish(self, tail_bytes: int) -> tuple[int, bytes]:
        """Its whole length and what of it rides in the report; all before that remains to be sent."""
        length = self.end = self.length()
        most = min(tail_bytes, length - self.stored)
        if most <= 0:
            return length, b""
        tail = self.read(length - most, most)
        self.end = length - len(tail)
        return length, tail

    @property
    def is_stored(self) -> bool:
        return self.end is not None and self.stored >= self.end


_Pair = tuple[_Stream, _Stream]


class Spools:
    """The output of all attempts that live, or whose output is not all stored."""

    def __init__(self, folders: AttemptFolders) -> None:
        self._folders = folders
        self._changed = threading.Condition()
        self._pairs: dict[AttemptRef, _Pair] = {}  # guarded by _changed
        self._woken = False  # guarded by _changed

    def watch(self, refs: Iterable[AttemptRef]) -> None:
        """Send what these write from now on."""
        with self._changed:
            for ref in refs:
                self._pairs.setdefault(ref, self._pair(ref))
            self._changed.notify_all()

    def finish(self, ref: AttemptRef, tail_bytes: int) -> Ending:
        """The attempt writes no more: what of its output rides in the report (at most `tail_bytes` of each stream).

        Everything before that is sent as before, unless it is all stored.
        """
        with self._changed:
            watched = self._pairs.get(ref)
        out, err = pair = watched or self._pair(ref)
        stdout_bytes, stdout_tail = out.finish(tail_bytes)
        stderr_bytes, stderr_tail = err.finish(tail_bytes)
        stored = out.is_stored and err.is_stored
        if watched or not stored:
            with self._changed:
                if stored:
                    self._pairs.pop(ref, None)
                else:
                    self._pairs[ref] = pair
                    self._wake_locked()
        return Ending(stdout_bytes, stderr_bytes, stdout_tail, stderr_tail, stored)

    def take(self) -> list[LogChunk]:
        """What to send next, at most `CALL_BYTES` in all; those who came late last time come first."""
        with self._changed:
            pairs = list(self._pairs.items())
        room = CALL_BYTES
        chunks = []
        for ref, pair in pairs:
            for stream in pair:
                upto = stream.length() if stream.end is None else stream.end
                most = min(upto - stream.stored, CHUNK_BYTES, room)
                if most <= 0:
                    continue
                data = stream.read(stream.stored, most)
                if data:
                    chunks.append(LogChunk(ref, stream.kind, stream.stored, data))
                    room -= len(data)
                elif stream.end is not None:  # somebody removed the file
                    stream.end = stream.stored
        if room <= 0:
            with self._changed:
                for chunk in chunks[:-1]:
                    if chunk.ref in self._pairs:
                        self._pairs[chunk.ref] = self._pairs.pop(chunk.ref)
        return chunks

    def stored(self, ref: AttemptRef, kind: LogStream, next_offset: int) -> bool:
        """The master holds this stream up to `next_offset`; false when that is no progress."""
        with self._changed:
            pair = self._pairs.get(ref)
        if pair is None:
            return True
        stream = pair[0] if kind is LogStream.STDOUT else pair[1]
        if next_offset < stream.base:  # what it misses is gone here too
            self.drop(ref)
            return True
        progress = next_offset != stream.stored
        stream.stored = next_offset
        return progress

    def drop(self, ref: AttemptRef) -> None:
        """Send no more of this attempt; it counts as stored."""
        with self._changed:
            for stream in self._pairs.get(ref, ()):
                stream.end = stream.stored

    def settled(self) -> list[AttemptRef]:
        """Those ended attempts all of whose output has become stored; told once."""
        with self._changed:
            done = [ref for ref, (out, err) in self._pairs.items() if out.is_stored and err.is_stored]
            for ref in done:
                del self._pairs[ref]
            return done

    def wait(self, timeout_s: float) -> None:
        """Wait until there may be something to send; `timeout_s` is how often to look at what living ones wrote."""
        with self._changed:
            self._changed.wait_for(lambda: self._woken or self._pairs)
            self._changed.wait_for(lambda: self._woken, timeout_s)
            self._woken = False

    def wake(self) -> None:
        """Make `wait` return."""
        with self._changed:
            self._wake_locked()

    def _wake_locked(self) -> None:
        self._woken = True
        self._changed.notify_all()

    def _pair(self, ref: AttemptRef) -> _Pair:
        place = self._folders.place(ref)
        return (_Stream(LogStream.STDOUT, f"{place}/stdout"), _Stream(LogStream.STDERR, f"{place}/stderr"))
