"""This module keeps a state folder private: its mode, its locks and its tokens."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import stat
from pathlib import Path
from types import TracebackType

from ganger_core.domain.errors import Conflict, Invalid

TOKEN_PREFIX = "ganger_"  # noqa: S105 - lets scanners recognise a leaked one


def prepare(path: Path) -> Path:
    """Make the folder, for this user only (0700), and return it as an absolute path.

    Raises `Invalid` when it cannot be made, or is there, not empty, and open to other users.
    """
    try:
        folder = path.expanduser().absolute()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        info = folder.stat()
        if info.st_uid != os.geteuid():
            raise Invalid(
                f"the state folder {folder} belongs to another user; choose another", field="state_dir"
            )
        if stat.S_IMODE(info.st_mode) & 0o077:
            if any(folder.iterdir()):
                raise Invalid(
                    f"other users may enter the state folder {folder}: run `chmod 700 {folder}` or choose another",
                    field="state_dir",
                )
            folder.chmod(0o700)
    except OSError as error:
        why = error.strerror or str(error)
        raise Invalid(f"the state folder {path} cannot be used: {why}", field="state_dir") from error
    return folder


class FileLock:
    """A lock held on a file until `release`, or until this process is gone."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def release(self) -> None:
        """Let others have it; releasing twice changes nothing."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            fcntl.flock(fd, fcntl.LOCK_UN)  # closing is not enough while a child that is being started has it
            os.close(fd)

    def __enter__(self) -> FileLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def lock(path: Path, what: str) -> FileLock:
    """Lock the file `path` for the one `what` (master, worker w1 …) of its folder.

    Raises `Conflict`, naming the holder's process, when another holds it. The file stays: removing it
    would let two hold locks on two files of the same name. Raises `Invalid` when the folder cannot be written.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        why = error.strerror or str(error)
        raise Invalid(
            f"the state folder {path.parent} cannot be written: {why}", field="state_dir"
        ) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(fd, 0)
        os.pwrite(fd, str(os.getpid()).encode(), 0)
    except BlockingIOError:
        pid = os.pread(fd, 32, 0).decode(errors="replace") or "unknown"
        os.close(fd)
        raise Conflict(
            f"another ganger {what} (pid {pid}) uses {path.parent}: stop it, or give this one another --state-dir",
            field="state_dir",
        ) from None
    except OSError:
        os.close(fd)
        raise
    return FileLock(fd)


def read_or_make_token(path: Path) -> str:
    """The token in this file; a new one of 256 random bits, readable by this user only, if there is none."""
    if not path.exists():
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w") as file:
            file.write(f"{TOKEN_PREFIX}{secrets.token_urlsafe(32)}\n")
            file.flush()
            os.fsync(file.fileno())  # an empty token after a power cut would keep the master from starting
        with contextlib.suppress(FileExistsError):  # another process was faster: its token counts
            os.link(draft, path)
        draft.unlink()
        folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    return read_token(path)


def read_token(path: Path) -> str:
    """The token in this file; raises `Invalid` when it is missing, malformed, or readable by other users."""
    try:
        mode, text = path.stat().st_mode, path.read_text("ascii", "replace").strip()
    except OSError as error:
        why = error.strerror or str(error)
        raise Invalid(f"the token file {path} cannot be read: {why}", field="token_file") from error
    if mode & 0o077:
        raise Invalid(
            f"other users may read the token file {path}: run `chmod 600 {path}`", field="token_file"
        )
    if not re.fullmatch(r"[!-~]{16,512}", text):
        raise Invalid(f"the token file {path} does not hold a token", field="token_file")
    return text
