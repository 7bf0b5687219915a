"""This module is `ganger worker show`: everything that is known of a worker, and what runs there."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import typer

from ganger import render
from ganger.cli.cordon import KEYS, WorkersArgument, moment, standing
from ganger.cli.output_options import with_output
from ganger.cli.session import session_of
from ganger.cli.task_table import ran_for
from ganger.layout import NOTHING, Column, clean, cpus, duration, size
from ganger.output import Output, Result

if TYPE_CHECKING:
    from ganger_core.domain.cordon import Cordon
    from ganger_core.domain.task import AttemptRef, Task, WorkerView

COLUMNS = (
    Column("ID", right=True),
    Column("NAME", least=10),
    Column("STATE", paint=render.state_colour),
    Column("ATTEMPT", right=True),
    Column("CPU", right=True),
    Column("MEM", right=True),
    Column("TIME", right=True),
    Column("OWNER", least=6),
    Column("REASON", least=12),
)


def add_to(group: typer.Typer) -> None:
    """Add the verb to those of workers."""
    group.command("show", short_help="everything about a worker", epilog="Example: ganger worker show w1")(
        with_output([*KEYS, "incarnation", "boot_id", "tasks"])(show)
    )


def show(context: typer.Context, workers: WorkersArgument, *, out: Output) -> None:
    """Show everything about workers: what they are and have left, who keeps them from work, what runs there."""
    with session_of(context).client() as client:
        found = named(list(client.workers()), workers)
        ids = sorted({ref.task_id for view in found for ref in view.attempts})
        tasks = {row.task.id: row.task for row in client.tasks(task_ids=ids)}

    def tell() -> None:
        for number, view in enumerate(found):
            if number:
                render.say()
            _show(view, tasks, time.time_ns() // 1_000_000)

    from ganger.documents import worker_details

    out.write(
        Result(
            "workers",
            found,
            lambda view: worker_details(view, tasks),
            lambda view: view.profile.id,
            tell=tell,
        )
    )


def named(views: Sequence[WorkerView], names: Sequence[str]) -> list[WorkerView]:
    """The workers of these names or ids, each once; all of one name. Raises `NotFound`."""
    from ganger_core.domain.errors import NotFound

    found: dict[str, WorkerView] = {}
    for name in names:
        meant = [view for view in views if name in (view.profile.id, view.profile.name)]
        if not meant:
            raise NotFound(f"there is no worker {clean(name)}, see `ganger worker ls`", field="workers")
        found.update((view.profile.id, view) for view in meant)
    return list(found.values())


def _show(view: WorkerView, tasks: Mapping[int, Task], now_ms: int) -> None:
    profile, free, usage = view.profile, view.free, view.usage
    whole = profile.capacity
    memory = f"{size(free.memory_bytes)} of {size(whole.memory_bytes)} free"
    used = f"{size(usage.memory_used_bytes)} of {size(usage.memory_total_bytes)}"
    render.show_facts(
        [
            ("worker", clean(profile.name)),
            ("state", render.state_colour(view.state.value)),
            ("work", standing(view)),
            *_cordon(view.cordon, now_ms),
            ("id", clean(profile.id)),
            ("host", clean(profile.host)),
            ("boot", clean(profile.boot_id)),
            ("ganger", f"{clean(profile.version)}, start {profile.incarnation} of this worker"),
            ("heard", f"{duration(view.heartbeat_age_s)} ago"),
            ("cpus", f"{cpus(free.cpu_milli)} of {cpus(whole.cpu_milli)} free"),
            ("memory", memory if whole.memory_bytes else "none is offered"),
            ("slots", f"{free.slots} of {whole.slots} free"),
            ("load", f"{usage.cpu_percent:.0f}% of its CPUs"),
            ("in use", f"{used} of the host's memory" if usage.memory_total_bytes else ""),
        ]
    )
    if view.attempts:
        render.say()
        render.show_table(COLUMNS, [_cells(ref, tasks.get(ref.task_id), now_ms) for ref in view.attempts])


def _cordon(cordon: Cordon | None, now_ms: int) -> list[tuple[str, str]]:
    if cordon is None:
        return []
    since = f"{moment(cordon.since_ms)}, {duration((now_ms - cordon.since_ms) / 1000)} ago"
    return [
        ("reason", clean(cordon.reason)),
        ("since", since),
        ("deadline", moment(cordon.deadline_ms) if cordon.deadline_ms else ""),
    ]


def _cells(ref: AttemptRef, task: Task | None, now_ms: int) -> list[str]:
    if task is None:  # it is somebody else's, or ended since
        return [str(ref.task_id), NOTHING, NOTHING, str(ref.token), *[NOTHING] * 5]
    spec = task.spec
    return [
        task.label,
        clean(spec.name or " ".join(spec.command)),
        task.state.value,
        str(ref.token),
        cpus(spec.resources.cpu_milli),
        size(spec.resources.memory_bytes),
        ran_for(task, now_ms),
        clean(task.owner),
        clean(task.reason),
    ]
