"""This module is the table of what a job file can say. An option of `ganger.task_spec` needs one line here.

What a value may be is checked by `ganger.task_spec`, as for the command line: here stands only how it is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ganger.jobfile.kinds import COMMAND, FLAG, JOINED, PAIRS, SOME, TEXT, VALUES, WHOLE, Kind

API_VERSION = "ganger/v1"
KINDS = ("Task", "Array", "Tasks")
LATER_KINDS = ("Workplan", "Sweep", "Cron")

ARRAY = "array"
MERGED = ("env", "labels")
"""Mappings of which a task adds to what the defaults say."""
MOMENTS = ("not_before", "deadline")
"""Options that may say how long from now."""


@dataclass(frozen=True)
class Key:
    """A key: what its value can be, what it means, and `to`, the option of `task_spec` that it gives.

    `also` are words that people may take for it; they are only for "did you mean". `in_defaults` says whether it can
    be said of all tasks at once.
    """

    name: str
    kind: Kind
    help: str
    to: str = ""
    also: tuple[str, ...] = ()
    in_defaults: bool = True


@dataclass(frozen=True)
class Table:
    """A key whose value is a mapping with keys of its own."""

    name: str
    help: str
    keys: tuple[Key, ...]
    in_defaults: bool = True


RESOURCES = Table(
    "resources",
    "What it needs.",
    (
        Key("cpus", TEXT, "CPUs it needs, such as 4 or 0.5.", "cpus", also=("cpu",)),
        Key("memory", TEXT, "Memory it needs, such as 8GiB.", "memory", also=("mem",)),
        Key("time", TEXT, "It is stopped after so long, such as 90 or 1h30m.", "time", also=("timeout",)),
    ),
)
RETRY = Table(
    "retry",
    "When it is tried again.",
    (
        Key("limit", WHOLE, "How often, when it fails by its own doing.", "retries", also=("retries", "max")),
        Key(
            "on",
            JOINED,
            "Only after these exit codes, such as [75, 80-90]; timeout for its time.",
            "retry_on",
        ),
        Key("neverOn", JOINED, "Not after these exit codes.", "never_retry_on"),
        Key("backoff", TEXT, "It waits up to this before the first retry, then twice as long.", "backoff"),
    ),
)
ELEMENTS = Table(
    ARRAY,
    "Makes it an array: its elements differ by an index, and maybe an item.",
    (
        Key("indices", TEXT, "An element for each: 0-99, 0-99:5 or 1,3,7-9.", "indices"),
        Key("items", VALUES, "An element for each value of this list.", "items", also=("values", "list")),
        Key("eachLine", TEXT, "An element for each line of this file.", "each_line", also=("lines",)),
        Key("fromJson", TEXT, "An element for each value of the JSON list in this file.", "from_json"),
        Key("maxParallel", WHOLE, "At most so many at the same time; 0: no limit.", "max_parallel"),
        Key("maxFails", WHOLE, "When more have failed, the rest is not run.", "max_fails"),
    ),
    in_defaults=False,
)

TASK: tuple[Key | Table, ...] = (
    Key("name", TEXT, "A name for people, and for `after` of others in the file.", "name", in_defaults=False),
    Key(
        "command",
        COMMAND,
        "The program and its arguments as a list; a single text is run by `sh -c`.",
        "command",
        also=("run", "cmd", "script", "args"),
        in_defaults=False,
    ),
    Key("env", PAIRS, "Variables of its environment.", "env", also=("envs", "environment")),
    Key(
        "workdir",
        TEXT,
        'Folder to run in, from the folder of this file, which it is unless named; "" is a fresh one.',
        "workdir",
        also=("cwd",),
    ),
    RESOURCES,
    Key("priority", WHOLE, "0 to 100; higher goes first.", "priority"),
    Key("labels", PAIRS, "Words of your own, by which it is found.", "labels", also=("tags",)),
    ELEMENTS,
    RETRY,
    Key(
        "after",
        SOME,
        "Tasks that it waits for, by their names in this file or their ids: [prep, any:41].",
        "after",
        also=("needs", "dependsOn"),
        in_defaults=False,
    ),
    Key(
        "onDependencyFailure",
        TEXT,
        "When that cannot come any more: skip, hold, run or fail.",
        "on_dependency_failure",
    ),
    Key("hold", FLAG, "It waits until it is released.", "hold"),
    Key("at", TEXT, "Not before this: 14:30, a date, or 1h30m from now.", "not_before", also=("notBefore",)),
    Key("deadline", TEXT, "Not started if not over by then: 18:00, a date, 8h from now.", "deadline"),
    Key("queueTimeout", TEXT, "Given up unless it starts within this time.", "queue_timeout"),
    Key("grace", TEXT, "From the signal that stops it to SIGKILL.", "grace"),
    Key("warn", TEXT, "A signal before its time is over, such as USR1@2m.", "warn"),
    Key("publish", TEXT, "When its outputs are kept: on-success, always or never.", "publish"),
    Key("lostAfter", TEXT, "Its worker ends it when the master is out of reach for so long.", "lost_after"),
    Key("onWorkerLost", TEXT, "Then: requeue, wait, fail or by-age.", "on_worker_lost"),
)
DEFAULTS = tuple(key for key in TASK if key.in_defaults)


def flat(keys: tuple[Key | Table, ...], above: str = "") -> Iterator[tuple[str, Key]]:
    """Every key with its whole path, those of tables in their places."""
    for key in keys:
        if isinstance(key, Table):
            yield from flat(key.keys, f"{above}{key.name}.")
        else:
            yield f"{above}{key.name}", key
