"""This module plants bugs into what production code does with outputs, for `simulation.bugs`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simulation.array_bugs import Patches


def _late_outputs_stored() -> Patches:
    """What a refused attempt published is stored all the same."""
    from ganger_core.domain.errors import StaleAttempt
    from ganger_core.domain.published import Published
    from ganger_master.changes import Change
    from ganger_master.reported import told as real

    def told(state: Any, command: Any, now: Any) -> Any:
        try:
            return real(state, command, now)
        except StaleAttempt:
            report = command.report
            newest = state.attempts.get(report.ref.task_id)
            if newest is None or report.outputs is None:
                raise
            published = Published(report.ref, command.worker_id, "", report.outputs)
            return Change(attempts=[newest], outputs=[published]), None

    return {"ganger_master.reported:told": told}


def _refused_outputs_removed() -> Patches:
    """A worker takes every refusal for that of an old attempt, also that of a report which was taken before."""
    from ganger_worker.agent import Agent

    real = Agent.on_reported

    def on_reported(self: Any, reports: Any, refused: Any) -> None:
        for ref in refused:
            self._executor._listener._outputs.remove(ref)
        real(self, reports, refused)

    return {"ganger_worker.agent:Agent.on_reported": on_reported}


def _old_outputs_stay() -> Patches:
    """What an old attempt published is kept for ever."""
    from ganger_master.remembering import is_unwanted as real

    def is_unwanted(ref: Any, age_s: float, known: Any, forget_after_s: float) -> bool:
        return ref.token >= known.token and real(ref, age_s, known, forget_after_s)

    return {"ganger_master.services.outputs:is_unwanted": is_unwanted}


OUTPUT_BUGS: dict[str, Callable[[], Patches]] = {
    "outputs of a late attempt stored": _late_outputs_stored,
    "outputs removed on any refusal": _refused_outputs_removed,
    "outputs of an old attempt stay": _old_outputs_stay,
}
