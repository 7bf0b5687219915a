"""This module is `ganger dev`: a whole cluster on this machine until Ctrl-C."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganger.cli import exits
from ganger.cli.daemons import check_installed
from ganger.cli.failure import tell
from ganger.cli.session import session_of
from ganger.layout import cpus as in_cpus
from ganger.layout import size
from ganger.render import note, say

if TYPE_CHECKING:
    from ganger.dev_cluster import DevOptions
    from ganger_core.domain.task import WorkerView

READY = "ganger dev is ready"


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "dev", short_help="a whole cluster on this machine", epilog="Example: ganger dev --workers 2 --cpus 1"
    )(dev)


def dev(
    context: typer.Context,
    workers: Annotated[
        int,
        typer.Option(
            help="How many workers; 1 unless --cpus or --mem say more.", metavar="NUMBER", show_default=False
        ),
    ] = 0,
    cpus: Annotated[
        str, typer.Option(help="CPUs of each worker, or of one after the other: 1,2,4.", metavar="NUMBER,...")
    ] = "",
    mem: Annotated[
        str, typer.Option(help="Memory of each worker, or of one after the other.", metavar="SIZE,...")
    ] = "",
    slots: Annotated[
        int,
        typer.Option(
            help="Tasks at the same time on each worker; 8 per CPU unless said.",
            metavar="NUMBER",
            show_default=False,
        ),
    ] = 0,
    listen: Annotated[
        str, typer.Option(help="Also listen on this address of this machine.", metavar="HOST:PORT")
    ] = "",
    state_dir: Annotated[
        str, typer.Option(help="Where everything is kept. [env: GANGER_STATE_DIR]", metavar="FOLDER")
    ] = "",
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Show what the parts log.")] = False,
) -> None:
    """Run a master, a planner and workers on this machine until Ctrl-C. What it keeps is there the next time."""
    from ganger.client import Client
    from ganger.dev_cluster import DevCluster, DevOptions, plan_children, this_host
    from ganger_core.settings import default_state_dir
    from ganger_core.state_dir import prepare

    each_cpus, each_memory = _values(cpus), _values(mem)
    named = state_dir or session_of(context).state_dir
    options = DevOptions(
        state_dir=prepare(Path(named) if named else default_state_dir(os.environ)),
        workers=workers or max(len(each_cpus), len(each_memory), 1),
        cpus=each_cpus,
        memory=each_memory,
        slots=slots,
        listen=listen,
        log_level="info" if verbose else "warning",
    )
    children = plan_children(options, this_host())
    for child in children:
        check_installed(child.package)
    with Client(state_dir=options.state_dir, patience_s=0) as client:
        cluster = DevCluster(children, options.state_dir, client)
        try:
            started = cluster.start()
            if started:
                # Other terminals need not have the variable that this one may have.
                elsewhere = {name: value for name, value in os.environ.items() if name != "GANGER_STATE_DIR"}
                for line in ready_lines(options, started, default_state_dir(elsewhere)):
                    say(line)
                cluster.run()
            note("stopping …")
        finally:
            problems = cluster.stop()
            for problem in problems:
                tell(problem)
    raise typer.Exit(exits.REFUSED if problems else exits.OK)


def _values(text: str) -> tuple[str, ...]:
    return tuple(text.split(",")) if text else ()


def ready_lines(options: DevOptions, workers: Sequence[WorkerView], usual: Path) -> list[str]:
    """What to tell once everything runs: where it is, and what to try."""
    lines = [READY, f"  state folder  {options.state_dir}"]
    if options.listen:
        token = shlex.quote(str(options.state_dir / "token"))
        lines.append(f"  over TCP      export GANGER_ADDR={options.listen} GANGER_TOKEN_FILE={token}")
    for number, worker in enumerate(workers):
        whole = worker.profile.capacity
        cpu = in_cpus(whole.cpu_milli)
        lines.append(
            f"  {'workers' if not number else '':<12}  {worker.profile.name}: {cpu} CPU{'' if cpu == '1' else 's'}, "
            f"{size(whole.memory_bytes)} memory, {whole.slots} tasks at the same time"
        )
    lines.append("Try in another terminal:")
    if options.state_dir != usual:
        lines.append(f"  export GANGER_STATE_DIR={shlex.quote(str(options.state_dir))}")
    lines += [
        "  ganger run -- echo 'hello from a task'",
        "  ganger submit -n nap -- sleep 60",
        "  ganger ls",
        "Ctrl-C stops everything; queued tasks are kept for the next time.",
    ]
    return lines
