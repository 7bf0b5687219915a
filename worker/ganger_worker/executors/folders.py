"""This module makes and clears the folders of attempts: `attempts/<task>-<token>` in the worker's folder.

Each holds the two output streams, the working folder and the output folder. What an attempt left in those two
stays where it is, unless its outputs are published (see `outputs`). A folder in which nothing was left is used again,
under another name: file systems such as ext4 make a new file a hundred times slower than they rename one while many
were just deleted.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from collections import deque
from collections.abc import Collection

from ganger_core.domain.outputs import Publish
from ganger_core.domain.task import AttemptRef

MOST_SPARES = 256
CLOCK_STEP_NS = 20_000_000  # a file system's time stamps are this coarse at the worst

_FOLDERS = ("work", "outputs")
_STREAMS = ("stdout", "stderr")
_SCRIPT = "script"  # of a batch script, which the task's own shell wrote there (ganger.slurm.prelude)
_ALL = {*_FOLDERS, *_STREAMS}
_POLICY = "publish"  # beside them where outputs are not published on success, as mostly; outlives the worker

_Look = tuple[int, int, int, int]
"""Mode and time of the last change of entries of a folder, and times of the last change to the two in it."""


class AttemptFolders:
    """The folders of one worker. Any thread may use them: each single operation on the containers is atomic."""

    def __init__(self, folder: str) -> None:
        """Raises OSError."""
        self._base = f"{folder}/attempts"
        self._spares: deque[tuple[str, _Look]] = deque()  # with how they looked when they were empty
        self._looks: dict[
            str, tuple[_Look, int]
        ] = {}  # of those used again, and when (ns of wall time) that was
        os.makedirs(self._base, mode=0o700, exist_ok=True)

    def place(self, ref: AttemptRef) -> str:
        """The attempt's folder."""
        return f"{self._base}/{ref.task_id}-{ref.token}"

    def policy(self, ref: AttemptRef) -> Publish:
        """When the attempt's outputs are published."""
        try:
            fd = os.open(f"{self.place(ref)}/{_POLICY}", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return Publish.ON_SUCCESS
        try:
            return Publish(os.read(fd, 64).decode())
        except (OSError, ValueError):  # the attempt tampered with it
            return Publish.ON_SUCCESS
        finally:
            os.close(fd)

    def make(self, ref: AttemptRef, policy: Publish = Publish.ON_SUCCESS) -> None:
        """Make the attempt's folder, unless it is there; raises OSError."""
        self._make(self.place(ref))
        if policy is not Publish.ON_SUCCESS:
            with open(f"{self.place(ref)}/{_POLICY}", "w", encoding="ascii") as file:
                file.write(policy)

    def _make(self, place: str) -> None:
        with contextlib.suppress(IndexError):
            spare, look = self._spares.pop()
            try:
                os.rename(spare, place)
            except OSError:  # made before, or the spare was tampered with
                _remove(spare)
            else:
                self._looks[place] = look, time.time_ns()
                return
        for path in (place, *(f"{place}/{name}" for name in _FOLDERS)):
            with contextlib.suppress(FileExistsError):
                os.mkdir(path, 0o700)

    def has_no_outputs(self, ref: AttemptRef) -> bool:
        """Whether nothing was put into the output folder for certain, by one look at its time stamp; raises OSError."""
        place = self.place(ref)
        before, since_ns = self._looks.get(place, (None, 0))
        if before is None or since_ns - max(before) <= CLOCK_STEP_NS:  # see `_clear`
            return False
        return os.stat(f"{place}/outputs").st_ctime_ns == before[-1]

    def clear(self, ref: AttemptRef) -> None:
        """Nobody needs the attempt's streams any more."""
        self._clear(self.place(ref))

    def clear_all_but(self, kept: Collection[AttemptRef]) -> None:
        """Clear what was left when the worker died, except for these attempts."""
        names = {f"{ref.task_id}-{ref.token}" for ref in kept}
        for name in os.listdir(self._base):
            if name not in names:
                self._clear(f"{self._base}/{name}")

    def close(self) -> None:
        """Remove what was kept for use."""
        while self._spares:
            _remove(self._spares.pop()[0])

    def _clear(self, place: str) -> None:
        before, since_ns = self._looks.pop(place, (None, 0))
        try:
            look = _look_at(place)
            # A change gets the time of its clock tick: one in the very tick of `before` would not show.
            unchanged = look == before and since_ns - max(look) > CLOCK_STEP_NS
            if (
                len(self._spares) < MOST_SPARES
                and (unchanged or _is_empty(place))
                and all(_empty(f"{place}/{name}") for name in _STREAMS)
            ):
                self._spares.append((place, look))
                return
        except OSError:  # never made, not whole, or a stream is open somewhere
            pass
        _remove(place)


def _look_at(place: str) -> _Look:
    own, work, outputs = [os.stat(f"{place}{name}") for name in ("", "/work", "/outputs")]
    return own.st_mode, own.st_mtime_ns, work.st_ctime_ns, outputs.st_ctime_ns


def _is_empty(place: str) -> bool:
    """Whether nothing was left in the folder, and it can be used as if it were new."""
    if set(os.listdir(place)) != _ALL or stat.S_IMODE(os.stat(place).st_mode) != 0o700:
        return False
    return not any(
        os.listdir(f"{place}/{name}") or stat.S_IMODE(os.stat(f"{place}/{name}").st_mode) != 0o700
        for name in _FOLDERS
    )


def _empty(path: str) -> bool:
    fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    try:
        # Granted only when nobody else has the file open: output of one attempt must not get into another's.
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        info = os.fstat(fd)
        if info.st_size:
            os.ftruncate(fd, 0)
        return stat.S_IMODE(info.st_mode) == 0o600 and info.st_nlink == 1
    finally:
        os.close(fd)


def _remove(place: str) -> None:
    """Remove the streams and the script, and the folders that are empty."""
    for name in (*_STREAMS, _SCRIPT, _POLICY):
        with contextlib.suppress(OSError):  # never made
            os.unlink(f"{place}/{name}")
    for path in (*(f"{place}/{name}" for name in _FOLDERS), place):
        with contextlib.suppress(OSError):  # the attempt left something there
            os.rmdir(path)
