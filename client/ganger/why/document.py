"""This module turns explanations into the JSON documents of the CLI. Keys keep their order."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from enum import Enum

from ganger.documents import Document, task_document
from ganger_core.domain.explanation import Explanation
from ganger_core.domain.resources import Resources


def explanation_document(explanation: Explanation) -> Document:
    """The task with its attempts, and why it waits or is where it is; null where that does not apply."""
    return {
        "id": explanation.task.id,
        "label": explanation.task.label,
        "task": task_document(explanation.task, attempts=explanation.attempts),
        "now_ms": explanation.now_ms,
        "waiting": _plain(explanation.waiting),
        "living": _plain(explanation.living),
    }


def _plain(value: object) -> object:
    """The fields of a value by their names; a request and other amounts as amounts of each kind."""
    if isinstance(value, Resources):
        return value._asdict()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return value
