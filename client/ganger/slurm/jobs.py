"""This module finds the tasks that Slurm's commands speak of: jobs `42`, elements `42_7` and `42_[1-3]`, or all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganger.slurm.states import slurm_state
from ganger.slurm.variables import PARTITION
from ganger_core.domain.array import Indices
from ganger_core.domain.errors import Invalid, NotFound
from ganger_core.domain.states import TASK_FINAL, TaskState

if TYPE_CHECKING:
    from ganger.calls import TaskRow
    from ganger.client import Client
    from ganger_core.domain.task import Task

MOST_NAMED = 10_000  # so many waiting elements of an array are named one by one
MOST_ENDED = 1_000  # so many that are over are listed where none is named

_NAME = re.compile(
    r"(\d{1,18})(?:_(?:(\d{1,10})|\[([^]%]*)(?:%\d*)?\]))?(?:\.(?:batch|extern|\d+))?", re.ASCII
)
_LIVE = tuple(state for state in TaskState if state not in TASK_FINAL)


@dataclass(frozen=True, slots=True)
class JobName:
    """A job, or some elements of an array."""

    id: int
    indices: Indices | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One line of a list: a task, an element, or all elements of an array that wait, under one `label`.

    It is `limited` when as many elements of its array run as may.
    """

    task: Task
    worker: str
    label: str
    array_id: int
    index: str
    limited: bool = False

    @property
    def state(self) -> str:
        """In Slurm's word."""
        return slurm_state(self.task)

    @property
    def name(self) -> str:
        """What it was called, or the name of its program."""
        return self.task.spec.name or self.task.spec.command[0].rpartition("/")[2]

    @property
    def partition(self) -> str:
        """The partition that was asked for; there is one."""
        return dict(self.task.spec.env).get("SLURM_JOB_PARTITION", PARTITION)


def read_name(text: str) -> JobName:
    """A job from `42`, `42_7` or `42_[1-3,8]`; a step, such as `42.batch`, stands for its job. Raises `Invalid`."""
    match = _NAME.fullmatch(text)
    if match is None or not int(match[1]):
        raise Invalid(f"Invalid job id specified: {text}; write 42, 42_7 or 42_[1-3]")
    indices = match[2] or match[3]
    return JobName(int(match[1]), Indices.parse(indices, text) if indices else None)


def ids_of(client: Client, name: JobName) -> list[int]:
    """The ids of the tasks named: of an array itself where no element is. Raises `NotFound`, `Invalid`."""
    from ganger.arrays import element_id

    if name.indices is None:
        return [name.id]
    array = client.status(name.id).task
    return [element_id(array, index) for index in name.indices]


def named_jobs(client: Client, names: Iterable[JobName], *, each: bool = False) -> Iterator[Job]:
    """These jobs; of an array its elements, those that wait on one line unless `each`. Raises `NotFound`."""
    ids: dict[int, None] = {}
    for name in names:
        ids.update(dict.fromkeys(ids_of(client, name)))
    rows = {row.task.id: row for row in client.tasks(task_ids=ids)}
    missing = [task_id for task_id in ids if task_id not in rows]
    if missing:
        raise NotFound(f"Invalid job id specified: {missing[0]}")
    for task_id in ids:
        yield from _of_row(client, rows[task_id], None, each)


def all_jobs(client: Client, *, ended_since_ms: int | None, each: bool = False) -> Iterator[Job]:
    """All jobs that go on, in the order of their ids; unless it is None, those too that ended since that moment."""
    rows = list(client.tasks(_LIVE))
    if ended_since_ms is not None:
        ended = client.tasks(sorted(TASK_FINAL), limit=MOST_ENDED)
        rows += [row for row in ended if row.task.finished_ms >= ended_since_ms]
    for row in sorted(rows, key=lambda row: row.task.id):
        yield from _of_row(client, row, _LIVE if ended_since_ms is None else None, each)


def _of_row(client: Client, row: TaskRow, states: Sequence[TaskState] | None, each: bool) -> Iterator[Job]:
    task = row.task
    if task.array is None:
        yield _job(row)
        return
    waiting = dict(task.array.counts).get(TaskState.PENDING, 0)
    named = each or waiting <= MOST_NAMED
    held = sum(dict(task.array.counts).get(state, 0) for state in _LIVE if state is not TaskState.PENDING)
    is_full = 0 < task.array.max_parallel <= held
    wanted = [state for state in states or TaskState if named or state is not TaskState.PENDING]
    elements = list(client.tasks(wanted, array=task.id))
    pending = [element for element in elements if element.task.state is TaskState.PENDING]
    if not each and waiting:
        indices = _listed(Indices.of(element.task.index for element in pending)) if named else "..."
        limit = f"%{task.array.max_parallel}" if task.array.max_parallel else ""
        text = f"[{indices}{limit}]"
        shown = pending[-1].task if pending else task
        if pending or not named:
            yield Job(shown, "", f"{task.id}_{text}", task.id, text, is_full)
    for element in reversed(elements):
        if each or element.task.state is not TaskState.PENDING:
            yield _job(element, limited=is_full)


def _listed(indices: Indices) -> str:
    """Ranges and single ones: programs that read lists of Slurm know no steps."""
    return ",".join(
        f"{run.start}-{run[-1]}" if run.step == 1 and len(run) > 1 else ",".join(map(str, run))
        for run in indices.runs
    )


def _job(row: TaskRow, *, limited: bool = False) -> Job:
    task = row.task
    if not task.array_id:
        return Job(task, row.worker_name, str(task.id), 0, "")
    return Job(
        task, row.worker_name, f"{task.array_id}_{task.index}", task.array_id, str(task.index), limited
    )
