"""This module is `ganger worker cordon`, `drain` and `resume`: which workers get new work."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from ganger import render
from ganger.cli import exits
from ganger.cli.failure import tell
from ganger.cli.output_options import with_output
from ganger.cli.session import session_of
from ganger.layout import WIDTH, clean, cut
from ganger.output import Output

if TYPE_CHECKING:
    from ganger.client import Client
    from ganger_core.domain.cordon import Cordon
    from ganger_core.domain.task import WorkerView

WorkersArgument = Annotated[list[str], typer.Argument(help="Their names or ids.", metavar="WORKER...")]
ReasonOption = Annotated[str, typer.Option(help="Why, for whoever asks later.", metavar="TEXT")]

KEYS = (  # of a worker's document
    "id", "name", "state", "host", "ganger", "capacity", "free", "usage", "heartbeat_age_s", "attempts", "cordon"
)  # fmt: skip


def add_to(group: typer.Typer) -> None:
    """Add the verbs to those of workers."""
    example = "Example: ganger worker cordon w1 --reason 'new driver'"
    group.command("cordon", short_help="give workers no new work", epilog=example)(with_output(KEYS)(cordon))
    example = "Example: ganger worker drain w1 --wait"
    group.command("drain", short_help="have workers finish and stay empty", epilog=example)(
        with_output(KEYS)(drain)
    )
    group.command("resume", short_help="give workers work again", epilog="Example: ganger worker resume w1")(
        with_output(KEYS)(resume)
    )


def cordon(
    context: typer.Context,
    workers: WorkersArgument,
    reason: ReasonOption = "",
    *,
    out: Output,
) -> None:
    """Give workers no new work until they are resumed; what runs there goes on.

    That outlasts restarts of the master and of the workers. Tasks that wait are told why.
    """
    with session_of(context).client() as client:
        _tell(_views(client, client.cordon(workers, reason)), out)


def drain(
    context: typer.Context,
    workers: WorkersArgument,
    deadline: Annotated[
        str,
        typer.Option(
            help="Stop what is still there after this time, such as 2h; its tasks are queued again.",
            metavar="DURATION",
        ),
    ] = "",
    reason: ReasonOption = "",
    wait: Annotated[bool, typer.Option("--wait", help="Come back when they are empty.")] = False,
    timeout: Annotated[
        str, typer.Option(help="Give up waiting after this time, such as 10m.", metavar="DURATION")
    ] = "",
    *,
    out: Output,
) -> None:
    """Take workers out of service: what they have may finish, nothing new goes there, and then they stay empty.

    What is still there at the --deadline is stopped, and its tasks wait for another attempt: that counts as nobody's
    failure, and they keep their place in the queue.

    That outlasts restarts of the master and of the workers. `ganger worker resume` ends it.
    """
    from ganger.errors import WaitTimeout
    from ganger_core.domain.errors import Invalid
    from ganger_core.domain.parse import parse_duration

    if timeout and not wait:
        raise Invalid("--timeout is how long to --wait: say both")
    limit_s = parse_duration(timeout, "timeout") if timeout else None
    deadline_s = parse_duration(deadline, "deadline") if deadline else None
    with session_of(context).client() as client:
        ids = client.drain(workers, reason, deadline=deadline_s)
        before = _views(client, ids)
        if not wait:
            _tell(before, out)
            return
        for view in before:
            if view.attempts:
                render.note(cut(f"waiting: worker {clean(view.profile.name)} {standing(view)}", WIDTH))
        try:
            client.wait_empty(ids, limit_s)
        except WaitTimeout as error:
            tell(error.message)
            raise typer.Exit(exits.TIMED_OUT) from None
        _tell(_views(client, ids), out)


def resume(context: typer.Context, workers: WorkersArgument, *, out: Output) -> None:
    """Give workers work again that were cordoned or drained."""
    with session_of(context).client() as client:
        _tell(_views(client, client.resume(workers)), out)


def _views(client: Client, ids: Sequence[str]) -> list[WorkerView]:
    return [view for view in client.workers() if view.profile.id in ids]


def _tell(views: Sequence[WorkerView], out: Output) -> None:
    """How these workers stand now."""
    from ganger.cli.worker import workers_result

    def tell_each() -> None:
        for view in views:
            render.say(cut(f"worker {clean(view.profile.name)} {standing(view)}", WIDTH))

    out.write(workers_result(views, tell_each))


def standing(view: WorkerView) -> str:
    """What its state means for work, as words that follow its name."""
    count = len(view.attempts)
    going_on = f"; {count} attempt{'s go' if count > 1 else ' goes'} on there" if count else ""
    if view.cordon is not None:
        lost = " (it is lost)" if view.state.value == "LOST" else ""
        return f"is {_word(view.cordon, empty=not count)}{lost}{going_on}"
    match view.state.value:
        case "LOST":
            return "is lost: it gets work when it is back"
        case "DRAINING" | "DRAINED":
            return f"gets no new work: its daemon was told to end, start it again{going_on}"
        case _:
            return "gets new work"


def _word(cordon: Cordon, *, empty: bool) -> str:
    """Who keeps it from work, and until when what is there may finish; the reason they know who just gave it."""
    by = f" until {moment(cordon.deadline_ms)}" if cordon.deadline_ms and not empty else ""
    return clean(replace(cordon, reason="").told(empty=empty)) + by


def moment(at_ms: int) -> str:
    """This moment by the clock of whoever reads it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at_ms / 1000))
