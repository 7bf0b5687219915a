"""This module puts into words how tasks and attempts ended."""

from __future__ import annotations

import signal

from ganger_core.domain.task import Outcome, OutcomeKind, Task

_WITHOUT_OUTCOME = {
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "CANCELLED": "was cancelled",
    "TIMED_OUT": "timed out",
    "EXPIRED": "expired before it started",
}


def describe_end(task: Task) -> str:
    """How a task ended, as the end of a sentence that begins with its name."""
    outcome = task.outcome
    if outcome is None:
        text = _WITHOUT_OUTCOME.get(task.state, "goes on")
        return f"{text}: {task.reason}" if task.reason else text
    text = _sentence(outcome)
    return f"{text} (part of its output is missing)" if outcome.log_incomplete else text


def short_end(outcome: Outcome) -> str:
    """How an attempt ended, in a few words for a table; nothing for a success."""
    if outcome.kind is OutcomeKind.OK:
        return ""
    if outcome.kind is OutcomeKind.EXIT_NONZERO:
        return f"exit code {outcome.exit_code}"
    if outcome.kind is OutcomeKind.SIGNALLED:
        return f"killed by {signal_name(outcome.signal)}"
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
        case OutcomeKind.UNKILLABLE:
            return f"cannot be ended{detail}"
