"""This module says what outputs are: the files that an attempt publishes, and the result among them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn

from ganger_core.domain.errors import Invalid

RESULT_NAME = "result.json"
MOST_RESULT_BYTES = 2**20
MOST_FILES = 10_000
MOST_LIST_BYTES = 3 * 2**19
"""Of a whole manifest on the wire: with the largest result beside it a report still fits into one message."""
FILE_LIST_BYTES = 96  # what a file adds to that beside its path
MOST_NOTES = 20
MOST_NOTE = 500  # characters
MOST_PATH_BYTES = 4_095


class Publish(StrEnum):
    """When what an attempt left in its output folder is published."""

    ON_SUCCESS = "ON_SUCCESS"
    ALWAYS = "ALWAYS"
    NEVER = "NEVER"


@dataclass(frozen=True, slots=True)
class OutputFile:
    """One published file: its path in the output folder, its size in bytes, its SHA-256 in hexadecimal digits."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Outputs:
    """What an attempt published: the manifest, the result in canonical JSON (empty: none), and what was left out."""

    files: tuple[OutputFile, ...] = ()
    result: str = ""
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Of all files, in bytes."""
        return sum([file.size for file in self.files])

    @property
    def wire_bytes(self) -> int:
        """About how large a message with it is."""
        return list_bytes(self.files) + len(self.result.encode()) + sum([len(note) for note in self.notes])


NO_OUTPUTS = Outputs()


def publishes(policy: Publish, *, succeeded: bool) -> bool:
    """Whether an attempt that ended so publishes what it left."""
    return policy is Publish.ALWAYS or (policy is Publish.ON_SUCCESS and succeeded)


def list_bytes(files: tuple[OutputFile, ...]) -> int:
    """About how large a manifest of these is on the wire."""
    return sum([len(file.path.encode()) + FILE_LIST_BYTES for file in files])


def canonical_result(data: bytes) -> str:
    """The JSON document as it is stored: the same value always gives the same text. Raises `Invalid`.

    What JSON allows and a store does not take is refused: numbers beyond a double's range, halves of characters.
    """
    if len(data) > MOST_RESULT_BYTES:
        raise Invalid(f"{RESULT_NAME} has {len(data)} bytes; at most {MOST_RESULT_BYTES} are stored")
    try:
        value = json.loads(data.decode(), parse_constant=_refuse)
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)
        size = len(text.encode())
    except UnicodeDecodeError:
        raise Invalid(f"{RESULT_NAME} is not UTF-8") from None
    except UnicodeEncodeError:
        raise Invalid(f"{RESULT_NAME} holds half of a character (a lone surrogate)") from None
    except RecursionError:
        raise Invalid(f"{RESULT_NAME} is nested too deeply") from None
    except ValueError as error:
        raise Invalid(f"{RESULT_NAME} is no valid JSON: {error}") from None
    if size > MOST_RESULT_BYTES:
        raise Invalid(
            f"{RESULT_NAME} has {size} bytes in canonical JSON; at most {MOST_RESULT_BYTES} are stored"
        )
    return text


def is_inside(path: str) -> bool:
    """Whether a path names something in the output folder, and nothing above or beside it."""
    return all(name not in ("", ".", "..") for name in path.split("/"))


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")
