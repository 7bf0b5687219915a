"""This module reads labels on a command line: those that a task gets, and those by which tasks are chosen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

TaskLabels = Annotated[
    list[str],
    typer.Option(
        "--label",
        help="A word to find it by, such as project=vision; repeatable.",
        metavar="KEY=VALUE",
        default_factory=list,
        show_default=False,
    ),
]
LabelsOption = Annotated[
    list[str],
    typer.Option(
        "-l",
        "--label",
        help="Only what has this label; repeatable, then all of them.",
        metavar="KEY=VALUE",
        default_factory=list,
        show_default=False,
    ),
]


def read_labels(option: str, texts: Iterable[str]) -> dict[str, str]:
    """Labels from `KEY=VALUE`; raises `Invalid`, naming the option."""
    from ganger_core.domain.errors import Invalid

    labels: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals and value):
            raise Invalid(f"{option} {text}: write KEY=VALUE, such as {option} project=vision")
        if labels.setdefault(key, value) != value:
            raise Invalid(
                f"{option} {text}: {key} is {labels[key]} already, and a task has one value for a key"
            )
    return labels
