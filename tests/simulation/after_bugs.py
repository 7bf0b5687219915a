"""This module plants bugs into what production code does with tasks that are to run after others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from simulation.array_bugs import Patches


def _runs_at_once() -> Patches:
    """What is to run after others waits in the queue like anything else."""

    from ganger_master.aside import Aside, is_held_back

    put = Aside.put

    def let_go(waits: Any) -> Any:
        return replace(waits, after=())

    return {
        "ganger_master.aside:Aside.put": lambda self, number, waits, now: put(
            self, number, let_go(waits), now
        ),
        "ganger_master.arrays:is_held_back": lambda waits, now_ms: is_held_back(let_go(waits), now_ms),
    }


def _forgotten_at_the_start() -> Patches:
    """A restarted master does not look what the tasks have come to that are waited for."""
    return {"ganger_master.settling:load": lambda state, stored, states: None}


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


def _over_already_unheard() -> Patches:
    """An array that waits element by element does not look which of the others are over already."""
    from ganger_master.changes import Change

    def scan(state: Any, rules: object, due: object, now: object) -> Change:
        state.dependents.due.popleft()
        return Change()

    return {"ganger_master.settling:_scan": scan}


AFTER_BUGS: Mapping[str, Callable[[], Patches]] = {
    "what is after others runs at once": _runs_at_once,
    "ends are not looked for at the start": _forgotten_at_the_start,
    "unbegun elements end unheard": _unbegun_end_unheard,
    "any end will do": _any_end_will_do,
    "elements that are over already are not looked for": _over_already_unheard,
}
