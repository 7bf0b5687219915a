"""This module finds the tasks that a command line names: by ids, by names, and by labels.

A command takes over `ids: IdsArgument` and `label: LabelsOption`, and calls `named_ids(client, ids, label, Choice.…)`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from ganger.cli.completing import complete_ids
from ganger.cli.ids import IDS, parse_ids
from ganger.cli.labels import LabelsOption, read_labels
from ganger.render import can_ask, confirmed, note

if TYPE_CHECKING:
    from ganger.calls import TaskRow
    from ganger.client import Client
    from ganger_core.domain.states import TaskState
    from ganger_core.domain.task import Task

__all__ = ["Choice", "Chosen", "IdsArgument", "LabelsOption", "YesOption", "choose", "may_go_on", "named_ids"]

MOST_SHOWN = 5  # of several that are meant

IdsArgument = Annotated[
    list[str],
    typer.Argument(
        help="Such as 42, 1,3,5-8, last, all, or a name; 42.7 of an array.",
        metavar="ID...",
        default_factory=list,
        show_default=False,
        autocompletion=complete_ids,
    ),
]
YesOption = Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")]


class Choice(Enum):
    """What a name, labels without ids, and `all` stand for where several tasks fit: it depends on the command."""

    ONE = "one"  # a name, labels: the newest; all: refused, for such a command is about one task
    LOOK = "look"  # a name: the newest; labels: whatever has them; all: what goes on
    WAIT = "wait"  # a name: what goes on, else the newest; labels: whatever has them; all: what goes on
    CHANGE = "change"  # a name: what goes on, else the newest; labels, all: what goes on
    RETRY = "retry"  # a name: the newest; labels: what is in the states given; all: refused


@dataclass
class Chosen:
    """The tasks that are meant: ids with what to call them, in the order written, and how they came to be meant."""

    ids: dict[int, str] = field(default_factory=dict)
    names: dict[str, list[int]] = field(
        default_factory=dict
    )  # each name that stands for several, with their ids
    by_rule: dict[int, Task] = field(default_factory=dict)  # by `all` or by labels alone, as they were seen


def named_ids(
    client: Client,
    texts: Iterable[str],
    labels: Iterable[str] = (),
    choice: Choice = Choice.LOOK,
    states: Collection[TaskState] | None = None,
) -> dict[int, str]:
    """The ids with what to call them, in the order written; `choose` says more."""
    return choose(client, texts, labels, choice, states).ids


def choose(
    client: Client,
    texts: Iterable[str],
    labels: Iterable[str] = (),
    choice: Choice = Choice.LOOK,
    states: Collection[TaskState] | None = None,
) -> Chosen:
    """The tasks that are meant by these words, of those that have these labels (`KEY=VALUE`), all of them.

    Without words the labels choose, and `states` narrow what they choose. The master is asked only about what is not a
    plain id. Raises `Invalid` and `NotFound`, and a usage error when there are neither words nor labels. That nothing
    is left of `all`, or of what has the labels, is no error: a note tells of it.
    """
    words, wanted = list(texts), read_labels("-l", labels)
    if not words and not wanted:
        raise typer.BadParameter("which tasks? Name them: 42, 1,3,5-8, last, all, a name, or -l KEY=VALUE")
    asked = _Asked(client, wanted, choice)
    if words:
        asked.chosen.ids = parse_ids(words, asked)
        if wanted:
            _narrow(client, asked.chosen.ids, wanted)
    else:
        asked.chosen.ids = {task_id: str(task_id) for task_id in asked.labelled(states)}
    if not asked.chosen.ids:
        what = "nothing with these labels" if wanted else "nothing"
        note(f"{what} {'failed, timed out or expired' if choice is Choice.RETRY else 'goes on'}")
    return asked.chosen


def may_go_on(chosen: Chosen, what: str, yes: bool) -> bool:
    """Whether to do `what` (such as cancel) to all that is chosen, when that may be more than somebody thought of.

    Where somebody sits at the terminal, that is asked about several that were not named one by one. Elsewhere `all` and
    labels are taken at their word, and a name of several tasks raises `Invalid`.
    """
    from ganger_core.domain.errors import Invalid

    ids = chosen.ids
    if yes or len(ids) < 2 or not (chosen.by_rule or chosen.names):
        return True
    if can_ask():
        return confirmed(f"{what} {len(ids)} tasks: {_some(list(ids.values()))}?")
    for name, several in chosen.names.items():
        shown = _some([str(task_id) for task_id in several])
        raise Invalid(
            f"{len(several)} tasks with the name {name!r} go on: {shown}; name one of them by its id, "
            f"or say --yes to {what} them all"
        )
    return True


class _Asked:
    """What `parse_ids` has to know, asked of the master; only the caller's own tasks with the labels count.

    An admin names what is somebody else's by its id. Notes how tasks came to be meant.
    """

    def __init__(self, client: Client, labels: dict[str, str], choice: Choice) -> None:
        self._client = client
        self._labels = labels
        self._choice = choice
        self._tasks: dict[int, Task] = {}
        self.chosen = Chosen()

    def task(self, task_id: int) -> Task:
        if task_id not in self._tasks:
            self._tasks[task_id] = self._client.status(task_id).task
        return self._tasks[task_id]

    def newest(self) -> int:
        from ganger_core.domain.errors import NotFound

        for row in self._rows(limit=1):
            return row.task.id
        if self._labels:
            raise self._nothing_has_them()
        raise NotFound("there is no task yet: ganger run -- echo hello")

    def going_on(self) -> list[int]:
        from ganger_core.domain.errors import Invalid

        if self._choice is Choice.ONE:
            raise Invalid("all is what goes on, and here one task is meant: name it, such as last")
        if self._choice is Choice.RETRY:
            raise Invalid(
                "all is what goes on, and only what is over can be retried: name it, or say -l KEY=VALUE"
            )
        return self._by_rule(_live())

    def labelled(self, states: Collection[TaskState] | None) -> list[int]:
        """What the labels alone stand for."""
        if self._choice is Choice.ONE:
            return [self.newest()]
        found = self._by_rule(_live() if self._choice is Choice.CHANGE else states)
        if not found and next(self._rows(limit=1), None) is None:
            raise self._nothing_has_them()
        return found

    def _by_rule(self, states: Collection[TaskState] | None) -> list[int]:
        found = {row.task.id: row.task for row in self._rows(states)}
        self.chosen.by_rule |= found
        return list(found)

    def named(self, name: str) -> list[int]:
        from ganger_core.domain.errors import Invalid, NotFound

        found = self._of_name(name)
        if found:
            return found
        names: dict[str, None] = {}
        for row in self._rows(name_prefix=name):
            names[row.task.spec.name] = None
            if len(names) > MOST_SHOWN:
                break
        if not names:
            with_them = f" with {_written(self._labels)}" if self._labels else ""
            raise NotFound(f"there is no task {name!r}{with_them}; {IDS}; ganger ls --all shows names")
        if len(names) > 1:
            some = ", ".join(list(names)[:MOST_SHOWN]) + (" …" if len(names) > MOST_SHOWN else "")
            raise Invalid(f"{name!r} is how several names begin: {some}; write one of them")
        (whole,) = names
        if self._choice is Choice.CHANGE:
            note(f"{name!r} stands for {whole!r}")
        return self._of_name(whole)

    def _of_name(self, name: str) -> list[int]:
        """The tasks that exactly this name stands for."""
        if self._choice in (Choice.WAIT, Choice.CHANGE):
            live = [row.task.id for row in self._rows(_live(), name=name)]
            if len(live) > 1:
                self.chosen.names[name] = live
            if live:
                return live
        return [row.task.id for row in self._rows(name=name, limit=1)]

    def _rows(
        self,
        states: Collection[TaskState] | None = None,
        *,
        name: str = "",
        name_prefix: str = "",
        limit: int | None = None,
    ) -> Iterator[TaskRow]:
        return self._client.tasks(
            states, labels=self._labels, name=name, name_prefix=name_prefix, own=True, limit=limit
        )

    def _nothing_has_them(self) -> Exception:
        from ganger_core.domain.errors import NotFound

        return NotFound(f"no task has {_written(self._labels)}: ganger show ID tells what labels one has")


def _narrow(client: Client, ids: dict[int, str], labels: dict[str, str]) -> None:
    """Leave only what has the labels, and ids that there are not, of which the command will tell."""
    from ganger_core.domain.errors import NotFound
    from ganger_core.domain.selection import Selection

    chosen, names = Selection(tuple(sorted(labels.items()))), _some(list(ids.values()))
    for row in client.tasks(task_ids=list(ids)):
        if not chosen.fits(row.task.spec):
            del ids[row.task.id]
    if not ids:
        raise NotFound(f"none of {names} has {_written(labels)}")


def _live() -> list[TaskState]:
    from ganger_core.domain.states import TASK_FINAL, TaskState

    return [state for state in TaskState if state not in TASK_FINAL]


def _written(labels: dict[str, str]) -> str:
    return " and ".join([f"the label {key}={value}" for key, value in labels.items()])


def _some(names: list[str]) -> str:
    more = len(names) - MOST_SHOWN
    return ", ".join(names[:MOST_SHOWN]) + (f" and {more} more" if more > 0 else "")
