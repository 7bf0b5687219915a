"""This module publishes what attempts left in their output folders: counted, hashed, and moved as a whole.

    attempts/<task>-<token>/outputs  ──►  published/<task>-<token>

The move is one rename: a folder below `published` is whole, and nothing of an attempt is there twice. What stops
between two steps is done again from the beginning: a folder that was moved already is counted where it is.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from io import FileIO
from itertools import islice

from ganger_core.domain.errors import Invalid
from ganger_core.domain.outputs import (
    FILE_LIST_BYTES,
    MOST_FILES,
    MOST_LIST_BYTES,
    MOST_NOTE,
    MOST_NOTES,
    MOST_RESULT_BYTES,
    RESULT_NAME,
    OutputFile,
    Outputs,
    Publish,
    canonical_result,
)
from ganger_core.domain.task import AttemptRef
from ganger_worker.executors.folders import AttemptFolders

READ_BYTES = 2**20
SLICE_BYTES = 16 * 2**20  # after so many bytes, or files, another attempt's turn comes
SLICE_FILES = 64
_SHOWN = 120  # characters of a path in a note
_GONE = ".gone-"  # how the name of a folder begins that is being removed

Work = Generator[None, None, Outputs | None]
"""Publishing in slices; returns what was published, None when there was nothing."""


class OutputFolders:
    """The published outputs of one worker. Any thread may use it; of one attempt, one at a time."""

    def __init__(self, folder: str, attempts: AttemptFolders) -> None:
        """Raises OSError."""
        self._base = f"{folder}/published"
        self._attempts = attempts
        self.anything = threading.Event()  # set while there are published outputs
        os.makedirs(self._base, mode=0o700, exist_ok=True)
        for name in os.listdir(self._base):
            if name.startswith(_GONE):
                _remove(f"{self._base}/{name}")
        self._look()

    def place(self, ref: AttemptRef) -> str:
        """Where the attempt's published outputs are, if it published any."""
        return f"{self._base}/{ref.task_id}-{ref.token}"

    def wrote(self, ref: AttemptRef) -> bool:
        """Whether there are outputs of the attempt, published already or not."""
        try:
            if self._attempts.has_no_outputs(ref):
                return False
            with os.scandir(f"{self._attempts.place(ref)}/outputs") as entries:
                if next(entries, None) is not None:
                    return True
        except FileNotFoundError:
            return os.path.lexists(self.place(ref))
        except OSError:
            return True  # `publish` says what is wrong
        return False

    def policy(self, ref: AttemptRef) -> Publish:
        """When the attempt's outputs are published."""
        return self._attempts.policy(ref)

    def publish(self, ref: AttemptRef) -> Work:
        """Count, hash and move the attempt's outputs. What prevents that is said in the notes of what it returns."""
        place, source = self.place(ref), f"{self._attempts.place(ref)}/outputs"
        is_moved = os.path.lexists(place)
        try:
            outputs = yield from take_stock(place if is_moved else source)
            if outputs.files and not is_moved:
                os.rename(source, place)
                self.anything.set()
        except (OSError, _NotPublished) as error:
            return Outputs(notes=(_why_not_published(error, source),))
        return outputs if outputs.files or outputs.notes else None

    def everything(self) -> Iterator[tuple[AttemptRef, float]]:
        """Every attempt that has published outputs here, and how old they are in seconds."""
        for name in os.listdir(self._base):
            task, dash, token = name.partition("-")
            if dash and task.isascii() and task.isdigit() and token.isascii() and token.isdigit():
                with contextlib.suppress(FileNotFoundError):
                    changed_s = os.stat(f"{self._base}/{name}").st_ctime
                    yield AttemptRef(int(task), int(token)), max(0.0, time.time() - changed_s)

    def remove(self, ref: AttemptRef) -> None:
        """Nobody needs the attempt's published outputs any more."""
        gone = f"{self._base}/{_GONE}{ref.task_id}-{ref.token}"
        with contextlib.suppress(FileNotFoundError):
            os.rename(self.place(ref), gone)
        _remove(gone)
        self._look()

    def read(self, ref: AttemptRef, path: str, offset: int, most: int) -> bytes:
        """Up to `most` bytes of a published file; none at its end. Raises OSError, also for what leads out of it."""
        root = self.place(ref)
        with _open(root, f"{root}/{path}") as file:
            file.seek(offset)
            return file.read(most)

    def _look(self) -> None:
        self.anything.clear()  # first, so that what is published meanwhile sets it again
        if next(self.everything(), None) is not None:
            self.anything.set()


class _NotPublished(Exception):
    """Nothing of the folder is published, for this reason."""


