"""This module holds the options that `run` and `submit` share, and what they mean."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganger.cli.labels import TaskLabels, read_labels
from ganger.render import note

if TYPE_CHECKING:
    from ganger.build import TaskOptions
    from ganger.client import Client
    from ganger_core.domain.dependency import Dependency

# Everything from the first word of the command on is the command's, also what begins with a dash.
COMMAND_LAST = {"allow_interspersed_args": False}

Command = Annotated[
    list[str], typer.Argument(help="The program and its arguments, behind -- if in doubt.", metavar="CMD")
]
Name = Annotated[str, typer.Option("-n", "--name", help="A name for people.", metavar="TEXT")]
Cpus = Annotated[str, typer.Option("-c", "--cpus", help="CPUs it needs, such as 4 or 0.5.", metavar="NUMBER")]
Memory = Annotated[
    str, typer.Option("-m", "--mem", help="Memory it needs, such as 8GiB; 0 asks for none.", metavar="SIZE")
]
Priority = Annotated[
    int, typer.Option("-p", "--priority", help="0 to 100; higher goes first.", metavar="NUMBER")
]
Env = Annotated[
    list[str],
    typer.Option(
        "-e",
        "--env",
        help="NAME=VALUE, or NAME to copy yours; repeatable.",
        metavar="NAME[=VALUE]",
        default_factory=list,
        show_default=False,
    ),
]
Workdir = Annotated[
    str | None,
    typer.Option(
        "-w",
        "--workdir",
        help="Folder to run in: yours now unless named; '' for a fresh one.",
        metavar="FOLDER",
    ),
]

Time = Annotated[
    str,
    typer.Option(
        "-t", "--time", help="Stop it after so long, such as 90 or 1h30m; 0 for never.", metavar="DURATION"
    ),
]
QueueTimeout = Annotated[
    str, typer.Option(help="Give it up unless it starts within this time; 0 for never.", metavar="DURATION")
]
Grace = Annotated[
    str | None,
    typer.Option(help="From the signal that stops it to SIGKILL.", metavar="DURATION", show_default=False),
]
LostAfter = Annotated[
    str | None,
    typer.Option(
        help="Its worker ends it when the master is out of reach for so long.",
        metavar="DURATION",
        show_default=False,
    ),
]
LostPolicy = Annotated[
    str,
    typer.Option(
        help="When its worker is lost: requeue, wait or fail; by-age: requeue in the first hour, then wait.",
        metavar="POLICY",
    ),
]
PublishPolicy = Annotated[
    str,
    typer.Option(
        help="When to keep for you what it leaves in $GANGER_OUTPUT_DIR: always, never or on-success.",
        metavar="POLICY",
    ),
]


At = Annotated[
    str | None,
    typer.Option(
        "--at",
        help="Not before this: 14:30, a date, or 1h30m from now.",
        metavar="TIME",
        show_default=False,
    ),
]
Hold = Annotated[bool, typer.Option("--hold", help="Hold it until `ganger release`.")]
After = Annotated[
    list[str],
    typer.Option(
        "--after",
        help="After these: 41,42 or any:41, fail:41, start:41, each:41; repeatable.",
        metavar="[KIND:]ID,...",
        default_factory=list,
        show_default=False,
    ),
]
DependencyPolicy = Annotated[
    str,
    typer.Option(help="When one of --after cannot come any more: skip, hold, run or fail.", metavar="POLICY"),
]


Retries = Annotated[
    int, typer.Option(help="Try it again so often when it fails by its own doing.", metavar="NUMBER", min=0)
]
RetryOn = Annotated[
    str,
    typer.Option(
        help="Only after these exit codes, such as 75,80-90; timeout for its --time.",
        metavar="CODES",
        show_default=False,
    ),
]
NeverRetryOn = Annotated[
    str, typer.Option(help="Not after these exit codes.", metavar="CODES", show_default=False)
]
Backoff = Annotated[
    str, typer.Option(help="Wait up to this before the first retry, then twice as long.", metavar="DURATION")
]


Deadline = Annotated[
    str,
    typer.Option(
        help="Not started if it cannot be over by then: 18:00, a date, 8h from now.",
        metavar="TIME",
        show_default=False,
    ),
]
Warn = Annotated[
    str,
    typer.Option(
        help="A signal before its --time is over: USR1@2m.", metavar="SIGNAL@DURATION", show_default=False
    ),
]


@dataclass(frozen=True)
class Asked:
    """The task that a command line describes."""

    command: list[str]
    given: TaskOptions
    after: list[str]

    def submit(self, client: Client) -> int:
        """Hand it in; returns its id. Raises `Invalid`."""
        return client.submit(self.command, **self.options(client))

    def options(self, client: Client) -> TaskOptions:
        """What is said of the task; the master is asked which tasks `after` names. Raises `Invalid`, `NotFound`."""
        return {**self.given, "after": read_after(client, self.after)}


def asks_for_task(verb: Callable[..., None]) -> Callable[..., None]:
    """The verb as a command with the options of a task before its own; it gets what they say as `asked`."""
    shared = inspect.signature(_read, eval_str=True).parameters
    own = inspect.signature(verb, eval_str=True).parameters
    if shared.keys() & own.keys():
        raise TypeError(f"{verb.__name__} has an option that belongs to its task")

    @functools.wraps(verb)
    def command(context: typer.Context, **given: Any) -> None:
        asked = _read(**{name: given.pop(name) for name in shared})
        verb(context, asked, **given)

    _, _, *rest = own.values()
    parameters = [
        own["context"],
        *(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in (*shared.values(), *rest)),
    ]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def _read(
    command: Command,
    env: Env,
    label: TaskLabels,
    after: After,
    name: Name = "",
    cpus: Cpus = "1",
    mem: Memory = "0",
    priority: Priority = 50,
    workdir: Workdir = None,
    time: Time = "0",
    queue_timeout: QueueTimeout = "0",
    grace: Grace = None,
    lost_after: LostAfter = None,
    on_worker_lost: LostPolicy = "by-age",
    at: At = None,
    hold: Hold = False,
    retries: Retries = 0,
    retry_on: RetryOn = "",
    never_retry_on: NeverRetryOn = "",
    backoff: Backoff = "10s",
    deadline: Deadline = "0",
    warn: Warn = "",
    on_dependency_failure: DependencyPolicy = "skip",
    publish: PublishPolicy = "on-success",
) -> Asked:
    return Asked(
        command,
        {
            "name": name,
            "env": read_env(env, os.environ),
            "labels": read_labels("--label", label),
            "workdir": read_workdir(workdir),
            "cpus": cpus,
            "memory": mem,
            "priority": priority,
            "time": time,
            "queue_timeout": queue_timeout,
            "grace": grace,
            "lost_after": lost_after,
            "on_worker_lost": on_worker_lost,
            "not_before": at,
            "hold": hold,
            "retries": retries,
            "retry_on": retry_on,
            "never_retry_on": never_retry_on,
            "backoff": backoff,
            "deadline": deadline,
            "warn": warn,
            "on_dependency_failure": on_dependency_failure,
            "publish": publish,
        },
        after,
    )


def read_after(client: Client, texts: Iterable[str]) -> list[Dependency]:
    """What to wait for from `41,42` and `any:41`; raises `Invalid`, and `NotFound` for what is named otherwise."""
    from ganger.build import dependency_kind
    from ganger.cli.named import named_ids
    from ganger_core.domain.dependency import Dependency

    found: dict[Dependency, None] = {}
    for text in texts:
        kind, colon, ids = text.partition(":")
        wanted = dependency_kind(kind if colon else "ok")
        found.update((Dependency(each, wanted), None) for each in named_ids(client, [ids if colon else text]))
    return list(found)


REPEATED = ("env", "label", "after")  # parameters that may be given several times


def task_parameters() -> frozenset[str]:
    """The names of the parameters that say something of a task, beside its command."""
    return frozenset(inspect.signature(_read).parameters) - {"command"}


def read_options(given: Mapping[str, Any]) -> TaskOptions:
    """The options of a task but `after` where only these parameters of a command line are given. Raises `Invalid`."""
    known = {name: value for name, value in given.items() if name in task_parameters()}
    return _read(["true"], **{**{name: [] for name in REPEATED}, **known}).given


def read_env(settings: Iterable[str], env: Mapping[str, str]) -> dict[str, str]:
    """The task's environment from `NAME=VALUE` and `NAME`; the latter is copied from `env`. Raises `Invalid`."""
    from ganger_core.domain.errors import Invalid

    values = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals and name not in env:
            raise Invalid(f"-e {name}: there is no {name} in your environment to copy; write {name}=VALUE")
        values[name] = value if equals else env[name]
    return values


def read_workdir(folder: str | None) -> str:
    """The task's folder: the present one unless named, absolute; empty stays empty."""
    return os.path.abspath(folder) if folder else "" if folder == "" else os.getcwd()


def hint_without_workers(client: Client) -> bool:
    """Say so when there is nobody to run the task; whether there is nobody."""
    if any(worker.state not in ("LOST", "DRAINING") for worker in client.workers()):
        return False
    note("no worker is connected: the task waits until one is (`ganger worker start`, or `ganger dev`)")
    return True
