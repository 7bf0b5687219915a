"""This module is the verbs of workers: `ganger worker ls`, `start` and `fence` are here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ganger import render
from ganger.cli import cordon, worker_show
from ganger.cli.daemons import PASS_ON, become
from ganger.cli.output_options import with_list_output, with_output
from ganger.cli.session import session_of
from ganger.layout import NOTHING, Column, clean, cpus, cut, duration, size
from ganger.output import Output, Result, told

if TYPE_CHECKING:
    from ganger_core.domain.cordon import Cordon
    from ganger_core.domain.task import WorkerView

COLUMNS = (
    Column("NAME", least=8, key="name"),
    Column("STATE", paint=render.state_colour, key="state"),
    Column("CPU FREE", right=True, key="free.cpu_milli"),
    Column("MEM FREE", right=True, key="free.memory_bytes"),
    Column("SLOTS", right=True, key="free.slots"),
    Column("TASKS", right=True, key="tasks"),
    Column("LOAD", right=True, key="usage.cpu_percent"),
    Column("SEEN", right=True, key="heartbeat_age_s"),
    Column("HOST", least=8, key="host"),
    Column("ID", key="id", wide=True),
    Column("GANGER", key="ganger", wide=True),
)

WHAT_FENCING_MEANS = (
    "Fencing worker {} says that nothing of it runs any more. Its tasks start elsewhere or fail at once; "
    "if its host is alive after all, they run twice. Is the host certainly dead?"
)


def add_to(app: typer.Typer) -> None:
    """Add the verbs."""
    group = typer.Typer(help="Workers: the daemons that run tasks.", rich_markup_mode=None)
    group.command("ls", short_help="list workers", epilog="Example: ganger worker ls")(with_list_output(ls))
    group.command(
        "start",
        short_help="start a worker here",
        epilog="Example: ganger worker start --name w1 --cpus 8",
        context_settings=PASS_ON,
        add_help_option=False,
    )(start)
    worker_show.add_to(group)
    cordon.add_to(group)
    group.command("fence", short_help="give up a lost worker", epilog="Example: ganger worker fence w1")(
        with_output(["worker", "attempts"])(fence)
    )
    app.add_typer(group, name="worker")


def ls(context: typer.Context, *, out: Output) -> None:
    """List the workers by name: what each has free of what it offers, and when it was heard of last.

    Below them, who wants which of them to get no new work, and why.
    """
    with session_of(context).client() as client:
        workers = list(client.workers())
    out.write(workers_result(workers))
    if out.is_for_people:
        for line in _cordons(workers, time.time_ns() // 1_000_000):
            render.say(line)
        if not workers:
            render.note("no worker has registered yet: ganger worker start, or ganger dev")


def workers_result(
    workers: Sequence[WorkerView], tell: Callable[[], None] | None = None
) -> Result[WorkerView]:
    """These workers as a command's result: a table, unless `tell` says what people read."""
    from ganger.documents import worker_document

    return Result(
        "workers",
        workers,
        worker_document,
        lambda worker: worker.profile.id,
        COLUMNS,
        _cells,
        {"tasks": lambda worker: len(worker.attempts)},
        tell,
    )


def start(context: typer.Context) -> None:
    """Start a worker; its own options: ganger worker start --help."""
    become("ganger_worker", context.args, session_of(context))


def fence(
    context: typer.Context,
    worker: Annotated[str, typer.Argument(help="Its name or id.", metavar="WORKER")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    *,
    out: Output,
) -> None:
    """Declare a LOST worker's host dead, so that what waits for it goes on: elsewhere, or as failed.

    Only for a host that is off, or that you have made sure runs nothing of Ganger any more: tasks that still
    run there would run twice. To end a worker that answers, stop it instead.
    """
    from ganger_core.domain.errors import Invalid

    if not yes and not render.confirmed(WHAT_FENCING_MEANS.format(clean(worker))):
        raise Invalid(f"worker {clean(worker)} is not fenced: say --yes if its host is certainly dead")
    with session_of(context).client() as client:
        attempts = client.fence(worker)
    document = {"worker": worker, "attempts": attempts}
    given_up = f"{attempts} attempt{'' if attempts == 1 else 's'} given up"
    out.write(
        told(
            "workers",
            [document],
            lambda: render.say(f"worker {clean(worker)} is fenced: {given_up}"),
            name="worker",
            whole=document,
        )
    )


def _cordons(workers: Iterable[WorkerView], now_ms: int) -> list[str]:
    """A line for each worker that is to get no new work, with an empty one before them."""
    lines = [
        cut(
            f"{clean(w.profile.name)} is {clean(w.cordon.told(empty=not w.attempts))}",
            render.width() - len(since),
        )
        + since
        for w in workers
        if w.cordon is not None
        for since in [f" ({_when(w.cordon, now_ms)})"]
    ]
    return ["", *lines] if lines else []


def _when(cordon: Cordon, now_ms: int) -> str:
    """Since when, and until when what is there may finish."""
    since = f"{duration((now_ms - cordon.since_ms) / 1000)} ago"
    left_s = (cordon.deadline_ms - now_ms) / 1000
    if not cordon.deadline_ms:
        return since
    return f"{since}, deadline {f'in {duration(left_s)}' if left_s > 0 else 'over'}"


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
        clean(profile.id),
        clean(profile.version),
    ]
