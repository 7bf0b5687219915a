"""This module is `ganger worker ls` and `ganger worker start`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from ganger import render
from ganger.cli.daemons import PASS_ON, become
from ganger.cli.session import Output, OutputOption, QuietOption, session_of
from ganger.layout import NOTHING, Column, clean, cpus, duration, size

if TYPE_CHECKING:
    from ganger_core.domain.task import WorkerView

COLUMNS = (
    Column("NAME", least=8),
    Column("STATE", paint=render.state_colour),
    Column("CPU FREE", right=True),
    Column("MEM FREE", right=True),
    Column("SLOTS", right=True),
    Column("TASKS", right=True),
    Column("LOAD", right=True),
    Column("SEEN", right=True),
    Column("HOST", least=8),
)


def add_to(app: typer.Typer) -> None:
    """Add the verbs."""
    group = typer.Typer(help="Workers: the daemons that run tasks.", rich_markup_mode=None)
    group.command("ls", short_help="list workers", epilog="Example: ganger worker ls")(ls)
    group.command(
        "start",
        short_help="start a worker here",
        epilog="Example: ganger worker start --name w1 --cpus 8",
        context_settings=PASS_ON,
        add_help_option=False,
    )(start)
    app.add_typer(group, name="worker")


def ls(context: typer.Context, output: OutputOption = Output.TABLE, quiet: QuietOption = False) -> None:
    """List the workers by name: what each has free of what it offers, and when it was heard of last."""
    with session_of(context).client() as client:
        workers = list(client.workers())
    if quiet:
        for worker in workers:
            render.say(worker.profile.id)
    elif output is Output.JSON:
        from ganger.documents import worker_document

        render.document({"workers": [worker_document(worker) for worker in workers]})
    else:
        render.show_table(COLUMNS, [_cells(worker) for worker in workers])
        if not workers:
            render.note("no worker has registered yet: ganger worker start, or ganger dev")


def start(context: typer.Context) -> None:
    """Start a worker; its own options: ganger worker start --help."""
    become("ganger_worker", context.args, session_of(context))


def _cells(worker: WorkerView) -> list[str]:
    profile, free, whole = worker.profile, worker.free, worker.profile.capacity
    return [
        clean(profile.name),
        worker.state.value,
        f"{cpus(free.cpu_milli)}/{cpus(whole.cpu_milli)}",
        f"{size(free.memory_bytes)}/{size(whole.memory_bytes)}" if whole.memory_bytes else NOTHING,
        f"{free.slots}/{whole.slots}",
        str(len(worker.attempts)),
        f"{worker.usage.cpu_percent:.0f}%",
        f"{duration(worker.heartbeat_age_s)} ago",
        clean(profile.host),
    ]
