"""This module holds the rules of labels: a key and a value, by which tasks are found."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ganger_core.domain.errors import Invalid

MAX_LABELS = 64
MAX_LABEL_VALUE = 128

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,62}", re.ASCII)


def check_labels(labels: Iterable[tuple[str, str]], field: str = "labels") -> None:
    """Labels of a task, or those that are looked for: few, short, each key once, in the order of the keys."""
    last = ""
    for number, (key, value) in enumerate(labels):
        if number == MAX_LABELS:
            raise Invalid(f"{field}: at most {MAX_LABELS} labels are allowed", field=field)
        if not _KEY.fullmatch(key):
            raise Invalid(
                f"{field}: {key[:140]!r} is no key of a label: 1 to 63 of A-Z a-z 0-9 . _ / -, a letter or digit first",
                field=field,
            )
        if not 1 <= len(value) <= MAX_LABEL_VALUE or not value.isprintable():
            raise Invalid(
                f"{field}: the value of {key} must be 1 to {MAX_LABEL_VALUE} printable characters, not {value[:140]!r}",
                field=field,
            )
        if key <= last:
            why = "is there twice" if key == last else f"must stand before {last}: keys are in order"
            raise Invalid(f"{field}: the key {key} {why}", field=field)
        last = key
