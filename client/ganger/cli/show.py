"""This module is `ganger show`: everything that is known of a task."""

from __future__ import annotations

import shlex
import time
from typing import TYPE_CHECKING

import typer

from ganger import render
from ganger.cli.named import Choice, IdsArgument, LabelsOption, named_ids
from ganger.cli.output_options import with_list_output
from ganger.cli.session import session_of
from ganger.cli.task_table import clock, ran_for, task_result
from ganger.layout import NOTHING, Column, clean, cpus, cut, duration, size
from ganger.output import Output

if TYPE_CHECKING:
    from ganger.calls import TaskStatus
    from ganger.documents import Document
    from ganger_core.domain.task import Attempt, Event, Task, TaskSpec

MOST_ENV = 20  # variables that are shown one by one
ATTEMPT_COLUMNS = (
    Column("ATTEMPT", right=True),
    Column("WORKER", least=8),
    Column("PLACED BY"),
    Column("STATE", paint=render.state_colour),
    Column("ASSIGNED"),
    Column("RAN", right=True),
    Column("OUTPUT", right=True),
    Column("END", least=12),
)

EVENT_COLUMNS = (
    Column("EVENT"),
    Column("STATE", paint=render.state_colour),
    Column("ATTEMPT", right=True),
    Column("WORKER", least=8),
    Column("REASON", least=12),
)


SHOWN_RESULT = 300  # columns of a result that a person sees


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("show", short_help="everything about a task", epilog="Example: ganger show last")(
        with_list_output(show)
    )


def show(
    context: typer.Context,
    ids: IdsArgument,
    label: LabelsOption,
    *,
    out: Output,
) -> None:
    """Show everything about tasks: what was asked, each try of it, how it ended, and every event that is still kept.

    Of an array: what its elements are, and how many are in which state.

    A name, or how it begins, stands for the newest task of that name, -l for whatever has the labels, all for what
    goes on.
    """
    from ganger.calls import TaskRow
    from ganger.documents import task_document

    with session_of(context).client() as client:
        found = [
            client.status(task_id, history=True) for task_id in named_ids(client, ids, label, Choice.LOOK)
        ]
    now_ms = time.time_ns() // 1_000_000

    def tell_each() -> None:
        for number, status in enumerate(found):
            if number:
                render.say()
            _show(status, now_ms)

    def document(row: TaskRow) -> Document:
        status = statuses[row.task.id]
        return task_document(
            row.task, attempts=status.attempts, events=status.history, outputs=status.outputs
        )

    statuses = {status.task.id: status for status in found}
    rows = [
        TaskRow(status.task, status.attempts[-1].worker_name if status.attempts else "") for status in found
    ]
    out.write(task_result(rows, document, now_ms, tell_each))


def _show(status: TaskStatus, now_ms: int) -> None:
    from ganger.wording import describe_end, describe_retries

    task, spec = status.task, status.task.spec
    state = render.state_colour(task.state.value)
    cpu, memory = cpus(spec.resources.cpu_milli), spec.resources.memory_bytes
    needs = f"{cpu} CPU{'' if cpu == '1' else 's'}" + (f", {size(memory)} memory" if memory else "")
    facts = [
        *_what_it_is(task),
        *(("label", clean(f"{key}={value}")) for key, value in spec.labels),
        ("state", state),
        ("end" if task.is_final else "reason", clean(describe_end(task) if task.is_final else task.reason)),
        ("command", clean(_command(spec))),
        ("folder", clean(spec.workdir) or "a fresh one per attempt"),
        *_env(task),
        *_array(task),
        ("needs", needs),
        ("priority", str(spec.priority)),
        ("limits", _limits(spec)),
        ("deadline", clock(spec.deadline_ms) if spec.deadline_ms else ""),
        ("after", _after(spec)),
        ("waits for", _waits_for(task)),
        ("not before", clock(task.waits.until_ms) if task.waits.until_ms > now_ms else ""),
        ("retries", describe_retries(task)),
        ("faults", f"{task.faults}: so often its worker could not start it" if task.faults else ""),
        ("crashes", f"{task.crashes}: so often it was lost with its worker" if task.crashes else ""),
        ("owner", clean(task.owner)),
        ("submitted", _moment(task.submitted_ms, now_ms)),
        ("started", _moment(task.started_ms, now_ms)),
        ("finished", _moment(task.finished_ms, now_ms)),
        ("ran", ran_for(task, now_ms) if task.started_ms else ""),
    ]
    render.show_facts([*facts, *_outputs(status)])
    if status.attempts:
        render.say()
        render.show_table(ATTEMPT_COLUMNS, [_cells(attempt, now_ms) for attempt in status.attempts])
    if status.history:
        render.say()
        render.show_table(EVENT_COLUMNS, [_event_cells(event) for event in status.history])


def _command(spec: TaskSpec) -> str:
    from ganger.slurm.prelude import script_of

    script = script_of(spec.command)
    return (
        shlex.join(spec.command) if script is None else f"batch script {shlex.join((script[0], *script[2]))}"
    )


