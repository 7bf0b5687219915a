"""This module keeps attempts' logs: append-only files by offset, one fdatasync per batch.

Appending runs on one thread of its own; sizes are kept on the edge's loop, so that a report and the log
bytes before it are always judged in one order.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ganger_core.domain.task import Attempt, AttemptRef, LogChunk, LogStream
from ganger_master.logfiles import log_path

READ_BYTES = 256 * 1024

Key = tuple[AttemptRef, LogStream]


class LogStore:
    """The log files below one folder. All methods belong to the edge's loop."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._appender = ThreadPoolExecutor(1, thread_name_prefix="logs")
        self._sizes: dict[Key, int] = {}
        self._news: dict[AttemptRef, asyncio.Event] = {}  # set when bytes of the attempt arrive or it ends

    async def append(self, chunks: Sequence[LogChunk]) -> dict[Key, int]:
        """Append what continues its file; returns each stream's size on disk, from where to send on."""
        loop = asyncio.get_running_loop()
        sizes = await loop.run_in_executor(self._appender, self._append, chunks)
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

    def close(self) -> None:
        """Finish what is being appended and end the thread."""
        self._appender.shutdown()

    def _path(self, ref: AttemptRef, stream: LogStream) -> Path:
        return log_path(self._folder, ref, stream)

    def _append(self, chunks: Sequence[LogChunk]) -> dict[Key, int]:
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
                written[chunk.ref, chunk.stream] = file.tell()
        return written


def stream_tail(attempt: Attempt, stream: LogStream) -> tuple[int, bytes]:
    """A stream's whole length and its last bytes, as the ended attempt's report told them."""
    if stream is LogStream.STDOUT:
        return attempt.stdout_bytes, attempt.stdout_tail
    return attempt.stderr_bytes, attempt.stderr_tail
