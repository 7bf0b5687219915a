"""This module says in Slurm's words how a task stands, and why it waits. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from ganger.slurm.command_line import did_you_mean
from ganger_core.domain.errors import Invalid
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import OutcomeKind, Task

# Slurm has words for less: what a worker has but does not run yet counts as what it soon is, for programs that wait
# for the end of a job know few words for "goes on".
_OF_STATE = {
    "PENDING": "PENDING",
    "SCHEDULED": "PENDING",
    "STARTING": "RUNNING",
    "RUNNING": "RUNNING",
    "STOPPING": "COMPLETING",
    "SUCCEEDED": "COMPLETED",
    "FAILED": "FAILED",
    "CANCELLED": "CANCELLED",
    "TIMED_OUT": "TIMEOUT",
    "EXPIRED": "DEADLINE",
    "SKIPPED": "CANCELLED",
}
SHORT = {
    "PENDING": "PD",
    "RUNNING": "R",
    "COMPLETING": "CG",
    "COMPLETED": "CD",
    "FAILED": "F",
    "CANCELLED": "CA",
    "TIMEOUT": "TO",
    "DEADLINE": "DL",
    "NODE_FAIL": "NF",
}
# What Slurm has and Ganger never says; asking for them finds nothing.
_UNUSED = {
    "CF": "CONFIGURING",
    "S": "SUSPENDED",
    "PR": "PREEMPTED",
    "BF": "BOOT_FAIL",
    "OOM": "OUT_OF_MEMORY",
}
_UNUSED |= {"RQ": "REQUEUED", "RV": "REVOKED", "ST": "STOPPED", "RS": "RESIZING", "SE": "SPECIAL_EXIT"}
LIVE = frozenset({"PENDING", "RUNNING", "COMPLETING"})

_REASONS = {
    "waiting for capacity": "Resources",
    "asks for more than": "BadConstraints",
    "no worker is connected": "ReqNodeNotAvail",
    "held by": "JobHeldUser",
    "waits for worker": "NodeDown",
    "waits for": "Dependency",
    "not before": "BeginTime",
    "failed and is tried again": "BeginTime",
}
_ENDS = {
    "FAILED": "NonZeroExitCode",
    "TIMEOUT": "TimeLimit",
    "DEADLINE": "DeadLine",
    "NODE_FAIL": "NodeDown",
}


def slurm_state(task: Task) -> str:
    """The state in Slurm's word: NODE_FAIL is a failure that was its worker's."""
    if task.state == "FAILED" and task.outcome is not None and task.outcome.kind is OutcomeKind.LOST:
        return "NODE_FAIL"
    return _OF_STATE[task.state.value]


def reason(task: Task, *, limited: bool = False) -> str:
    """Why it waits or how it ended, in the one word that Slurm has for it; `ganger show` has the sentence.

    It is `limited` when as many elements of its array run as may.
    """
    if task.state is TaskState.SKIPPED:
        return "DependencyNeverSatisfied"
    state = slurm_state(task)
    if state != "PENDING":
        return _ENDS.get(state, "None")
    if limited:
        return "JobArrayTaskLimit"
    if not task.reason:
        return "None"
    return next((word for start, word in _REASONS.items() if task.reason.startswith(start)), "Priority")


def exit_code(task: Task) -> str:
    """`code:signal`, as accounts have it."""
    outcome = task.outcome
    if outcome is None or not task.is_final:
        return "0:0"
    if outcome.signal:
        return f"0:{outcome.signal}"
    return f"{outcome.exit_code or 0}:0"


def read_states(names: Iterable[str]) -> frozenset[str]:
    """States that `-t` names, in any case, in full or in short; `all` names every one. Raises `Invalid`."""
    of_short = {short: state for state, short in SHORT.items()} | _UNUSED
    found: set[str] = set()
    for name in names:
        word = name.upper()
        if word == "ALL":
            return frozenset(SHORT)
        word = of_short.get(word, word)
        if word not in SHORT and word not in _UNUSED.values():
            raise Invalid(f"{name}: Slurm knows no such state{did_you_mean(word, [*SHORT, *SHORT.values()])}")
        found.add(word)
    return frozenset(found)
