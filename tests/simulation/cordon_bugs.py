"""This module plants bugs into what production code does with cordons and drains, for `simulation.bugs`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from simulation.array_bugs import Patches


def _cordon_forgotten_at_a_restart() -> Patches:
    """A restarted master gives a cordoned worker new work."""
    from ganger_master.loaded import reserve_live as real

    def reserve_live(state: Any, registry: Any, rules: Any, now: Any) -> None:
        kept, state.cordons = state.cordons, {}
        real(state, registry, rules, now)
        state.cordons = kept

    return {"simulation.master:reserve_live": reserve_live}


def _drained_task_ends() -> Patches:
    """What was stopped only to empty its worker is cancelled."""
    from ganger_master.losing import _cancelled, put

    def put_back(state: Any, change: Any, task: Any, attempt: Any, now: Any) -> Any:
        return put(state, change, _cancelled(task, now), now, attempt)

    return {"ganger_master.reported:put_back": put_back}


def _drained_attempt_is_not_waited_for() -> Patches:
    """At the deadline the task waits again at once, while its attempt still lives."""
    from ganger_master.changes import Change
    from ganger_master.losing import Loss, lose
    from ganger_master.moves import live

    def evict(state: Any, rules: Any, command: Any, now: Any) -> Any:
        found = live(state, command.ref)
        return lose(state, *found, Loss(command.reason, is_crash=False), now) if found else Change()

    return {"ganger_master.cordons:evict": evict}


def _drained_loss_counts() -> Patches:
    """A drained attempt that is lost counts as a crash, or fails its task."""
    from ganger_master.losing import lose as real

    def lose(state: Any, task: Any, attempt: Any, loss: Any, now: Any, *others: Any, **named: Any) -> Any:
        change = real(state, task, attempt, loss, now, *others, **named)
        if attempt.drained:
            change.tasks[-1] = replace(change.tasks[-1], crashes=task.crashes + 1)
        return change

    return {"ganger_master.reported:lose": lose, "ganger_master.losing:lose": lose}


CORDON_BUGS: Mapping[str, Callable[[], Patches]] = {
    "cordon forgotten at a restart": _cordon_forgotten_at_a_restart,
    "drained task ends": _drained_task_ends,
    "drained attempt not waited for": _drained_attempt_is_not_waited_for,
    "drained loss counts": _drained_loss_counts,
}
