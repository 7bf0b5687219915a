"""This module puts into words how tasks and attempts ended."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from ganger_core.domain.array import Array, Indices
from ganger_core.domain.outputs import Outputs, Publish
from ganger_core.domain.states import TASK_FINAL, TaskState
from ganger_core.domain.task import Outcome, OutcomeKind, Task

_WITHOUT_OUTCOME = {
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "CANCELLED": "was cancelled",
    "TIMED_OUT": "timed out",
    "EXPIRED": "expired before it started",
    "SKIPPED": "was skipped",
}
_WITH_CODE = (OutcomeKind.EXIT_NONZERO, OutcomeKind.SIGNALLED, OutcomeKind.LAUNCH_FAILED)
_KINDS = {
    "running": (TaskState.STARTING, TaskState.RUNNING, TaskState.STOPPING),
    "failed": (TaskState.FAILED, TaskState.TIMED_OUT, TaskState.EXPIRED),
    "cancelled": (TaskState.CANCELLED,),
    "skipped": (TaskState.SKIPPED,),
}


def name_of(task: Task) -> str:
    """How a sentence about it begins: array 42, task 42.7."""
    return f"{'task' if task.array is None else 'array'} {task.label}"


def describe_end(task: Task) -> str:
    """How a task ended, as the end of a sentence that begins with its name."""
    outcome = task.outcome
    if task.array is not None:
        return _end_of_array(task)
    if outcome is None:
        text = _WITHOUT_OUTCOME.get(task.state, "goes on")
        return f"{text}: {task.reason}" if task.reason else text
    text = _sentence(outcome)
    return f"{text} (part of its output is missing)" if outcome.log_incomplete else text


def describe_late(late: Sequence[str], asked: int, timeout_s: float | None) -> str:
    """That the tasks with these labels, of so many asked for, are not over in time."""
    if asked == 1:
        return f"task {late[0]} is not over after {timeout_s:g}s"
    some = ", ".join(late[:5]) + (" …" if len(late) > 5 else "")
    are = "is" if len(late) == 1 else "are"
    return f"{len(late)} of {asked} tasks {are} not over after {timeout_s:g}s: {some}"


def describe_retries(task: Task) -> str:
    """How often a task is tried again when it fails, and when; empty when it is not."""
    retry = task.spec.retry
    if not retry.limit:
        return ""
    said = [f"{task.failures} of {retry.limit} used"]
    after = [f"exit code {Indices.of(retry.on)}"] if retry.on else []
    if retry.on_timeout:
        after.append("its run limit")
    if after:
        said.append(f"after {' or '.join(after)}")
    if retry.never_on:
        said.append(f"never after exit code {Indices.of(retry.never_on)}")
    return "; ".join(said)


def _end_of_array(task: Task) -> str:
    """By its state. Its outcome is that of its worst element, with what there is to say of all as the message."""
    text, outcome = _WITHOUT_OUTCOME.get(task.state, "goes on"), task.outcome
    if outcome is None:
        return f"{text}: {task.reason}" if task.reason else text
    said, link = [outcome.message], ": "
    if task.state is TaskState.FAILED and outcome.kind in _WITH_CODE:
        said.append(f"the highest exit code is {outcome.exit_code}")
    if task.reason.startswith("cancelled") and task.state is TaskState.CANCELLED:  # the master says by whom
        text, link = f"was {task.reason}", "; "
    elif task.reason != outcome.message:
        said.append(f"the rest was not run: {task.reason}")
    said = [part for part in said if part]
    return text + link + "; ".join(said) if said else text


def describe_missing_result(task: Task, outputs: Outputs) -> str:
    """Why a task has no result."""
    why = _why_missing(task, outputs, "no result: ")
    return f"{name_of(task)} has no result: {why or 'it left no result.json in $GANGER_OUTPUT_DIR'}"


def describe_missing_outputs(task: Task, outputs: Outputs) -> str:
    """Why a task has published no files."""
    why = _why_missing(task, outputs, "left out: ")
    return f"{name_of(task)} has published nothing: {why or 'it left nothing in $GANGER_OUTPUT_DIR'}"


def _why_missing(task: Task, outputs: Outputs, note: str) -> str:
    if task.array is not None:
        return f"its elements do; ask for one, such as {task.label}.{task.array.indices.at(0)}"
    if not task.is_final:
        return "it is not over yet"
    for each in outputs.notes:
        if each.startswith((note, "not published: ")):
            return each.removeprefix("no result: ")
    if task.spec.publish is Publish.NEVER:
        return "it was submitted to publish nothing"
    if task.state is not TaskState.SUCCEEDED and task.spec.publish is Publish.ON_SUCCESS:
        return f"it {describe_end(task)}, and publishes only when it succeeds"
    return ""


def describe_counts(array: Array) -> str:
    """How far an array is, in a few words: 37/100 done, 8 running, 2 failed."""
    found = dict(array.counts)
    over = sum(found.get(state, 0) for state in TASK_FINAL)
    parts = [f"{over}/{len(array)} done"]
    for word, states in _KINDS.items():
        if count := sum(found.get(state, 0) for state in states):
            parts.append(f"{count} {word}")
    return ", ".join(parts)


def describe_limit(max_parallel: int) -> str:
    """How many elements of an array may run at the same time."""
    return f"at most {max_parallel} at a time" if max_parallel else "as many at a time as there is room for"


def describe_queued(array_id: int, count: int, max_parallel: int, of: str = "") -> str:
    """That an array is there: with how many elements (`of` what), and how many at a time where that is limited."""
    limit = f", {describe_limit(max_parallel)}" if max_parallel else ""
    return f"array {array_id} is queued: {count} element{'' if count == 1 else 's'}{of}{limit}"


def short_end(outcome: Outcome) -> str:
    """How an attempt ended, in a few words for a table; nothing for a success."""
    if outcome.kind is OutcomeKind.OK:
        return ""
    if outcome.kind is OutcomeKind.EXIT_NONZERO:
        return f"exit code {outcome.exit_code}"
    if outcome.kind is OutcomeKind.SIGNALLED:
        return f"killed by {signal_name(outcome.signal)}"
    if outcome.kind is OutcomeKind.DRAINED:
        return f"drained: {outcome.message}"
    return outcome.message or outcome.kind.value.lower().replace("_", " ")


def signal_name(number: int | None) -> str:
    """SIGKILL for 9; `signal 40` for one without a name."""
    try:
        return signal.Signals(number or 0).name
    except ValueError:
        return f"signal {number}"


def _sentence(outcome: Outcome) -> str:
    detail = f": {outcome.message}" if outcome.message else ""
    match outcome.kind:
        case OutcomeKind.OK:
            return "succeeded"
        case OutcomeKind.EXIT_NONZERO:
            return f"failed with exit code {outcome.exit_code}"
        case OutcomeKind.SIGNALLED:
            return f"was killed by {signal_name(outcome.signal)}"
        case OutcomeKind.LAUNCH_FAILED:
            return f"could not be started{detail}"
        case OutcomeKind.LOST:
            return f"was lost{detail}"
        case OutcomeKind.CANCELLED:
            told = outcome.message.startswith("cancelled")  # the master says by whom
            return f"was {outcome.message}" if told else f"was cancelled{detail}"
        case OutcomeKind.TIMED_OUT:
            return f"timed out{detail}"
        case OutcomeKind.EXPIRED:
            return f"expired before it started{detail}"
        case OutcomeKind.DRAINED:
            return f"was stopped to empty its worker{detail}"
        case OutcomeKind.UNKILLABLE:
            return f"cannot be ended{detail}"
        case OutcomeKind.SKIPPED:
            return f"never ran{detail}"
