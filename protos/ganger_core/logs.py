"""This module writes a daemon's log to stderr: lines for people on a terminal, else one JSON object a line.

It stands on the standard library's logging: structured-logging packages take longer to import than the
whole of a daemon's start may last.
"""

from __future__ import annotations

import faulthandler
import json
import logging
import signal
import sys
import time
from collections.abc import Mapping
from contextvars import ContextVar

LEVELS = ("debug", "info", "warning", "error")

_ganger = logging.getLogger("ganger")
_context: ContextVar[Mapping[str, object]] = ContextVar("log_context")


class Log:
    """Logs what happened, in a few fixed words, with its particulars as fields."""

    def debug(self, event: str, **fields: object) -> None:
        """For whoever looks into one task's path: one line per hop."""
        _write(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: object) -> None:
        """What an operator may want to know; one line per batch, not per task."""
        _write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Something is not as it should be; the daemon goes on."""
        _write(logging.WARNING, event, fields)

    def error(self, event: str, *, error: BaseException | None = None, **fields: object) -> None:
        """Something failed; `error` adds its traceback."""
        _write(logging.ERROR, event, fields, error)


def configure(level: str, service: str) -> None:
    """Write lines of at least `level` (one of `LEVELS`) to stderr, each with the service's name.

    Also makes SIGUSR1 print the stacks of all threads, for a daemon that seems to hang.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_ForPeople(service) if sys.stderr.isatty() else _Json(service))
    _ganger.handlers[:] = [handler]
    _ganger.setLevel(level.upper())
    _ganger.propagate = False
    faulthandler.register(signal.SIGUSR1, all_threads=True)


def get_logger() -> Log:
    """The logger; may be called before `configure`, which takes effect at its first line."""
    return Log()


def bind_context(**fields: object) -> None:
    """Add fields to every further line of this call or thread."""
    _context.set({**bound_context(), **fields})


def bound_context() -> Mapping[str, object]:
    """The fields that this call or thread has bound."""
    return _context.get({})


def _write(level: int, event: str, fields: Mapping[str, object], error: BaseException | None = None) -> None:
    if _ganger.isEnabledFor(level):
        trace = (type(error), error, error.__traceback__) if error else None
        _ganger.log(level, "%s", event, extra={"fields": {**bound_context(), **fields}}, exc_info=trace)


class _Json(logging.Formatter):
    """One JSON object: time (UTC, ISO 8601), level, service, event, fields."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {
            "at": f"{at}.{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "service": self._service,
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class _ForPeople(logging.Formatter):
    """Local time, level, service, event, then fields as key=value; a traceback below."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%H:%M:%S", time.localtime(record.created))
        fields = " ".join(f"{key}={_quoted(value)}" for key, value in getattr(record, "fields", {}).items())
        line = f"{at} {record.levelname.lower():7} {self._service}: {record.getMessage()}  {fields}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _quoted(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if not text or " " in text or "\n" in text else text