@dataclass(slots=True)
class _Stock:
    files: list[OutputFile] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    more: int = 0  # notes that there is no room for
    size: int = 0  # of the list on the wire

    def leave_out(self, path: str, why: str) -> None:
        if len(self.notes) < MOST_NOTES - 2:
            self.notes.append(f"left out: {_shown(path)}: {why}"[:MOST_NOTE])
        else:
            self.more += 1


def take_stock(root: str) -> Generator[None, None, Outputs]:
    """Count and hash what is in a folder, in slices. Raises OSError when it cannot be read, and `_NotPublished`."""
    if os.path.islink(root) or not os.path.isdir(root):
        raise _NotPublished("the output folder was replaced by something else")
    stock = _Stock()
    yield from _count(root, stock)
    if stock.more:
        stock.notes.append(f"left out: {stock.more} more")
    return Outputs(tuple(stock.files), _result(root, stock), tuple(stock.notes))


def _count(root: str, stock: _Stock) -> Generator[None, None, None]:
    read = 0
    for number, path in enumerate(_walk(root, stock), 1):
        digest = hashlib.sha256()
        size = 0
        with _open(root, f"{root}/{path}") as file:
            while part := file.read(READ_BYTES):
                digest.update(part)
                size += len(part)
                read += len(part)
                if read >= SLICE_BYTES:
                    read = 0
                    yield
        stock.files.append(OutputFile(path, size, digest.hexdigest()))
        stock.size += len(path.encode()) + FILE_LIST_BYTES
        if len(stock.files) > MOST_FILES or stock.size > MOST_LIST_BYTES:
            raise _too_many()
        if not number % SLICE_FILES:
            yield


def _walk(root: str, stock: _Stock) -> Iterator[str]:
    """The paths of all files in a folder, in the order of their names; notes what is left out."""
    left = [""]  # folders to look into, the next one last
    while left:
        folder = left.pop()
        with os.scandir(f"{root}/{folder}") as entries:
            found = sorted(islice(entries, MOST_FILES + 1), key=lambda entry: entry.name)
        if len(found) > MOST_FILES:
            raise _too_many()
        below = []
        for entry in found:
            path = f"{folder}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                below.append(f"{path}/")
            elif why := _why_not(root, entry, path):
                stock.leave_out(path, why)
            else:
                yield path
        left += reversed(below)


def _why_not(root: str, entry: os.DirEntry[str], path: str) -> str:
    """Why a file is not published; empty when it is."""
    if entry.is_symlink():
        if os.path.isabs(os.readlink(entry.path)):
            return "a link with an absolute path; make it a relative one (ln -sr)"
        if not _is_below(root, entry.path):
            return "a link that leads out of the output folder"
        if not os.path.isfile(entry.path):
            return "a link to what is no file"
    elif not entry.is_file(follow_symlinks=False):
        return "no regular file"
    try:
        path.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    return ""


def _is_below(root: str, path: str) -> bool:
    return os.path.realpath(path).startswith(f"{os.path.realpath(root)}/")


def _open(root: str, path: str) -> FileIO:
    """Open a regular file; raises OSError for anything else, and for what does not lie in the folder."""
    if not _is_below(root, path):
        raise FileNotFoundError(2, "it does not lie in the output folder", path)
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise FileNotFoundError(2, "it is no regular file", path)
    return FileIO(fd)


def _result(root: str, stock: _Stock) -> str:
    """The result in canonical JSON; without one it is said why."""
    found = [file for file in stock.files if file.path == RESULT_NAME]
    if not found:
        return ""
    with _open(root, f"{root}/{RESULT_NAME}") as file:
        data = b""
        while len(data) <= MOST_RESULT_BYTES and (part := file.read(READ_BYTES)):
            data += part
    try:
        return canonical_result(data)
    except Invalid as error:
        stock.notes.append(f"no result: {error.message}"[:MOST_NOTE])
        return ""


def _too_many() -> _NotPublished:
    most = f"{MOST_FILES} files, or {MOST_LIST_BYTES // 1024} KiB of their names and hashes"
    return _NotPublished(f"more than {most}; pack them into an archive")


def _why_not_published(error: Exception, source: str) -> str:
    why = str(error)
    if isinstance(error, OSError):
        named = f": {_shown(os.path.relpath(error.filename, source))}" if error.filename else ""
        why = f"{error.strerror}{named}"
    return f"not published: {why}; what there is stays in {_shown(source)}"[:MOST_NOTE]


def _shown(path: str) -> str:
    """A path for people; what UTF-8 cannot hold is replaced."""
    text = path.encode("utf-8", "replace").decode()
    return text if len(text) <= _SHOWN else f"…{text[1 - _SHOWN :]}"


def _remove(folder: str) -> None:
    """Remove a folder, whatever its attempt forbade; what still stays is tried again at the next start."""
    for parent, _, _ in os.walk(folder):
        with contextlib.suppress(OSError):
            os.chmod(parent, 0o700)
    shutil.rmtree(folder, ignore_errors=True)