def _env(task: Task) -> list[tuple[str, str]]:
    env = task.spec.env
    if len(env) > MOST_ENV:  # a batch script has the whole environment of who submitted it
        return [("env", f"{len(env)} variables: ganger show {task.label} -o json")]
    return [("env", clean(f"{name}={value}")) for name, value in env]


def _what_it_is(task: Task) -> list[tuple[str, str]]:
    name = f"{task.label} {clean(task.spec.name)}".rstrip()
    if task.array is not None:
        return [("array", name)]
    if not task.array_id:
        return [("task", name)]
    return [
        ("task", name),
        ("element", f"index {task.index} of array {task.array_id}; its own id is {task.id}"),
    ]


def _array(task: Task) -> list[tuple[str, str]]:
    """What an array's elements are, and how many there are in each state."""
    from ganger.wording import describe_limit
    from ganger_core.domain.states import TaskState

    array = task.array
    if array is None:
        return []
    found = dict(array.counts)
    counts = ", ".join([f"{found[state]} {state.value}" for state in TaskState if found.get(state)])
    return [
        ("indices", cut(str(array.indices), 60)),
        ("elements", f"{len(array)}{': ' if counts else ''}{counts}"),
        ("items", "each has its own in GANGER_ARRAY_ITEM" if array.items else ""),
        ("parallel", describe_limit(array.max_parallel)),
        (
            "max fails",
            "" if array.max_fails is None else f"{array.max_fails}: with more, the rest is not run",
        ),
        ("retry of", str(array.retry_of or "")),
    ]


def _outputs(status: TaskStatus) -> list[tuple[str, str]]:
    """What was published, how to get it, and what was left out."""
    from ganger.build import policy_name

    task, outputs = status.task, status.outputs
    count = len(outputs.files)
    files = (
        f"{count} file{'' if count == 1 else 's'}, {size(outputs.size)}: ganger cp {task.label}: DEST"
        if count
        else ""
    )
    return [
        ("publishes", "" if task.spec.publish == "ON_SUCCESS" else policy_name(task.spec.publish)),
        ("result", cut(clean(task.result), SHOWN_RESULT)),
        ("outputs", files),
        *(("", clean(note)) for note in outputs.notes),
    ]


def _limits(spec: TaskSpec) -> str:
    """What was set beside the defaults."""
    from ganger.build import policy_name
    from ganger.wording import signal_name

    limits = spec.limits
    times = (
        ("runs at most", limits.run_s or None),
        ("waits at most", limits.queue_s or None),
        ("grace", limits.grace_s),
        ("lost after", limits.lost_after_s),
        (f"{signal_name(limits.warn_signal or None)} before that", limits.warn_s or None),
    )
    said = [f"{what} {duration(seconds)}" for what, seconds in times if seconds is not None]
    policy = policy_name(spec.on_worker_lost)
    return ", ".join(said if policy == "by-age" else [*said, f"on a lost worker: {policy}"])


def _after(spec: TaskSpec) -> str:
    """What it is to run after, and what else becomes of it."""
    if not spec.after:
        return ""
    said = [f"{each.task_id} ({each.kind.lower()})" for each in spec.after]
    return cut(f"{', '.join(said)}; otherwise: {spec.on_dependency_failure.lower()}", 80)


def _waits_for(task: Task) -> str:
    """What has not come yet of that which it is to run after."""
    left = () if task.is_final else task.waits.after
    return cut(", ".join(str(each.task_id) for each in left), 60)


def _cells(attempt: Attempt, now_ms: int) -> list[str]:
    from ganger.wording import short_end

    outcome = attempt.outcome
    until_ms = attempt.ended_ms or (now_ms if attempt.is_live else 0)
    ran = duration((until_ms - attempt.started_ms) / 1000) if attempt.started_ms and until_ms else NOTHING
    written = attempt.stdout_bytes + attempt.stderr_bytes
    return [
        str(attempt.ref.token),
        clean(attempt.worker_name),
        clean(attempt.planned_by),
        attempt.state.value,
        _day_and_time(attempt.assigned_ms),
        ran,
        size(written),
        clean(short_end(outcome) or "success") if outcome else NOTHING,
    ]


def _event_cells(event: Event) -> list[str]:
    from ganger.wording import short_end

    outcome = event.outcome
    return [
        f"{_day_and_time(event.at_ms)}.{event.at_ms % 1000:03}",
        event.state.value,
        str(event.token or NOTHING),
        clean(event.worker_name) if event.token else NOTHING,
        clean(event.reason or (short_end(outcome) if outcome else "")),
    ]


def _day_and_time(at_ms: int) -> str:
    return time.strftime("%m-%d %H:%M:%S", time.localtime(at_ms / 1000))


def _moment(at_ms: int, now_ms: int) -> str:
    return f"{clock(at_ms)}, {duration((now_ms - at_ms) / 1000)} ago" if at_ms else ""
