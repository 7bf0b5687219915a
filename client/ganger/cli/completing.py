"""This module says what a shell may complete: ids of tasks, states, forms of output. Without a master there is nothing.

A shell shows no errors, and nobody waits long for it: whatever fails completes to nothing.
"""

from __future__ import annotations

import typer

from ganger.output import Form

NEWEST = 50  # tasks that are offered

Found = list[tuple[str, str]]
"""What may be written, each with a word about it."""


def complete_ids(context: typer.Context, incomplete: str) -> Found:
    """The newest tasks, by the last id of a list such as 41,4."""
    from ganger.cli.session import Session
    from ganger.layout import clean
    from ganger_core.domain.errors import GangerError

    before, comma, last = incomplete.rpartition(",")
    options = context.find_root().params
    session = Session(*(options.get(name) or "" for name in ("state_dir", "address", "token_file")))
    try:
        with session.client(patience_s=0) as client:
            found = [(row.task.label, row.task) for row in client.tasks(limit=NEWEST)]
    except (GangerError, OSError):
        return []
    return [
        (before + comma + label, clean(f"{task.state.lower()} {task.spec.name or task.spec.command[0]}"))
        for label, task in found
        if label.startswith(last)
    ]


def complete_states(incomplete: str) -> list[str]:
    """The states of tasks, by the last one of a list such as running,f."""
    from ganger_core.domain.states import TaskState

    before, comma, last = incomplete.lower().rpartition(",")
    return [before + comma + state.lower() for state in TaskState if state.lower().startswith(last)]


def complete_forms(incomplete: str) -> list[str]:
    """The forms of output."""
    known = [f"{form}=" if form is Form.TEMPLATE else str(form) for form in Form]
    return [form for form in known if form.startswith(incomplete)]
