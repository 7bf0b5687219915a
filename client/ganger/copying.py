"""This module copies published files to here: which ones, whereto, and each as a whole or not at all."""

from __future__ import annotations

import contextlib
import difflib
import os
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ganger_core.domain.errors import Conflict, Invalid, NotFound
from ganger_core.domain.outputs import OutputFile

_NAMED = 5  # files that an error names


@dataclass(frozen=True, slots=True)
class Copy:
    """A published file, and where it goes."""

    file: OutputFile
    target: Path


def find_file(files: Sequence[OutputFile], path: str, of: str) -> OutputFile:
    """The published file of this path; raises `NotFound`. `of` is the task in a sentence."""
    wanted = _names(path)
    for file in files:
        if file.path == wanted:
            return file
    if any(file.path.startswith(f"{wanted}/") for file in files) or not wanted:
        what = f"{path!r} of {of} is a folder" if wanted else f"{of} published {len(files)} files"
        raise Invalid(f"{what}: name one file, such as {files[0].path!r}", field="path")
    raise NotFound(f"{of} published no {path!r}; {_hint(files, wanted)}", field="path")


def plan_copies(files: Sequence[OutputFile], path: str, destination: str, of: str) -> list[Copy]:
    """What to copy where, as `cp -r` and `docker cp` do it; an empty `path` means everything.

    A file goes into a destination that is a folder, and otherwise becomes it. A folder goes into one that is there, and
    otherwise becomes it; of `path/.`, and of everything, only what is inside. Raises `NotFound` and `Invalid`, and
    nothing is copied then.
    """
    wanted, is_there = _names(path), os.path.isdir(destination)
    inside = "" if not wanted else f"{wanted}/"
    chosen = [file for file in files if file.path == wanted]
    below = [file for file in files if file.path.startswith(inside)]
    if not destination:
        raise Invalid("the destination is empty; write . for this folder", field="destination")
    if chosen:
        if destination.endswith("/") and not is_there:
            raise Invalid(f"there is no folder {destination}", field="destination")
        own = wanted.rpartition("/")[2]
        copies = [Copy(chosen[0], Path(destination, own) if is_there else Path(destination))]
    elif below:
        if os.path.lexists(destination) and not is_there:
            raise Invalid(
                f"{destination} is no folder, and there are {len(below)} files", field="destination"
            )
        is_named = wanted and not path.endswith(("/.", "/./"))
        base = Path(destination, wanted.rpartition("/")[2]) if is_there and is_named else Path(destination)
        copies = [Copy(file, base / file.path.removeprefix(inside)) for file in below]
    else:
        raise NotFound(f"{of} published no {path!r}; {_hint(files, wanted)}", field="path")
    if not Path(destination).absolute().parent.is_dir():
        raise Invalid(f"there is no folder {Path(destination).absolute().parent}", field="destination")
    for copy in copies:
        if copy.target.is_dir():
            raise Invalid(
                f"{copy.target} is a folder; a file of that name would go there", field="destination"
            )
    return copies


def save(data: Iterable[bytes], target: Path) -> None:
    """Write a file under another name and rename it when it is whole, so that no half of it is ever seen there.

    Raises `Conflict` when it cannot be written, and what `data` raises.
    """
    part = target.parent / f".ganger-{uuid.uuid4().hex}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "xb") as file:
            for chunk in data:
                file.write(chunk)
        part.replace(target)
    except OSError as error:
        raise Conflict(f"{target} cannot be written: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def _names(path: str) -> str:
    """The path without what says nothing; raises `Invalid` for one that leads elsewhere."""
    names = [name for name in path.split("/") if name not in ("", ".")]
    if path.startswith("/") or ".." in names:
        raise Invalid(
            f"{path!r} is no path below $GANGER_OUTPUT_DIR, such as model.pt or logs/a.txt", field="path"
        )
    return "/".join(names)


def _hint(files: Sequence[OutputFile], wanted: str) -> str:
    near = difflib.get_close_matches(wanted, [file.path for file in files], n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    named = ", ".join(repr(file.path) for file in files[:_NAMED])
    return f"it published {named}" + (f" and {len(files) - _NAMED} more" if len(files) > _NAMED else "")
