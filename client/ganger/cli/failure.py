"""This module says to people what went wrong and what to do next, and never shows a traceback unasked."""

from __future__ import annotations

import os
import traceback
from typing import TYPE_CHECKING

from ganger.render import note

if TYPE_CHECKING:
    from ganger_core.domain.errors import GangerError


def explain(error: GangerError) -> str:
    """The error's cause, and for what a command line can cure, the cure."""
    if error.reason == "UNAUTHENTICATED":
        return f"{error.message} (the file `token` in the master's state folder)"
    return error.message


def tell(text: str) -> None:
    """One line about a failure, to stderr."""
    note(f"ganger: {text}")


def tell_crash(error: BaseException) -> None:
    """One line about an error in Ganger itself; the whole traceback with GANGER_DEBUG=1."""
    if os.environ.get("GANGER_DEBUG"):
        note("".join(traceback.format_exception(error)).rstrip())
        return
    tell(f"an error in Ganger itself: {type(error).__name__}: {error} (GANGER_DEBUG=1 shows where)")
