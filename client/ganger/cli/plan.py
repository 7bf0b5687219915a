"""This module is `ganger plan`: what would start now, where, and why the rest would not. Nothing is submitted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice
from textwrap import wrap
from typing import TYPE_CHECKING

import typer

from ganger.cli import exits
from ganger.cli.job_files import FilesOption, read_jobs
from ganger.cli.named import Choice, IdsArgument, choose
from ganger.cli.output_options import with_output
from ganger.cli.session import session_of
from ganger.output import Output, told
from ganger.render import note, say, show_table

if TYPE_CHECKING:
    from ganger_core.domain.forecast import Demand, Forecast, Outlook
    from ganger_core.domain.task import TaskSpec

KEYS = (
    "name", "cpu_milli", "memory_bytes", "count", "prospect", "starts", "workers", "ahead", "reason",
)  # fmt: skip
MOST_SHARES = 3  # workers named in a row
MOST_REASONS = 20
MOST_NAMES = 5  # of tasks with the same reason


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "plan",
        short_help="what would start now, where, why",
        epilog="Example: ganger plan -f job.yaml",
    )(with_output(KEYS)(plan))


def plan(context: typer.Context, ids: IdsArgument, file: FilesOption, *, out: Output) -> None:
    """Say what would start now if a job file were submitted, or why a task waits; nothing changes.

    The master's own planner is asked, with what is free and what waits at this moment.

    Exit codes: 0 nothing would start now, 1 something would, 2 something can never run on the workers there are,
    255 the plan could not be made.
    """
    if bool(ids) == bool(file):
        raise typer.BadParameter("what to plan? Name job files (-f job.yaml), or a task that waits (42)")
    with session_of(context).client() as client:
        if file:
            named, demands = _demands(file)
            forecasts = [client.plan(demands)]
        else:
            chosen = choose(client, ids, [], Choice.ONE).ids
            named = [(called, client.status(task_id).task.spec) for task_id, called in chosen.items()]
            named = [(f"{called} ({spec.name})" if spec.name else called, spec) for called, spec in named]
            forecasts = [client.plan(task_id) for task_id in chosen]
    outlooks = [outlook for forecast in forecasts for outlook in forecast.outlooks]

    def tell() -> None:
        _show(named, outlooks)
        _say_planned(forecasts)

    documents = _documents(named, outlooks)
    out.write(told("tasks", documents, tell, name="name", whole=_whole(documents, forecasts[-1])))
    raise typer.Exit(_code(outlooks))


def _demands(paths: Sequence[str]) -> tuple[list[tuple[str, TaskSpec]], list[Demand]]:
    """What is asked about, with what to call it: what waits for others of the file names them by their places."""
    from dataclasses import replace

    from ganger.build import dependencies
    from ganger_core.domain.forecast import Demand

    named: list[tuple[str, TaskSpec]] = []
    demands: list[Demand] = []
    for job in read_jobs(paths, datetime.now(UTC)):
        first = len(demands)
        for position, entry in enumerate(job.entries):
            after = [(each.kind, each.task_id or -1 - first - each.position) for each in entry.after]
            spec = replace(entry.spec, after=dependencies(after))
            limit = entry.array.max_parallel if entry.array else 0
            demands.append(Demand(spec, entry.count, limit))
            name = entry.spec.name or f"tasks[{position}]"
            named.append((name, spec))
    return named, demands


def _code(outlooks: Sequence[Outlook]) -> int:
    prospects = {outlook.prospect.value for outlook in outlooks}
    if "NEVER" in prospects:
        return exits.NEVER_STARTS
    return exits.STARTS if "STARTS" in prospects else exits.NOTHING_STARTS


def _show(named: Sequence[tuple[str, TaskSpec]], outlooks: Sequence[Outlook]) -> None:
    from ganger import layout
    from ganger.layout import Column, clean

    columns = [
        Column("TASK", least=8),
        Column("COUNT", right=True),
        Column("CPU", right=True),
        Column("MEM", right=True),
        Column("NOW", least=12),
    ]
    rows = [
        [
            clean(name),
            str(outlook.count),
            layout.cpus(spec.resources.cpu_milli),
            layout.size(spec.resources.memory_bytes),
            clean(_now(outlook)),
        ]
        for (name, spec), outlook in zip(named, outlooks, strict=True)
    ]
    show_table(columns, rows)
    reasons = _reasons(named, outlooks)
    for reason, names in islice(reasons.items(), MOST_REASONS):
        more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
        text = clean(f"{', '.join(names[:MOST_NAMES])}{more}: {reason}")
        say("\n".join(wrap(text, layout.WIDTH, subsequent_indent="  ")))
    if len(reasons) > MOST_REASONS:
        say(f"and {len(reasons) - MOST_REASONS} reasons more, which -o json has")


def _reasons(named: Sequence[tuple[str, TaskSpec]], outlooks: Sequence[Outlook]) -> dict[str, list[str]]:
    """Who waits for which reason."""
    found: dict[str, list[str]] = {}
    for (name, _), outlook in zip(named, outlooks, strict=True):
        if outlook.reason and outlook.prospect != "BEHIND":  # of these the table says it all
            found.setdefault(outlook.reason, []).append(name)
    return found


def _now(outlook: Outlook) -> str:
    """What becomes of it now, in a few words."""
    if outlook.shares:
        counts = [f" ({share.tasks})" * (outlook.count > 1) for share in outlook.shares]
        said = [f"{share.worker_name}{count}" for share, count in zip(outlook.shares, counts, strict=True)]
        more = len(said) - MOST_SHARES
        where = ", ".join(said[:MOST_SHARES]) + (f" and {more} more" if more > 0 else "")
        part = f"{outlook.starts} start" if outlook.count > 1 else "starts"
        return f"{part} on {where}"
    if outlook.prospect == "BEHIND":
        several = f"{outlook.ahead} others" if outlook.ahead != 1 else "another one"
        return f"waits behind {several}"
    return {"LATER": "waits", "NO_ROOM": "waits: no room", "NEVER": "never"}[outlook.prospect]


def _say_planned(forecasts: Sequence[Forecast]) -> None:
    for forecast in forecasts:
        workers = f"{forecast.workers} worker{'' if forecast.workers == 1 else 's'}"
        stage = f" ({forecast.stage})" if forecast.stage not in ("", forecast.planned_by) else ""
        if forecast.planned_by:
            say(f"planned by {forecast.planned_by}{stage} in {forecast.plan_ms:.0f} ms, for {workers}")
        else:
            say(f"nothing was to be decided, for {workers}")
        if forecast.why_not_planner:
            note(f"not by the planner: {forecast.why_not_planner}")


def _documents(named: Sequence[tuple[str, TaskSpec]], outlooks: Sequence[Outlook]) -> list[dict[str, object]]:
    return [
        {
            "name": name,
            "cpu_milli": spec.resources.cpu_milli,
            "memory_bytes": spec.resources.memory_bytes,
            "count": outlook.count,
            "prospect": outlook.prospect.value,
            "starts": outlook.starts,
            "workers": {share.worker_name: share.tasks for share in outlook.shares},
            "ahead": outlook.ahead,
            "reason": outlook.reason,
        }
        for (name, spec), outlook in zip(named, outlooks, strict=True)
    ]


def _whole(documents: Sequence[dict[str, object]], last: Forecast) -> dict[str, object]:
    return {
        "tasks": documents,
        "planned_by": last.planned_by or None,
        "why_not_planner": last.why_not_planner or None,
        "stage": last.stage or None,
        "plan_ms": round(last.plan_ms, 3),
        "workers": last.workers,
    }
