"""This module is `ganger progress`, and how it and `ganger wait --progress` show how far tasks are."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from ganger import render
from ganger.cli import exits
from ganger.cli.named import Choice, IdsArgument, LabelsOption, named_ids
from ganger.cli.session import session_of

if TYPE_CHECKING:
    from ganger.client import Client
    from ganger.progress import Progress
    from ganger.screen import Screen
    from ganger_core.domain.task import Task

EVERY_S = 1.0  # between two looks, unless all is over sooner


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("progress", short_help="how far arrays are", epilog="Example: ganger progress 42")(progress)


def progress(context: typer.Context, ids: IdsArgument, label: LabelsOption) -> None:
    """Show how far arrays and tasks are until they are over: a bar for each, what runs, waits and failed, and the pace.

    LEFT is how long the rest takes at the present pace, once five elements have told one. Where the output goes to no
    terminal, a line is written whenever counts change. A name, or how it begins, stands for what goes on of that name,
    else for the newest; -l for whatever has the labels, all for what goes on now.
    """
    with session_of(context).client() as client:
        shown = Shown(to_stderr=False)
        try:
            follow(client, list(named_ids(client, ids, label, Choice.WAIT)), shown)
        except KeyboardInterrupt:
            raise typer.Exit(exits.INTERRUPTED) from None


class Shown:
    """How far tasks are, on the terminal or line by line."""

    def __init__(self, *, to_stderr: bool) -> None:
        from ganger.progress import Progress
        from ganger.screen import Screen

        self._to_stderr = to_stderr
        self._progress: Progress = Progress()
        is_terminal = render.on_terminal() if to_stderr else render.stdout_is_terminal()
        self._screen: Screen | None = Screen(to_stderr=to_stderr) if is_terminal else None
        self._lines: dict[int, str] = {}

    def show(self, tasks: Sequence[Task], now_ms: int) -> None:
        """The tasks as they are now."""
        self._progress.see(tasks, now_ms)
        if self._screen is not None:
            plain = not render.encodes("█", to_stderr=self._to_stderr)
            self._screen.draw(
                self._progress.table(tasks, render.width(to_stderr=self._to_stderr), plain=plain)
            )
            return
        for task in tasks:
            line = self._progress.line(task)
            if self._lines.get(task.id) != line:
                self._lines[task.id] = line
                (render.note if self._to_stderr else render.say)(line)


def follow(
    client: Client,
    task_ids: Sequence[int],
    shown: Shown,
    *,
    timeout_s: float | None = None,
    until_any: bool = False,
) -> list[Task]:
    """Show the tasks until all, or any, are over, and return those that are. Raises `WaitTimeout`, `NotFound`."""
    from ganger.errors import NotFound, WaitTimeout
    from ganger.wording import describe_late

    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    while True:
        found = {row.task.id: row.task for row in client.tasks(task_ids=task_ids)}
        missing = [str(task_id) for task_id in task_ids if task_id not in found]
        if missing:
            raise NotFound(f"there is no task {', '.join(missing)}")
        tasks = [found[task_id] for task_id in task_ids]
        shown.show(tasks, time.time_ns() // 1_000_000)
        over = [task for task in tasks if task.is_final]
        if len(over) == len(tasks) or (over and until_any):
            return over
        left_s = EVERY_S if deadline is None else min(EVERY_S, deadline - time.monotonic())
        if left_s <= 0:
            late = [task.label for task in tasks if not task.is_final]
            raise WaitTimeout(describe_late(late, len(tasks), timeout_s))
        try:
            client.wait([task.id for task in tasks if not task.is_final], left_s, until_any=until_any)
        except WaitTimeout:
            continue
