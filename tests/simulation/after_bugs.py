"""This module plants bugs into what production code does with tasks that are to run after others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf

from simulation.array_bugs import Patches


def _runs_at_once() -> Patches:
    """What is to run after others waits in the queue like anything else."""

    def ready_ms(waits: object) -> float:
        return inf if waits.held_by else waits.until_ms  # type: ignore[attr-defined, no-any-return]

    return {"ganger_master.aside:ready_ms": ready_ms, "ganger_master.arrays:ready_ms": ready_ms}


def _forgotten_at_the_start() -> Patches:
    """A restarted master does not look what the tasks have come to that are waited for."""
    return {"ganger_master.settling:load": lambda state, stored: None}


def _unbegun_end_unheard() -> Patches:
    """Nobody hears of elements that end with the rest of their array."""
    return {"ganger_master.settling:_note_closed": lambda state, array: None}


def _any_end_will_do() -> Patches:
    """A task runs once the other is over, however it ended."""
    from ganger_core.domain.dependency import Verdict, judge

    def lenient(kind: object, state: object, has_begun: bool) -> Verdict:
        verdict = judge(kind, state, has_begun)  # type: ignore[arg-type]
        return Verdict.MET if verdict is Verdict.NEVER else verdict

    return {"ganger_master.settling:judge": lenient}


AFTER_BUGS: Mapping[str, Callable[[], Patches]] = {
    "what is after others runs at once": _runs_at_once,
    "ends are not looked for at the start": _forgotten_at_the_start,
    "unbegun elements end unheard": _unbegun_end_unheard,
    "any end will do": _any_end_will_do,
}
