"""This module catches what is logged."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def captured() -> Iterator[list[dict[str, Any]]]:
    """What is logged meanwhile: each line's fields, level and error."""
    lines: list[dict[str, Any]] = []

    class Capture(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            error = record.exc_info[1] if record.exc_info else None
            lines.append({**record.__dict__["fields"], "level": record.levelname, "error": error})

    handler = Capture()
    logging.getLogger("ganger").addHandler(handler)
    try:
        yield lines
    finally:
        logging.getLogger("ganger").removeHandler(handler)
