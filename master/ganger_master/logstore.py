"""This module keeps attempts' logs: append-only files by offset, one fdatasync per batch.

Appending runs on one thread of its own; sizes are kept on the edge's loop, so that a report and the log
bytes before it are always judged in one order.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ganger_core.domain.task import Attempt, AttemptRef, LogChunk, LogStream
from ganger_master.logfiles import log_path
from ganger_master.logtimes import Mark, next_marks, offset_since, read_marks, write_marks

READ_BYTES = 256 * 1024

Key = tuple[AttemptRef, LogStream]


class LogStore:
    """The log files below one folder. All methods belong to the edge's loop."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._appender = ThreadPoolExecutor(1, thread_name_prefix="logs")
        self._sizes: dict[Key, int] = {}
        self._marks: dict[Key, Mark] = {}  # the newest of each stream
        self._news: dict[AttemptRef, asyncio.Event] = {}  # set when bytes of the attempt arrive or it ends

    async def append(self, chunks: Sequence[LogChunk], now_ms: int) -> dict[Key, int]:
        """Append what continues its file; returns each stream's size on disk, from where to send on."""
        loop = asyncio.get_running_loop()
        sizes = await loop.run_in_executor(self._appender, self._append, chunks, now_ms)
        self._sizes.update(sizes)
        for ref in {ref for ref, _ in sizes}:
            self.tell(ref)
        return sizes

    def size(self, ref: AttemptRef, stream: LogStream) -> int:
        """How many bytes of this stream are on disk, not counting the tail in its report."""
        key = (ref, stream)
        if key not in self._sizes:
            path = self._path(ref, stream)
            self._sizes[key] = path.stat().st_size if path.exists() else 0
        return self._sizes[key]

    def is_complete(self, ref: AttemptRef, lengths: dict[LogStream, tuple[int, int]]) -> bool:
        """Whether all bytes are here; `lengths` gives each stream's whole length and that of its tail."""
        return all(
            length == tail or self.size(ref, stream) >= length - tail
            for stream, (length, tail) in lengths.items()
        )

    def forget(self, ref: AttemptRef) -> None:
        """The attempt is over: keep nothing of it in memory, and wake its readers."""
        for stream in LogStream:
            self._sizes.pop((ref, stream), None)
            self._marks.pop((ref, stream), None)
        self.tell(ref)

    def tell(self, ref: AttemptRef) -> None:
        """Wake whoever waits in `news` for this attempt."""
        news = self._news.pop(ref, None)
        if news is not None:
            news.set()

    def news(self, ref: AttemptRef) -> asyncio.Event:
        """An event that is set when something new of this attempt can be read; take it before reading."""
        return self._news.setdefault(ref, asyncio.Event())

    def read(self, ref: AttemptRef, stream: LogStream, offset: int, ended: Attempt | None) -> bytes:
        """Up to `READ_BYTES` bytes from `offset`; the tail comes from the ended attempt. Empty at the present end."""
        data = b""
        with contextlib.suppress(FileNotFoundError), self._path(ref, stream).open("rb") as file:
            file.seek(offset)
            data = file.read(READ_BYTES)
        if data:
            return data
        if ended is None:
            return b""
        length, tail = stream_tail(ended, stream)
        start = length - len(tail)
        return tail[offset - start :] if offset >= start else b""

    def start(
        self, ref: AttemptRef, stream: LogStream, lines: int | None, since_ms: int, ended: Attempt | None
    ) -> int:
        """The offset from which on there are only so many lines, and only what came at `since_ms` or later."""
        path = self._path(ref, stream)
        try:
            found = path.stat()
            size, written_ms = found.st_size, found.st_mtime_ns // 1_000_000
        except FileNotFoundError:
            size, written_ms = 0, 0
        length, tail = (0, b"") if ended is None else stream_tail(ended, stream)
        rest = tail[max(0, len(tail) - max(0, length - size)) :]  # what the file lacks
        start = 0
        if since_ms:
            start = offset_since(since_ms, read_marks(path), size, written_ms)
            if ended is not None and ended.ended_ms < since_ms:
                start = max(size, length)
        if lines is not None:
            start = max(start, start_of_lines(_backwards(path, size, length - len(rest), rest), lines))
        return start

    def close(self) -> None:
        """Finish what is being appended and end the thread."""
        self._appender.shutdown()

    def _path(self, ref: AttemptRef, stream: LogStream) -> Path:
        return log_path(self._folder, ref, stream)

    def _append(self, chunks: Sequence[LogChunk], now_ms: int) -> dict[Key, int]:
        written: dict[Key, int] = {}
        for chunk in chunks:
            path = self._path(chunk.ref, chunk.stream)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                size = file.tell()
                if chunk.offset <= size < chunk.offset + len(chunk.data):
                    file.write(chunk.data[size - chunk.offset :])
                    file.flush()
                    os.fdatasync(file.fileno())
                    key = chunk.ref, chunk.stream
                    self._marks[key], marks = next_marks(self._marks.get(key), size, now_ms)
                    write_marks(path, marks)
                written[chunk.ref, chunk.stream] = file.tell()
        return written


def stream_tail(attempt: Attempt, stream: LogStream) -> tuple[int, bytes]:
    """A stream's whole length and its last bytes, as the ended attempt's report told them."""
    if stream is LogStream.STDOUT:
        return attempt.stdout_bytes, attempt.stdout_tail
    return attempt.stderr_bytes, attempt.stderr_tail


def start_of_lines(blocks: Iterator[tuple[int, bytes]], lines: int) -> int:
    """The offset at which the last lines begin, in blocks of a log with their offsets, the last one first.

    What follows the last end of a line is a line too; no blocks give 0.
    """
    offset = left = 0
    is_last = True
    for offset, data in blocks:
        end = len(data)
        if is_last:
            if lines == 0:
                return offset + end
            left, is_last = lines, False
            end -= data.endswith(b"\n")
        while (end := data.rfind(b"\n", 0, end)) >= 0:
            left -= 1
            if left == 0:
                return offset + end + 1
    return offset


def _backwards(path: Path, size: int, rest_at: int, rest: bytes) -> Iterator[tuple[int, bytes]]:
    """The blocks of a log from its end to its beginning: what follows the file, and the file."""
    if rest:
        yield rest_at, rest
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        while size > 0:
            offset = max(0, size - READ_BYTES)
            file.seek(offset)
            yield offset, file.read(size - offset)
            size = offset
